#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Host certificates: our ssh beside OpenSSH's with servers that show one, the same decision and the same known_hosts afterwards, where the
two do not differ on purpose; and what is revoked, by every way of saying so."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
import room
import servers
from place import Place
from tap import Tap, same

room.enter(as_self=True)

LONG = bool(os.environ.get("NACRE_LONG"))       # else OpenSSH's is asked every third time only
STRICT = "StrictHostKeyChecking=yes"
CERT = "-cert-v01@openssh.com"


class Certs:
    def __init__(self, place):
        self.place = place
        self.ca, self.other = place.key("ed25519", "ca"), place.key("ed25519", "other-ca")
        self.count = self.turn = 0

    def sign(self, kind="ed25519", ca=None, *args, names="127.0.0.1", user=False):
        """A certificate of a server's key of its own; returns the path of the private half."""
        self.count += 1
        key = self.place.key(kind, f"host-{self.count}")
        names = ["-n", names] if names else []
        subprocess.run([programs.foreign("ssh-keygen"), "-q", "-s", ca or self.ca, "-I", f"host {self.count}", *([] if user else ["-h"]), *names,
                        *args, f"{key}.pub"], check=True)
        return key

    def server(self, key, *options):
        config = [f"HostKey {key}", f"HostCertificate {key}-cert.pub", *options]
        server = servers.sshd(self.place, programs.foreign("sshd"), config, host_keys=[], log=f"sshd-{self.count}.log")
        server.publics.append(self.place.public(key))
        return server

    def ssh(self, program, server, known, *options, host="127.0.0.1", files=None):
        path = self.place.write("known", known)
        done = self.place.run([program, "-F", "none", "-p", str(server.port), "-o", f"UserKnownHostsFile={path}", "-o", "GlobalKnownHostsFile=none",
                               "-o", "IdentitiesOnly=yes", "-o", "UpdateHostKeys=no", "-o", "BatchMode=yes", "-o", "LogLevel=DEBUG1",
                               *[a for o in options for a in ("-o", o)], "-i", self.place.key(), host, "true"], start_new_session=True)
        return done, self.place.read("known").decode()

    def both(self, server, known, *options, want=0, differ=False):
        """The result of ours, whose host key algorithm and file are OpenSSH's too unless they are meant to `differ`."""
        results, self.turn = [], self.turn + 1
        ask_theirs = not differ and (LONG or self.turn % 3 == 0)
        for program in [programs.ours("ssh"), programs.foreign("ssh")][:1 + ask_theirs]:
            done, after = self.ssh(program, server, known, *options)
            alg = [line.split()[-1] for line in done.stderr.decode().splitlines() if "kex: host key algorithm" in line]
            results.append((done.returncode, alg if done.returncode == 0 else [], after))
        same(results[0][0], want, "status")
        if ask_theirs:
            same(results[0], results[1], "ours and OpenSSH's")
        return results[0]


def authority(ca, place, hosts="*"):
    return f"@cert-authority {hosts} {place.public(ca)}\n"


def kinds(tap, c):
    for kind, ca_kind in ("ed25519", "rsa"), ("ecdsa256", "ecdsa384"), ("ecdsa521", "ed25519"), ("rsa", "ecdsa521"):
        with tap.case(f"a certified {kind} key, signed by {ca_kind}"):
            ca = c.place.key(ca_kind, f"ca-{ca_kind}")
            server = c.server(c.sign(kind, ca))
            alg = c.both(server, authority(ca, c.place), STRICT)[1][0]
            same(alg.endswith(CERT), True, f"{alg} is one of certificates")
            if kind == "rsa":
                for one in "rsa-sha2-256", "rsa-sha2-512":
                    same(c.both(server, authority(ca, c.place), STRICT, f"HostKeyAlgorithms={one}{CERT}")[1], [one + CERT], "algorithm")


