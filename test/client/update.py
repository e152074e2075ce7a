#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""UpdateHostKeys: our ssh beside OpenSSH's with a server that has several keys: the same known_hosts afterwards. And servers that name
keys which are not theirs."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
import room
import servers
from place import Place
from tap import Tap, same
from term import dialogue
from words import plain

room.enter(as_self=True)

LONG = bool(os.environ.get("NACRE_LONG"))       # else OpenSSH's is asked every second time only
ASK = b"Accept updated hostkeys? (yes/no): "


class Update:
    def __init__(self, place, server):
        self.place, self.server, self.turn = place, server, 0
        self.name = f"[127.0.0.1]:{server.port}"
        self.own = {p.split()[0]: p for p in server.publics}
        self.key, self.rsa = self.own["ssh-ed25519"], self.own["ssh-rsa"]
        self.old = place.public(place.key("ed25519", "old-ed25519"))
        self.old_rsa = place.public(place.key("rsa", "old-rsa"))

    def one(self, program, files, options, steps, host):
        for name, text in files.items():
            path = self.place.write(name, text)
            for beside in f"{path}.old", f"{path}.OLD":
                if os.path.exists(beside):
                    os.unlink(beside)
        known = " ".join(self.place.path(name) for name in files if not name.startswith("global"))
        argv = [program, "-F", "none", "-p", str(self.server.port), *[a for o in options for a in ("-o", o)],
                "-o", f"UserKnownHostsFile={known}", "-o", f"GlobalKnownHostsFile={self.place.path('global')}", "-o", "IdentitiesOnly=yes",
                "-o", "StrictHostKeyChecking=yes", "-i", self.place.key(), host, "true"]
        if steps:
            status, screen = dialogue(argv, self.place.env, steps)
        else:
            p = self.place.run(argv, start_new_session=True)
            status, screen = p.returncode, p.stderr
        return status, plain(screen).replace(b"\r\r\n", b"\r\n"), {name: self.place.read(name).decode() for name in files}

    def both(self, files, options=("UpdateHostKeys=yes",), steps=(), host="127.0.0.1", screen=True, differ=False):
        """What ours leaves of the files, after OpenSSH's was found to leave the same (salts aside)."""
        files = {"known": files} if isinstance(files, str) else files
        ours = self.one(programs.ours("ssh"), files, options, steps, host)
        self.turn += 1
        if not differ and (LONG or self.turn % 2):
            theirs = self.one(programs.foreign("ssh"), files, options, steps, host)
            unsalted = [{name: re.sub(r"\|1\|[^ ]*", "|1|..", text) for name, text in r[2].items()} for r in (ours, theirs)]
            same((ours[0], unsalted[0]), (theirs[0], unsalted[1]), "ours and OpenSSH's")
            if screen:
                same(ours[1], theirs[1], "what is shown")
        same(ours[0], 0, "status")
        return ours[2]["known"], ours[1]


