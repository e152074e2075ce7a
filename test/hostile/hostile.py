#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A hostile face against a real warden: every message in every stage, of wrong length, with descriptors it must not have, with lengths
beyond their fields; and whether anything ever runs without a login (TRUST F-MON, T08)."""
import os
import re
import shutil
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Place  # noqa: E402
from tap import PATIENCE, Tap, same, wait_for  # noqa: E402

# In which stages a message may come, by hand: h(ello) k(ex) a(uth) s(ession).
TURNS = {
    "HELLO": "h", "IDENT": "kas", "SIGN": "ks", "AUTH_OTHER": "a", "AUTH_SECRET": "a", "AUTH_KEY": "a", "AUTH_KEY_BIG": "a", "PTY": "s",
    "ENV": "s", "START": "s", "START_BIG": "s", "SIGNAL": "s", "CLOSE": "s", "CONNECT": "s", "LISTEN": "s", "CANCEL": "s", "PROVE": "s", "AGENT": "s",
    "GROUP": "ks", "LINE": "kas", "BYE": "kas",
}
TURNS["IDENT"] = "ka"   # after login nobody has a use for it
LENGTHLESS = {"HELLO", "CLOSE", "GROUP", "AGENT"}  # no field whose length could be wrong

TO_STAGE = {
    "h": [],
    "k": ["HELLO exact"],
    "a": ["HELLO exact", "SIGN exact", "HEAR"],
    "s": ["HELLO exact", "SIGN exact", "HEAR", f"LOGIN {room.TESTER} {room.PASSWORD}", "HEAR"],
}


def bin_with_hostile_net(place, hostile):
    folder = place.path("bin")
    os.mkdir(folder, 0o755)
    for name in "sshd", "sshd-keys", "sshd-auth":
        shutil.copy(programs.ours(name), f"{folder}/{name}")
    shutil.copy(hostile, f"{folder}/sshd-net")
    return f"{folder}/sshd"


class Warden:
    def __init__(self, place, program):
        self.place = place
        self.server = servers.sshd(place, program, ["LogLevel VERBOSE", "LoginGraceTime 60", "MaxStartups 1000"])

    def talk(self, lines):
        """Let a face say these lines. (what the warden said, did it find the face guilty)"""
        before = len(self.place.read(self.server.log))
        with socket.create_connection(("127.0.0.1", self.server.port), PATIENCE) as s:
            port = s.getsockname()[1]
            s.sendall("".join(line + "\n" for line in lines).encode())
            s.shutdown(socket.SHUT_WR)
            heard = b""
            try:
                while chunk := s.recv(4096):
                    heard += chunk
            except ConnectionResetError:
                pass
        return heard.decode().split("\n")[:-1], self.verdict(port, before)

    def verdict(self, port, before):
        """The log says how a connection ended: with a farewell, or with its process killed."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            log = self.place.read(self.server.log)[before:].decode(errors="replace")
            ends = re.findall(r"^(.*(?:Connection closed by|broke the rules|ended without a word).*)$", log, re.M)
            for line in ends:
                if re.search(rf"port {port}\b", line):
                    return "broke the rules" in line
            time.sleep(0.005)
        raise AssertionError(f"no end of connection {port} in the log")


def check_stages(tap, warden):
    for stage, opening in TO_STAGE.items():
        with tap.case(f"stage {stage}: only the messages of its turn are taken"):
            wrong = []
            for name, turns in TURNS.items():
                _, guilty = warden.talk([*opening, f"{name} exact"])
                # BYE follows each; in stage h a second message can only be right after HELLO
                if guilty != (stage not in turns):
                    wrong.append(f"{name}: {'refused' if guilty else 'taken'}")
            same(wrong, [], "wrong")


def check_forms(tap, warden):
    for how in "short", "long", "fd", "bounds":
        with tap.case(f"a message of its turn with the wrong form ({how}) ends the face"):
            taken = []
            for name, turns in TURNS.items():
                if how == "bounds" and name in LENGTHLESS:
                    continue
                _, guilty = warden.talk([*TO_STAGE[turns[-1] if name != "BYE" else "a"], f"{name} {how}"])
                if not guilty:
                    taken.append(name)
            same(taken, [], "taken")


def check_truth(tap, warden):
    with tap.case("nothing runs without a login, whatever is tried"):
        mark = warden.place.path("ran")
        os.chmod(warden.place.folder, 0o777)
        for lines in [TO_STAGE["k"], TO_STAGE["a"], [*TO_STAGE["a"], "AUTH_KEY exact", "HEAR"], [*TO_STAGE["a"], "AUTH_SECRET exact", "HEAR"],
                      [*TO_STAGE["a"], f"LOGIN {room.TESTER} wrong", "HEAR"]]:
            warden.talk([*lines, f"RUN touch {mark}"])
            same(os.path.exists(mark), False, f"ran after {lines[-1:]}")
        heard, guilty = warden.talk([*TO_STAGE["s"], f"RUN touch {mark}", "HEAR", "HEAR"])
        same((heard[:3], guilty), (["SIGNED 1", "AUTH 1", "STARTED 0"], False), "with a login")
        wait_for("program of a login", lambda: os.path.exists(mark))
    with tap.case("a session id is told once: a second hash before login ends the face"):
        same(warden.talk([*TO_STAGE["a"], "SIGN exact"])[1], True, "guilty")
    with tap.case("HELLO and IDENT come once"):
        same(warden.talk(["HELLO exact", "HELLO exact"])[1], True, "second HELLO")
        same(warden.talk(["HELLO exact", "IDENT exact", "IDENT exact"])[1], True, "second IDENT")
    with tap.case("a right password is a login, a wrong one is not, and a guess at an unknown name neither"):
        same(warden.talk(TO_STAGE["s"])[0], ["SIGNED 1", "AUTH 1"], "right")
        same(warden.talk([*TO_STAGE["a"], f"LOGIN {room.TESTER} wrong", "HEAR"])[0], ["SIGNED 1", "AUTH 0"], "wrong")
        same(warden.talk([*TO_STAGE["a"], "AUTH_SECRET exact", "HEAR"])[0], ["SIGNED 1", "AUTH 0"], "unknown")


def main():
    tap = Tap()
    if not room.enter() or os.geteuid() != 0:
        tap.skip("hostile face", "needs root and a mount namespace")
        tap.end()
    with Place() as place:
        warden = Warden(place, bin_with_hostile_net(place, sys.argv[1]))
        check_truth(tap, warden)
        check_stages(tap, warden)
        check_forms(tap, warden)
    tap.end()


main()