def lines(tap, c):
    server = c.server(c.sign())
    name, own, ca = f"[127.0.0.1]:{server.port}", server.publics[0], c.place.public(c.ca)
    other = c.place.public(c.other)
    for what, known in {"for every host": f"@cert-authority * {ca}", "for the port": f"@cert-authority {name} {ca}", "for the bare name":
                        f"@cert-authority 127.0.0.1 {ca}", "by pattern": f"@cert-authority 127.* {ca}", "after another":
                        f"@cert-authority * {other}\n@cert-authority * {ca}"}.items():
        with tap.case(f"an authority {what}"):
            c.both(server, known + "\n", STRICT)
    for what, known in {"for another host": f"@cert-authority elsewhere {ca}", "another one": f"@cert-authority * {other}", "none": "",
                        "negated": f"@cert-authority !127.0.0.1,!{name},* {ca}", "as a plain key": f"{name} {ca}"}.items():
        with tap.case(f"an authority that is not this one's: {what}"):
            c.both(server, known + "\n", STRICT, want=255)
    with tap.case("no authority, but the key inside is known"):
        c.both(server, f"{name} {own}\n", STRICT)
        c.both(server, f"@cert-authority * {other}\n{name} {own}\n", STRICT)
    with tap.case("no authority: the key inside is learned as any other"):
        after = c.both(server, "", "StrictHostKeyChecking=accept-new")[2]
        same(after, f"{name} {own}\n", "learned")
    with tap.case("with an authority nothing is learned"):
        same(c.both(server, authority(c.ca, c.place), "StrictHostKeyChecking=accept-new")[2], authority(c.ca, c.place), "file")
    with tap.case("another key of the host is known: the certificate counts"):
        c.both(server, f"{name} {other}\n@cert-authority * {ca}\n", STRICT)
    for what, known in {"the authority": f"@cert-authority * {ca}\n@revoked * {ca}", "the key": f"@cert-authority * {ca}\n@revoked * {own}",
                        "the authority, for the port": f"@cert-authority * {ca}\n@revoked {name} {ca}"}.items():
        with tap.case(f"revoked: {what}"):
            c.both(server, known + "\n", STRICT, want=255)
            done, _ = c.ssh(programs.ours("ssh"), server, known + "\n", "StrictHostKeyChecking=no")     # OpenSSH goes on
            same((done.returncode, b"REVOKED HOST KEY" in done.stderr), (255, True), "whatever StrictHostKeyChecking says")
    with tap.case("HostKeyAlgorithms without certificates: the key inside counts"):
        c.both(server, f"@cert-authority * {ca}\n{name} {own}\n", STRICT, "HostKeyAlgorithms=ssh-ed25519")
        c.both(server, f"@cert-authority * {ca}\n", STRICT, "HostKeyAlgorithms=ssh-ed25519", want=255)
    with tap.case("HostKeyAlgorithms with certificates only"):
        c.both(server, authority(c.ca, c.place), STRICT, "HostKeyAlgorithms=ssh-ed25519" + CERT)
    with tap.case("CASignatureAlgorithms without the authority's"):
        c.both(server, authority(c.ca, c.place), STRICT, "CASignatureAlgorithms=rsa-sha2-512", want=255)
    with tap.case("certificates are asked for first where an authority is known, plain keys where only they are"):
        two = c.server(c.sign("ecdsa256"), f"HostKey {c.place.key('rsa', 'host-rsa')}")
        rsa = c.place.public(c.place.key("rsa", "host-rsa"))
        c.both(two, f"@cert-authority * {ca}\n[127.0.0.1]:{two.port} {rsa}\n", STRICT)
        c.both(two, f"[127.0.0.1]:{two.port} {rsa}\n", STRICT)


def contents(tap, c):
    for what, args, names, want, differ in (
            ("a list of names", [], "x,127.0.0.1", 0, False), ("a pattern (not in OpenSSH 9.2)", [], "127.*", 0, True), ("other names", [], "x,y", 255, False),
            ("a pattern that does not fit", [], "128.*", 255, False), ("no names (OpenSSH 9.2 takes that for any host)", [], "", 255, True),
            ("over", ["-V", "20200101:20210101"], "127.0.0.1", 255, False), ("not yet", ["-V", "20990101:20991231"], "127.0.0.1", 255, False),
            ("for ever", ["-V", "always:forever"], "127.0.0.1", 0, False),
            ("an unknown critical option", ["-O", "critical:x@example.com=1"], "127.0.0.1", 255, False),
            ("an unknown extension", ["-O", "extension:x@example.com=1"], "127.0.0.1", 0, False)):
        key = c.sign("ed25519", None, *args, names=names)
        server = c.server(key)
        with tap.case(f"a certificate with: {what}"):
            c.both(server, authority(c.ca, c.place), STRICT, want=want, differ=differ)
        if want:
            with tap.case(f"a certificate with: {what}; the key inside is known"):
                c.both(server, f"{authority(c.ca, c.place)}[127.0.0.1]:{server.port} {server.publics[0]}\n", STRICT, differ=differ)
    with tap.case("a user's certificate is none of a host"):
        server = c.server(c.sign(user=True))
        c.both(server, authority(c.ca, c.place), STRICT, want=255)
    with tap.case("HostKeyAlias is the name that must be in it"):
        server = c.server(c.sign(names="alias.example"))
        c.both(server, authority(c.ca, c.place), STRICT, want=255)
        c.both(server, authority(c.ca, c.place), STRICT, "HostKeyAlias=alias.example")
        c.both(server, authority(c.ca, c.place), STRICT, "HostKeyAlias=ALIAS.example")
    with tap.case("letters of names: a certificate has them small"):
        server = c.server(c.sign(names="localhost"))
        for host in "localhost", "LOCALHOST":
            done, _ = c.ssh(programs.ours("ssh"), server, authority(c.ca, c.place), STRICT, host=host)
            same(done.returncode, 0, host)


