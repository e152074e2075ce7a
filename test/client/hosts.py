#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""known_hosts: our ssh beside OpenSSH's, the same dialogue at a terminal, the same decision, the same file afterwards."""
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

room.enter(as_self=True)     # no file of the machine's own users is read, a .bashrc's noise among them

ASK = b"(yes/no/[fingerprint])? "
AGAIN = b"Please type 'yes', 'no' or the fingerprint: "


class Hosts:
    def __init__(self, place, server):
        self.place, self.server = place, server
        self.name = f"[127.0.0.1]:{server.port}"
        self.own = {p.split()[0]: p for p in server.publics}
        self.key = self.own["ssh-ed25519"]
        self.other = place.public(place.key("ed25519", "someone-else"))
        self.rsa = place.public(place.key("rsa", "someone-rsa"))

    def ours(self, path, *options):
        return [programs.ours("ssh"), "-F", "none", "-p", str(self.server.port), "-o", f"UserKnownHostsFile={path}",
                "-o", "GlobalKnownHostsFile=none", *[a for o in options for a in ("-o", o)], "-i", self.place.key(), "127.0.0.1", "true"]

    def both(self, known, options=(), steps=(), files=None, host="127.0.0.1"):
        """Returns (status, screen or stderr, files) of ours after both were found equal."""
        results = []
        for program in programs.ours("ssh"), programs.foreign("ssh"):
            paths = {name: self.place.path(name) for name in {"known_hosts": known} | (files or {})}
            for name, text in ({"known_hosts": known} | (files or {})).items():
                if text is None:
                    if os.path.exists(paths[name]):
                        os.unlink(paths[name])
                else:
                    self.place.write(name, text)
            argv = [program, "-F", "none", "-p", str(self.server.port), "-o", f"UserKnownHostsFile={paths['known_hosts']}",
                    *[a for o in options for a in ("-o", o.replace("PLACE", self.place.folder))],
                    "-o", "GlobalKnownHostsFile=none", "-o", "IdentitiesOnly=yes", "-o", "UpdateHostKeys=no", "-o", "PasswordAuthentication=no",
                    "-o", "KbdInteractiveAuthentication=no", "-i", self.place.key(), host, "echo in"]
            if steps:
                status, screen = dialogue(argv, self.place.env, steps)
            else:
                p = self.place.run(argv, start_new_session=True)
                status, screen = p.returncode, p.stdout + p.stderr
            after = {name: open(path, encoding="utf-8").read() if os.path.exists(path) else None for name, path in paths.items()}
            salted = {name: re.sub(r"\|1\|[^ ]*", "|1|..", text or "") for name, text in after.items()}
            results.append((status, plain(screen).replace(b"\r\r\n", b"\r\n"), salted))
        same(results[0], results[1], "ours and OpenSSH's")
        return results[0]


def new_host(tap, h):
    yes = [(ASK, b"yes\n")]
    fingerprint = h.place.run([programs.foreign("ssh-keygen"), "-lf", h.place.key("ed25519", "host-ed25519")]).stdout.split()[1]
    for name, steps, status in (("yes", yes, 0), ("no", [(ASK, b"no\n")], 255), ("nothing", [(ASK, b"\n")], 255),
                                ("the fingerprint", [(ASK, fingerprint + b"\n")], 0), ("Yes with blanks", [(ASK, b"  YES \n")], 0),
                                ("the end of the file", [(ASK, b"\x04")], 255),
                                ("something else, then yes", [(ASK, b"perhaps\n"), (AGAIN, b"yes\n")], 0)):
        with tap.case(f"a new host: {name}"):
            result = h.both("", steps=steps)
            same(result[0], status, "status")
            same(h.key in result[2]["known_hosts"], status == 0, "learned")
    for strict, status, learned in ("yes", 255, False), ("accept-new", 0, True), ("no", 0, True), ("off", 0, True):
        with tap.case(f"a new host, StrictHostKeyChecking={strict}"):
            result = h.both("", [f"StrictHostKeyChecking={strict}"])
            same((result[0], h.key in result[2]["known_hosts"]), (status, learned), "status, learned")
    with tap.case("a new host, BatchMode"):
        same(h.both("", ["BatchMode=yes"])[0], 255, "status")
    with tap.case("a new host whose key has other names"):
        hashed = h.place.write("to-hash", f"other {h.key}\n")
        h.place.run([programs.foreign("ssh-keygen"), "-Hf", hashed], check=True)
        h.both(f"other.example,10.1.2.3 {h.key}\n{h.place.read('to-hash').decode()}", steps=yes)
    with tap.case("ten other names"):
        h.both("".join(f"other{i}.example {h.key}\n" for i in range(10)), steps=yes)
    with tap.case("VisualHostKey shows the art before the question"):
        h.both("", ["VisualHostKey=yes"], yes)
    with tap.case("FingerprintHash md5"):
        h.both("", ["FingerprintHash=md5"], yes)
    with tap.case("HashKnownHosts hides the name that is learned"):
        result = h.both("", ["HashKnownHosts=yes", "StrictHostKeyChecking=accept-new"])
        same(re.fullmatch(r"\|1\|\.\. \S+ \S+\n", result[2]["known_hosts"]) is not None, True, "hashed")
    with tap.case("HostKeyAlias is the name that is learned"):
        same(h.both("", ["HostKeyAlias=alias", "StrictHostKeyChecking=accept-new"])[2]["known_hosts"], f"alias {h.key}\n", "line")
    with tap.case("a file whose last line has no end gets one"):       # OpenSSH 9.2 spoils both lines
        path = h.place.write("known_hosts", f"x {h.other}")
        h.place.run(h.ours(path, "StrictHostKeyChecking=accept-new"), check=True)
        same(h.place.read("known_hosts").decode(), f"x {h.other}\n{h.name} {h.key}\n", "file")
    with tap.case("the file is made when it is missing"):
        same(h.both(None, ["StrictHostKeyChecking=accept-new"])[2]["known_hosts"], f"{h.name} {h.key}\n", "file")
    with tap.case("CheckHostIP learns the address with the name"):
        h.both("", ["StrictHostKeyChecking=accept-new", "CheckHostIP=yes"], host="localhost")


