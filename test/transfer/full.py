#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""No more room, no more bytes allowed, a read-only file system: told, status 1, what is whole stays, and what was begun can go on."""
import os
import random
import resource
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import transfer  # noqa: E402
from place import Place, die_with_parent  # noqa: E402
import programs  # noqa: E402
from tap import PATIENCE, Skip, Tap, same  # noqa: E402
from transfer import good  # noqa: E402
import room  # noqa: E402

SMALL, LARGE, DISK = 100000, 12 << 20, 6 << 20
DIRECTIONS = {"sftp get": ("get", "sftp"), "sftp put": ("put", "sftp"), "scp down": ("get", "scp"), "scp up": ("put", "scp")}


class Copies:
    """One file after another of a folder from one side into a folder of the other."""

    def __init__(self, site, way, program):
        self.site, self.way, self.program = site, way, program
        self.source, self.target = (site.there, site.here) if way == "get" else (site.here, site.there)
        site.fresh()
        self.disk = f"{self.target}/disk"
        os.mkdir(self.disk)
        os.mkdir(f"{self.source}/tree")

    def file(self, name, size, seed=1):
        with open(f"{self.source}/tree/{name}", "wb") as f:
            f.write(random.Random(seed).randbytes(size))
        self.site.give(self.site.there)

    def mount(self, options):
        if not transfer.IN_ROOM_AS_ROOT:
            raise Skip("needs root and a mount namespace")
        good(self.site.place.run(["mount", "-t", "tmpfs", "-o", f"mode=777,{options}", "tmpfs", self.disk]), "mount")

    def umount(self):
        self.site.place.run(["umount", self.disk])

    def run(self, name, resume=False, **kw):
        source, target = f"{self.source}/tree/{name}", f"{self.disk}/{name}"
        return self.copy(source, target, resume, **kw)

    def copy(self, source, target, resume=False, limit=None):
        if self.program == "scp":
            argv = self.site.scp_argv("-rq", *["--resume"] * resume, *((f":{source}", target) if self.way == "get" else (source, f":{target}")))
        else:
            argv = self.site.sftp_argv(f"{'re' * resume}{self.way} {'' if resume else '-r '}{source} {target}")

        def before():
            die_with_parent()
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, env=self.site.place.env, preexec_fn=before, check=False)

    def same_file(self, name, size=None):
        """The target is the source, or (size: at least so many bytes of) its beginning."""
        with open(f"{self.source}/tree/{os.path.basename(name)}", "rb") as a, open(f"{self.disk}/{name}", "rb") as b:
            want, got = a.read(), b.read()
        if size is None:
            same(len(got), len(want), f"size of {name}")
        elif not size <= len(got) < len(want):
            raise AssertionError(f"{name} has {len(got)} bytes")
        if not want.startswith(got):
            raise AssertionError(f"{name} is not what was copied")


def told(done, what):
    same(done.returncode, 1, f"status; {done.stderr.decode(errors='replace')[-500:]}")
    if what not in done.stderr:
        raise AssertionError(f"no {what} in: {done.stderr.decode(errors='replace')[-500:]}")


