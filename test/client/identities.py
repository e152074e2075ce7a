#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""User keys, certificates and the agent: our ssh beside OpenSSH's with the same files and the same agent, the same offers in the same
order and the same end; what AddKeysToAgent says to an agent."""
import os
import re
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
import room
import servers
from place import Place
from tap import Tap, same, wait_for

room.enter(as_self=True)

LONG = bool(os.environ.get("NACRE_LONG"))       # else OpenSSH's is asked every second time only
CERT = "-cert-v01@openssh.com"


class Bench:
    def __init__(self, place):
        self.place, self.turn = place, 0
        self.ca = place.key("ed25519", "user-ca")
        self.agent = self.start_agent("agent")
        ca = place.write("ca.pub", place.public(self.ca) + "\n", 0o644)
        options = [f"TrustedUserCAKeys {ca}", "MaxAuthTries 50", "LogLevel DEBUG2"]
        self.by_cert = servers.sshd(place, programs.foreign("sshd"), options, user_keys=[], log="cert.log")
        self.by_key = servers.sshd(place, programs.foreign("sshd"), ["MaxAuthTries 50"], user_keys=["ed25519"], log="key.log")
        place.write("known", self.by_cert.known_hosts() + self.by_key.known_hosts())

    def start_agent(self, name):
        path = self.place.path(name)
        process = self.place.start([programs.foreign("ssh-agent"), "-D", "-a", path], f"{name}.log")
        wait_for("agent", lambda: os.path.exists(path) or process.poll() is not None)
        return path

    def add(self, key, *args, agent=None):
        subprocess.run([programs.foreign("ssh-add"), "-q", *args, key], check=True, env={**self.place.env, "SSH_AUTH_SOCK": agent or self.agent},
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def sign(self, key, *args, name=None, ca=None):
        """Certify a key; the certificate is taken from beside it to a file `name` where that is given."""
        subprocess.run([programs.foreign("ssh-keygen"), "-q", "-s", ca or self.ca, "-I", "user", *(args or ("-n", self.place.user)), f"{key}.pub"], check=True)
        path = f"{key}-cert.pub"
        if not name:
            return path
        os.rename(path, self.place.path(name))
        return self.place.path(name)

    def ssh(self, program, server, *args, env=None, options=()):
        return self.place.run([program, "-v", "-F", "none", "-p", str(server.port), "-o", f"UserKnownHostsFile={self.place.path('known')}",
                               "-o", "GlobalKnownHostsFile=none", "-o", "UpdateHostKeys=no", "-o", "BatchMode=yes", "-o", "PasswordAuthentication=no",
                               *[a for o in options for a in ("-o", o)], *args, "127.0.0.1", "echo in"],
                              env={**self.place.env, "SSH_AUTH_SOCK": self.agent, **(env or {})}, start_new_session=True)

    def both(self, server, *args, want=None, always=False, **kw):
        """The offers of ours, found to be OpenSSH's, and so the status."""
        results, self.turn = [], self.turn + 1
        seen = len(self.place.read(server.log))
        for program in [programs.ours("ssh"), programs.foreign("ssh")][:1 + (LONG or always or self.turn % 2)]:
            done = self.ssh(program, server, *args, **kw)
            lines = done.stderr.decode().replace(self.place.folder, "PLACE").splitlines()
            results.append((done.returncode, [line.split("key: ", 1)[1] for line in lines if "Offering public key: " in line]))
        log = self.place.read(server.log)[seen:].decode(errors="replace")[-4000:]
        same(results[0], results[-1], f"ours and OpenSSH's, whose last words were {lines[-12:]}, and the server's log:\n{log}\n")
        if want is not None:
            same(results[0][0], want, f"status; the server's log:\n{log}\n")
        return results[0][1]


