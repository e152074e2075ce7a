#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Private key files: every form that we write is read by its own suite and others, and the reverse, each type of key, each cipher and KDF."""
import itertools
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from keys import KINDS, PASSPHRASE, Keys
import programs
import room
import servers
from place import Place
from tap import Tap, same

room.enter(as_self=True)
LONG = bool(os.environ.get("NACRE_LONG"))


def some(*lists):
    """All combinations in a long run, else each value of each list at least once."""
    if LONG:
        return list(itertools.product(*lists))
    return [tuple(values[i % len(values)] for values in lists) for i in range(max(map(len, lists)))]


def ppk_to_putty(keys):
    for kind, passphrase in some(KINDS, [PASSPHRASE, ""]):
        path, out = keys.copy(kind, "-m", "PPK", passphrase=passphrase), keys.fresh()
        with open(path, "rb") as f:
            same(f.readline(), b"PuTTY-User-Key-File-3: " + keys.public(kind).split()[0].encode() + b"\n", "first line")
        keys.puttygen(path, "-O", "private-openssh-new", "-o", out, "--old-passphrase", keys.old if passphrase else keys.empty)
        same(keys.openssh("-y", "-P", passphrase, "-f", out).decode(), f"{keys.public(kind)} a comment\n", "through PuTTY to OpenSSH")
        keys.check_ours(kind, path, passphrase, "a comment")
        same(keys.ours("-l", "-f", path).split()[1], keys.openssh("-l", "-f", keys.path(kind)).split()[1], "-l")


def ppk_from_putty(keys):
    """Both versions, plain and encrypted, each kind of Argon2, several lanes."""
    costs = ["version=2", *(f"version=3,kdf={kdf},memory={memory},passes={passes},parallelism={lanes}" for kdf, memory, passes, lanes in (
        ("argon2id", 64, 1, 1), ("argon2i", 256, 2, 4), ("argon2d", 8192, 3, 1), ("argon2id", 1024, 1, 8)))]
    for kind, cost in some(KINDS, costs):
        path = keys.fresh(".ppk")
        keys.puttygen(keys.path(kind), "-o", path, "-O", "private", "--ppk-param", cost, "--new-passphrase", keys.new)
        keys.check_ours(kind, path, PASSPHRASE, "a comment")
    for kind, version in itertools.product(KINDS, "23"):
        path = keys.fresh(".ppk")
        keys.puttygen(keys.path(kind), "-o", path, "-O", "private", "--ppk-param", f"version={version}", "--new-passphrase", keys.empty)
        keys.check_ours(kind, path, "", "a comment")
        with open(path, "rb") as f:
            text = f.read()
        keys.place.write(os.path.basename(path), text.replace(b"\n", b"\r\n"))     # as it is on Windows
        keys.check_ours(kind, path, "", "a comment")


def ppk_converted(keys):
    """-i gives a file of OpenSSH's with the same passphrase or the new one; -e gives PuTTY's on stdout; -p and -c keep it PuTTY's."""
    path, out, back = keys.fresh(), keys.fresh(), keys.fresh()
    text = keys.ours("-e", "-m", "PPK", "-N", PASSPHRASE, "-f", keys.path("ecdsa256"))
    keys.place.write(os.path.basename(path), text)
    for args, passphrase in ([], PASSPHRASE), (["-N", "other"], "other"), (["-N", ""], ""):
        keys.place.write(os.path.basename(out), keys.ours("-i", "-P", PASSPHRASE, *args, "-a", "1", "-f", path))
        keys.check_openssh("ecdsa256", out, passphrase)
        same(b"OPENSSH PRIVATE KEY" in open(out, "rb").readline(), True, "its form")
        os.unlink(out)
    keys.ours("-c", "-P", PASSPHRASE, "-C", "another comment", "-f", path)
    keys.ours("-p", "-P", PASSPHRASE, "-N", "", "-f", path)
    same(keys.ours("-y", "-f", path).decode(), f"{keys.public('ecdsa256')} another comment\n", "comment and passphrase changed")
    keys.puttygen(path, "-O", "private-openssh-new", "-o", back)
    keys.check_ours("ecdsa256", back, "", "another comment")
    same(keys.ours("-e", "-m", "PPK", "-f", f"{keys.path('rsa')}.pub"), keys.ours("-e", "-f", keys.path("rsa")), "-e -m PPK of a public key")