def disk_full(tap, site):
    for name, (way, program) in DIRECTIONS.items():
        with tap.case(f"{name} onto a disk that gets full: told, what was whole stays; with room it goes on"):
            copies = Copies(site, way, program)
            copies.file("first", SMALL)
            copies.file("large", LARGE, 2)
            copies.mount(f"size={DISK}")
            try:
                good(copies.run("first"), "a file that fits")
                # version 3 has no number for a full disk
                told(copies.run("large"), b"No space left on device" if way == "get" else b"ailure")
                copies.same_file("first")
                copies.same_file("large", DISK // 2)
                good(site.place.run(["mount", "-o", f"remount,size={4 * LARGE}", copies.disk]), "remount")
                good(copies.run("large", resume=True), "going on")
                copies.same_file("large")
            finally:
                copies.umount()


def no_inodes(tap, site):
    for name, (way, program) in DIRECTIONS.items():
        with tap.case(f"{name} of a tree for which there are not enough inodes: told, no more than there is room for"):
            copies = Copies(site, way, program)
            for i in range(60):
                copies.file(f"f{i}", 100, i)
            copies.mount("nr_inodes=30")
            try:
                told(copies.copy(f"{copies.source}/tree", f"{copies.disk}/tree"), b"No space left on device" if way == "get" else b"ailure")
                came = os.listdir(f"{copies.disk}/tree")
                if not 20 <= len(came) < 30:
                    raise AssertionError(f"{len(came)} files came")
                for file in came:
                    with open(f"{copies.source}/tree/{file}", "rb") as a, open(f"{copies.disk}/tree/{file}", "rb") as b:
                        same(b.read(), a.read(), file)
            finally:
                copies.umount()


def read_only(tap, site):
    for name, (way, program) in DIRECTIONS.items():
        with tap.case(f"{name} into a read-only file system: told, nothing changes"):
            copies = Copies(site, way, program)
            copies.mount("size=1m")
            try:
                for file in "f", "new":
                    copies.file(file, SMALL)
                with open(f"{copies.disk}/f", "wb") as f:
                    f.write(b"as it was")
                os.chmod(f"{copies.disk}/f", 0o666)
                good(site.place.run(["mount", "-o", "remount,ro", copies.disk]), "remount")
                told(copies.run("f"), b"Read-only file system" if way == "get" else b"ailure")
                told(copies.run("new"), b"Read-only file system" if way == "get" else b"ailure")
                with open(f"{copies.disk}/f", "rb") as f:
                    same(f.read(), b"as it was", "the file there")
                same(os.listdir(copies.disk), ["f"], "names there")
            finally:
                copies.umount()


def size_limit_here(tap, site):
    for name in "sftp get", "scp down":
        with tap.case(f"{name} beyond the limit for the size of a file: told, the other files come"):
            copies = Copies(site, *DIRECTIONS[name])
            for i in range(10):
                copies.file(f"f{i}", 4000000 if i == 4 else SMALL, i)
            told(copies.copy(f"{copies.source}/tree", f"{copies.disk}/tree", limit=1 << 20), b"File too large")
            got, want = transfer.facts(f"{copies.disk}/tree", times=False), transfer.facts(f"{copies.source}/tree", times=False)
            same(got.pop(b"f4")[1], 1 << 20, "what is allowed of the large one")
            del want[b"f4"]
            transfer.same_trees({k: v[1:] for k, v in got.items()}, {k: v[1:] for k, v in want.items()})


def size_limit_there(tap, place):
    wrapper = place.write("limited-sshd", f"#!/bin/sh\nexec prlimit --fsize=1048576:1048576 {programs.ours('sshd')} \"$@\"\n", 0o755)
    with tap.case("a server whose processes may write no more than 1 MiB a file: told, the other files go"):
        site = transfer.Site(place, program=wrapper)
        for name in "sftp put", "scp up":
            copies = Copies(site, *DIRECTIONS[name])
            for i in range(10):
                copies.file(f"f{i}", 4000000 if i == 4 else SMALL, i)
            site.give(copies.disk)
            told(copies.copy(f"{copies.source}/tree", f"{copies.disk}/tree"), b"ailure")
            got, want = transfer.facts(f"{copies.disk}/tree", times=False), transfer.facts(f"{copies.source}/tree", times=False)
            same((1 << 19) < got.pop(b"f4")[1] <= 1 << 20, True, "about what is allowed of the large one came")
            copies.same_file("tree/f4", 1 << 19)
            del want[b"f4"]
            transfer.same_trees({k: v[1:] for k, v in got.items()}, {k: v[1:] for k, v in want.items()})


def main():
    room.enter()
    tap, only = Tap(), sys.argv[1:]
    with Place() as place:
        site = transfer.Site(place)
        for part in disk_full, no_inodes, read_only, size_limit_here:
            if not only or part.__name__ in only:
                part(tap, site)
        if not only or "size_limit_there" in only:
            size_limit_there(tap, place)
    tap.end()


main()