def order(tap, b):
    p = b.place
    one, two, three = p.key("ed25519", "one"), p.key("ecdsa256", "two"), p.key("rsa", "three")
    lone, agents = p.key("ed25519", "lone"), p.key("ed25519", "agents")
    for key in agents, three, one:
        b.add(key)
    cert_two = b.sign(two, "-n", "nobody", name="cert-two")
    b.sign(lone, "-n", "nobody")
    b.sign(three, "-n", "nobody")
    files = [a for key in (one, two, three, lone) for a in ("-i", key)]
    for what, args, options in (
            ("files and the agent", files, []), ("files in another order", ["-i", lone, "-i", three, "-i", two, "-i", one], []),
            ("IdentitiesOnly", files, ["IdentitiesOnly=yes"]), ("no agent", files, ["IdentityAgent=none"]),
            ("CertificateFile", files, [f"CertificateFile={cert_two}"]), ("CertificateFile twice", ["-i", two], [f"CertificateFile={cert_two}"] * 2),
            ("CertificateFile alone", [], [f"CertificateFile={cert_two}", "IdentitiesOnly=yes"]),
            ("CertificateFile that is a plain key, and one that is not there", files, [f"CertificateFile={one}.pub", f"CertificateFile={p.path('no')}"]),
            ("a public key as IdentityFile, its private half in the agent", ["-i", f"{agents}.pub"], ["IdentitiesOnly=yes"]),
            ("a certificate as IdentityFile", ["-i", cert_two], ["IdentitiesOnly=yes"]),
            ("PubkeyAcceptedAlgorithms without certificates", files, ["PubkeyAcceptedAlgorithms=ssh-ed25519,rsa-sha2-512,ecdsa-sha2-nistp256"]),
            ("PubkeyAcceptedAlgorithms with certificates only", files, ["PubkeyAcceptedAlgorithms=*-cert-v01@openssh.com"]),
            ("RequiredRSASize", files, ["RequiredRSASize=4096"])):
        with tap.case(f"the order of offers: {what}"):
            offers = b.both(b.by_key, *args, options=options)
            same(len(offers) > 0, True, f"offers {offers}")
    with tap.case("certificates in the agent"):
        other = b.start_agent("agent2")
        for key in three, agents:
            b.add(key, agent=other)
        offers = b.both(b.by_key, *files, env={"SSH_AUTH_SOCK": other})
        same(sum("-CERT" in o and " agent" in o for o in offers), 1, f"certificates of the agent in {offers}")
    with tap.case("a host's certificate is no user's"):
        subprocess.run([programs.foreign("ssh-keygen"), "-q", "-h", "-s", b.ca, "-I", "h", f"{two}.pub"], check=True)
        same(any("CERT" in o for o in b.both(b.by_key, "-i", two, options=["IdentitiesOnly=yes"])), False, "offered")
        os.unlink(f"{two}-cert.pub")


def logins(tap, b):
    p = b.place
    for kind in "ed25519", "ecdsa256", "ecdsa521", "rsa":
        key = p.key(kind, f"own-{kind}")
        with tap.case(f"a certified {kind} key logs in, its certificate beside it"):
            b.both(b.by_cert, "-i", key, want=255, options=["IdentityAgent=none"])
            beside = b.sign(key)
            b.both(b.by_cert, "-i", key, want=0, options=["IdentityAgent=none"])
            os.unlink(beside)
    rsa = p.key("rsa", "own-rsa")
    cert = b.sign(rsa, name="rsa-cert")
    for alg in "rsa-sha2-256", "rsa-sha2-512":
        with tap.case(f"a certified RSA key with {alg}"):
            seen = len(p.read("cert.log"))
            b.both(b.by_cert, "-i", rsa, want=0, options=[f"CertificateFile={cert}", f"PubkeyAcceptedAlgorithms={alg}{CERT},{alg}", "IdentityAgent=none"],
                   always=True)
            same(p.read("cert.log")[seen:].count(f"querying public key {alg}{CERT} ".encode()), 2, "queries of both")
    with tap.case("the private half of a CertificateFile is in the agent only"):
        key = p.key("ecdsa384", "moved")
        cert = b.sign(key, name="moved-cert")
        b.add(key)
        os.rename(key, f"{key}-away")
        b.both(b.by_cert, want=0, options=[f"CertificateFile={cert}"])
        b.both(b.by_cert, "-i", f"{key}.pub", want=0, options=[f"CertificateFile={cert}", "IdentitiesOnly=yes"])
    with tap.case("key and certificate are in the agent only"):
        key = p.key("ecdsa521", "inside")
        agent = b.start_agent("agent3")
        b.sign(key)
        b.add(key, agent=agent)
        for name in key, f"{key}-cert.pub", f"{key}.pub":
            os.unlink(name)
        b.both(b.by_cert, want=0, env={"SSH_AUTH_SOCK": agent})
    with tap.case("the private half is nowhere"):
        key = p.key("ed25519", "nowhere")
        cert = b.sign(key, name="nowhere-cert")
        b.both(b.by_cert, want=255, options=[f"CertificateFile={cert}", "IdentityAgent=none"])
    with tap.case("the private file beside a certificate is another key's"):
        one, two = p.key("ed25519", "swap-one"), p.key("ed25519", "swap-two")
        os.rename(b.sign(one), f"{two}-cert.pub")
        b.both(b.by_cert, "-i", two, want=255, options=["IdentityAgent=none"])
    with tap.case("a certificate whose authority's signature is broken is passed over"):
        key = p.key("ed25519", "broken")
        path = b.sign(key)
        with open(path, encoding="ascii") as f:
            kind, text, *_ = f.read().split()
        p.write(os.path.basename(path), f"{kind} {text[:-4]}AAAA\n")
        done = b.ssh(programs.ours("ssh"), b.by_cert, "-i", key, options=["IdentityAgent=none"])
        same((done.returncode, b"CERT" in done.stderr), (255, False), "status, offered")
    with tap.case("IdentityAgent: a path, $NAME, none"):
        b.add(p.key("ed25519"), agent=b.agent)
        for value, want in (b.agent, 0), ("$OTHER", 0), ("SSH_AUTH_SOCK", 0), ("none", 255), ("$NOT_THERE", 255), (p.path("nothing"), 255):
            env = {"SSH_AUTH_SOCK": b.agent if value == "SSH_AUTH_SOCK" else "/", "OTHER": b.agent}
            b.both(b.by_key, want=want, options=[f"IdentityAgent={value}"], env=env)


