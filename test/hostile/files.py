#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Files that are none, each given to every program that reads a key, a list, a configuration: a FIFO that nobody writes to, a folder, a
line of 1 GB, NUL characters; files of other owners or that others may write to. No program waits, each says why in a line."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients
import programs
import room
import servers
from place import Place
from tap import Skip, Tap, same

room.enter()
KINDS = {"fifo": "not a regular file|nobody|No host keys found", "folder": "Is a directory|not a regular file|No host keys found",
         "huge": "too large|not a private key|No host keys found",
         "nul": "invalid|NUL|not a|No host keys found|no certificate|missing|magic|Bad configuration"}


def make(place):
    os.mkfifo(place.path("fifo"))
    os.mkdir(place.path("folder"))
    with open(place.path("huge"), "wb") as f:
        f.write(b"a line ")
        f.truncate(1 << 30)
    os.chmod(place.path("huge"), 0o600)
    place.write("nul", b"a\0b\0\n")
    place.key()
    place.key(name="ca")
    keygen = [programs.foreign("ssh-keygen"), "-q"]
    place.write("message", "a message\n")
    place.run([*keygen, "-Y", "sign", "-f", "key-ed25519", "-n", "file", "message"], cwd=place.folder, check=True)
    place.run([*keygen, "-k", "-f", "list", "ca.pub"], cwd=place.folder, check=True)
    place.write("allowed", f"me {place.public(place.key())}\n")


def readers(name, path, ca):
    """The words of each command that reads `name`."""
    verify = ["ssh-keygen", "-Y", "verify", "-I", "me", "-n", "file"]
    return {
        "keygen -L": ["ssh-keygen", "-Lf", name], "keygen -i": ["ssh-keygen", "-if", name], "keygen -e": ["ssh-keygen", "-ef", name],
        "keygen -B": ["ssh-keygen", "-Bf", name], "keygen -r": ["ssh-keygen", "-r", "h", "-f", name],
        "keygen -s CA": ["ssh-keygen", "-s", name, "-I", "i", "key-ed25519.pub"], "keygen -s key": ["ssh-keygen", "-s", "ca", "-I", "i", name],
        "keygen -k": ["ssh-keygen", "-kf", "out", name], "keygen -k -u": ["ssh-keygen", "-kuf", name, "ca.pub"],
        "keygen -k -s": ["ssh-keygen", "-kf", "out", "-s", name, "ca.pub"], "keygen -Q list": ["ssh-keygen", "-Qf", name, "ca.pub"],
        "keygen -Q key": ["ssh-keygen", "-Qf", "list", name], "keygen -Y sign": ["ssh-keygen", "-Y", "sign", "-f", name, "-n", "file", "message"],
        "keygen -Y verify signers": [*verify, "-f", name, "-s", "message.sig"], "keygen -Y verify signature": [*verify, "-f", "allowed", "-s", name],
        "keygen -Y verify revoked": [*verify, "-f", "allowed", "-s", "message.sig", "-r", name],
        "keygen -Y find-principals": ["ssh-keygen", "-Y", "find-principals", "-f", name, "-s", "message.sig"],
        "keygen -Y match-principals": ["ssh-keygen", "-Y", "match-principals", "-f", name, "-I", "me"],
        "add": ["ssh-add", name], "add -d": ["ssh-add", "-d", name], "add -T": ["ssh-add", "-T", name],
        "add -H": ["ssh-add", "-H", name, "-h", "host", "key-ed25519"], "keyscan -f": ["ssh-keyscan", "-f", name],
        "ssh Include": ["ssh", "-F", "including", "-G", "host"],
        "sshd -f": ["sshd", "-t", "-f", path], "sshd Include": ["sshd", "-t", "-f", "including", "-h", ca],
        "sshd HostKey": ["sshd", "-t", "-f", "none", "-h", path],
        "sshd HostCertificate": ["sshd", "-t", "-f", "none", "-h", "ca", "-o", f"HostCertificate={path}"],
        **({} if name == "fifo" else {"ssh -F": ["ssh", "-F", name, "-G", "host"]})}      # who names a FIFO may be about to write to it


