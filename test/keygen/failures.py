#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""TRUST T06 for ssh-keygen: every allocation, write, rename, link and fsync fails in turn, or the process dies there. Afterwards
each file is the old one or a whole new one, nobody else could ever read it, and the exit status tells the truth."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import failing
import programs
from place import Place
from tap import same
from walk import CALLS, WHOLE, Walk, opens


def make_case(place):
    def check(where, folder, before, after, status):
        if "k" in after and not opens(place, folder, "k", ["new"]):
            raise AssertionError(f"{where}: a private key that does not open")
        if status == 0 and set(after) != {"k", "k.pub"}:
            raise AssertionError(f"{where}: success without both files: {list(after)}")
        if "k.pub" in after and after["k.pub"].count(b"\n") != 1:
            raise AssertionError(f"{where}: half a public key")
    return Walk(place, "make", ["-q", "-t", "ed25519", "-N", "new", "-a", "1", "-C", "c", "-f", "k"], lambda folder: None, check)


def with_key(place, kind="ed25519"):
    made = place.path(f"made-{kind}")
    if not os.path.exists(made):
        place.run([programs.foreign("ssh-keygen"), "-q", "-t", kind, "-N", "old", "-a", "1", "-C", "c", "-f", made],
                  check=True)

    def prepare(folder):
        shutil.copy2(made, f"{folder}/k")
        shutil.copy2(f"{made}.pub", f"{folder}/k.pub")
    return prepare


def convert_case(place, form):
    """-p -m: in place, from OpenSSH's form to another."""
    def whole(folder):
        if form != "PPK":
            return opens(place, folder, "k", ["newer"])
        with open(f"{folder}/k", "rb") as f:
            return f.readline().startswith(b"PuTTY") and place.run([programs.ours("ssh-keygen"), "-y", "-P", "newer", "-f", f"{folder}/k"]).returncode == 0

    def check(where, folder, before, after, status):
        same(after["k.pub"], before["k.pub"], f"{where}: .pub")
        if after["k"] == before["k"]:
            if status == 0:
                raise AssertionError(f"{where}: success, but nothing changed")
        elif not whole(folder):
            raise AssertionError(f"{where}: the key is lost")
    return Walk(place, f"to {form}", ["-q", "-p", "-P", "old", "-N", "newer", "-m", form, "-f", "k"], with_key(place, "ecdsa"), check)


def passphrase_case(place):
    def check(where, folder, before, after, status):
        same(after["k.pub"], before["k.pub"], f"{where}: .pub")
        if after["k"] == before["k"]:
            if status == 0:
                raise AssertionError(f"{where}: success, but nothing changed")
        elif not opens(place, folder, "k", ["new"]):
            raise AssertionError(f"{where}: the key is lost")
    return Walk(place, "passphrase", ["-q", "-p", "-P", "old", "-N", "new", "-a", "1", "-f", "k"], with_key(place), check)


def comment_case(place):
    def check(where, folder, before, after, status):
        if not opens(place, folder, "k", ["old"]):
            raise AssertionError(f"{where}: the key is lost")
        whole = (before["k.pub"], before["k.pub"].replace(b" c\n", b" changed\n"))
        if after["k.pub"] not in whole or (status == 0 and after["k.pub"] != whole[1]):
            raise AssertionError(f"{where}: .pub is {after['k.pub']!r}")
    return Walk(place, "comment", ["-q", "-c", "-P", "old", "-C", "changed", "-a", "1", "-f", "k"], with_key(place), check)


def certify_case(place):
    key_there = with_key(place)

    def prepare(folder):
        key_there(folder)
        with open(f"{folder}/k-cert.pub", "wb") as f:
            f.write(b"an older one\n")

    def check(where, folder, before, after, status):
        if after["k-cert.pub"] == before["k-cert.pub"]:
            if status == 0:
                raise AssertionError(f"{where}: success, but nothing changed")
        elif place.run([programs.foreign("ssh-keygen"), "-L", "-f", f"{folder}/k-cert.pub"]).returncode:
            raise AssertionError(f"{where}: not a certificate: {after['k-cert.pub']!r}")
    return Walk(place, "certify", ["-q", "-s", "k", "-P", "old", "-I", "id", "-n", "a", "k.pub"], prepare, check)


