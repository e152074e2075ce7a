#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Several SFTP channels of one connection to our sshd: what one of them does, or suffers, the others do not feel; and nothing is left when
one ends in the middle of its work."""
import os
import signal
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
import wire as W  # noqa: E402
from place import Place  # noqa: E402
from tap import PATIENCE, Tap, same, wait_for  # noqa: E402
from wire import text, u32, u64  # noqa: E402

BIG = 1 << 36                       # of a sparse file: more than can be hashed or read here


class Channel(W.Wire):
    def __init__(self, place, argv):
        self.process = subprocess.Popen([*argv, "-s", "127.0.0.1", "sftp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=place.env)
        place.processes.append(self.process)
        super().__init__(self.process.stdout.fileno(), self.process.stdin.fileno())

    def end(self):
        self.process.kill()
        self.process.wait(PATIENCE)


class Connection:
    """One connection of Debian's ssh, and channels in it."""

    def __init__(self, place, server):
        self.place, self.socket = place, place.path("master")
        self.argv = [*clients.ssh_argv(place, programs.foreign("ssh"), server), "-S", self.socket]
        self.master = place.start([*self.argv, "-N", "-M", "127.0.0.1"], "master.log")
        wait_for("the master", lambda: os.path.exists(self.socket))

    def channel(self):
        return Channel(self.place, self.argv)

    def end(self):
        self.master.kill()
        self.master.wait(PATIENCE)
        os.unlink(self.socket)


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            found = [int(child) for child in f.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [one for child in found for one in [child, *children(child)]]


def named(server, *words):
    """The server's processes in whose title all the words are."""
    found = []
    for pid in children(server.process.pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                title = f.read().replace(b"\0", b" ").decode(errors="replace")
            with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
                title += f.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if all(word in title for word in words):
            found.append(pid)
    return found


def hands(server):
    return named(server, "internal-sftp")


def works(channel, folder):
    same(channel.status(W.MKDIR, text(f"{folder}/new"), W.attrs()), W.OK, "MKDIR")
    same(channel.status(W.RMDIR, text(f"{folder}/new")), W.OK, "RMDIR")


def a_killed_hand_ends_its_channel_only(c, server, folder):
    one = c.channel()
    first = set(hands(server))
    two = c.channel()
    other = set(hands(server)) - first
    same((len(first), len(other)), (1, 1), "processes that open files")
    handle = one.open(f"{folder}/some")
    os.kill(other.pop(), signal.SIGKILL)
    same(two.process.wait(PATIENCE) != 0, True, "an exit status that is not 0")
    same(one.ask(W.READ, text(handle), u64(0), u32(4))[1].text(), b"some", "READ in the other channel")
    works(one, folder)
    one.end()


def an_end_in_the_middle_leaves_nothing(c, server, folder):
    """The client goes while hashes, a copy without end, and large replies are under way."""
    other = c.channel()
    for what in "hash", "copy", "read":
        channel = c.channel()
        handle = channel.open(f"{folder}/big")
        if what == "hash":
            channel.send(W.EXTENDED, text("check-file-handle"), text(handle), text("sha256"), u64(0), u64(0), u32(0))
        if what == "copy":
            null = channel.open("/dev/null", W.F_WRITE)
            channel.send(W.EXTENDED, text("copy-data"), text(handle), u64(0), u64(0), text(null), u64(0))
        for i in range(200 if what == "read" else 3):
            channel.send(W.READ, text(handle), u64(i << 18), u32(1 << 17))
        channel.end()
        works(other, folder)
        wait_for(f"one process that opens files, after {what}", lambda: len(hands(server)) == 1)
    other.end()


def hashes_hold_up_nobody(c, _, folder):
    busy, other = c.channel(), c.channel()
    for _ in range(50):
        busy.send(W.EXTENDED, text("check-file-name"), text(f"{folder}/big"), text("sha256"), u64(0), u64(0), u32(0))
    for _ in range(100):
        works(other, folder)
    works(busy, folder)
    same(c.place.run([*c.argv, "127.0.0.1", "echo in"]).stdout, b"in\n", "a command beside it")
    busy.end()
    other.end()


def answers_that_nobody_reads(c, server, folder):
    """A client that asks and does not read: what is kept for it has a bound, and others go on."""
    deaf, other = c.channel(), c.channel()
    handle = deaf.open(f"{folder}/big")
    ask = b"".join(u32(21 + len(handle)) + bytes([W.READ]) + u32(i) + text(handle) + u64(i << 17) + u32(1 << 17) for i in range(200000))

    def flood():
        try:
            rest = memoryview(ask)
            while rest:
                rest = rest[os.write(deaf.write_fd, rest):]
        except BrokenPipeError:
            pass

    writer = threading.Thread(target=flood, daemon=True)
    writer.start()
    for _ in range(20):
        works(other, folder)
    same(other.read_file(f"{folder}/some"), b"some", "a file")
    deaf.end()
    writer.join(PATIENCE)
    wait_for("one process that opens files", lambda: len(hands(server)) == 1)
    works(other, folder)
    other.end()


def one_id_for_all(c, _, folder):
    """Many requests with one id at once: the client cannot tell the replies apart, but there is one for each."""
    channel = c.channel()
    for kind, parts in (W.STAT, [text(folder)]), (W.REALPATH, [text(folder)]), (W.LSTAT, [text(f"{folder}/nothing")]):
        for _ in range(100):
            channel.next_id = 6
            channel.send(kind, *parts)
    kinds = [channel.message()[0] for _ in range(300)]
    same({kind: kinds.count(kind) for kind in set(kinds)}, {W.ATTRS: 100, W.NAME: 100, W.STATUS: 100}, "replies")
    channel.end()


def the_program_ends_with_its_client(place, folder):
    """sftp-server below somebody else's sshd: hashes and copies without end do not outlive the pipes."""
    for what in "hash", "copy":
        process = subprocess.Popen([programs.ours("sftp-server")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=place.env)
        place.processes.append(process)
        w = W.Wire(process.stdout.fileno(), process.stdin.fileno())
        if what == "hash":
            w.send(W.EXTENDED, text("check-file-name"), text(f"{folder}/big"), text("sha256"), u64(0), u64(0), u32(0))
        else:
            zero, null = w.open("/dev/zero"), w.open("/dev/null", W.F_WRITE)
            w.send(W.EXTENDED, text("copy-data"), text(zero), u64(0), u64(0), text(null), u64(0))
        process.stdin.close()
        process.stdout.close()
        same(process.wait(PATIENCE), 0, f"exit status, {what}")


def main():
    tap = Tap()
    with Place() as place:
        folder = f"{place.home}/files" if room.inside() else place.path("files")
        os.mkdir(folder)
        with open(f"{folder}/some", "wb") as f:
            f.write(b"some")
        with open(f"{folder}/big", "wb") as f:
            f.truncate(BIG)
        if os.geteuid() == 0 and room.inside():
            os.chown(folder, room.TESTER_ID, room.TESTER_ID)
        server = servers.sshd(place, programs.ours("sshd"), ["LogLevel VERBOSE", "Subsystem sftp internal-sftp -l INFO"])
        for part in a_killed_hand_ends_its_channel_only, an_end_in_the_middle_leaves_nothing, hashes_hold_up_nobody, answers_that_nobody_reads, \
                one_id_for_all:
            with tap.case(part.__name__.replace("_", " ")):
                c = Connection(place, server)
                part(c, server, folder)
                c.end()
                wait_for("no process that opens files", lambda: not hands(server))
        with tap.case("sftp-server ends with its client"):
            the_program_ends_with_its_client(place, folder)
    tap.end()


if __name__ == "__main__":
    room.enter()
    main()
