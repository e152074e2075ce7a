#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""scp by SFTP with OpenSSH's server and ours, over pipes: trees, what is kept of files, resuming, errors file by file; and its words and
statuses beside OpenSSH's scp."""
import filecmp
import hashlib
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
from place import Place, die_with_parent
from tap import Skip, Tap, same, wait_for

THEIRS = "/usr/lib/openssh/sftp-server"
BIG = 24 << 20
MANY = 20000 if os.environ.get("NACRE_LONG") else 1500


def servers():
    return {"OpenSSH's server": THEIRS, "our server": programs.ours("sftp-server")}


def facts(top, times=False):
    """Names, kinds, modes, contents (and times) of all below top."""
    rows = {}
    for folder, folders, files in os.walk(os.fsencode(top)):
        for name in folders + files:
            path = os.path.join(folder, name)
            s = os.stat(path)
            what = b""
            if stat.S_ISREG(s.st_mode):
                with open(path, "rb") as f:
                    what = hashlib.file_digest(f, "sha256").digest() if hasattr(hashlib, "file_digest") else hashlib.sha256(f.read()).digest()
            rows[os.path.relpath(path, os.fsencode(top))] = (oct(s.st_mode), what, int(s.st_mtime) if times else 0)
    return rows


def differ(a, b):
    return sorted((k, a.get(k), b.get(k)) for k in a.keys() | b.keys() if a.get(k) != b.get(k))[:3]


def write(path, content, mode=0o644):
    with open(path, "wb") as f:
        f.write(content)
    os.chmod(path, mode)


def tree_make(top):
    rnd = random.Random(1)
    os.makedirs(f"{top}/a/b/c")
    os.makedirs(f"{top}/empty")
    os.makedirs(f"{top}/readonly")
    for size in 0, 1, 1000, 32767, 32768, 32769, 65536, 65537, 258048, 258049, 261120, 262144, 516096, 1 << 20, BIG:
        write(f"{top}/size{size}", rnd.randbytes(size), 0o640)
    for i in range(50):
        write(f"{top}/a/b/c/f{i}", b"%d" % i, 0o755 if i % 2 else 0o600)
    for name in b"\xff\xfe\x80", "grüße 漢".encode(), b"new\nline", b"-dash", b" ", b"*", b"a\\b", b"'q\"", b"x" * 255:
        write(os.path.join(os.fsencode(top), b"a", name), name)
    write(f"{top}/readonly/file", b"r", 0o644)
    with open(f"{top}/sparse", "wb") as f:
        f.seek(5 << 20)
        f.write(b"middle")
        f.truncate(9 << 20)
    os.symlink("a/b/c/f1", f"{top}/link")
    for path in f"{top}/a/b", f"{top}/a", f"{top}/size1000":
        os.utime(path, (1111111111, 1222222222))
    os.chmod(f"{top}/readonly", 0o555)
    os.chmod(f"{top}/a/b/c", 0o711)


class Copies:
    def __init__(self, place, server):
        self.place, self.server = place, server
        self.top = place.path("copies")
        self.clear()

    def clear(self):
        if os.path.isdir(self.top):
            subprocess.run(["chmod", "-R", "u+rwx", self.top], check=True)
            shutil.rmtree(self.top)
        os.mkdir(self.top)

    def command(self, *args, scp=None):
        return [scp or programs.ours("scp"), "-D", self.server, *args]

    def scp(self, *args, scp=None):
        return self.place.run(self.command(*args, scp=scp), cwd=self.top)

    def good(self, *args):
        done = self.scp(*args)
        same((done.returncode, done.stderr), (0, b""), "status, stderr")


def trees(tap, c, source):
    for flags in ["-r"], ["-rp"]:
        for way in "get", "put", "cross":
            with tap.case(f"{way} {flags} a tree"):
                c.clear()
                ends = {"get": (f"h:{source}", "to"), "put": (source, f"h:{c.top}/to"), "cross": (f"h:{source}", f"g:{c.top}/to")}[way]
                c.good(*flags, *ends)
                want, got = facts(source, "-rp" in flags), facts(f"{c.top}/to", "-rp" in flags)
                same(differ(want, got), [], "what differs")
    with tap.case("a second copy into what is there makes it the same again"):
        write(f"{c.top}/to/size1000", b"longer than it was" * 1000, 0o640)
        write(f"{c.top}/to/size1", b"", 0o640)
        c.good("-r", f"{source}/.", f"h:{c.top}/to")
        same(differ(facts(source), facts(f"{c.top}/to")), [], "what differs")
    with tap.case(f"{MANY} files in one folder, both ways"):
        c.clear()
        os.mkdir(f"{c.top}/many")
        for i in range(MANY):
            write(f"{c.top}/many/{i}", b"%d" % i)
        c.good("-r", "many", f"h:{c.top}/up")
        c.good("-r", f"h:{c.top}/up", "down")
        same(differ(facts(f"{c.top}/many"), facts(f"{c.top}/down")), [], "what differs")