def offline(tap, place):
    agent = place.start([programs.ours("ssh-agent"), "-D", "-a", place.path("agent")], "agent.log")
    place.env.update(SSH_AUTH_SOCK=place.path("agent"))
    for name, why in KINDS.items():
        path = place.path(name)
        for reader, words in readers(name, path, place.path("ca")).items():
            with tap.case(f"{reader}: {name}"):
                place.write("including", f"Include {path}\n")
                done = place.run([programs.ours(words[0]), *words[1:]], stdin=b"a message\n", cwd=place.folder)
                said = (done.stderr + (done.stdout if reader == "add -d" else b"")).decode()
                if reader.endswith("Include") and name == "folder":       # as OpenSSH, which leaves it out
                    same(done.returncode, 0, f"status ({said})")
                    continue
                if reader == "keyscan -f" and name == "nul":
                    same((done.returncode, said), (1, ""), "status and words of a list without hosts")
                    continue
                same(done.returncode != 0 or reader == "sshd HostCertificate", True, f"an error's status ({said})")
                same((len(said.splitlines()) <= 3, bool(re.search(why, said))), (True, True), f"a line or two that say why ({said})")
    same(agent.poll(), None, "the agent's end")


def sessions(tap, place):
    """The programs that read them while somebody logs in."""
    files = [place.path(name) for name in KINDS]
    server = servers.sshd(place, programs.ours("sshd"), [f"AuthorizedKeysFile {' '.join(files)} {servers.authorize(place)}", "LogLevel DEBUG1"])
    with tap.case("sshd looks past them for the line that admits"):
        done = clients.ssh(place, programs.ours("ssh"), server, "exit 7")
        same(done.returncode, 7, f"status ({done.stderr})")
    with tap.case("ssh looks past them as known hosts, identities and certificates"):
        options = [f"UserKnownHostsFile {' '.join(files)} {place.path(f'known_hosts-{server.port}')}", *[f"IdentityFile {path}" for path in files],
                   *[f"CertificateFile {path}" for path in files]]
        done = clients.ssh(place, programs.ours("ssh"), server, "exit 7", options)
        same(done.returncode, 7, f"status ({done.stderr})")
    for name in KINDS:
        with tap.case(f"RevokedHostKeys and RevokedKeys: {name}"):
            done = clients.ssh(place, programs.ours("ssh"), server, "exit 7", [f"RevokedHostKeys {place.path(name)}"])
            same((done.returncode, b"in revoked keys file" in done.stderr), (255, True), f"status ({done.stderr})")
            strict = servers.sshd(place, programs.ours("sshd"), [f"RevokedKeys {place.path(name)}"], log=f"revoked-{name}.log")
            same(clients.ssh(place, programs.ours("ssh"), strict, "exit 7").returncode, 255, "status where nothing can be looked up")
            place.stop(strict.process)


def owners(tap, place):
    """Beside OpenSSH's ssh: whose configuration and keys count."""
    if os.geteuid() != 0 or not room.inside():
        raise Skip("needs root and a room")
    home = os.path.expanduser("~root")
    path, key = f"{home}/.ssh/config", place.path("loose")
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    for owner, mode in (0, 0o644), (0, 0o664), (0, 0o646), (12345, 0o644), (12345, 0o600):
        with tap.case(f"~/.ssh/config of user {owner}, mode {mode:o}"):
            with open(path, "w", encoding="ascii") as f:
                f.write("Port 7\n")
            os.chmod(path, mode)
            os.chown(path, owner, 12345)     # Debian allows the group that is the user's own
            got = [(done.returncode, b"\nport 7\n" in done.stdout, done.stderr.replace(b"\r", b"")) for done in
                   (place.run([program, "-G", "host"], start_new_session=True) for program in (programs.ours("ssh"), programs.foreign("ssh")))]
            same(got[0][:2], got[1][:2], f"ours and OpenSSH's ({got})")
            same([b"Bad owner or permissions" in said[2] for said in got], [got[0][0] != 0] * 2, f"words ({got})")
    os.unlink(path)
    for mode in 0o640, 0o660, 0o604:
        with tap.case(f"a key of mode {mode:o}"):
            place.write("loose", place.read("key-ed25519"), mode)
            got = [(done.returncode, done.stdout, done.stderr) for done in
                   (place.run([program, key]) for program in (programs.ours("ssh-add"), programs.foreign("ssh-add")))]
            same(got[0], got[1], "ours and OpenSSH's ssh-add")
            same(b"UNPROTECTED PRIVATE KEY FILE" in got[0][2], True, "words")


def main():
    tap = Tap()
    with Place() as place:
        make(place)
        offline(tap, place)
        sessions(tap, place)
        try:
            owners(tap, place)
        except Skip as why:
            tap.skip("owners", why)
    tap.end()


main()
