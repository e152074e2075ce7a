#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Public keys in other suites' forms, both ways; and files that are no keys: one clear line each."""
import base64
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from keys import KINDS, Keys
import programs
from place import Place
from tap import Skip, Tap, same


def rfc4716(keys):
    import asyncssh
    for kind in KINDS:
        text = keys.ours("-e", "-f", f"{keys.path(kind)}.pub")
        path, out = keys.place.write("rfc", text), keys.fresh()
        same(max(map(len, text.split(b"\n"))) <= 72, True, "lines of at most 72 bytes")
        same(keys.openssh("-i", "-f", path).decode(), f"{keys.public(kind)}\n", "OpenSSH's -i")
        keys.puttygen(path, "-L", "-o", out)
        same(open(out, encoding="utf-8").read().split()[:2], keys.public(kind).split(), "puttygen")
        same(asyncssh.import_public_key(text).export_public_key().decode().split()[:2], keys.public(kind).split(), "asyncssh")
        keys.puttygen(keys.path(kind), "-p", "-o", out)
        same(keys.ours("-i", "-f", out).decode(), f"{keys.public(kind)}\n", "-i of puttygen's")
        same(keys.ours("-l", "-f", out).split()[1:4], keys.openssh("-l", "-f", keys.path(kind)).split()[1:4], "-l shows its comment, too")
        key = asyncssh.read_public_key(f"{keys.path(kind)}.pub")
        keys.place.write("async", key.export_public_key("rfc4716"))
        same(keys.ours("-i", "-f", keys.place.path("async")).decode(), f"{keys.public(kind)}\n", "-i of asyncssh's")


def pem(keys):
    import asyncssh
    for kind in KINDS:
        path, out = keys.place.write("spki", keys.ours("-e", "-m", "PKCS8", "-f", keys.path(kind))), keys.fresh()
        same(keys.openssl("pkey", "-pubin", "-in", path), keys.place.read("spki"), "openssl writes the same bytes")
        keys.openssl("pkey", "-in", keys.copy(kind, "-m", "PKCS8"), "-pubout", "-out", out)
        same(keys.place.read("spki"), open(out, "rb").read(), "openssl's of the private key")
        same(keys.ours("-i", "-m", "PKCS8", "-f", out).decode(), f"{keys.public(kind)}\n", "-i")
        same(keys.ours("-l", "-f", out).split()[1], keys.openssh("-l", "-f", keys.path(kind)).split()[1], "-l")
        key = asyncssh.read_public_key(path)
        same(key.export_public_key().decode().split()[:2], keys.public(kind).split(), "asyncssh")
    path, out = keys.place.write("pkcs1", keys.ours("-e", "-m", "PEM", "-f", keys.path("rsa"))), keys.fresh()
    same(open(path, "rb").readline(), b"-----BEGIN RSA PUBLIC KEY-----\n", "first line")
    keys.openssl("rsa", "-RSAPublicKey_in", "-in", path, "-RSAPublicKey_out", "-out", out)
    same(keys.place.read("pkcs1"), open(out, "rb").read(), "openssl writes the same bytes")
    same(keys.ours("-i", "-m", "PEM", "-f", out).decode(), f"{keys.public('rsa')}\n", "-i")


def refused(keys, path, args, words):
    """Status 255, nothing on stdout, one line that says why."""
    done = keys.place.run([programs.ours("ssh-keygen"), *args, "-f", path])
    text = done.stderr.decode()
    same((done.returncode, done.stdout, text.count("\n")), (255, b"", 1), f"{args}: status, stdout, lines of {text!r}")
    if not re.search(words, text):
        raise AssertionError(f"{args}: {text!r}")


JOBS = ["-i"], ["-e"], ["-B"], ["-l"], ["-y"], ["-p", "-m", "PKCS8", "-N", ""]


def no_key_files(keys):
    """As OpenSSH decides, but without waiting or reading for ever."""
    place = keys.place
    os.mkfifo(place.path("fifo"))
    os.mkdir(place.path("folder"))
    os.symlink("/dev/zero", place.path("zero"))
    with open(place.path("huge"), "wb") as f:   # one line of 1 GB
        os.fchmod(f.fileno(), 0o600)
        f.truncate(1 << 30)
    for name, words in (("fifo", "not a regular file"), ("folder", "Is a directory"), ("zero", "not a regular file"), ("huge", "too large"),
                        ("none", "No such file")):
        for args in JOBS:
            refused(keys, place.path(name), args, words)


def spoiled_files(keys):
    place = keys.place
    line = keys.public("ed25519").encode()
    long_line = b"ssh-ed25519 " + b"A" * 700000
    head, tail = b"---- BEGIN SSH2 PUBLIC KEY ----\n", b"---- END SSH2 PUBLIC KEY ----\n"
    blob = line.split()[1]
    ppk = b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: \nPublic-Lines: "
    for name, data in {"nothing": b"", "NUL": b"\0" * 100, "a key with NUL": line[:40] + b"\0" + line[40:], "a long line": long_line, "a cut base64": line[:-3],
                       "no end": head + blob + b"\n", "no body": head + tail, "headers without end": head + b"Comment: a\\\n" * 1000,
                       "a header too long": head + b"Comment: " + b"a" * 20000 + b"\n" + blob + b"\n" + tail,
                       "PPK: no lines": ppk + b"4000000000\n", "PPK: negative": ppk + b"-1\n", "PPK: 2^64": ppk + b"18446744073709551616\n",
                       "PEM: no body": b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
                       "DER: length 2^31": b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(b"\x30\x84\x7f\xff\xff\xff") + b"\n-----END PUBLIC KEY-----\n",
                       "Dropbear: length 2^31": b"\0\0\0\x07ssh-rsa\x7f\xff\xff\xff"}.items():
        path = place.write("spoiled", data)
        for args in JOBS:
            try:
                refused(keys, path, args, "invalid format|not a (public )?key file|too large|passphrase|unknown or unsupported|this key file format")
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from None


def loose_files(keys):
    """Only the owner's own private keys are judged, as OpenSSH does; public keys are not."""
    private = keys.copy("ecdsa256", "-m", "PPK")
    for mode in 0o640, 0o660, 0o604, 0o644:
        os.chmod(private, mode)
        for args in ["-y"], ["-p", "-m", "PKCS8", "-N", ""], ["-c", "-C", "x"]:
            done = keys.place.run([programs.ours("ssh-keygen"), *args, "-f", private])
            same((done.returncode, b"UNPROTECTED PRIVATE KEY FILE" in done.stderr), (255, True), f"{args} of a file with mode {mode:o}")
        keys.ours("-l", "-f", private)
    if os.geteuid() != 0:
        raise Skip("the other owner needs root")
    os.chown(private, 12345, 12345)
    os.chmod(private, 0o644)
    keys.ours("-y", "-f", private)


def main():
    tap = Tap()
    with Place() as place:
        keys = Keys(place)
        for name, test in (("RFC 4716, both ways with OpenSSH, puttygen and asyncssh", rfc4716),
                           ("SubjectPublicKeyInfo and PKCS 1, both ways with openssl", pem),
                           ("files that are no files of keys: one line, no wait", no_key_files), ("spoiled files: one line", spoiled_files),
                           ("files that others can read or own", loose_files)):
            with tap.case(name):
                test(keys)
    tap.end()


main()
