#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""scp with servers that lie about names, kinds, sizes and data: nothing outside the target changes (TRUST T11, T14), and it ends."""
import hashlib
import os
import shutil
import stat
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import programs
from hostile_server import CONTENT
from place import Place
from tap import Tap, same


def read(path):
    with open(path, "rb") as f:
        return f.read()


def tree_facts(top, leave_out):
    """Everything below top but one folder: names, kinds, modes, sizes, contents, link targets."""
    rows = []
    for folder, folders, files in os.walk(os.fsencode(top)):
        folders[:] = sorted(f for f in folders if os.path.join(folder, f) != os.fsencode(leave_out))
        for name in sorted(folders + files):
            path = os.path.join(folder, name)
            s = os.lstat(path)
            what = read(path) if stat.S_ISREG(s.st_mode) else os.readlink(path) if stat.S_ISLNK(s.st_mode) else b""
            rows.append((path, s.st_mode, s.st_nlink if what else 0, hashlib.sha256(what).hexdigest()))
    return set(rows)


class Field:
    """A folder `target` inside others that must stay as they are."""
    def __init__(self, place):
        self.place, self.top = place, place.path("field")
        shutil.rmtree(self.top, ignore_errors=True)
        self.target = f"{self.top}/mid/target"
        os.makedirs(self.target)
        os.makedirs(f"{self.top}/outside/keep")
        for name in "escape", "outside/file", "outside/keep/inside":
            with open(f"{self.top}/{name}", "wb") as f:
                f.write(b"mine")
        self.before = tree_facts(self.top, self.target)

    def scp(self, lie, *args, source="h:/tree", to=None):
        command = [programs.ours("scp"), "-D", f"/usr/bin/python3 {HERE}/hostile_server.py {lie}", *args, source, to or self.target]
        return self.place.run(command, cwd=f"{self.top}/mid")

    def unharmed(self, done):
        same(list(tree_facts(self.top, self.target) ^ self.before)[:4], [], "what changed outside the target")
        same([c for c in done.stderr + done.stdout if c < 32 and c not in b"\r\n"], [], "control characters on the terminal")
        if done.returncode < 0:
            raise AssertionError(f"signal {-done.returncode}: {done.stderr!r}")


def names(tap, place):
    for flags in [], ["-p"]:
        with tap.case(f"names that lead elsewhere are left out, told, and the rest is copied {flags}"):
            f = Field(place)
            done = f.scp("names", "-r", *flags)
            f.unharmed(done)
            same(done.returncode, 1, "status")
            same(read(f"{f.target}/tree/good"), CONTENT, "the good one")
            same(read(os.fsencode(f.target) + b"/tree/\xff\xfe"), CONTENT, "one that is no UTF-8")
            same(read(os.fsencode(f.target) + b"/tree/\x1b[31mred"), CONTENT, "one that only looks bad")
            same(done.stderr.count(b"suspect path") >= 7, True, done.stderr)
    with tap.case("the same through a pattern: names that match are taken, others are not"):
        f = Field(place)
        done = f.scp("names", source="h:/tree/g*")
        f.unharmed(done)
        same(os.listdir(f.target), ["good"], "what came")
        done = f.scp("names", source="h:/tree/*escape")
        f.unharmed(done)
    with tap.case("links inside the target are no way out of it"):
        f = Field(place)
        os.mkdir(f"{f.target}/tree")
        os.symlink("../../../outside/keep", f"{f.target}/tree/outlink")
        os.symlink("../../../outside/file", f"{f.target}/tree/filelink")
        done = f.scp("swap", "-r")
        f.unharmed(done)
        same((done.returncode, read(f"{f.target}/tree/good")), (1, CONTENT), "status, the good one")
        f = Field(place)
        os.symlink("../../outside/file", f"{f.target}/filelink")
        done = f.scp("swap", source="h:/tree/*")
        f.unharmed(done)
    with tap.case("a target that is a link is the user's own word"):
        f = Field(place)
        os.symlink(f.target, f"{f.top}/mid/way")
        f.before = tree_facts(f.top, f.target)
        done = f.scp("none", "-r", to="way")
        f.unharmed(done)
        same((done.returncode, read(f"{f.target}/tree/sub/inner")), (0, CONTENT), "status, contents")


def kinds(tap, place):
    with tap.case("a folder without end stops at 64 levels"):
        f = Field(place)
        done = f.scp("deep", "-r")
        f.unharmed(done)
        same((done.returncode, b"Maximum directory depth exceeded: 64" in done.stderr), (1, True), done.stderr)
    with tap.case("one name as file and folder"):
        f = Field(place)
        f.unharmed(f.scp("twice", "-r"))
    with tap.case("set-id bits are never taken over, not with -p"):
        for flags in ["-r"], ["-rp"]:
            f = Field(place)
            done = f.scp("setuid", *flags)
            f.unharmed(done)
            same(os.stat(f"{f.target}/tree/good").st_mode & 0o7000, 0, "bits of a file")
            same(os.stat(f"{f.target}/tree/sub").st_mode & 0o6000, 0, "bits of a folder")
    with tap.case("a link that is a link when asked again is no file"):
        f = Field(place)
        done = f.scp("link-of-links", "-r")
        f.unharmed(done)
        same((done.returncode, read(f"{f.target}/tree/good")), (1, CONTENT), "status, the good one")
    with tap.case("a long listing that repeats itself, and one without end that says nothing"):
        f = Field(place)
        f.unharmed(f.scp("endless", "-r"))
        f = Field(place)
        done = f.scp("endless-dots", "-r")
        f.unharmed(done)
        same(done.returncode, 1, "status")


def data(tap, place):
    """Which lies end the file well, which fail it, which end the connection."""
    rows = {"short": 0, "backwards": 0, "small-size": 0, "zero-size": 0, "huge-size": 0, "max-size": 0, "read-fails": 1, "ok-for-data": 1,
            "dies": 255, "too-much": 255, "unknown-id": 255, "wrong-kind": 255}
    for lie, want in rows.items():
        with tap.case(f"{lie}: exit {want}"):
            f = Field(place)
            done = f.scp(lie, source="h:/file")
            f.unharmed(done)
            same(done.returncode, want, f"status; {done.stderr!r}")
            if want == 0:
                same(read(f"{f.target}/file"), CONTENT, "contents")
            else:
                same(CONTENT.startswith(read(f"{f.target}/file")), True, "a whole beginning")
                same(b"Connection" in done.stderr, want == 255, f"words about the connection in {done.stderr!r}")
    with tap.case("data without bytes ends a file"):
        f = Field(place)
        f.unharmed(f.scp("empty-data", source="h:/file"))
        same(read(f"{f.target}/file"), b"", "contents")
    with tap.case("a file that goes on beyond its size is copied to its end"):
        f = Field(place)
        done = f.scp("never-ends", source="h:/file")
        f.unharmed(done)
        same(len(read(f"{f.target}/file")) >= 3 << 20, True, "length")
    with tap.case("a WRITE that failed is not outdone by later ones"):
        f = Field(place)
        with open(f"{f.target}/big", "wb") as big:
            big.write(os.urandom(1 << 20))
        done = f.scp("write-fails", source=f"{f.target}/big", to="h:/file")
        same((done.returncode, b'write remote "/file": Failure' in done.stderr), (1, True), done.stderr)


def main():
    tap = Tap()
    with Place() as place:
        for part in names, kinds, data:
            part(tap, place)
    tap.end()


main()
