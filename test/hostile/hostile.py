#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A hostile face against a real warden: every message in every stage, of wrong length, with descriptors it must not have, with lengths
beyond their fields; and whether anything ever runs without a login (TRUST F-MON, T08)."""
import contextlib
import os
import re
import shutil
import socket
import struct
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
        self.server = servers.sshd(place, program, ["LogLevel VERBOSE", "LoginGraceTime 60", "MaxStartups 1000", "Subsystem sftp internal-sftp",
                                                       "Subsystem ro internal-sftp -R"])

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


# ---- the file hand, whose other end the face holds ----

def text(b):
    b = b.encode() if isinstance(b, str) else b
    return struct.pack(">I", len(b)) + b


def request(kind, *args, name=b""):
    return text(bytes([kind]) + struct.pack(">I", 7) + (text(name) if name else b"") + b"".join(args))


def below(pid):
    """The titles of what descends from a process."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        children = f.read().split()
    titles = []
    for child in children:
        with contextlib.suppress(OSError):
            titles += below(child)
            with open(f"/proc/{child}/cmdline", "rb") as f:
                titles.append(f.read())
    return titles


class Hand:
    """Talks with a file hand, each of a login of its own."""

    def __init__(self, warden):
        self.warden = warden

    def ask(self, *lines, subsystem="sftp"):
        """What the hand said to these lines after its greeting: (descriptors, bytes) each; None: it is gone; an int: its exit status."""
        heard, guilty = self.warden.talk([*TO_STAGE["s"], f"SFTP {subsystem}", "HEAR", "ANSWER -", *lines])
        same((heard[2:4], guilty), (["STARTED 1", f"HAND 0 {subsystem == 'ro':02x}" + "0" * 16], False), "start and greeting")
        said = []
        for line in heard[4:]:
            if line.startswith("HAND gone"):
                said.append(None)
            elif line.startswith("HAND "):
                said.append((int(line.split()[1]), bytes.fromhex(line.split()[2])))
            elif line.startswith("EXIT "):
                said.append(int(line.split()[1]))
        return said

    def status(self, message, fds=0, subsystem="sftp"):
        """The number of the STATUS that answers a request."""
        fd_count, said = self.ask(f"HAND {message.hex()} {fds}", "ANSWER -", subsystem=subsystem)[0]
        same((fd_count, said[4], said[5:9]), (0, 101, struct.pack(">I", 7)), "an answer of its kind, to this request")
        return struct.unpack(">I", said[9:13])[0]


def check_hand(tap, warden):
    hand, place = Hand(warden), warden.place
    none = struct.pack(">I", 0)
    kept = place.write("kept", "content", 0o666)
    with tap.case("file hand: what needs only a descriptor is not asked there"):
        for message in (request(5, text("h"), bytes(8), none), request(6, text("h"), bytes(8), none), request(8, text("h")),
                        request(200, name="limits@openssh.com"), request(200, text("h"), text("md5"), bytes(8), bytes(8), none, name="check-file-handle")):
            same(hand.status(message), 8, message)
    with tap.case("file hand: handles that nobody was given"):
        for handle in b"", b"\0", bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(256), b"\xff" * 21:
            for kind in 4, 12:
                same(hand.status(request(kind, text(handle))), 4, (kind, handle))
    with tap.case("file hand: what is no request, or brings other descriptors than belong to it, ends it with 11"):
        opened = request(3, text("/tmp"), struct.pack(">II", 1, 0))
        for what, lines in {
                "a byte": ["HAND 00"], "its own greeting": ["HAND 00" + "00" * 8], "a length that lies": ["HAND 00000009070000"],
                "an empty one": ["HAND 00000000"], "an unknown type": [f"HAND {request(99).hex()}"], "INIT": [f"HAND {text(bytes([1, 0, 0, 0, 3])).hex()}"],
                "an answer": [f"HAND {request(101, none, text('x'), text('')).hex()}"], "an unknown extension": [f"HAND {request(200, name='x@y').hex()}"],
                "more behind it": [f"HAND {text(request(17, text('/tmp'))[4:] + b'x').hex()}"], "a NUL": [f"HAND {request(17, text(b'/a' + bytes(1))).hex()}"],
                "FSETSTAT without its file": [f"HAND {request(10, text('h'), none).hex()}"], "STAT with a file": [f"HAND {request(17, text('/tmp')).hex()} 1"],
                "OPEN with two": [f"HAND {opened.hex()} 2"], "FSETSTAT with sixteen": [f"HAND {request(10, text('h'), none).hex()} 16"],
                "too long a datagram": ["LONG 65537"]}.items():
            said = hand.ask(*lines, "ANSWER -", "ANSWER -", "HEAR")
            fine = [x for x in said if isinstance(x, tuple)]
            same((said[-1], None in said, len(fine) <= 1), (11, True, True), f"{what}: {said}")
    with tap.case("file hand: a folder that was opened is no file, a file's handle no folder"):
        said = hand.ask(f"HAND {request(11, text('/')).hex()}", "ANSWER -", f"HAND {request(10, text(bytes(4)), none).hex()} 1", "ANSWER -",
                        f"HAND {request(12, text(bytes(4))).hex()}", "ANSWER -", f"HAND {(request(4, text(bytes(4))) * 2).hex()}", "ANSWER -")
        same([s[1][4] for s in said[:3]], [102, 101, 104], said)
        first = struct.unpack(">I", said[3][1][:4])[0] + 4
        same([struct.unpack(">I", m[9:13])[0] for m in (said[3][1][:first], said[3][1][first:])], [0, 4], "CLOSE, and again")
    with tap.case("file hand: -R is its own rule, whatever the face asks"):
        for message, fds in ((request(3, text(kept), struct.pack(">II", 2, 0)), 0), (request(3, text(kept), struct.pack(">II", 0x1a, 0)), 0),
                             (request(13, text(kept)), 0), (request(9, text(kept), struct.pack(">II", 4, 0o600)), 0), (request(10, text("h"), none), 1),
                             (request(18, text(kept), text(f"{kept}2")), 0), (request(200, text(kept), text(f"{kept}2"), name="hardlink@openssh.com"), 0)):
            same(hand.status(message, fds, "ro"), 3, message)
        same((place.read("kept"), os.stat(kept).st_mode & 0o777), (b"content", 0o666), "the file")
    with tap.case("file hand: one whose answers nobody reads ends with the face"):
        hand.ask(f"FLOOD {(request(16, text('/')) * 100).hex()}")
        wait_for("end of all file hands", lambda: not any(b"internal-sftp" in title for title in below(warden.server.process.pid)))


def main():
    tap = Tap()
    room.enter_as_root(tap, "hostile face")
    with Place() as place:
        warden = Warden(place, bin_with_hostile_net(place, sys.argv[1]))
        check_truth(tap, warden)
        check_stages(tap, warden)
        check_forms(tap, warden)
        check_hand(tap, warden)
    tap.end()


main()
