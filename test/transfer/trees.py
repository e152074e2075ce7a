#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Trees go up and come back as they were: modes, times, empty and sparse files, more than 4 GiB, many in one folder, awkward names.
With a folder and files that cannot be read the rest is copied all the same, a line each, status 1."""
import os
import random
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import transfer  # noqa: E402
from place import Place  # noqa: E402
from tap import Skip, Tap, same  # noqa: E402
from transfer import good  # noqa: E402
import room  # noqa: E402

OLD = 1577934245        # 2020-01-02 03:04:05
NAMES = [b"plain", b"with blank", "\u00fcml\u00e4ut".encode(), b"latin-\xfc\xe4", b"\xff\xfe\x80", b"new\nline", b"esc\x1b[31m", b"*", b"[a]?", b"-r", b"~",
         b"a:b", b"quo'te\"", b"back\\slash", b"n" * 255, b".hidden", b"..x", b"\x01\x7f"]
MODES = [0o644, 0o600, 0o400, 0o755, 0o777, 0o640]


def put(path, content, mode=0o644, age=0):
    with open(path, "wb") as f:
        f.write(content)
    os.chmod(path, mode)
    os.utime(path, (OLD + age, OLD + age))


def make(top):
    """A tree of everything but what is large."""
    source, top = random.Random(3), os.fsencode(top)
    os.mkdir(top)
    for i, name in enumerate(NAMES):
        put(top + b"/" + name, source.randbytes(i * 100), MODES[i % len(MODES)], i)
    put(top + b"/empty", b"", age=50)
    for size in 1, 32768, 261120, 261121, 262144, 262145, 700001:
        put(top + b"/size-%d" % size, source.randbytes(size), age=size)
    folder = top
    for depth in range(12):
        folder += b"/d%d" % depth
        os.mkdir(folder)
        put(folder + b"/f", source.randbytes(depth * 10), age=depth)
    for i, name in enumerate(NAMES):
        os.makedirs(top + b"/folders/" + name)
        put(top + b"/folders/" + name + b"/f", b"x" * i, age=i)
        os.chmod(top + b"/folders/" + name, [0o755, 0o700, 0o750][i % 3])
    os.mkdir(top + b"/empty-folder")
    os.chmod(top + b"/empty-folder", 0o711)
    date(top)


def date(top):
    """Old times for the folders, from below."""
    for i, (folder, _, _) in enumerate(os.walk(top, topdown=False)):
        os.utime(folder, (OLD + 1000 + i, OLD + 1000 + i))


def go_round(site, source, up, down, times=True):
    """Up by one program, down by the other or the same; what is there and what came back, against what was."""
    want = transfer.facts(source, times)
    up(source, f"{site.there}/up")
    transfer.same_trees(transfer.facts(f"{site.there}/up", times), want)
    down(f"{site.there}/up", f"{site.here}/down")
    transfer.same_trees(transfer.facts(f"{site.here}/down", times), want)


def sftp_ways(site):
    return (lambda a, b: good(site.sftp(f"put -rp {a} {b}"), "put -rp")), (lambda a, b: good(site.sftp(f"get -rp {a} {b}"), "get -rp"))


def scp_ways(site):
    return (lambda a, b: good(site.scp("-rpq", a, f":{b}"), "scp -rp up")), (lambda a, b: good(site.scp("-rpq", f":{a}", b), "scp -rp down"))


def everything(tap, site):
    for name, ways in ("sftp put -rp, get -rp", sftp_ways), ("scp -rp", scp_ways):
        with tap.case(f"{name}: names, modes, times, sizes, folders"):
            site.fresh()
            make(f"{site.here}/tree")
            go_round(site, f"{site.here}/tree", *ways(site))
    with tap.case("a tree that is there already is brought up to date"):
        shutil.rmtree(f"{site.here}/tree")
        make(f"{site.here}/up")
        put(f"{site.here}/up/size-262145", b"short", age=7)
        date(f"{site.here}/up")
        want = transfer.facts(f"{site.here}/up")
        for top in f"{site.there}/up", f"{site.here}/down":
            good(site.place.run(["chmod", "-R", "u+w", top]), "chmod")      # who may not write may not bring up to date
        good(site.sftp(f"put -rp {site.here}/up {site.there}"), "put")
        transfer.same_trees(transfer.facts(f"{site.there}/up"), want)
        os.mkdir(f"{site.here}/old")
        os.rename(f"{site.here}/down", f"{site.here}/old/up")
        good(site.sftp(f"get -rp {site.there}/up {site.here}/old"), "get")
        transfer.same_trees(transfer.facts(f"{site.here}/old/up"), want)


def many(tap, site):
    count = 100000 if transfer.LONG else 2000
    for name, ways in ("sftp", sftp_ways), ("scp", scp_ways):
        with tap.case(f"{name}: {count} files in one folder"):
            site.fresh()
            os.mkdir(f"{site.here}/tree")
            for i in range(count):
                put(f"{site.here}/tree/file-{i}", b"%d" % i, age=i)
            date(f"{site.here}/tree")
            go_round(site, f"{site.here}/tree", *ways(site))


def sparse(tap, site):
    """Holes go over the line as zeros; what counts is what is read afterwards."""
    size = (5 << 30) if transfer.LONG else (64 << 20)
    with tap.case(f"a sparse file of {size} bytes"):
        site.fresh()
        os.mkdir(f"{site.here}/tree")
        path = f"{site.here}/tree/sparse"
        with open(path, "wb") as f:
            for at in 0, size // 2, size - 5:
                f.seek(at)
                f.write(b"data!")
        os.utime(path, (OLD, OLD))
        date(f"{site.here}/tree")
        go_round(site, f"{site.here}/tree", *sftp_ways(site))


def far_end(tap, site):
    """Beyond 4 GiB, without moving as much: resuming at the end of what is mostly hole."""
    size = (4 << 30) + (3 << 20) + 17
    for way in "get", "put":
        with tap.case(f"re{way} of the end of a file beyond 4 GiB"):
            site.fresh()
            source, target = (f"{site.there}/big", f"{site.here}/big") if way == "get" else (f"{site.here}/big", f"{site.there}/big")
            for path, length in (source, size), (target, size - (2 << 20)):
                with open(path, "wb") as f:
                    os.truncate(path, length)
                    f.seek((4 << 30) + 10)
                    f.write(b"beyond")
            with open(source, "r+b") as f:
                f.seek(size - 3)
                f.write(b"end")
            site.give(site.there)
            good(site.sftp(f"re{way} {source} {target}", timeout=600), f"re{way}")
            same(os.path.getsize(target), size, "size")
            same(transfer.data_hash(target), transfer.data_hash(source), "SHA-256")


def unreadable(tap, site):
    """On the server: for the user who logs in. Here we may be root, who reads everything."""
    def tree(top):
        for folder in "", "/a", "/locked", "/z":
            os.makedirs(top + folder, exist_ok=True)
            for i in range(20):
                put(f"{top}{folder}/f{i}", b"%d" % i)
        os.chmod(f"{top}/a/f7", 0)
        os.chmod(f"{top}/f3", 0)
        os.chmod(f"{top}/locked", 0)

    lost = {b"a/f7", b"f3", b"locked", *[b"locked/f%d" % i for i in range(20)]}
    ways = {"sftp get -r": lambda a, b: site.sftp(f"get -r {a} {b}"), "scp -r": lambda a, b: site.scp("-rq", f":{a}", b)}
    for name, run in ways.items():
        with tap.case(f"{name}: what cannot be read is told, the rest comes, status 1"):
            if not transfer.IN_ROOM_AS_ROOT:
                raise Skip("needs root and a mount namespace")
            site.fresh()
            tree(f"{site.there}/tree")
            site.give(site.there)
            done = run(f"{site.there}/tree", f"{site.here}/down")
            same(done.returncode, 1, "status")
            for name in "a/f7", "tree/f3", "locked":
                if name.encode() not in done.stderr:
                    raise AssertionError(f"{name} is not named: {done.stderr.decode(errors='replace')}")
            want = {k: v[1:] for k, v in transfer.facts(f"{site.there}/tree", times=False).items() if k not in lost}
            got = {k: v[1:] for k, v in transfer.facts(f"{site.here}/down", times=False).items() if k not in lost}
            transfer.same_trees(got, want)


def unwritable(tap, site):
    ways = {"sftp put -r": lambda a, b: site.sftp(f"put -r {a} {b}"), "scp -r": lambda a, b: site.scp("-rq", a, f":{b}")}
    for name, run in ways.items():
        with tap.case(f"{name} into a tree where some may not be written: told, the rest goes, status 1"):
            if not transfer.IN_ROOM_AS_ROOT:
                raise Skip("needs root and a mount namespace")
            site.fresh()
            for folder in "a", "b", "c":
                os.makedirs(f"{site.here}/tree/{folder}")
                for i in range(20):
                    put(f"{site.here}/tree/{folder}/f{i}", b"%d" % i)
            target = f"{site.there}/up"
            inner = f"{target}/tree"
            os.makedirs(f"{inner}/b")
            os.makedirs(f"{inner}/c")
            put(f"{inner}/c/f5", b"old", 0o444)
            site.give(site.there)
            os.chmod(f"{inner}/b", 0o555)
            done = run(f"{site.here}/tree", target)
            same(done.returncode, 1, f"status; {done.stderr.decode(errors='replace')[-600:]}")
            same(sorted(os.listdir(f"{inner}/a")), sorted(os.listdir(f"{site.here}/tree/a")), "names in a")
            same(os.listdir(f"{inner}/b"), [], "names in b")
            with open(f"{inner}/c/f5", "rb") as f:
                same(f.read(), b"old", "what may not be written")
            same(len(os.listdir(f"{inner}/c")), 20, "names in c")
            same(done.stderr.count(b"ermission denied"), 21, f"lines; {done.stderr.decode(errors='replace')[-600:]}")


def main():
    room.enter()
    tap, only = Tap(), sys.argv[1:]
    with Place() as place:
        site = transfer.Site(place)
        for part in everything, many, sparse, far_end, unreadable, unwritable:
            if not only or part.__name__ in only:
                part(tap, site)
    tap.end()


main()