def hosts_case(place, name, args, done_text):
    line = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJR4HctOqWx1bjC0jhhmcFwN2crLRFtrjYkH9pxynZlF c\n"
    text = b"".join(b"host%d " % i + line for i in range(300))

    def prepare(folder):
        with open(f"{folder}/kh", "wb") as f:
            f.write(text)
        with open(f"{folder}/kh.old", "wb") as f:
            f.write(b"an older one\n")

    def check(where, folder, before, after, status):
        if after["kh"] != text and not done_text(after["kh"]):
            raise AssertionError(f"{where}: kh has {len(after['kh'])} bytes")
        if status == 0 and (after["kh"] == text or after.get("kh.old") != text):
            raise AssertionError(f"{where}: success, but the files say otherwise")
        if after["kh"] != text and after.get("kh.old") != text:
            raise AssertionError(f"{where}: the old content is lost")
    return Walk(place, name, [*args, "-f", "kh"], prepare, check)


def list_case(place):
    """A revocation list that is added to: the keys it had stay revoked whatever happens."""
    def revoked(folder, names):
        done = place.run([programs.foreign("ssh-keygen"), "-Q", "-f", f"{folder}/list", *names], cwd=folder)
        return [line.endswith(b"REVOKED") for line in done.stdout.splitlines()]

    made = place.path("made-list")
    os.mkdir(made)
    for name in "old", "new":
        place.run([programs.foreign("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", f"{made}/{name}"], check=True)
    place.run([programs.foreign("ssh-keygen"), "-kqf", f"{made}/list", f"{made}/old.pub"], check=True)

    def prepare(folder):
        shutil.copy2(f"{made}/list", f"{folder}/list")

    def check(where, folder, before, after, status):
        same(sorted(after), ["list"], f"{where}: files")
        now = revoked(folder, [f"{made}/old.pub", f"{made}/new.pub"])
        if now != [True, True] and (after["list"] != before["list"] or status == 0):
            raise AssertionError(f"{where}: {now}, the list changed: {after['list'] != before['list']}")
    return Walk(place, "revoke", ["-kq", "-u", "-f", "list", f"{made}/new.pub"], prepare, check)


def sign_case(place):
    """A signature where there was an older one."""
    def prepare(folder):
        with open(f"{folder}/data", "wb") as f:
            f.write(b"some data")
        with open(f"{folder}/data.sig", "wb") as f:
            f.write(b"an older one")

    key = place.key("ed25519", "signer")

    def check(where, folder, before, after, status):
        same(sorted(after), ["data", "data.sig"], f"{where}: files")
        done = place.run([programs.foreign("ssh-keygen"), "-Y", "check-novalidate", "-n", "file", "-s", f"{folder}/data.sig"], b"some data")
        # a question that could not be asked is a no, and no is status 0
        if done.returncode != 0 and (after["data.sig"] != before["data.sig"] or (status == 0 and "Write signature" in where)):
            raise AssertionError(f"{where}: the signature is {after['data.sig']!r}")
    return Walk(place, "sign", ["-Y", "sign", "-f", key, "-n", "file", "data"], prepare, check, stdin=b"y\n")


def main():
    tap = failing.tap()
    with Place() as place:
        programs.ours("ssh-keygen")
        walks = [make_case(place), passphrase_case(place), comment_case(place), certify_case(place), list_case(place), sign_case(place),
                 *(convert_case(place, form) for form in ("PEM", "PKCS8", "PPK")),
                 hosts_case(place, "remove", ["-R", "host7"], lambda t: t.count(b"\n") == 299 and b"host7 " not in t),
                 hosts_case(place, "hash", ["-H"], lambda t: t.count(b"\n") == 300 and t.count(b"|1|") == 300)]
        for walk in walks:
            walk.walk_all(tap, CALLS[:2] if walk.name.startswith("to ") and not WHOLE else CALLS)
    tap.end()


main()
