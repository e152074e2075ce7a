#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Every flag of scp and form of its arguments, beside OpenSSH's: what ssh is started with, what is said, the status, the copy."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
from place import Place
from tap import Tap, same

SERVER = "/usr/lib/openssh/sftp-server"
FLAGS = ["", "-4", "-6", "-A", "-B", "-C", "-c c1,c2", "-D PATH", "-F f", "-i key", "-J j1,j2", "-l 100000", "-O", "-o Foo=bar", "-oFoo=bar -oUser=x", "-P 22",
         "-p", "-q", "-r", "-s", "-T", "-v", "-vv", "-X nrequests=3", "-X buffer=4096", "-46", "-pqr", "-O -P 22 -i key -A -v", "-O -T", "-O -p -r -q"]
BAD = ["-P 0", "-P x", "-l 0", "-l x", "-X foo=1", "-D", "-z", "-c", "--", "-t", "-f"]
WAYS = ["f u@h:to", "h:f to", "f scp://u@h:22/to", "scp://h:22/f to", "f [::1]:to", "-3 a:f u@b:to", "-R a:f u@b:to", "-3 -O a:f b:to", "-R -O a:f b:to",
        "-3 -P 22 -i key scp://u@a:33/f b:to", "-O -R -A a:f u@b:to"]


class Scp:
    """In ssh's place: notes its words, then is the server, in the folder `there`."""

    def __init__(self, place):
        self.place = place
        self.note = place.path("note")
        self.ssh = place.write("ssh", f"#!/bin/sh\nprintf '[%s]' \"$@\" >>{self.note}\necho >>{self.note}\ncd {place.path('there')} || exit 1\n"
                               f"for last; do before=$now now=$last; done\n[ \"$before\" = '-s' ] && exec {SERVER}\n"
                               f"case $last in\nsftp|*/sftp-server) exec {SERVER} ;;\n*scp*) exec sh -c \"$last\" ;;\nesac\nexit 255\n", 0o700)

    def run(self, program, words):
        place = self.place
        place.run(["rm", "-rf", place.path("here"), place.path("there"), self.note], check=True)
        for folder in "here", "there":
            os.mkdir(place.path(folder))
            place.write(f"{folder}/f", "content\n", 0o640)
        place.write("note", "")
        done = place.run([program, "-S", self.ssh, *words.replace("PATH", SERVER).split()], cwd=place.path("here"))
        lines = sorted(self.settled(line) for line in place.read("note").decode().splitlines())
        copied = [os.path.exists(place.path(f"{folder}/to")) for folder in ("here", "there")]
        return done.returncode, lines, copied

    @staticmethod
    def settled(line):
        """The options each version gives to every ssh come first: what matters is that the same are there."""
        words = line[1:-1].split("][")
        return " ".join(sorted(words[:words.index("--")]) + words[words.index("--"):]) if "--" in words else line


def main():
    tap = Tap()
    with Place() as place:
        os.makedirs(place.path("here"))
        scp = Scp(place)
        place.env["PATH"] = f"/usr/bin:{place.env['PATH']}"
        for words in [f"{flag} f h:to".strip() for flag in FLAGS] + WAYS + [f"{flag} f h:to" for flag in BAD] + ["", "f", "f g to"]:
            with tap.case(f"scp {words}"):
                got, want = scp.run(programs.ours("scp"), words), scp.run(programs.foreign("scp"), words)
                same(got, want, "status, what ssh is started with, copies here and there")
    tap.end()


main()
