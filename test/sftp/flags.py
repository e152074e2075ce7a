#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Every flag and form of destination, beside OpenSSH's sftp: what ssh is started with, what is printed, the status."""
import os
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs  # noqa: E402
import trees  # noqa: E402
from tap import PATIENCE, Tap, same  # noqa: E402
from verbs import Pair, SERVER, differ  # noqa: E402

# arguments, then what is typed; PATH is the remote tree
SAME = [
    (["host"], "pwd"), (["u@host"], "pwd"), (["host:"], "pwd"), (["-q", "host"], "pwd"), (["host:PATH"], "pwd"), (["host:PATH/"], "ls"),
    (["host:PATH/nope"], "pwd"), (["host:PATH/a"], "pwd"), (["host:PATH/a", "x"], "pwd"), (["host:PATH/d*/e", "x"], "pwd"),
    (["-r", "host:PATH/d", "x"], "pwd"), (["[::1]:PATH"], "pwd"), (["u@[::1]"], "pwd"), (["sftp://host"], "pwd"), (["sftp://host/PATH"], "pwd"),
    (["sftp://u@host/"], "pwd"), (["sftp://host/PATH/a"], "pwd"), (["sftp://h/a%"], ""),
    (["-s", "/a/b", "host"], "pwd"), (["-s", "name", "host"], "pwd"), (["-A", "host"], "pwd"), (["-46C", "host"], "pwd"), (["-N", "host"], "pwd"),
    (["-F", "f", "-J", "j", "-c", "c", "-i", "i", "-o", "Foo=bar", "host"], "pwd"), (["-oFoo=bar", "-Ff", "host"], "pwd"),
    (["-a", "-f", "-p", "-R", "5", "-B", "1000", "-l", "1000000", "host"], "get PATH/a y"), (["-pr", "host"], "get PATH/d y"),
    (["-X", "nrequests=3", "-X", "buffer=4K", "host"], "get PATH/big y"), (["-b", "-", "host"], "pwd"), (["-b", "-", "-N", "host"], "pwd\nget PATH/a y"),
    (["-b", "/dev/null", "host"], ""), (["-b", "/nope", "host"], ""), (["-b", "-", "-b", "-", "host"], ""),
    (["-R", "0", "host"], ""), (["-R", "x", "host"], ""), (["-B", "x", "host"], ""), (["-l", "0", "host"], ""), (["-X", "foo", "host"], ""),
    (["-X", "nrequests=0", "host"], ""), (["-X", "nrequests=x", "host"], ""), (["-1", "host"], ""),
    (["-z", "host"], ""), (["-P"], ""), ([], ""), (["a", "b", "c"], ""), (["-h"], ""), (["host"], "bye\npwd"), (["host"], "frob\npwd"),
]


def without_ours(text):
    """What may differ: our two long options in the usage, the port in its other form, and a line that OpenSSH's prints when it
    notices ssh's end before its own."""
    for ours, theirs in (("\nConnection closed.  \n", ""), ("\n\n", "\n"), (" [--atomic] [--verify]", ""), ("[-p][22]", "[-oPort 22]"),
                         ("[-p][33]", "[-oPort 33]")):
        text = text.replace(ours, theirs)
    return text


def run(pair, program, args, typed):
    pair.fresh()
    args = [a.replace("PATH", pair.remote) for a in args]
    os.chdir(pair.local)
    done = pair.place([program, "-S", pair.ssh, *args], typed.replace("PATH", pair.remote) + "\n")
    return {"status": done.returncode, "stdout": without_ours(done.stdout), "stderr": without_ours(done.stderr),
            "local": trees.facts(pair.local)}


class Ssh(Pair):
    """In ssh's place: tells its arguments, then is the server."""
    def __init__(self, top):
        super().__init__(top)
        self.ssh = f"{top}/ssh"
        with open(self.ssh, "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\n{{ printf '[%s]' \"$@\"; echo; }} >&2\nexec {SERVER} -d {self.remote}\n")
        os.chmod(self.ssh, stat.S_IRWXU)

    def place(self, command, typed):
        return subprocess.run(command, cwd=self.local, env=self.env, input=typed, capture_output=True, text=True, timeout=PATIENCE, check=False)


def own(tap, pair, sftp):
    with tap.case("a port, from the flag and from the URI"):
        for args in ["-P", "22", "host"], ["sftp://host:22"], ["-P", "33", "sftp://host:22/"]:
            same("[-oPort 22]" in run(pair, sftp, args, "pwd")["stderr"], True, str(args))
    with tap.case("bad ports"):
        for port in "0", "70000", "x", "-1":
            got = run(pair, sftp, ["-P", port, "host"], "")
            same((got["status"], got["stderr"]), (255, f"Bad port \"{port}\"\n"), port)
    with tap.case("-v goes on to ssh"):
        same("[-v][-v]" in run(pair, sftp, ["-vv", "host"], "")["stderr"], True, "arguments")
    with tap.case("hosts and users that ssh would read otherwise are refused"):
        for host in "", "@host", "-oProxyCommand=x:", "u;x@host", "ho`st", "$(x)@host", "u@":
            got = run(pair, sftp, ["--", host], "pwd")
            same((got["status"] != 0, "[--]" in got["stderr"]), (True, False), host)
    with tap.case("the path of a destination is one word, and decoded in a URI"):
        got = run(pair, sftp, ["host:PATH/b c", "x y"], "")
        same("x y" in got["local"], True, "fetched")
        got = run(pair, sftp, ["sftp://host/PATH/b%20c", "x"], "")
        same("x" in got["local"], True, "fetched")
    with tap.case("--atomic and --verify"):
        got = run(pair, sftp, ["--atomic", "host"], "get PATH/big y\nput a PATH/z")
        same((got["status"], "y" in got["local"], os.path.exists(f"{pair.remote}/z")), (0, True, True), "copied")
        got = run(pair, sftp, ["--verify", "host"], "get PATH/big y")
        same("y" in got["local"], True, "copied")


def main():
    tap, ours, theirs = Tap(), programs.ours("sftp"), programs.foreign("sftp")
    with tempfile.TemporaryDirectory(prefix="sftp-") as top:
        pair = Ssh(top)
        for args, typed in SAME:
            with tap.case(" ".join(["sftp", *args]) + (f" <<< {typed!r}" if typed != "pwd" else "")):
                differ(run(pair, ours, args, typed), run(pair, theirs, args, typed))
        own(tap, pair, ours)
        os.chdir("/")
    tap.end()


main()
