#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Passwords, passphrases, keyboard-interactive and agents: our ssh beside OpenSSH's, the same dialogue; no secret on the screen."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
import room
import servers
from place import Place
from tap import Skip, Tap, same, wait_for
from term import dialogue
from words import plain

room.enter()
GOOD = room.PASSWORD.encode() + b"\n"
KEY = "correct horse"


class Prompts:
    def __init__(self, place, server, known="known_hosts"):
        self.place, self.server = place, server
        self.known = place.write(known, server.known_hosts())

    def argv(self, program, options, command="echo in"):
        return [program, "-F", "none", "-p", str(self.server.port), "-l", self.place.user, "-o", f"UserKnownHostsFile={self.known}",
                "-o", "GlobalKnownHostsFile=none", "-o", "UpdateHostKeys=no", *options, "127.0.0.1", command]

    def both(self, steps, *options, secret=(b"password: ", b"Password: ", b"key")):
        results = []
        for program in programs.ours("ssh"), programs.foreign("ssh"):
            waits = {text for text, _ in steps if any(s in text for s in secret)}
            status, screen = dialogue(self.argv(program, options), self.place.env, steps, waits)
            for word in room.PASSWORD, KEY:
                same(word.encode() in screen, False, f"{word} on the screen")
            results.append((status, plain(screen).replace(b"\r\r\n", b"\r\n").replace(b"error in libcrypto", b"invalid format")))
        same(results[0], results[1], "ours and OpenSSH's")
        return results[0]


def passwords(tap, p):
    only = ["-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password"]
    ask = f"{p.place.user}@127.0.0.1's password: ".encode()
    with tap.case("a password"):
        same(p.both([(ask, GOOD)], *only)[0], 0, "status")
    with tap.case("a wrong password, then the right one"):
        same(p.both([(ask, b"wrong\n"), (ask, GOOD)], *only)[0], 0, "status")
    with tap.case("three wrong passwords"):
        same(p.both([(ask, b"wrong\n")] * 3, *only)[0], 255, "status")
    with tap.case("NumberOfPasswordPrompts"):
        same(p.both([(ask, b"wrong\n")], "-o", "NumberOfPasswordPrompts=1", *only)[0], 255, "status")
    with tap.case("the end of the file at the prompt"):
        same(p.both([(ask, b"\x04")] * 3, *only)[0], 255, "status")
    with tap.case("keyboard-interactive"):
        same(p.both([(b"Password: ", GOOD)], "-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=keyboard-interactive")[0], 0, "status")
    with tap.case("keyboard-interactive, wrong, then a password"):
        p.both([(b"Password: ", b"x\n")] * 3 + [(ask, GOOD)], "-o", "PubkeyAuthentication=no")
    with tap.case("an interrupt at the prompt ends it, and the terminal echoes again"):
        status, _ = dialogue(p.argv(programs.ours("ssh"), only), p.place.env, [(ask, b"abc\x03")], {ask})
        same(status in (-2, 255), True, f"status {status}")
    with tap.case("sshpass"):
        argv = [programs.foreign("sshpass"), "-p", room.PASSWORD, *p.argv(programs.ours("ssh"), only)]
        done = p.place.run(argv, start_new_session=True)
        same((done.returncode, done.stdout), (0, b"in\n"), "status, output")
    with tap.case("SSH_ASKPASS"):
        helper = p.place.write("askpass", f"#!/bin/sh\necho \"$1\" >{p.place.path('asked')}\necho '{room.PASSWORD}'\n", 0o755)
        done = p.place.run(p.argv(programs.ours("ssh"), only), env=dict(p.place.env, SSH_ASKPASS=helper, SSH_ASKPASS_REQUIRE="force"),
                           start_new_session=True)
        same((done.returncode, done.stdout, p.place.read("asked")), (0, b"in\n", ask + b"\n"), "status, output, question")


def tries(tap, p):
    """With as few tries as a server may allow: what else we send must not use them up."""
    with tap.case("a key that is refused and a password in two tries"):
        few = servers.sshd(p.place, programs.foreign("sshd"), ["UsePAM yes", "KbdInteractiveAuthentication no", "MaxAuthTries 2", "PrintMotd no"],
                           log="few.log")
        own = Prompts(p.place, few, "few-hosts")
        ask = f"{p.place.user}@127.0.0.1's password: ".encode()
        stranger = p.place.key(name="stranger")
        same(own.both([(ask, GOOD)], "-i", stranger, "-o", "IdentitiesOnly=yes")[0], 0, "status")