def single(tap, c, source):
    with tap.case("a file onto itself survives, both ways"):
        c.clear()
        shutil.copy(f"{source}/size1048576", f"{c.top}/f")
        c.good("f", f"h:{c.top}/f")
        c.good(f"h:{c.top}/f", "f")
        same(filecmp.cmp(f"{source}/size1048576", f"{c.top}/f", shallow=False), True, "contents")
    with tap.case("patterns: what matches goes into a folder that is made for it"):
        c.clear()
        c.good(f"h:{source}/size3276[78]", "made")
        same(sorted(os.listdir(f"{c.top}/made")), ["size32767", "size32768"], "what came")
        c.good(f"h:{source}/a/b/?/f4*", f"{c.top}/made")
        same(len(os.listdir(f"{c.top}/made")), 2 + 11, "what came")
    with tap.case("a file of /proc, whose size is told as 0"):
        c.good("h:/proc/version", "version")
        c.good("/proc/version", f"h:{c.top}/version2")
        same((open(f"{c.top}/version").read(), open(f"{c.top}/version2").read()), (open("/proc/version").read(),) * 2, "contents")
    with tap.case("4 GiB and more, with a hole"):
        c.clear()
        with open(f"{c.top}/huge", "wb") as f:
            f.truncate((4 << 30) + 5)
            f.seek((4 << 30) - 3)
            f.write(b"across")
        if not os.environ.get("NACRE_LONG"):
            raise Skip("only in a long run")
        c.good(f"h:{c.top}/huge", "copy")
        same(filecmp.cmp(f"{c.top}/huge", f"{c.top}/copy", shallow=False), True, "contents")
    with tap.case("-l holds the rate"):
        c.clear()
        start = time.monotonic()
        c.good("-l", "2048", f"h:{source}/size262144", "slow")
        c.good("-l", "2048", f"{source}/size262144", f"h:{c.top}/slow2")
        same(time.monotonic() - start > 1.5, True, "two seconds' worth of bytes took that long")
    with tap.case("small blocks, one request at a time"):
        c.good("-X", "buffer=1000", "-X", "nrequests=1", f"h:{source}/size32769", "small")
        c.good("-X", "buffer=333", "-X", "nrequests=3", f"{source}/size32769", f"h:{c.top}/small2")
        same([filecmp.cmp(f"{source}/size32769", f"{c.top}/{n}", shallow=False) for n in ("small", "small2")], [True] * 2, "contents")


def interrupted(c, size, *args):
    """Start a slow copy, kill it when some of the target is there; the target's length."""
    target = f"{c.top}/to/t" if os.path.isdir(f"{c.top}/to") else f"{c.top}/t"
    part = os.path.join(os.path.dirname(target), ".t.part") if "--atomic" in args else target
    child = subprocess.Popen(c.command("-l", "80000", *args), cwd=c.top, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent,
                             env=c.place.env)
    try:
        wait_for("part of the target", lambda: os.path.exists(part) and os.path.getsize(part) > size)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    time.sleep(0.2)     # the server may still write what it has got
    return part


