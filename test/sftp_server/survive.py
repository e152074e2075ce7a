#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""SFTP sessions beside each other on one connection, and what is left of them when somebody ends in the middle."""
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
import wire  # noqa: E402
from place import Place  # noqa: E402
from tap import PATIENCE, Tap, same, wait_for  # noqa: E402
from wire import F_CREAT, F_READ, F_WRITE, attrs, text, u32, u64  # noqa: E402

W = wire
SIZE = 3 * 1024 * 1024


class Connection:
    """One connection of Debian's ssh that others share."""

    def __init__(self, place, server):
        self.place, self.server, self.socket = place, server, place.path("mux")
        self.argv = [*clients.ssh_argv(place, programs.foreign("ssh"), server), "-S", self.socket]
        self.process = place.start([*self.argv, "-M", "-N", "127.0.0.1"], "master.log")
        wait_for("control socket", lambda: os.path.exists(self.socket))

    def sftp(self):
        process = subprocess.Popen([*self.argv, "-s", "127.0.0.1", "sftp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                                   stderr=subprocess.DEVNULL, env=self.place.env)
        self.place.processes.append(process)
        return process, W.Wire(process.stdout.fileno(), process.stdin.fileno())


def parent(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        return int(f.read().rpartition(")")[2].split()[1])


def hands(server):
    """Processes of the server's wardens that serve files, by the title they give themselves."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if b"@internal-sftp" in f.read() and parent(parent(pid)) == server.process.pid:
                    found.append(int(pid))
        except OSError:
            continue  # it ended meanwhile
    return found


def at_once(tap, connection, place, content):
    sessions = [connection.sftp() for _ in range(3)]
    with tap.case("three sessions on one connection read and write by turns"):
        reads, writes = [], []
        handles = [(w.open(place.path("data")), w.open(place.path(f"copy-{i}"), F_WRITE | F_CREAT)) for i, (_, w) in enumerate(sessions)]
        step = 32768
        for at in range(0, SIZE, step):
            for (_, w), (h, h2) in zip(sessions, handles):
                reads.append((w, at, w.send(W.READ, text(h), u64(at), u32(step))))
                writes.append((w, w.send(W.WRITE, text(h2), u64(at), text(content[at:at + step]))))
            for w, where, wanted in reads:
                same(w.reply(wanted)[1].text() == content[where:where + step], True, f"bytes from {where}")
            for w, wanted in writes:
                same(w.reply(wanted)[1].u32(), W.OK, "write")
            reads.clear(), writes.clear()
        for i, ((process, w), pair) in enumerate(zip(sessions, handles)):
            for handle in pair:
                same(w.close(handle), W.OK, "close")
            same(place.read(f"copy-{i}") == content, True, "copy")
            process.stdin.close()
            same(process.wait(PATIENCE), 0, "exit status")
    with tap.case("their hands have ended with them"):
        wait_for("end of all hands", lambda: not hands(connection.server))


def killed(tap, connection, place):
    doomed, w = connection.sftp()
    with tap.case("a hand that is killed ends its session, and no other"):
        first = hands(connection.server)
        _, other = connection.sftp()
        handle = other.open(place.path("data"))
        w.open(place.path("data"))
        os.kill(first[0], signal.SIGKILL)
        same(doomed.wait(PATIENCE) != 0, True, "status of the one")
        same(other.ask(W.READ, text(handle), u64(5), u32(10))[0], W.DATA, "the other")


def abandoned(tap, connection, place):
    with tap.case("a client that goes in the middle of much leaves nothing behind"):
        before = len(hands(connection.server))
        process, w = connection.sftp()
        handle = w.open(place.path("data"))
        for i in range(60):
            w.send(W.READ, text(handle), u64(0), u32(261120))
            w.send(W.OPEN, text(place.path(f"left-{i}")), u32(F_WRITE | F_CREAT), attrs())
        process.kill()
        process.wait()
        wait_for("end of its hand", lambda: len(hands(connection.server)) == before)
        _, w = connection.sftp()
        same(w.ask(W.STAT, text(place.path("data")))[0], W.ATTRS, "a session after that")
    with tap.case("a connection that ends takes all hands with it"):
        running = hands(connection.server)
        same(len(running) > 0, True, "hands before")
        connection.process.kill()
        connection.process.wait()
        wait_for("end of all hands", lambda: not any(os.path.exists(f"/proc/{pid}") for pid in running))


def timed(tap, place):
    with tap.case("ChannelTimeout ends a silent session, and its hand"):
        server = servers.sshd(place, programs.ours("sshd"), ["Subsystem sftp internal-sftp", "ChannelTimeout session:subsystem:sftp=1"], log="timed.log")
        process = subprocess.Popen([*clients.ssh_argv(place, programs.foreign("ssh"), server), "-s", "127.0.0.1", "sftp"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=place.env, bufsize=0)
        place.processes.append(process)
        w = W.Wire(process.stdout.fileno(), process.stdin.fileno())
        w.open(place.path("data"), F_READ)
        process.stdout.read()
        wait_for("end of all hands", lambda: not hands(server))


def main():
    room.enter()
    tap = Tap()
    with Place() as place:
        os.chmod(place.folder, 0o777)
        content = os.urandom(SIZE)
        place.write("data", content, 0o644)
        server = servers.sshd(place, programs.ours("sshd"), ["Subsystem sftp internal-sftp"])
        connection = Connection(place, server)
        at_once(tap, connection, place, content)
        killed(tap, connection, place)
        abandoned(tap, connection, place)
        timed(tap, place)
    tap.end()


main()