def asyncssh_server(tap, c):
    """asyncssh's server shows the certificate that lies beside its key, and takes a user's."""
    p = c.place
    for kind in "ed25519", "rsa":
        key = p.key(kind, f"host-async-{kind}")
        subprocess.run([programs.foreign("ssh-keygen"), "-q", "-h", "-s", c.ca, "-I", "async", "-n", "127.0.0.1", f"{key}.pub"], check=True)
    with tap.case("asyncssh's server"):
        server = None
        server = servers.python_server(p, "asyncssh", host_keys=["async-ed25519", "async-rsa"], authority=p.public(c.ca))
    if not server:
        return
    for kind, alg in ("ed25519", "ssh-ed25519"), ("rsa", "ssh-rsa"):
        with tap.case(f"asyncssh's server with a certified {kind} key"):
            only = f"HostKeyAlgorithms={alg}{CERT}"
            same(c.both(server, authority(c.ca, p), STRICT, only)[1], [alg + CERT], "algorithm")
            c.both(server, authority(c.other, p), STRICT, only, want=255)
    with tap.case("asyncssh's server takes the certificate of a user, and no other one's"):
        key = p.key("ed25519", "user-async")
        for principals, want in (p.user, 0), ("somebody", 255):
            subprocess.run([programs.foreign("ssh-keygen"), "-q", "-s", c.ca, "-I", "user", "-n", principals, f"{key}.pub"], check=True)
            known = p.write("known", authority(c.ca, p))
            done = p.run([programs.ours("ssh"), "-F", "none", "-p", str(server.port), "-o", f"UserKnownHostsFile={known}", "-o", STRICT, "-o", "BatchMode=yes",
                          "-o", "IdentitiesOnly=yes", "-i", key, "127.0.0.1", "true"])
            same(done.returncode, want, f"status; {done.stderr}")
    p.stop(server.process)


def revoked_files(tap, c):
    """RevokedHostKeys: key revocation lists of either ssh-keygen, and files that cannot be read or understood, which refuse every key."""
    p, key = c.place, c.sign("ed25519", None, "-z", "7")
    server = c.server(key)
    trust, plain = authority(c.ca, p), f"[127.0.0.1]:{server.port} {server.publics[0]}\n"
    digest = p.run([programs.foreign("ssh-keygen"), "-lf", f"{key}.pub"], check=True).stdout.split()[1].decode()
    specs = {"nothing": ("", 0, 0), "the key": (f"key: {server.publics[0]}", 255, 255), "its hash": (f"hash: {digest}", 255, 255),
             "its serial": ("serial: 5-9", 255, 0), "its id": (f"id: host {c.count}", 255, 0), "another serial": ("serial: 8", 0, 0),
             "the authority": (f"key: {p.public(c.ca)}", 255, 0), "another key": (f"key: {p.public(c.other)}", 0, 0)}
    for number, (what, (spec, as_cert, as_plain)) in enumerate(specs.items()):
        with tap.case(f"RevokedHostKeys, a list with {what}"):
            text, krl = p.write("spec", spec + "\n"), p.path("krl")
            maker = programs.ours("ssh-keygen") if number % 2 else programs.foreign("ssh-keygen")
            p.run([maker, "-q", "-k", "-f", krl, "-s", f"{c.ca}.pub", text], check=True)
            c.both(server, trust, STRICT, f"RevokedHostKeys={krl}", want=as_cert)
            c.both(server, plain, STRICT, "HostKeyAlgorithms=ssh-ed25519", f"RevokedHostKeys={krl}", want=as_plain)
            if as_cert:
                done, _ = c.ssh(programs.ours("ssh"), server, trust, "StrictHostKeyChecking=no", f"RevokedHostKeys={krl}")
                same((done.returncode, b"revoked by file" in done.stderr), (255, True), "whatever StrictHostKeyChecking says")
    whole = p.read("krl")
    os.mkdir(p.path("folder"))
    os.mkfifo(p.path("fifo"))
    bad = {"that is not there": p.path("not-there"), "that is a folder": p.path("folder"), "that is cut": p.write("cut", whole[:-9]),
           "that is no text and no list": p.write("noise", bytes(range(256)))}
    for number, (what, path) in enumerate({**bad, "that is a FIFO": p.path("fifo")}.items()):
        with tap.case(f"RevokedHostKeys, a file {what}: nobody is believed"):
            words = {}
            for whose, program in ("ours", programs.ours("ssh")), ("OpenSSH's", programs.foreign("ssh")):
                if whose == "ours" or path in bad.values():
                    done, _ = c.ssh(program, server, plain, "StrictHostKeyChecking=no" if number % 2 else STRICT, f"RevokedHostKeys={path}")
                    words[whose] = (done.returncode, b"in revoked keys file" in done.stderr)
            same(set(words.values()), {(255, True)}, f"status, said: {words}")
    with tap.case("RevokedHostKeys, several files: each counts"):
        krl = p.write("good", whole)
        text = p.write("text", f"{server.publics[0]}\n")
        c.both(server, plain, STRICT, "HostKeyAlgorithms=ssh-ed25519", f"RevokedHostKeys={krl} {krl}", differ=True)
        c.both(server, plain, STRICT, "HostKeyAlgorithms=ssh-ed25519", f"RevokedHostKeys={krl} {text}", want=255, differ=True)


def main():
    tap = Tap()
    with Place() as place:
        c = Certs(place)
        for part in kinds, lines, contents, revoked_files, asyncssh_server:
            part(tap, c)
    tap.end()


main()