class FakeAgent:
    """Takes every key, and keeps what was said."""

    def __init__(self, path):
        self.said = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, c):
        with c, c.makefile("rb") as f:
            while len(head := f.read(4)) == 4:
                message = f.read(struct.unpack(">I", head)[0])
                self.said.append(message)
                answer = b"\x0c\0\0\0\0" if message[0] == 11 else b"\6"
                c.sendall(struct.pack(">I", len(answer)) + answer)

    def added(self):
        """(message number, constraints behind the comment `test`) of each key that was added since the last call."""
        found = [(m[0], m.split(b"\0\0\0\4test", 1)[1]) for m in self.said if m[0] in (17, 25)]
        self.said.clear()
        return found


def adding(tap, b):
    p, key = b.place, b.place.key("ed25519")
    fake = FakeAgent(p.path("fake"))
    env = {"SSH_AUTH_SOCK": p.path("fake"), "DISPLAY": ":0", "SSH_ASKPASS_REQUIRE": "force"}
    yes, no = (p.write(f"askpass-{word}", f"#!/bin/sh\necho \"$1\" >{p.path('asked')}\necho {word}\n", 0o700) for word in ("yes", "no"))
    hour = b"\x01" + struct.pack(">I", 3600)
    for value, askpass, want in (("no", no, []), ("yes", no, [(17, b"")]), ("3600", no, [(25, hour)]), ("1h", no, [(25, hour)]),
                                 ("confirm", no, [(25, b"\x02")]), ("confirm 1h", no, [(25, hour + b"\x02")]), ("ask", yes, [(17, b"")]), ("ask", no, [])):
        with tap.case(f"AddKeysToAgent={value}, {os.path.basename(askpass)}"):
            both = []
            for program in programs.ours("ssh"), programs.foreign("ssh"):
                done = p.run([program, "-F", "none", "-p", str(b.by_key.port), "-o", f"UserKnownHostsFile={p.path('known')}", "-o", "GlobalKnownHostsFile=none",
                              "-o", f"AddKeysToAgent={value}", "-i", key, "127.0.0.1", "echo in"], env={**p.env, **env, "SSH_ASKPASS": askpass},
                             start_new_session=True)
                asked = p.read("asked").decode() if os.path.exists(p.path("asked")) else ""
                if asked:
                    os.unlink(p.path("asked"))
                both.append((done.stdout, fake.added(), re.sub(r"\s+", " ", asked)))
            same(both[0][:2], (b"in\n", want), "session, what the agent got")
            same(both[0], both[1], "ours and OpenSSH's")
    with tap.case("a key that is in the agent already is not given again"):
        done = b.ssh(programs.ours("ssh"), b.by_key, "-i", key, options=["AddKeysToAgent=yes"])
        same((done.stdout, b"identity added" in done.stderr), (b"in\n", False), "session, added")


def main():
    tap = Tap()
    with Place() as place:
        b = Bench(place)
        for part in order, logins, adding:
            part(tap, b)
    tap.end()


main()
