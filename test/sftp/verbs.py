#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Every verb and its flags, beside OpenSSH's sftp: the same batch on the same trees; what is printed, the status, and both trees
afterwards must be the same. Both programs talk to the same servers over pipes (-D), so there is no network."""
import os
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs  # noqa: E402
import trees  # noqa: E402
from tap import PATIENCE, Tap, same  # noqa: E402

SERVER = "/usr/lib/openssh/sftp-server"

# name, lines of the batch. The current folders are two equal trees, the server's and the local one.
ROWS = [
    ("nothing", ["", "# comment", "   ", "@", "-"]),
    ("pwd, lpwd", ["pwd", "lpwd", "PWD"]),
    ("the prefixes", ["-frob", "@pwd", "-@pwd", "@-frob", "- pwd", "@ pwd", "frob", "pwd"]),
    ("an unknown command ends a batch", ["pwd", "frob", "pwd"]),
    ("bye", ["bye", "pwd"]),
    ("exit", ["exit", "pwd"]),
    ("quit", ["QUIT", "pwd"]),
    ("version, help", ["version", "help", "?"]),
    ("progress", ["progress", "progress"]),
    ("lumask", ["lumask 077", "get a x", "lumask 22", "get a y", "-lumask", "-lumask 9", "-lumask x"]),
    ("ls", ["ls", "ls d", "ls d/", "ls ld", "ls l", "ls .", "-ls nope", "-ls /nope/x", "ls d/.."]),
    ("ls -1", ["ls -1", "ls -1 d", "ls -1 *", "ls -1 d*", "ls -1 d/*", "ls -1 d/* d", "-ls -1 nope*"]),
    ("ls -a", ["ls -a", "ls -a1", "ls -1a d"]),
    ("ls -l", ["ls -l", "ls -la d", "ls -l a", "ls -l d/*", "ls -l ld", "ls -l l", "ls -l dangling"]),
    ("ls -h", ["ls -lh", "ls -lh big"]),
    ("ls -f", ["ls -f1 d/sub"]),
    ("ls -S", ["ls -1S b* a", "ls -1S [ab]*", "ls -1Sr [ab]*", "ls -lS d"]),
    ("ls -t", ["ls -1t [abe]*", "ls -1tr [abe]*"]),
    ("ls -r", ["ls -r", "ls -1r *"]),
    ("dir", ["dir -1"]),
    ("ls with a wrong flag", ["-ls -Z", "ls -lZ"]),
    ("ls of quoted names", ["ls -1 'b c'", 'ls -1 "b c"', "ls -1 b\\ c", "ls -1 b\\?c", "-ls -1 'b*'", "ls -1 quo*"]),
    ("cd", ["cd d", "pwd", "ls", "cd sub", "pwd", "cd ..", "pwd", "cd", "pwd", "cd /", "pwd", "chdir", "pwd", "cd ld", "pwd"]),
    ("cd to what is no folder", ["-cd a", "-cd nope", "-cd dangling", "pwd", "cd nope", "pwd"]),
    ("lcd", ["lcd d", "lpwd", "lcd ..", "lpwd", "-lcd nope", "-lcd a", "lcd", "lpwd", "lcd ~/", "lpwd"]),
    ("lmkdir", ["lmkdir n", "lmkdir 'n m'", "-lmkdir n", "-lmkdir"]),
    ("lls", ["lls", "lls -1 d", "lls -1 'b c'"]),
    ("!", ["!echo one two", "!false", "!exit 3", "!echo 'a b' # c"]),
    ("mkdir, rmdir", ["mkdir n", "mkdir 'n m'", "-mkdir n", "-mkdir", "rmdir n", "-rmdir n", "-rmdir d", "-rmdir nope", "-mkdir nope/x"]),
    ("rename", ["rename a aa", "-rename nope z", "-rename a", "rename 'b c' d/bc", "rename aa d/e", "-rename -l d/e big"]),
    ("ln", ["ln a hard", "ln -s a soft", "-ln nope x", "-ln a", "-ln -s a l", "ln -s 'no where' s2", "symlink d s3", "-symlink x"]),
    ("rm", ["rm a", "rm b*", "-rm nope", "-rm nope*", "-rm d", "-rm", "rm l", "rm d/sub/f empty"]),
    ("rm of a pattern ends at a failure", ["rm d*", "pwd"]),
    ("chmod", ["chmod 600 a", "chmod 4755 b*", "-chmod 600 nope", "-chmod x a", "-chmod 644", "chmod 700 d/*"]),
    ("chown, chgrp", ["chown 0 a", "chgrp 0 b*", "-chown 0 nope", "-chgrp x a", "-chown", "-chown 0"]),
    ("-h", ["chown -h 0 l", "chgrp -h 0 l", "-chmod -h 600 a", "-chown -h 0 nope"]),
    ("copy", ["copy a aa", "cp big d/big2", "-copy d dd", "-copy nope x", "-copy a", "copy 'b c' bc", "copy empty e2"]),
    ("get", ["get a x", "get a", "get d/e", "get big d", "get 'b c' y", "get \"b c\" 'z w'", "-get nope", "-get nope x", "-get"]),
    ("get of a folder", ["-get d", "-get d x", "-get ld x"]),
    ("get of a pattern", ["lcd d", "get b*", "get [ae]* sub", "-get b* nope", "-get nope*", "mget a l"]),
    ("get -r", ["get -r d x", "get -R d d", "get -r d/ y", "get -r d/sub x", "get -r d/* x", "get -r ld y"]),
    ("get -r of a folder with a link", ["mkdir t", "symlink a t/l", "put a t/a", "-get -r t x"]),
    ("get -p", ["get -p a x", "get -P big y", "get -pr d z", "get -p ld/e w"]),
    ("get -f", ["get -f big x"]),
    ("get through a link", ["get l x", "get -p l y", "-get dangling z"]),
    ("put", ["put a x", "put big d", "put 'b c' y", "-put nope", "-put nope x", "-put", "put d/e"]),
    ("put of a folder", ["-put d", "-put d x"]),
    ("put of a pattern", ["cd d", "put b*", "put [ae]* sub", "-put b* nope", "-put nope*", "mput a"]),
    ("put -r", ["put -r d x", "put -R d d", "mkdir y", "put -r d/ y", "put -r d/sub x"]),
    ("put -p", ["put -p a x", "put -P big y", "put -pr d z"]),
    ("put -f", ["put -f big x"]),
    ("put through a link", ["put l x", "-put dangling z"]),
    ("put and get over what is there", ["put a big", "get big a", "put empty a", "get a big", "!wc -c < big"]),
    ("names that are awkward", ["put quo\\'te\\\"\\*\\[x\\] p", "get quo\\'te\\\"\\*\\[x\\] g",
     "get u/\u00fcml ug", "put u/\u00fcml v", "ls -1 u/\u00fc*", "ls -1 u/b*", "get u/back\\\\slash", "put u/b*"]),
    ("quotes", ["-get 'a", "-get \"a", "-ls a\\", "ls a # more", "ls '#'"][:-1]),
    ("the limits of words", ["-rm " + "x " * 40, "-rm " + "x " * 200]),
    ("flags end", ["-rm -- -x", "put a -- -y", "-get -q a"]),
]
RESUME = [
    ("reget", "reget big part"), ("get -a", "get -a big part"), ("reput", "reput big part"), ("put -a", "put -a big part"),
    ("reget of what is whole", "reget big whole"), ("reget of nothing yet", "reget big new"),
]


class Pair:
    """The two trees, and a run of an sftp program on them."""

    def __init__(self, top, server=SERVER):
        self.local, self.remote, self.top, self.server = f"{top}/local", f"{top}/remote", top, server
        os.makedirs(f"{top}/home", exist_ok=True)
        self.env = {"PATH": programs.PATH, "HOME": f"{top}/home", "SHELL": "/bin/sh", "TZ": "UTC", "LC_ALL": "C.UTF-8"}

    def fresh(self):
        trees.make(self.remote)
        trees.make(self.local)
        with open(f"{self.remote}/big", "rb") as one, open(f"{self.local}/big", "wb") as other:
            other.write(one.read())
        os.utime(f"{self.local}/big", (trees.OLD + 3, trees.OLD + 3))

    def run(self, program, lines, *options):
        batch = f"{self.top}/batch"
        with open(batch, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        return subprocess.run([program, "-D", f"{self.server} -d {self.remote}", "-b", batch, *options], cwd=self.local, env=self.env,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)

    def outcome(self, program, lines, *options):
        self.fresh()
        done = self.run(program, lines, *options)
        return {"status": done.returncode, "stdout": done.stdout.decode(), "stderr": done.stderr.decode(), "local": trees.facts(self.local),
                "remote": trees.facts(self.remote)}


def differ(ours, theirs):
    for part in ours:
        if isinstance(ours[part], dict):
            for name in sorted(set(ours[part]) | set(theirs[part])):
                same(ours[part].get(name), theirs[part].get(name), f"{part} {name}")
        else:
            same(ours[part], theirs[part], part)


def partial(pair, which):
    """`part` has the first half of big, `whole` all of it, on the side that is written."""
    to = pair.local if "get" in which else pair.remote
    with open(f"{pair.remote}/big", "rb") as f:
        content = f.read()
    trees.put(f"{to}/part", content[:len(content) // 2], mode=0o644)
    trees.put(f"{to}/whole", content, mode=0o644)


def resume(tap, pair, ours, theirs):
    for name, line in RESUME:
        with tap.case(name):
            results = []
            for program in ours, theirs:
                pair.fresh()
                partial(pair, line)
                done = pair.run(program, [line])
                results.append({"status": done.returncode, "stdout": done.stdout.decode(), "local": trees.facts(pair.local),
                                "remote": trees.facts(pair.remote)})
            differ(*results)


def numbers(tap, pair, ours, theirs):
    """df: what changes under us aside, the same."""
    with tap.case("df"):
        lines = ["df", "df -h", "df -i", "df d", "-df nope", "-df -x"]
        results = [pair.outcome(program, lines) for program in (ours, theirs)]
        for r in results:
            del r["stderr"]      # OpenSSH does not say what is wrong
            r["stdout"] = re.sub(r"[\d.]+", lambda m: "9" * len(m[0]), r["stdout"])
        differ(*results)


def random_quotes(tap, pair, ours, theirs):
    """Lines of quotes, backslashes and patterns, by a seed: each is understood as OpenSSH's sftp understands it."""
    dice = random.Random(1)
    for part in range(4):
        with tap.case(f"quotes at random, part {part + 1}"):
            for _ in range(15):
                line = "ls -1 /zz/" + "".join(dice.choice("ab\\\\\\''\"\"*?[]# ") for _ in range(dice.randint(1, 9)))
                said = []
                for program in ours, theirs:
                    done = pair.run(program, [line])
                    said.append([text for text in done.stderr.splitlines() if b"readdir" not in text])
                same(said[0], said[1], repr(line))