def dropbear(keys):
    for kind in KINDS:
        convert, out = programs.foreign("dropbearconvert"), keys.fresh()
        keys.run(convert, "openssh", "dropbear", keys.path(kind), out)
        keys.check_ours(kind, out)
        path, back = keys.copy(kind, "-m", "Dropbear"), keys.fresh()
        same(keys.run(programs.foreign("dropbearkey"), "-y", "-f", path).decode().split("\n")[1].split()[:2], keys.public(kind).split(), "dropbearkey")
        if kind != "rsa":   # Dropbear leaves primes in the other order
            same(open(path, "rb").read(), open(out, "rb").read(), "the same bytes")
        keys.run(convert, "dropbear", "openssh", path, back)
        keys.check_openssh(kind, back)
        same(keys.ours("-e", "-m", "dropbear", "-f", keys.path(kind)), open(path, "rb").read(), "-e")
        keys.place.write("imported", keys.ours("-i", "-f", path))
        keys.check_openssh(kind, keys.place.path("imported"))
        keys.ours("-p", "-P", "", "-N", "x", "-m", "Dropbear", "-f", path, status=255)


def pkcs8_to_others(keys):
    for kind, passphrase in some(KINDS, ["", PASSPHRASE]):
        path = keys.copy(kind, "-m", "PKCS8", passphrase=passphrase)
        keys.openssl("pkey", "-check", "-noout", "-in", path, "-passin", f"pass:{passphrase}")
        keys.check_asyncssh(kind, path, passphrase or None)
        keys.check_ours(kind, path, passphrase)
        if kind != "ed25519":       # read by OpenSSH since 9.6
            keys.check_openssh(kind, path, passphrase)


def pkcs8_from_openssl(keys):
    prfs = [["-v2prf", f"hmacWithSHA{n}"] for n in (1, 256, 384, 512)]
    kdfs = [*prfs, ["-iter", "1000"], ["-scrypt"], ["-scrypt", "-scrypt_N", "1024", "-scrypt_r", "1", "-scrypt_p", "16"]]
    for kind, cipher, kdf in some(KINDS, ["aes-128-cbc", "aes-192-cbc", "aes-256-cbc", "des3"], kdfs):
        path = keys.fresh()
        keys.openssl("pkcs8", "-topk8", "-in", keys.copy(kind, "-m", "PKCS8"), "-out", path, "-passout", f"pass:{PASSPHRASE}", "-v2", cipher, *kdf)
        keys.check_ours(kind, path, PASSPHRASE)
    path = keys.fresh()
    keys.openssl("pkcs8", "-topk8", "-in", keys.copy("rsa", "-m", "PKCS8"), "-out", path, "-passout", "pass:x", "-v1", "PBE-SHA1-3DES")
    os.chmod(path, 0o600)
    keys.ours("-y", "-P", "x", "-f", path, status=255)      # PBES1: refused


def pem_to_others(keys):
    for kind, passphrase in itertools.product(KINDS[1:], ["", PASSPHRASE]):
        path = keys.copy(kind, "-m", "PEM", passphrase=passphrase)
        keys.openssl("pkey", "-check", "-noout", "-in", path, "-passin", f"pass:{passphrase}")
        keys.check_openssh(kind, path, passphrase)
        keys.check_asyncssh(kind, path, passphrase or None)
        keys.check_paramiko(kind, path, passphrase or None)
        keys.check_ours(kind, path, passphrase)
        out = keys.fresh()
        keys.puttygen(path, "-O", "public-openssh", "-o", out, "--old-passphrase", keys.old if passphrase else keys.empty)
        same(open(out, encoding="utf-8").read().split()[:2], keys.public(kind).split(), "puttygen")


