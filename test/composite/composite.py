#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ssh-mldsa44-ed25519@openssh.com keys wherever a key may stand: file, host, user, agent, CA, certificate, KRL, signature."""
import base64
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Place  # noqa: E402
from tap import Tap, same, wait_for  # noqa: E402

NAME = "ssh-mldsa44-ed25519@openssh.com"
BLOB_LEN = 4 + len(NAME) + 4 + 1312 + 32


def keygen(place, *args, stdin=b"", want=0):
    done = place.run([programs.ours("ssh-keygen"), *args], stdin=stdin, cwd=place.folder)
    same((done.returncode, args), (want, args), f"status; {done.stderr}")
    return done.stdout.decode()


def make(place, name, *args):
    keygen(place, "-q", "-t", "mldsa44-ed25519", "-N", "", "-C", "composite", "-f", name, *args)
    return place.path(name)


def check_files(tap, place):
    key = make(place, "user")
    with tap.case("a new key's files, fingerprint and public half"):
        kind, blob = place.public(key).split()
        same((kind, len(base64.b64decode(blob))), (NAME, BLOB_LEN), "public key")
        same(keygen(place, "-y", "-f", key).split()[:2], [kind, blob], "-y")
        same(bool(re.fullmatch(r"256 SHA256:\S{43} composite \(MLDSA44-ED25519\)\n", keygen(place, "-l", "-f", key))), True, "-l")
        same(os.stat(key).st_mode & 0o777, 0o600, "mode")
    with tap.case("with passphrase, other ciphers, and -m, which such keys have no other form for"):
        for args in ["-N", "x"], ["-P", "x", "-N", "y", "-Z", "chacha20-poly1305@openssh.com"], ["-P", "y", "-N", "", "-m", "PKCS8"]:
            keygen(place, "-q", "-p", "-a", "1", "-f", key, *args)
            same(place.read("user").startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----\n"), True, f"{args}")
        same(keygen(place, "-y", "-f", key).split()[:2], place.public(key).split(), "public key")
    with tap.case("it is never the default, nor one of the machine's keys"):
        keygen(place, "-q", "-N", "", "-f", "default")
        same(place.public(place.path("default")).split()[0], "ssh-ed25519", "type")
        done = place.run([programs.ours("ssh"), "-F", "none", "-G", "host"])
        same([line for line in done.stdout.decode().splitlines() if "algorithms" in line and NAME in line], [], "lines")
    return key


def serve(place, user, *options):
    host = place.path("host")
    if not os.path.exists(host):
        make(place, "host")
    # servers.sshd() makes keys by OpenSSH's ssh-keygen; this one is named in the options and comes first
    server = servers.sshd(place, programs.ours("sshd"), [f"HostKey {host}", f"HostKeyAlgorithms {NAME}", *options], log=f"sshd-{len(options)}.log")
    server.publics = [place.public(host)]
    path = next(line.split()[1] for line in open(place.path(f"sshd_config-{server.port}"), encoding="ascii") if line.startswith("AuthorizedKeysFile"))
    with open(path, "w", encoding="ascii") as f:
        f.write(f"{place.public(user)}\n")
    return server


def login(place, server, key, *options, **env):
    argv = clients.ssh_argv(place, programs.ours("ssh"), server, [f"HostKeyAlgorithms {NAME}", f"IdentityFile {key}", *options])
    done = place.run([*argv, "-v", "127.0.0.1", "echo in"], env=place.env | env)
    return done.returncode, done.stdout.decode().strip(), done.stderr.decode()


def check_logins(tap, place, key):
    accepted = f"PubkeyAcceptedAlgorithms +{NAME}"
    server = serve(place, key, accepted)
    with tap.case("as host key and user key"):
        status, out, _ = login(place, server, key, accepted)
        same((status, out), (0, "in"), "login")
    with tap.case("a client that was not told to does not offer it"):
        same(login(place, server, key)[0], 255, "login")
    with tap.case("a changed host key is noticed"):
        theirs, server.publics = server.publics, [place.public(key)]
        same(login(place, server, key, accepted)[0], 255, "login")
        server.publics = theirs
    with tap.case("from our agent"):
        agent = place.start([programs.ours("ssh-agent"), "-D", "-a", place.path("agent")], "agent.log")
        env = {"SSH_AUTH_SOCK": place.path("agent")}
        wait_for("the agent", lambda: os.path.exists(place.path("agent")) or agent.poll() is not None)
        same(place.run([programs.ours("ssh-add"), "-q", key], env=place.env | env).returncode, 0, "ssh-add")
        same("MLDSA44-ED25519" in place.run([programs.ours("ssh-add"), "-l"], env=place.env | env).stdout.decode(), True, "ssh-add -l")
        same(place.run([programs.ours("ssh-add"), "-T", f"{key}.pub"], env=place.env | env).returncode, 0, "ssh-add -T")
        public = place.write("only.pub", place.public(key) + "\n")
        config = [accepted, f"IdentityAgent {place.path('agent')}"]
        same(login(place, server, public[:-4], *config)[:2], (0, "in"), "login")
        place.stop(agent)
    place.stop(server.process)
    with tap.case("a server that was not told to does not take it"):
        server = serve(place, key)
        same(login(place, server, key, accepted)[0], 255, "login")
        place.stop(server.process)


def check_elsewhere(tap, place, key):
    with tap.case("as CA and in certificates"):
        ca = make(place, "ca")
        for authority, subject in (ca, place.key("ed25519", "plain")), (place.key("ed25519", "other-ca"), key), (ca, key):
            keygen(place, "-q", "-s", authority, "-I", "id", "-n", "me", f"{subject}.pub")
            shown = keygen(place, "-L", "-f", f"{subject}-cert.pub")
            same(place.public(authority).split()[0] == NAME, f"(using {NAME})" in shown, f"signature in {shown}")
            same("MLDSA44-ED25519-CERT" in keygen(place, "-l", "-f", f"{subject}-cert.pub"), subject == key, "type")
    with tap.case("in lists of revoked keys"):
        keygen(place, "-q", "-k", "-f", "krl", f"{key}.pub")
        keygen(place, "-Q", "-f", "krl", f"{key}.pub", want=1)
        keygen(place, "-Q", "-f", "krl", f"{place.path('host')}.pub")
    with tap.case("a signature of a file"):
        place.write("signers", f"me {place.public(key)}\n")
        signature = keygen(place, "-Y", "sign", "-q", "-n", "file", "-f", key, stdin=b"text")
        place.write("signature", signature)
        keygen(place, "-Y", "verify", "-n", "file", "-I", "me", "-f", "signers", "-s", "signature", stdin=b"text")
        keygen(place, "-Y", "verify", "-n", "file", "-I", "me", "-f", "signers", "-s", "signature", stdin=b"test", want=255)
    with tap.case("a signature of a file by a key that such a CA certified"):
        subject, ca = place.key("ed25519", "plain"), place.path("ca")
        keygen(place, "-q", "-s", ca, "-I", "id", "-n", "me", f"{subject}.pub")
        place.write("signers", f"me cert-authority {place.public(ca)}\n")
        place.write("signature", keygen(place, "-Y", "sign", "-q", "-n", "file", "-f", f"{subject}-cert.pub", stdin=b"text"))
        keygen(place, "-Y", "verify", "-n", "file", "-I", "me", "-f", "signers", "-s", "signature", stdin=b"text")
        same(keygen(place, "-Y", "find-principals", "-f", "signers", "-s", "signature"), "me\n", "principals")


def main():
    room.enter(as_self=True)
    tap = Tap()
    with Place() as place:
        key = check_files(tap, place)
        check_logins(tap, place, key)
        check_elsewhere(tap, place, key)
    tap.end()


main()
