#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Someone flips a folder and a symbolic link that leads out, as fast as he can, while a tree is copied down into it, and while a server that is
shut into a folder works there: nothing outside is ever written, read or removed (TRUST T12)."""
import contextlib
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import transfer  # noqa: E402
from place import Place  # noqa: E402
from tap import Skip, Tap, same, wait_for  # noqa: E402
import room  # noqa: E402

ROUNDS = 200 if transfer.LONG else 5
FOLDERS, FILES = 12, 12
SECRET = b"nobody may read this"
# Ends with the test, or when it can no longer flip. Prints a line when it has begun.
SWAPPER = """
import ctypes, sys
libc, pairs, flips = ctypes.CDLL(None), [a.encode() for a in sys.argv[1:]], 0
while True:
    for i in range(0, len(pairs), 2):
        libc.renameat2(-100, pairs[i], -100, pairs[i + 1], 2)
    flips += 1
    if flips == 10:
        print("flips", flush=True)
"""


def tree(top):
    for i in range(FOLDERS):
        os.makedirs(f"{top}/d{i}")
        for k in range(FILES):
            with open(f"{top}/d{i}/f{k}", "wb") as f:
                f.write(b"%d %d" % (i, k) * 100)


def outside(path):
    """What must stay as it is: it has the names that are copied, so that following a link would find them, and more."""
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    for k in range(0, FILES, 2):
        with open(f"{path}/f{k}", "wb") as f:
            f.write(SECRET)
    os.chmod(path, 0o777)
    for k in range(0, FILES, 2):
        os.chmod(f"{path}/f{k}", 0o666)
    return transfer.facts(path)


@contextlib.contextmanager
def flipping(top, link_to):
    """top/dI and a link beside it change places all the time."""
    pairs = []
    for i in range(FOLDERS):
        link = f"{top}/.link{i}"
        if not os.path.lexists(link):
            os.symlink(link_to, link)
        pairs += [f"{top}/d{i}", link]
    process = transfer.sleeper([sys.executable, "-c", SWAPPER, *pairs])
    try:
        same(process.stdout.readline(), b"flips\n", "the swapper")
        yield
        same(process.poll(), None, "the swapper still runs")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def downloads(tap, site):
    ways = {"sftp get -r": lambda a, b: site.sftp(f"get -r {a} {b}"), "sftp get -rp": lambda a, b: site.sftp(f"get -rp {a} {b}"),
            "scp -rp": lambda a, b: site.scp("-rpq", f":{a}", b), "scp -O -rp": lambda a, b: site.scp("-O", "-rpq", f":{a}", b),
            "scp --atomic -r": lambda a, b: site.scp("--atomic", "-rq", f":{a}", b)}
    for name, run in ways.items():
        with tap.case(f"{name} into folders that become links and folders again: nothing is written where they lead"):
            site.fresh()
            tree(f"{site.there}/tree")
            site.give(site.there)
            before = outside(f"{site.here}/outside")
            tree(f"{site.here}/down/tree")
            with flipping(f"{site.here}/down/tree", f"{site.here}/outside"):
                for _ in range(ROUNDS):
                    done = run(f"{site.there}/tree", f"{site.here}/down")
                    if done.returncode not in (0, 1):
                        raise AssertionError(f"status {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
            transfer.same_trees(transfer.facts(f"{site.here}/outside"), before)


def prisoner(tap, place):
    with tap.case("in a chroot where folders become links that lead out and back: nothing outside is read, written or removed"):
        if not transfer.IN_ROOM_AS_ROOT:
            raise Skip("needs root and a mount namespace")
        jail, free = f"{room.FOLDER}/jail", f"{room.FOLDER}/free"
        site = transfer.Site(place, [f"ChrootDirectory {jail}", "ForceCommand internal-sftp"])
        os.makedirs(f"{jail}/work")
        before = outside(free)
        tree(f"{jail}/work/tree")
        tree(f"{site.here}/tree")
        site.give(f"{jail}/work")
        with flipping(f"{jail}/work/tree", f"../../../..{free}"):
            for i in range(ROUNDS):
                got = f"{site.here}/got{i}"
                lines = [f"-put -rp {site.here}/tree /work", f"-get -rp /work/tree {got}"]
                lines += [f"-rm /work/tree/d{k}/f{i % FILES}" for k in range(FOLDERS)]
                lines += [f"-rename /work/tree/d{k}/f2 /work/tree/d{k}/g{i}" for k in range(FOLDERS)]
                lines += [f"-ln /work/tree/d{k}/f4 /work/stolen{i}-{k}" for k in range(FOLDERS)]
                site.sftp(*lines)
                for folder, _, files in os.walk(got):
                    for file in files:
                        with open(f"{folder}/{file}", "rb") as f:
                            if SECRET in f.read():
                                raise AssertionError(f"{folder}/{file} came from outside")
                shutil.rmtree(got, ignore_errors=True)
        transfer.same_trees(transfer.facts(free), before)
        for folder, _, files in os.walk(f"{jail}/work"):
            for file in files:
                path = f"{folder}/{file}"
                if not os.path.islink(path):
                    with open(path, "rb") as f:
                        same(SECRET in f.read(), False, f"{path} is from outside")
        wait_for("end of the session", lambda: len([p for _, p in transfer.family(site.server.process.pid) if p == "sshd"]) == 1)


def main():
    room.enter()
    tap, only = Tap(), sys.argv[1:]
    with Place() as place:
        if not only or "downloads" in only:
            downloads(tap, transfer.Site(place))
        if not only or "prisoner" in only:
            prisoner(tap, place)
    tap.end()


main()
