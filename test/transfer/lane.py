#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The lane: what ssh writes into sftp's and scp's files by itself, with servers that answer as they like, and what becomes of the rest."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import transfer  # noqa: E402
from lane_server import CONTENT  # noqa: E402
from place import Place  # noqa: E402
import programs  # noqa: E402
from tap import Tap, same  # noqa: E402
import room  # noqa: E402

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lane_server.py")
WHOLE, BEGINNING = "whole", "a beginning"
# what a server does: what comes of it, the status, what is told
LIES = {
    "plain": (WHOLE, 0, b""), "odd": (WHOLE, 0, b""), "backwards": (WHOLE, 0, b""), "short": (WHOLE, 0, b""), "grows": (WHOLE, 0, b""),
    "shrinks": (WHOLE, 0, b""), "ends": (BEGINNING, 0, b""),
    "fails": (BEGINNING, 1, b"Failure"), "both": (BEGINNING, 255, b""), "too-long": (BEGINNING, 255, b""), "twice": (BEGINNING, 255, b""),
    "wrong-id": (BEGINNING, 255, b""), "lengths": (BEGINNING, 255, b""), "placed": (BEGINNING, 255, b""), "unplaced": (BEGINNING, 255, b""),
    "dies": (BEGINNING, 255, b""),
}


def placed(stderr):
    """How many bytes ssh -vv says it wrote."""
    found = re.search(rb"lane: (\d+) bytes", stderr)
    return int(found[1]) if found else None


class Field:
    def __init__(self, site):
        self.site = site
        self.target = f"{site.here}/target"

    def sftp(self, name, *args, verb="get"):
        return self.site.sftp(f"{verb} /home/{name} {self.target}", args=[*args, "-o", "LogLevel=DEBUG2"])

    def scp(self, name, *args):
        return self.site.scp(*args, "-o", "LogLevel=DEBUG2", f":/home/{name}", self.target)

    def read(self):
        if not os.path.exists(self.target):
            return b""
        with open(self.target, "rb") as f:
            return f.read()


def lies(tap, field):
    for program in "sftp", "scp":
        for lie, (comes, status, said) in LIES.items():
            with tap.case(f"{program} get, READs answered: {lie}"):
                field.site.fresh()
                done = getattr(field, program)(lie)
                got = field.read()
                note = done.stderr.decode(errors="replace")[-800:]
                if (done.returncode == 0) != (status == 0):
                    raise AssertionError(f"status {done.returncode}: {note}")
                if said not in done.stderr:
                    raise AssertionError(f"not told: {note}")
                if not CONTENT.startswith(got) or (comes == WHOLE) != (got == CONTENT):
                    raise AssertionError(f"{len(got)} bytes came, {'no ' * (not CONTENT.startswith(got))}beginning of the file: {note}")
                if status != 255 and not placed(done.stderr):
                    raise AssertionError(f"nothing went over the lane: {note}")


def kinds(tap, field):
    """Targets and options that go with it, or do without."""
    with tap.case("over a longer file: scp writes over what is there and cuts it, sftp empties it first"):
        for program in field.scp, field.sftp:
            field.site.fresh()
            with open(field.target, "wb") as f:
                f.write(b"x" * (len(CONTENT) + 100000))
            same(program("plain").returncode, 0, "status")
            same(field.read() == CONTENT, True, "content")
    with tap.case("reget goes on behind a part, over the lane"):
        field.site.fresh()
        part = (1 << 20) + 77
        with open(field.target, "wb") as f:
            f.write(CONTENT[:part])
        done = field.sftp("plain", verb="reget")
        same((done.returncode, field.read() == CONTENT), (0, True), "status, content")
        same(placed(done.stderr), len(CONTENT) - part, "bytes over the lane")
    with tap.case("--atomic: the name appears with the whole, and never with a part"):
        field.site.fresh()
        done = field.sftp("plain", "--atomic")
        same((done.returncode, field.read() == CONTENT, placed(done.stderr)), (0, True, len(CONTENT)), "status, content, bytes")
        field.site.fresh()
        same(field.sftp("too-long", "--atomic").returncode != 0, True, "status")
        same(os.path.exists(field.target), False, "the name is there")
    with tap.case("with -l nothing goes over it: the limit is held where it ever was"):
        field.site.fresh()
        done = field.sftp("plain", "-l", "400000")
        same((done.returncode, field.read() == CONTENT, placed(done.stderr)), (0, True, 0), "status, content, bytes")
    with tap.case("to a pipe and to a device it does without"):
        done = field.site.sftp("get /home/plain /dev/null", args=["-o", "LogLevel=DEBUG2"])
        same((done.returncode, placed(done.stderr)), (0, 0), "status, bytes")
    with tap.case("many files after one another and one server that never answers in order"):
        field.site.fresh()
        lines = [f"get /home/{name} {field.site.here}/{i}" for i in range(20) for name in (("plain", "backwards", "short")[i % 3],)]
        same(field.site.sftp(*lines).returncode, 0, "status")
        for i in range(20):
            with open(f"{field.site.here}/{i}", "rb") as f:
                same(f.read() == CONTENT, True, f"file {i}")
    with tap.case("a program that was got can be run at once: nobody holds it open for writing any more"):
        big = b"#!/bin/sh\nexit 7\n" + b"#" * (2 << 20)
        with open(f"{field.site.there}/program", "wb") as f:
            f.write(big)
        field.site.give(field.site.there)
        for i in range(10):
            site = field.ours
            done = site.sftp(f"get {site.there}/program {site.here}/program-{i}", f"!chmod 755 {site.here}/program-{i}; {site.here}/program-{i}; echo was $?")
            same((done.returncode, b"was 7\n" in done.stdout), (0, True), f"status, the program ran; {done.stderr[-300:]}")