def known_host(tap, h):
    hashed = h.place.write("to-hash", f"{h.name} {h.key}\n")
    h.place.run([programs.foreign("ssh-keygen"), "-Hf", hashed], check=True)
    files = {"plain": f"{h.name} {h.key}\n", "hashed": h.place.read("to-hash").decode(),
             "among others": f"# comment\n\n\x00garbage\nx y\na {h.other}\n{h.name} {h.key} and a comment\n",
             "by pattern": f"[127.*]:* {h.key}\n", "in a list": f"a,b,{h.name},c {h.key}\n",
             "twice": f"{h.name} {h.key}\n{h.name} {h.other}\n", "after another key": f"{h.name} {h.other}\n{h.name} {h.key}\n",
             "with a key of another type as well": f"{h.name} {h.rsa}\n{h.name} {h.key}\n", "CRLF": f"{h.name} {h.key}\r\n",
             "without its port": f"127.0.0.1 {h.key}\n"}
    for name, text in files.items():
        with tap.case(f"known: {name}"):
            same(h.both(text, ["StrictHostKeyChecking=yes"])[0], 0, "status")
    unknown = {"negated": f"!{h.name},[*]:* {h.key}\n", "for another port": f"[127.0.0.1]:1 {h.key}\n",
               "only as an authority": f"@cert-authority {h.name} {h.key}\n",
               "with an unknown marker": f"@other {h.name} {h.key}\n",
               "cut short": f"{h.name} {h.key[:-12]}\n", "of a wrong type": f"{h.name} ssh-rsa {h.key.split()[1]}\n"}
    for name, text in unknown.items():
        with tap.case(f"not known: {name}"):
            same(h.both(text, ["StrictHostKeyChecking=yes"])[0], 255, "status")
    with tap.case("known by the second file"):
        result = h.both("", ["StrictHostKeyChecking=yes", "UserKnownHostsFile=PLACE/known_hosts PLACE/second"],
                        files={"second": f"{h.name} {h.key}\n"})
        same(result[0], 255, "first -o wins")
    with tap.case("known by the global file"):
        result = h.both("", ["StrictHostKeyChecking=yes", "GlobalKnownHostsFile=PLACE/global"], files={"global": f"{h.name} {h.key}\n"})
        same(result[0], 0, "status")
    with tap.case("known by an alias"):
        same(h.both(f"alias {h.key}\n", ["StrictHostKeyChecking=yes", "HostKeyAlias=alias"])[0], 0, "status")
    with tap.case("the key of a type that is known is asked for"):
        same(h.both(f"{h.name} {h.own['ssh-rsa']}\n", ["StrictHostKeyChecking=yes"])[0], 0, "status")
    with tap.case("NoHostAuthenticationForLocalhost"):
        same(h.both("", ["NoHostAuthenticationForLocalhost=yes", "StrictHostKeyChecking=yes"])[0], 0, "status")


def wrong_host(tap, h):
    for strict in "ask", "yes", "accept-new":
        with tap.case(f"a changed key, StrictHostKeyChecking={strict}"):
            status, screen, files = h.both(f"a {h.other}\n{h.name} {h.other}\n", [f"StrictHostKeyChecking={strict}", "HostKeyAlgorithms=ssh-ed25519"])
            same((status, b"known_hosts:2" in screen), (255, True), "status, line")
    with tap.case("a changed key, StrictHostKeyChecking=no: on, without secrets or forwards"):
        status, screen, files = h.both(f"{h.name} {h.other}\n", ["StrictHostKeyChecking=no", "HostKeyAlgorithms=ssh-ed25519",
                                                               "PasswordAuthentication=yes", "LocalForward=1 127.0.0.1:2"])
        same((status, h.key in files["known_hosts"]), (0, False), "status, learned")
    with tap.case("another type is known only"):
        same(h.both(f"{h.name} {h.rsa}\n", ["StrictHostKeyChecking=yes", "HostKeyAlgorithms=ssh-ed25519"])[0], 255, "status")
    with tap.case("a revoked key"):
        same(h.both(f"@revoked {h.name} {h.key}\n{h.name} {h.key}\n", ["HostKeyAlgorithms=ssh-ed25519"])[0], 255, "status")
    with tap.case("a revoked key that is known, in another order, by pattern"):
        same(h.both(f"{h.name} {h.key}\n@revoked * {h.key}\n", ["HostKeyAlgorithms=ssh-ed25519"])[0], 255, "status")
    with tap.case("a changed key in the global file"):
        h.both("", ["HostKeyAlgorithms=ssh-ed25519", "GlobalKnownHostsFile=PLACE/global"], files={"global": f"{h.name} {h.other}\n"})
    with tap.case("a revoked key is refused whatever StrictHostKeyChecking says"):     # OpenSSH goes on with `no`
        path = h.place.write("known_hosts", f"@revoked {h.name} {h.key}\n")
        same(h.place.run(h.ours(path, "StrictHostKeyChecking=no", "HostKeyAlgorithms=ssh-ed25519")).returncode, 255, "status")


def main():
    tap = Tap()
    with Place() as place:
        server = servers.sshd(place, programs.foreign("sshd"), host_keys=["ed25519", "rsa", "ecdsa256"])
        h = Hosts(place, server)
        for part in new_host, known_host, wrong_host:
            part(tap, h)
    tap.end()


main()