def own(tap, pair, ours):
    """Where OpenSSH 9.2 crashes, or says otherwise than its manual."""
    with tap.case("ls with braces"):
        got = pair.outcome(ours, ["ls -1 {a,b}*", "ls -1 {d,zz}/e", "-ls -1 {x,y}"])
        same(got["stdout"].replace("\u00fc", "u"), "sftp> ls -1 {a,b}*\na\nb c\nbig\nsftp> ls -1 {d,zz}/e\nd/e\nsftp> -ls -1 {x,y}\n", "stdout")
    with tap.case("ls -n has numbers"):
        got = pair.outcome(ours, ["ls -n a"])
        same(got["stdout"].split()[6:8], [str(os.getuid()), str(os.getgid())], "owner")
    with tap.case("a copy onto itself leaves the file as it is"):
        got = pair.outcome(ours, ["-copy a a", "-copy a l"])
        same(got["remote"]["a"][1], 3, "size")
        same(got["stderr"].count("the same file"), 2, "refusals")


def own_server(tap, pair, ours, theirs):
    """Our sftp with our sftp-server, beside OpenSSH's with OpenSSH's."""
    for name, lines in ROWS:
        with tap.case(f"our server: {name}"):
            pair.server = programs.ours("sftp-server")
            mine = pair.outcome(ours, lines)
            pair.server = SERVER
            differ(mine, pair.outcome(theirs, lines))
    pair.server = SERVER


def main():
    tap, ours, theirs = Tap(), programs.ours("sftp"), programs.foreign("sftp")
    only = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="sftp-") as top:
        pair = Pair(top)
        for name, lines in ROWS:
            if only and name not in only:
                continue
            with tap.case(name):
                differ(pair.outcome(ours, lines), pair.outcome(theirs, lines))
        if not only:
            resume(tap, pair, ours, theirs)
            numbers(tap, pair, ours, theirs)
            random_quotes(tap, pair, ours, theirs)
            own(tap, pair, ours)
            own_server(tap, pair, ours, theirs)
    tap.end()


if __name__ == "__main__":
    main()