def few_descriptors(tap, field):
    with tap.case("with few descriptors left, a tree of large files comes whole"):
        tree = f"{field.ours.there}/tree"
        os.makedirs(tree, exist_ok=True)
        for i in range(40):
            with open(f"{tree}/{i}", "wb") as f:
                f.write(CONTENT[i:i + (1 << 20) + 4096 * i])
        field.ours.give(field.ours.there)
        for limit in 24, 64, 256:
            target = f"{field.ours.here}/tree-{limit}"
            argv = ["prlimit", f"--nofile={limit}:{limit}", *field.ours.sftp_argv(f"get -r {tree} {target}")]
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, env=field.ours.place.env, timeout=120, check=False)
            same((done.returncode, done.stderr[-500:]), (0, b""), f"with {limit}")
            same(subprocess.run(["diff", "-r", tree, target], check=False).returncode, 0, f"difference with {limit}")


def whose(tap, field):
    """The variable means nothing unless our own parent made the socket."""
    ssh = [programs.ours("ssh"), *transfer.clients.ssh_argv(field.ours.place, programs.ours("ssh"), field.ours.server)[1:]]
    script = ("import os, socket, subprocess, sys\n"
              "a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
              "if sys.argv[1] == 'other' and os.fork():\n"      # the child starts ssh: its parent is not who made the pair
              "    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))\n"
              "n = {'file': os.open('/dev/null', os.O_RDWR), 'stream': socket.socketpair()[0].fileno()}.get(sys.argv[1], b.fileno())\n"
              "done = subprocess.run(sys.argv[2:], pass_fds=[n], env={**os.environ, 'NACRE_LANE': str(n)}, capture_output=True)\n"
              "b.close()\n"
              "a.setblocking(False)\n"
              "try: got = len(a.recv(100))\n"
              "except BlockingIOError: got = -1\n"
              "print(done.returncode, got, done.stdout.decode().strip())\n")
    for who, want in (("parent", "0 29"), ("other", "0 -1"), ("file", "0 0"), ("stream", "0 0")):
        with tap.case(f"NACRE_LANE names what {who} gave: {'taken' if '29' in want else 'not taken'}, and no child hears of it"):
            done = field.ours.place.run([sys.executable, "-c", script, who, *ssh, "-o", "SendEnv=NACRE_*", "127.0.0.1", "echo ${NACRE_LANE-none}"])
            same(done.stdout.decode().split("\n")[0], f"{want} none", f"status, bytes said, variable: {done.stderr[-500:]}")
    with tap.case("ProxyCommand has neither the variable nor the descriptor"):
        seen = field.ours.place.path("seen")
        script = field.ours.place.write("proxy.py", f"""import os, socket, threading
with open({seen!r}, "w") as f:
    print(os.environ.get("NACRE_LANE"), [fd for fd in range(3, 100) if fd != f.fileno() and os.path.exists(f"/proc/self/fd/{{fd}}")], file=f)
line = socket.create_connection(("127.0.0.1", {field.ours.server.port}))
def carry():
    while got := os.read(0, 65536):
        line.sendall(got)
threading.Thread(target=carry, daemon=True).start()
while got := line.recv(65536):
    os.write(1, got)
""")
        field.site.fresh()
        source = f"{field.ours.there}/source"
        with open(source, "wb") as f:
            f.write(CONTENT)
        field.ours.give(source)
        done = field.ours.sftp(f"get {source} {field.target}", args=["-o", "LogLevel=DEBUG2", "-o", f"ProxyCommand={sys.executable} {script}"])
        same((done.returncode, placed(done.stderr)), (0, len(CONTENT)), f"status, bytes over the lane; {done.stderr.decode(errors='replace')[-500:]}")
        with open(seen, encoding="ascii") as f:
            same(f.read().strip(), "None []", "variable, descriptors")


def main():
    room.enter()
    tap, only = Tap(), sys.argv[1:]
    with Place() as place, tempfile.TemporaryDirectory() as copy:
        os.chmod(copy, 0o755)
        for name in ("lane_server.py",):        # where the user who logs in may read it
            subprocess.run(["cp", SERVER, f"{copy}/{name}"], check=True)
        field = Field(transfer.Site(place, subsystem=f"/usr/bin/python3 {copy}/lane_server.py"))
        field.ours = transfer.Site(place)
        for part in lies, kinds, few_descriptors, whose:
            if not only or part.__name__ in only:
                part(tap, field)
    tap.end()


main()
