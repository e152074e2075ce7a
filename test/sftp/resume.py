#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Transfers that were cut off and are taken up again, on our server (which tells hashes) and on OpenSSH's (which does not); --atomic, --verify."""
import os
import random
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs  # noqa: E402
import trees  # noqa: E402
from tap import Skip, Tap, same, wait_for  # noqa: E402
from verbs import Pair, SERVER  # noqa: E402

CONTENT = random.Random(3).randbytes(5 << 20)


def read(path):
    with open(path, "rb") as f:
        return f.read()


class Field(Pair):
    def begin(self, part, get):
        """A whole file on one side, `part` of it on the other."""
        for folder in self.local, self.remote:
            subprocess.run(["rm", "-rf", folder], check=True)
            os.makedirs(folder)
        source, target = (self.remote, self.local) if get else (self.local, self.remote)
        trees.put(f"{source}/file", CONTENT)
        if part is not None:
            trees.put(f"{target}/file", part)
        return f"{target}/file"

    def take_up(self, sftp, verb, part, *options):
        """The outcome's content after `verb`."""
        target = self.begin(part, "get" in verb)
        done = self.run(sftp, [f"{verb} file"], *options)
        same((done.returncode, done.stderr), (0, b""), "status and complaints")
        same(read(target) == CONTENT, True, f"the file is whole ({os.path.getsize(target)} bytes)")

    def cut(self, sftp, verb, *options):
        """Kills sftp when some of the file is there; the target's path."""
        target = self.begin(None, verb == "get")
        folder = os.path.dirname(target)
        with open(f"{self.top}/batch", "w", encoding="ascii") as f:
            f.write(f"{verb} file\n")
        with subprocess.Popen([sftp, "-D", f"{self.server} -d {self.remote}", "-b", f"{self.top}/batch", "-l", "8000", "-B", "32768", "-R", "4", *options],
                              cwd=self.local, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as p:
            wait_for("a part of the file", lambda: any(os.path.getsize(f"{folder}/{n}") > 100000 for n in os.listdir(folder)))
            p.send_signal(signal.SIGKILL)
        return target


def resumes(tap, field, sftp, hashes):
    half = CONTENT[:len(CONTENT) // 2]
    for verb in "reget", "reput", "get -a", "put -a":
        for name, part in (("half of it", half), ("nothing", None), ("an empty file", b""), ("all of it", CONTENT), ("all but a byte", CONTENT[:-1])):
            with tap.case(f"{verb} where there is {name}"):
                field.take_up(sftp, verb, part)
        if hashes:
            for name, part in (("another beginning", b"x" + half[1:]), ("another end", half[:-1] + b"x"), ("something longer", CONTENT + b"more"),
                               ("other bytes of the same length", b"x" * len(CONTENT))):
                with tap.case(f"{verb} where there is {name}: hashes tell"):
                    field.take_up(sftp, verb, part)
    for verb in "get", "put":
        with tap.case(f"{verb}, killed, then re{verb}"):
            target = field.cut(sftp, verb)
            there = os.path.getsize(target)
            same(0 < there < len(CONTENT) and CONTENT.startswith(read(target)), True, f"a beginning of it ({there} bytes)")
            done = field.run(sftp, [f"re{verb} file"])
            same((done.returncode, read(target) == CONTENT), (0, True), "status, content")


def atomic(tap, field, sftp):
    for verb in "get", "put":
        with tap.case(f"{verb} --atomic, killed: nothing stands under the name"):
            target = field.cut(sftp, verb, "--atomic")
            same(os.path.exists(target), False, "the file is there")
        with tap.case(f"{verb} --atomic over a file: the old or the new, never a part"):
            field.take_up(sftp, verb, b"old", "--atomic")
            same(os.listdir(field.local), ["file"], "names here")
            same(os.listdir(field.remote), ["file"], "names there")


def verify(tap, top, field, sftp, server):
    """With a server that has hashes, and one that has none; then over a line that changes what it carries."""
    for verb in "get", "put":
        with tap.case(f"{verb} --verify"):
            field.begin(None, verb == "get")
            done = field.run(sftp, [f"{verb} file"], "--verify")
            if server == SERVER:
                same((done.returncode, b"the server cannot hash files" in done.stderr), (1, True), f"status and complaints: {done.stderr!r}")
            else:
                same((done.returncode, done.stderr), (0, b""), "status and complaints")
        if server == SERVER:
            continue
        bad = Field(top, f"{sys.executable} {os.path.dirname(os.path.abspath(__file__))}/flip.py {server}")
        for options, status, words in ((), 0, b""), (("--verify",), 1, b"contents differ"):
            with tap.case(f"{verb} {' '.join(options)} over a line that changes bits ends with {status}"):
                target = bad.begin(None, verb == "get")
                done = bad.run(sftp, [f"{verb} file"], *options)
                same((done.returncode, words in done.stderr, read(target) == CONTENT), (status, True, False), f"status, words, whole: {done.stderr!r}")


def quota(tap, top, server, sftp):
    """The one that may not write is the end that has the target."""
    field, shim, most = Field(top, server), os.environ.get("NACRE_QUOTA_SHIM"), 3 << 20
    for verb, words in ("get", b"Disk quota exceeded"), ("put", b"ailure"):
        with tap.case(f"{verb} beyond a quota: told, what was written stays, and with room it goes on"):
            if not shim:
                raise Skip("no such shim here")
            target = field.begin(None, verb == "get")
            field.env.update(LD_PRELOAD=shim, NACRE_QUOTA=str(most))
            done = field.run(sftp, [f"{verb} file"])
            for name in "LD_PRELOAD", "NACRE_QUOTA":
                del field.env[name]
            same((done.returncode, words in done.stderr), (1, True), f"status and complaints: {done.stderr!r}")
            same(0 < os.path.getsize(target) <= most and CONTENT.startswith(read(target)), True, f"a beginning of it ({os.path.getsize(target)} bytes)")
            done = field.run(sftp, [f"re{verb} file"])
            same((done.returncode, read(target) == CONTENT), (0, True), "status, content")


def main():
    tap, sftp = Tap(), programs.ours("sftp")
    with tempfile.TemporaryDirectory(prefix="sftp-") as top:
        for name, server in ("our", programs.ours("sftp-server")), ("OpenSSH's", SERVER):
            tap.note(f"with {name} server")
            field = Field(top, server)
            resumes(tap, field, sftp, name == "our")
            atomic(tap, field, sftp)
            verify(tap, top, field, sftp, server)
            if name == "our":
                quota(tap, top, server, sftp)
    tap.end()


main()
