#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Either side is killed in the middle of a copy, at many points; the copy goes on where it was, and what comes out is what went in.
What goes over the line again is counted by the line: after a kill at half, less than 55 % of the whole (of a GiB, in the long run).

usage: kills.py [SIZE_MB [POINTS]]"""
import os
import random
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import transfer  # noqa: E402
from place import Place  # noqa: E402
from tap import PATIENCE, Tap, same, wait_for  # noqa: E402
from transfer import good  # noqa: E402
import room  # noqa: E402

TO_SERVER, TO_CLIENT = 0, 1
GET, PUT = "get", "put"
CLIENTS, SERVERS = ["sftp", "scp", "ssh", "ssh-transport"], ["face", "hand", "warden"]
SLACK = 0.05        # of the whole: what was under way, when the whole is a GiB; sockets hold up to tcp_rmem's 32 MiB, so less tells nothing


def fill(path, size):
    source = random.Random(11)
    block = bytearray(source.randbytes(1 << 20))
    with open(path, "wb") as f:
        for at in range(0, size, len(block)):
            block[:8] = at.to_bytes(8, "little")
            f.write(block[:min(len(block), size - at)])


def filters(pid):
    """How many system call filters it has: the nursery has one, a face one more."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as f:
            return int(re.search(r"Seccomp_filters:\s+(\d+)", f.read())[1])
    except (OSError, TypeError):    # it ended meanwhile
        return 0


def server_part(site, name):
    """The pids that are the session's face, warden or hand."""
    listener, parents = site.server.process.pid, transfer.processes()
    below = [(pid, program, parents[pid][0]) for pid, program in transfer.family(listener) if pid in parents]
    wardens = [pid for pid, program, parent in below if program == "sshd" and parent == listener]
    if name == "face":
        return [pid for pid, program, _ in below if program == "sshd-net" and filters(pid) > 1]
    return wardens if name == "warden" else [pid for pid, program, parent in below if program == "sshd" and parent in wardens]


class Kills:
    def __init__(self, site, size):
        self.site, self.size, self.line = site, size, transfer.Line(site.server.port)
        self.source = {GET: f"{site.there}/source", PUT: f"{site.here}/source"}
        self.target = {GET: f"{site.here}/target", PUT: f"{site.there}/target"}
        for path in self.source.values():
            fill(path, size)
        site.give(site.there)
        self.hash = transfer.data_hash(self.source[GET])

    def argv(self, program, way, again):
        source, target, port = self.source[way], self.target[way], self.line.port
        if program == "scp":
            return self.site.scp_argv("-q", *["--resume"] * again, *((f":{source}", target) if way == GET else (source, f":{target}")), port=port)
        return self.site.sftp_argv(f"{'re' * again}{way} {source} {target}", port=port)

    def victims(self, name, client):
        if name in SERVERS:
            return server_part(self.site, name)
        return [pid for pid, program in transfer.family(client.pid) if program == name]

    def run(self, program, way, victim, part):
        direction, at = TO_CLIENT if way == GET else TO_SERVER, int(self.size * part)
        for path in self.target.values():
            if os.path.exists(path):
                os.unlink(path)
        killed = []

        def kill():
            for pid in self.victims(victim, client):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

        self.line.cut_at(direction, at, lambda: None if client is None else kill())
        client = None
        log = f"kill-{program}-{way}"
        client = self.site.place.start(self.argv(program, way, False), log)
        status = client.wait(PATIENCE)
        same(len(killed), 1, f"processes that were a {victim}; {self.site.place.read(log)[-500:]}")
        if status == 0:
            raise AssertionError("the copy that was cut off ended with status 0")
        wait_for("end of the session", lambda: not any(server_part(self.site, part) for part in SERVERS))
        return at, direction

    def resume(self, program, way, at, direction):
        have = os.path.getsize(self.target[way]) if os.path.exists(self.target[way]) else 0
        good(self.site.place.run(self.argv(program, way, True)), "resumed copy")
        same(transfer.data_hash(self.target[way]), self.hash, "SHA-256 of what came")
        again = self.line.counts[direction]
        most = self.size - (at if self.size >= 1 << 30 else have) + SLACK * self.size
        if again > most:
            raise AssertionError(f"{again} bytes were sent again after {at} of {self.size} (at most {most:.0f}); the target had {have}")

    def case(self, tap, program, way, victim, part):
        with tap.case(f"{program} {way}, {victim} killed at {part:.0%}, goes on"):
            at, direction = self.run(program, way, victim, part)
            self.resume(program, way, at, direction)


def rows(points):
    """Every victim and every direction, spread over the file; half of the whole among them."""
    parts = [0.5] + [(i + 1) / (points + 1) for i in range(points - 1)]
    kinds = [(program, way, victim) for victim in ("client", "ssh", "ssh-transport", *SERVERS) for way in (GET, PUT) for program in ("sftp", "scp")]
    for i in range(points):
        program, way, victim = kinds[(i * 5) % len(kinds)]      # 5 and 24 have no common divisor
        yield program, way, program if victim == "client" else victim, parts[i]


def main():
    size, points = (int(sys.argv[1]) << 20 if len(sys.argv) > 1 else (1 << 30 if transfer.LONG else 64 << 20),
                    int(sys.argv[2]) if len(sys.argv) > 2 else (50 if transfer.LONG else 12))
    room.enter()
    tap = Tap()
    with Place() as place:
        kills = Kills(transfer.Site(place), size)
        for row in rows(points):
            kills.case(tap, *row)
        tap.note(f"{points} points of {size >> 20} MiB")
    tap.end()


main()