def pem_from_others(keys):
    for kind, cipher in some(KINDS[1:], ["-aes128", "-aes192", "-aes256", "-des3"]):
        path = keys.fresh()
        keys.openssl("rsa" if kind == "rsa" else "ec", *(["-traditional"] if kind == "rsa" else []), "-in", keys.copy(kind, "-m", "PEM"), "-out", path, cipher,
                     "-passout", f"pass:{PASSPHRASE}")
        keys.check_ours(kind, path, PASSPHRASE)
    for kind, form in itertools.product(KINDS[1:], ["PEM", "PKCS8"]):
        path = keys.fresh()
        keys.place.write(os.path.basename(path), open(keys.path(kind), "rb").read())
        keys.openssh("-q", "-p", "-P", "", "-N", PASSPHRASE, "-m", form, "-f", path)
        keys.check_ours(kind, path, PASSPHRASE)
        keys.ours("-q", "-p", "-P", PASSPHRASE, "-N", "other", "-m", form, "-f", path)
        keys.check_openssh(kind, path, "other")
    path = keys.fresh()
    keys.openssl("ecparam", "-name", "prime256v1", "-genkey", "-out", path)     # with a block of parameters first
    os.chmod(path, 0o600)
    same(keys.ours("-y", "-f", path), keys.openssh("-y", "-f", path), "EC PARAMETERS and a key")


def sshcom(keys):
    path = keys.fresh()
    keys.puttygen(keys.path("rsa"), "-O", "private-sshcom", "-o", path)
    keys.check_ours("rsa", path, "", "a comment")
    keys.place.write("pem", keys.ours("-i", "-f", path))
    keys.check_openssh("rsa", keys.place.path("pem"))
    same(keys.ours("-i", "-f", path), keys.openssh("-i", "-f", path), "-i as OpenSSH's")


def identity_files(keys):
    """ssh -i takes them as they are, and asks for the passphrase where there is one."""
    place = keys.place
    server = servers.sshd(place, programs.foreign("sshd"))
    known = place.write("known", server.known_hosts())
    askpass = place.write("askpass", f"#!/bin/sh\nprintf '%s\\n' '{PASSPHRASE}'\n", 0o700)
    env = place.env | {"SSH_ASKPASS": askpass, "SSH_ASKPASS_REQUIRE": "force"}
    for name, path in (("PPK", keys.copy("ed25519", "-m", "PPK")), ("PPK with a passphrase", keys.copy("rsa", "-m", "PPK", passphrase=PASSPHRASE)),
                       ("Dropbear", keys.copy("ecdsa256", "-m", "Dropbear")), ("PKCS8", keys.copy("ed25519", "-m", "PKCS8")),
                       ("PEM with a passphrase", keys.copy("ecdsa521", "-m", "PEM", passphrase=PASSPHRASE))):
        done = place.run([programs.ours("ssh"), "-F", "none", "-p", str(server.port), "-i", path, "-o", f"UserKnownHostsFile={known}",
                          "-o", "GlobalKnownHostsFile=none", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "127.0.0.1", "echo in"], env=env)
        same((done.returncode, done.stdout), (0, b"in\n"), f"{name}: {done.stderr.decode()}")


def main():
    tap = Tap()
    with Place() as place:
        keys = Keys(place)
        for name, test in (("PPK files of ours open in puttygen", ppk_to_putty), ("PPK files of puttygen open here, both versions, all KDFs", ppk_from_putty),
                           ("PPK files converted there and back", ppk_converted), ("Dropbear's files, both ways", dropbear),
                           ("PKCS 8 files of ours open in openssl, asyncssh and OpenSSH", pkcs8_to_others),
                           ("PKCS 8 files of openssl open here, all ciphers and KDFs", pkcs8_from_openssl),
                           ("PEM files of ours open in openssl, OpenSSH, asyncssh, paramiko and puttygen", pem_to_others),
                           ("PEM files of openssl and OpenSSH open here, all ciphers", pem_from_others),
                           ("ssh.com's private keys as puttygen writes them", sshcom), ("ssh -i with other suites' files", identity_files)):
            with tap.case(name):
                test(keys)
    tap.end()


main()