def passphrases(tap, p):
    key = p.place.path("locked")
    p.place.run([programs.foreign("ssh-keygen"), "-q", "-t", "ed25519", "-N", KEY, "-f", key], check=True)
    with open(f"{p.place.home}/.ssh/authorized_keys", "a", encoding="utf-8") as f:
        f.write(open(f"{key}.pub", encoding="utf-8").read())
    ask, good = f"Enter passphrase for key '{key}': ".encode(), KEY.encode() + b"\n"
    only = ["-i", key, "-o", "IdentitiesOnly=yes", "-o", "PreferredAuthentications=publickey"]
    with tap.case("a passphrase"):
        same(p.both([(ask, good)], *only)[0], 0, "status")
    with tap.case("a wrong passphrase, then the right one"):
        same(p.both([(ask, b"wrong\n"), (ask, good)], *only)[0], 0, "status")
    with tap.case("three wrong passphrases"):
        same(p.both([(ask, b"wrong\n")] * 3, *only)[0], 255, "status")
    with tap.case("an empty passphrase goes on to the next key"):
        same(p.both([(ask, b"\n")], *only)[0], 255, "status")
    with tap.case("BatchMode asks nobody"):
        same(p.both([], "-o", "BatchMode=yes", *only)[0], 255, "status")
    with tap.case("a key that others may read is not used"):
        loose = p.place.write("loose", p.place.read(os.path.basename(p.place.key())), 0o644)
        same(p.both([], "-i", loose, *only[2:])[0], 255, "status")
    with tap.case("a file that is no key"):
        same(p.both([], "-i", p.place.write("nokey", "hello\n"), *only[2:])[0], 255, "status")
    with tap.case("a key that is not there"):
        same(p.both([], "-i", p.place.path("nothing"), *only[2:])[0], 255, "status")


def agents(tap, p):
    sock = p.place.path("agent")
    p.place.start([programs.foreign("ssh-agent"), "-D", "-a", sock], "agent.log")
    wait_for("agent", lambda: os.path.exists(sock))
    p.place.env["SSH_AUTH_SOCK"] = sock
    only = ["-o", "PreferredAuthentications=publickey", "-o", "IdentityFile=none"]
    with tap.case("an agent without keys"):
        same(p.both([], *only)[0], 255, "status")
    for kind in "ed25519", "ecdsa256", "ecdsa521", "rsa":
        with tap.case(f"an agent with a key: {kind}"):
            p.place.run([programs.foreign("ssh-add"), "-q", "-D"], check=True)
            p.place.run([programs.foreign("ssh-add"), "-q", p.place.key(kind)], check=True)
            same(p.both([], *only)[0], 0, "status")
    with tap.case("IdentitiesOnly leaves the agent's others out"):
        same(p.both([], "-o", "IdentitiesOnly=yes", *only)[0], 255, "status")
    with tap.case("a public file names the agent's key"):
        public = p.place.write("named.pub", open(f"{p.place.key('rsa')}.pub", encoding="utf-8").read(), 0o644)
        same(p.both([], "-o", f"IdentityFile={public.removesuffix('.pub')}", "-o", "IdentitiesOnly=yes", *only[:2])[0], 0, "status")
    with tap.case("IdentityAgent none"):
        same(p.both([], "-o", "IdentityAgent=none", *only)[0], 255, "status")
    with tap.case("a key restricted to this host works, to another does not"):
        for host, status in (f"[127.0.0.1]:{p.server.port}", 0), ("elsewhere.example", 255):
            p.place.run([programs.foreign("ssh-add"), "-q", "-D"], check=True)
            hosts = p.place.write("agent-hosts", f"[127.0.0.1]:{p.server.port} {p.server.publics[0]}\nelsewhere.example {p.place.public(p.place.key('rsa'))}\n")
            p.place.run([programs.foreign("ssh-add"), "-q", "-H", hosts, "-h", host, p.place.key("ecdsa256")], check=True)
            same(p.both([], *only)[0], status, f"status for {host}")
    with tap.case("an agent that answers nonsense is left alone"):
        done = p.place.run(p.argv(programs.ours("ssh"), ["-o", f"IdentityAgent={p.place.path('known_hosts')}", "-i", p.place.key()]))
        same(done.returncode, 0, "status")
    del p.place.env["SSH_AUTH_SOCK"]


def main():
    tap = Tap()
    if not room.inside() or os.geteuid() != 0:
        with tap.case("prompts"):
            raise Skip("needs root and a mount namespace of its own")
        tap.end()
    with Place() as place:
        server = servers.sshd(place, programs.foreign("sshd"), ["UsePAM yes", "KbdInteractiveAuthentication yes", "MaxAuthTries 20", "PrintMotd no"])
        p = Prompts(place, server)
        for part in passwords, tries, passphrases, agents:
            part(tap, p)
    tap.end()


main()