def resume(tap, c, source, hashes):
    big = f"{source}/size{BIG}"
    with open(big, "rb") as f:
        content = f.read()
    for way in "get", "put":
        for flags in ["--resume"], ["--resume", "--atomic"]:
            with tap.case(f"{way}: killed, then {' '.join(flags)}"):
                for size in 0, 3 << 20, BIG // 2:
                    c.clear()
                    ends = (f"h:{big}", "t") if way == "get" else (big, f"h:{c.top}/t")
                    part = interrupted(c, size, *flags, *ends)
                    with open(part, "rb") as f:
                        same(content.startswith(f.read()), True, "what is left is a whole beginning")
                    if part != f"{c.top}/t":
                        same(os.path.exists(f"{c.top}/t"), False, "the name is there before its time")
                    c.good(*flags, *ends)
                    same(filecmp.cmp(big, f"{c.top}/t", shallow=False), True, "contents")
                    same(os.listdir(c.top), ["t"], "what is there")
        with tap.case(f"{way} --resume: what was there and is wrong is found"):
            for at, there in (0, BIG), (5 << 20, BIG // 2), (BIG - 1, BIG), (7 << 20, BIG + 77):
                wrong = bytearray(content[:there]) + bytes(max(0, there - BIG))
                wrong[at] ^= 1
                write(f"{c.top}/t", wrong)
                c.good("--resume", *((f"h:{big}", "t") if way == "get" else (big, f"h:{c.top}/t")))
                same(filecmp.cmp(big, f"{c.top}/t", shallow=False), True, f"contents, wrong at {at} of {there}")
        with tap.case(f"{way} --resume: what is there is not sent again"):
            if not hashes:
                raise Skip("this server has no hashes")
            write(f"{c.top}/t", content[:BIG - 1000000])
            done = c.place.run([programs.ours("scp"), "-D", f"{c.server} -e -l INFO", "--resume",
                                *((f"h:{big}", "t") if way == "get" else (big, f"h:{c.top}/t"))], cwd=c.top)
            moved = [int(n) for n in re.findall(rb"bytes read (?=[\d])(\d+)|written (\d+)", done.stderr) for n in n if n]
            same((done.returncode, 0 < sum(moved) <= 3 << 20), (0, True), f"status, bytes {moved}; {done.stderr!r}")
            same(filecmp.cmp(big, f"{c.top}/t", shallow=False), True, "contents")
        with tap.case(f"{way} --verify"):
            done = c.scp("--verify", *((f"h:{big}", "t") if way == "get" else (big, f"h:{c.top}/t")))
            same((done.returncode, b"cannot hash files" in done.stderr), (0, False) if hashes else (1, True), done.stderr)


def errors(tap, c, source):
    with tap.case("in the middle of a tree: each told, the rest copied, status 1"):
        for way in "get", "put":
            c.clear()
            os.makedirs(f"{c.top}/to/size1")
            os.makedirs(f"{c.top}/to/a/b/c/f7/x")
            write(f"{c.top}/to/empty", b"a file")
            done = c.scp("-r", *((f"h:{source}/.", "to") if way == "get" else (f"{source}/.", f"h:{c.top}/to")))
            same(done.returncode, 1, "status")
            lost = {os.fsencode(n) for n in ("size1", "empty", "a/b/c", "a/b/c/f7", "a/b/c/f7/x")}
            want, got = facts(source), facts(f"{c.top}/to")
            same([d for d in differ(want, got) if d[0] not in lost], [], "what else differs")
            for name in b"/size1\"", b"/f7\"", b"/empty\"":
                same(name in done.stderr, True, f"{name} in {done.stderr!r}")
    with tap.case("a disk that is full"):
        done = c.scp(f"h:{source}/size65537", "/dev/full")
        same((done.returncode, b'write local "/dev/full": No space left on device' in done.stderr), (1, True), done.stderr)
    with tap.case("a source that is not there does not keep the others back"):
        c.clear()
        os.mkdir(f"{c.top}/to")
        done = c.scp("nope", f"{source}/size1", "nope2", f"{source}/size1000", f"h:{c.top}/to")
        same((done.returncode, sorted(os.listdir(f"{c.top}/to"))), (255, ["size1", "size1000"]), "status, what came")


# As OpenSSH's: arguments, in a folder with the file f, the folders d (with x) and e.
ROWS = """f h:TOP/d/new | nope h:TOP/e | h:TOP/nope e | h:TOP/d e | d h:TOP/e | f h:TOP/no/x | h:TOP/f no/x | -r h:TOP/nop e | f d h:TOP/f
h:TOP/f h:TOP/d/x f | h:TOP/*zz e | h:TOP/f e | h:TOP/f e/new | -r d h:TOP/e | -r h:TOP/d e | -p f h:TOP/e | -r d h:TOP/new | -r h:TOP/d new | f e d/x
h:TOP/f | -Z f e | h:TOP/d/* e | h:TOP/d/* f | h:TOP/d/* new2 | -r d f h:TOP/e | -rp h:TOP/d e | h:TOP/f g:TOP/e/two | -3 h:TOP/f g:TOP/e
-r h:TOP/d g:TOP/e | h:TOP/nope g:TOP/e | h:TOP/f g:TOP/no/x | -r d/. h:TOP/e | -r h:TOP/d/. e | f h:~/no-such-folder-here/x | -r d h:TOP/f
f scp://h/%2 | scp://h/TOP/f e | @h:x e | -X foo=1 f e | -X buffer=x f e | -l 0 f e | e/none f | -r e g | f g""".replace("\n", " | ")


def beside(tap, c):
    for row in ROWS.split(" | "):
        with tap.case(f"as OpenSSH's: scp {row}"):
            seen = []
            for scp in programs.foreign("scp"), programs.ours("scp"):
                c.clear()
                os.makedirs(f"{c.top}/d"), os.mkdir(f"{c.top}/e")
                write(f"{c.top}/f", b"file"), write(f"{c.top}/d/x", b"in d")
                done = c.scp(*row.replace("TOP", c.top).split(), scp=scp)
                words = done.stderr.decode().replace(scp, "scp").replace("//", "/")
                words = re.sub(r"(?s)(^|\n)usage:.*", r"\1usage", words.replace("\r", ""))
                seen.append((done.returncode, words, facts(c.top)))
            same(seen[1][:2], seen[0][:2], "status, stderr")
            same(differ(seen[0][2], seen[1][2]), [], "what differs")


def main():
    tap = Tap()
    with Place() as place:
        source = place.path("source")
        tree_make(source)
        for name, server in servers().items():
            tap.note(name)
            c = Copies(place, server)
            trees(tap, c, source)
            single(tap, c, source)
            resume(tap, c, source, server != THEIRS)
            errors(tap, c, source)
        beside(tap, Copies(place, THEIRS))
        os.chmod(f"{source}/readonly", 0o755)
    tap.end()


main()