def learned(tap, u):
    everything = "".join(f"{u.name} {u.own[k]}\n" for k in ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"))
    with tap.case("keys that known_hosts lacks are learned"):
        same(u.both(f"{u.name} {u.key}\n")[0], everything, "file")
        same(u.place.read("known.old").decode() if os.path.exists(u.place.path("known.old")) else None, f"{u.name} {u.key}\n", "the old file")
    with tap.case("it is so by default with the default files only"):
        text = f"{u.name} {u.key}\n"
        same(u.both(text, [])[0], text, "file")
    with tap.case("UpdateHostKeys=no"):
        same(u.both(f"{u.name} {u.key}\n", ["UpdateHostKeys=no"])[0], f"{u.name} {u.key}\n", "file")
    with tap.case("nothing to learn: the file is not written again"):
        path = u.place.write("known", everything)
        before = os.stat(path).st_ino
        u.one(programs.ours("ssh"), {"known": everything}, ["UpdateHostKeys=yes"], (), "127.0.0.1")
        same(os.stat(path).st_ino, before, "inode")
    with tap.case("keys that the server has no more are removed"):
        same(u.both(f"{u.name} {u.old_rsa}\n# a comment\nother {u.old}\n{everything}")[0], f"# a comment\nother {u.old}\n{everything}", "file")
        third = u.place.public(u.place.key("ecdsa384", "third"))
        after = u.both(f"{u.name} {u.old_rsa}\nx {third}\n\n{u.name} {u.key}\ngarbage\n{u.name} {u.old}\n")[0]
        same((u.old_rsa in after, f"x {third}" in after, "garbage" in after, after.count(u.rsa)), (False, True, True, 1), "file")
    with tap.case("hashed names are found, HashKnownHosts hides new ones"):
        u.place.run([programs.foreign("ssh-keygen"), "-Hf", u.place.write("to-hash", f"{u.name} {u.key}\n")], check=True)
        after = u.both(u.place.read("to-hash").decode())[0]
        same((after.count("|1|"), after.count(u.name)), (1, 2), "hashed, plain")
        after = u.both(u.place.read("to-hash").decode(), ["UpdateHostKeys=yes", "HashKnownHosts=yes"])[0]
        same((after.count("|1|"), after.count(u.name)), (3, 0), "hashed, plain")
    with tap.case("LogLevel VERBOSE tells"):
        same(u.both(f"{u.name} {u.key}\n", ["UpdateHostKeys=yes", "LogLevel=VERBOSE"], screen=False)[1].count(b"Learned new hostkey: "), 2, "lines")
    with tap.case("a link stays a link, the mode stays"):
        target = u.place.write("target", f"{u.name} {u.key}\n", 0o640)
        link = u.place.path("link")
        os.symlink(target, link)
        done = u.place.run([programs.ours("ssh"), "-F", "none", "-p", str(u.server.port), "-o", f"UserKnownHostsFile={link}", "-o", "UpdateHostKeys=yes",
                            "-o", "GlobalKnownHostsFile=none", "-i", u.place.key(), "127.0.0.1", "true"])
        same((done.returncode, os.path.islink(link), u.place.read("target").decode(), os.stat(target).st_mode & 0o777), (0, True, everything, 0o640), "link")


def left_alone(tap, u):
    line = f"{u.name} {u.key}\n"
    for what, text in {"a pattern": f"[127.*]:* {u.key}\n", "a list of names": f"a,b,{u.name} {u.key}\n", "an authority": f"@cert-authority * {u.old}\n{line}",
                       "a revoked key": f"@revoked * {u.old}\n{line}", "another name for it": f"{line}other {u.key}\n",
                       "an old key with another name": f"{line}{u.name} {u.old}\nother {u.old}\n"}.items():
        with tap.case(f"the file stays as it is: {what}"):
            same(u.both(text)[0], text, "file")
    with tap.case("a host that is only now learned has no updates"):
        u.both("", ["UpdateHostKeys=yes", "StrictHostKeyChecking=accept-new"])
    with tap.case("a key of the global file has none"):
        same(u.both({"known": "", "global": line})[0], "", "file")
        u.place.write("global", "")
    with tap.case("the second file of the user loses its lines to the first"):
        u.both({"known": f"x {u.old}\n", "known2": line})
    with tap.case("HostKeyAlgorithms that leaves keys out: they are not learned, and removed"):
        text = f"{line}{u.name} {u.rsa}\n"
        same(u.both(text, ["UpdateHostKeys=yes", "HostKeyAlgorithms=ssh-ed25519"])[0], line, "file")
    with tap.case("CheckHostIP: name and address are learned together"):
        u.both(f"[localhost]:{u.server.port},{u.name} {u.key}\n", ["UpdateHostKeys=yes", "CheckHostIP=yes"], host="localhost")


def asking(tap, u):
    text = f"{u.name} {u.old_rsa}\n{u.name} {u.key}\n"
    for answers, count in ((b"yes\n",), 3), ((b"no\n",), 2), ((b"what\n", b"YES\n"), 3), ((b"\n", b"\x04", b"\n"), 2):
        with tap.case(f"UpdateHostKeys=ask, answered {answers}"):
            after = u.both(text, ["UpdateHostKeys=ask"], [(ASK, a) for a in answers], differ=True)[0]
            same(after.count("\n"), count, "lines")
    with tap.case("ask with keys to remove only"):
        everything = "".join(f"{u.name} {p}\n" for p in u.own.values())
        same(u.both(f"{u.name} {u.old_rsa}\n{everything}", ["UpdateHostKeys=ask"], [(ASK, b"yes\n")], differ=True)[0], everything, "file")
    with tap.case("ask in BatchMode: no"):
        same(u.both(text, ["UpdateHostKeys=ask", "BatchMode=yes"])[0], text, "file")


def main():
    tap = Tap()
    with Place() as place:
        u = Update(place, servers.sshd(place, programs.foreign("sshd"), host_keys=["ed25519", "rsa", "ecdsa256"]))
        u.place.write("global", "")
        for part in learned, left_alone, asking:
            part(tap, u)
    tap.end()


main()
