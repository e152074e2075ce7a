#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""sftp and servers that lie: nothing is written outside the folder, nothing steers the terminal, everything ends."""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "client")]
import programs  # noqa: E402
from tap import PATIENCE, Tap, same, wait_for  # noqa: E402
from term import Terminal  # noqa: E402

LOOK = ["ls", "ls -l", "ls -la", "ls -1 *", "ls -ln", "ls g*", "ls -lh [a-z]*", "ls nope", "cd ..", "pwd", "df", "version"]
TAKE = ["get *", "get -r .", "get -r /home", "get ..", "get good", "get g*", "mget [!x]*", "reget good", "get good /nope/x", "get -p *"]
CHANGE = ["put mine", "rm *", "chmod 600 *", "chown 0 *", "mkdir x", "rename a b", "symlink a b", "ln a b", "copy a b", "cd good", "rmdir x"]


def everything(top):
    return sorted(os.fsencode(os.path.join(folder, name)) for folder, folders, files in os.walk(top) for name in folders + files)


class Field:
    def __init__(self, top):
        self.top, self.inside = top, f"{top}/outer/inside"
        os.makedirs(self.inside)

    def run(self, what, lines):
        with open(f"{self.inside}/mine", "wb") as f:
            f.write(b"mine")
        done = subprocess.run([programs.ours("sftp"), "-D", f"/usr/bin/python3 {HERE}/liar.py {what}", "-b", "-"], cwd=self.inside,
                              env={"PATH": programs.PATH, "HOME": self.top, "SHELL": "/bin/sh", "LC_ALL": "C.UTF-8"}, stderr=subprocess.STDOUT,
                              input="".join(f"-{line}\n" for line in lines).encode(), stdout=subprocess.PIPE, timeout=PATIENCE, check=False)
        own = os.fsencode(self.inside)
        strange = [path for path in everything(self.top) if not path.startswith(own + b"/") and path not in (own, os.path.dirname(own))]
        same(strange, [], "files outside")
        for byte in b"\x1b\x07\x00\x08\x9b":
            if byte == 0x9b and b"\xc2\x9b" not in done.stdout:
                continue
            same(byte in done.stdout, False, f"byte {byte:#x} in the output:\n{done.stdout[:2000]!r}")
        same(done.returncode in (0, 1, 255), True, f"status {done.returncode}: {done.stdout[-500:]!r}")
        shutil.rmtree(self.inside)
        os.mkdir(self.inside)
        return done


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="sftp-") as top:
        field = Field(top)
        for what in "names", "longnames", "texts", "owners", "odd-realpath", "empty-lists", "no-data":
            for kind, lines in ("look", LOOK), ("take", TAKE), ("change", CHANGE):
                with tap.case(f"{what}: {kind}"):
                    field.run(what, lines)
        for what in "garbage", "version", "no-realpath", "two-realpaths", "unknown-id", "wrong-kind", "leaves", "nothing-for-ever":
            with tap.case(f"{what}: it ends with status 255"):
                done = field.run(what, LOOK + TAKE)
                same(done.returncode, 255, f"status; {done.stdout[-500:]!r}")
                same(bool(done.stdout), True, "a word about it")
        with tap.case("empty-realpath: it ends or goes on"):
            field.run("empty-realpath", LOOK)
        with tap.case("only names that a file can have are fetched"):
            done = field.run("names", ["get -r /home got", "!ls -ab got; rm -r got"])
            shown = done.stdout.split(b"sftp> -!ls")[-1]
            same((b"good" in shown, b"up" in shown, b"ul" in shown), (True, False, False), f"names: {shown!r}")
        with tap.case("an endless listing ends at ^C, and the program goes on"):
            env = {"PATH": programs.PATH, "HOME": top, "SHELL": "/bin/sh", "TERM": "xterm", "LC_ALL": "C.UTF-8",
                   "LISTING": f"{top}/listing"}
            t = Terminal([programs.ours("sftp"), "-D", f"/usr/bin/python3 {HERE}/liar.py endless"], env)
            t.wait_for(b"sftp> ")
            t.type(b"ls /home/\n")
            t.wait_for(b"ls /home/\r\n")
            wait_for("listing", lambda: os.path.exists(env["LISTING"]))     # before, ^C would take back the line
            t.type(b"\x03")
            t.wait_for(b"Interrupt")
            t.wait_for(b"sftp> ")
            t.type(b"version\n")
            t.wait_for(b"SFTP protocol version 3")
            t.type(b"bye\n")
            same(t.end()[0], 0, "status")
    tap.end()


main()
