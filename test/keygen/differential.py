#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Our ssh-keygen beside OpenSSH's: the same words, files and exit statuses for the same input. SEED=n repeats a run, TIMES=n makes it n
times as long."""
import base64
import itertools
import os
import random
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
from place import Place
from tap import Tap, same

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
RANDOM = random.Random(SEED)
TIMES = int(os.environ.get("TIMES") or (20 if os.environ.get("NACRE_LONG") else 1))
CIPHERS = ("aes256-ctr aes192-ctr aes128-ctr aes256-cbc aes192-cbc aes128-cbc aes256-gcm@openssh.com aes128-gcm@openssh.com "
           "chacha20-poly1305@openssh.com 3des-cbc").split()
KINDS = [["-t", "ed25519"], ["-t", "ecdsa"], ["-t", "ecdsa", "-b", "384"], ["-t", "ecdsa", "-b", "521"], ["-t", "rsa", "-b", "1024"]]
HOSTS = ["a", "b", "host.example", "10.0.0.1", "[a]:2222", "[::1]:22", "::1"]


class Side:
    """One of the two programs, with a folder of its own that holds the same files."""

    def __init__(self, place, name, program):
        self.place, self.program, self.folder = place, program, place.path(name)
        os.mkdir(self.folder)

    def write(self, name, data, mode=0o600):
        path = f"{self.folder}/{name}"
        if os.path.exists(path):
            os.unlink(path)     # it may not be writable
        with open(path, "wb") as f:
            os.fchmod(f.fileno(), mode)
            f.write(data if isinstance(data, bytes) else data.encode())
        return path

    def run(self, *args, stdin=b""):
        p = self.place.run([self.program, *args], stdin, cwd=self.folder)
        return p.returncode, p.stdout, p.stderr

    def files(self):
        return {name: (os.stat(f"{self.folder}/{name}").st_mode, open(f"{self.folder}/{name}", "rb").read())
                for name in sorted(os.listdir(self.folder))}

    def empty(self):
        shutil.rmtree(self.folder)
        os.mkdir(self.folder)


def word(least=0, most=12, alphabet="abcXYZ019 _-#@\"'\\\u00e4\u20ac"):
    return "".join(RANDOM.choice(alphabet) for _ in range(RANDOM.randint(least, most)))


class Pair:
    def __init__(self, place):
        self.ours = Side(place, "ours", programs.ours("ssh-keygen"))
        self.theirs = Side(place, "theirs", programs.foreign("ssh-keygen"))
        self.text = ""

    def write(self, name, data, mode=0o600):
        self.text = data  # shown when something differs
        for side in (self.ours, self.theirs):
            side.write(name, data, mode)

    def run(self, *args, stdin=b"", files=True):
        """Both must do and say the same; returns it."""
        want, got = self.theirs.run(*args, stdin=stdin), self.ours.run(*args, stdin=stdin)
        for i, what in enumerate(("status", "stdout", "stderr")):
            same(got[i], want[i], f"{' '.join(args)}: {what}, {self.text!r}")
        if files:
            same(self.ours.files(), self.theirs.files(), f"{' '.join(args)}: files")
        return got

    def empty(self):
        self.ours.empty()
        self.theirs.empty()


def make_keys(pair, count):
    """Key pairs made by either program; their names."""
    names = []
    for i, kind in zip(range(count), itertools.cycle(KINDS)):
        maker, other = (pair.ours, pair.theirs) if i % 2 else (pair.theirs, pair.ours)
        status = maker.run("-q", *kind, "-N", "", "-C", word(), "-f", f"k{i}")
        same(status, (0, b"", b""), "making a key")
        for name in f"k{i}", f"k{i}.pub":
            shutil.copy2(f"{maker.folder}/{name}", f"{other.folder}/{name}")
        names.append(f"k{i}")
    return names


def show_keys(pair, names):
    for name in names:
        for args in ["-l"], ["-lE", "md5"], ["-lE", "sha512"], ["-B"], ["-Bv"], ["-y"]:
            pair.run(*args, "-f", name)
        pair.run("-l", "-f", f"{name}.pub")
        with open(f"{pair.ours.folder}/{name}.pub", "rb") as f:
            pair.run("-l", "-f", "-", stdin=f.read())
        os.unlink(f"{pair.ours.folder}/{name}.pub"), os.unlink(f"{pair.theirs.folder}/{name}.pub")
        pair.run("-l", "-f", name)


def string(b):
    return len(b).to_bytes(4, "big") + b


def random_public(i):
    """A line with a key that nobody has: random bytes, but such that both programs take it for one. Always with a comment: OpenSSH shows
    what the line before left in its buffer for one without."""
    kind = i % 5
    if kind < 2:
        blob = string(b"ssh-ed25519") + string(RANDOM.randbytes(32))
    elif kind < 4:
        n = RANDOM.getrandbits(RANDOM.choice([1024, 1025, 2047, 2048, 3072])) | 1
        n |= 1 << max(1023, n.bit_length())
        e = RANDOM.choice([3, 17, 65537])
        blob = string(b"ssh-rsa") + b"".join(string(v.to_bytes(v.bit_length() // 8 + 1, "big")) for v in (e, n))
    else:
        size, curve, oid = RANDOM.choice([(256, b"nistp256", "prime256v1"), (384, b"nistp384", "secp384r1"), (521, b"nistp521", "secp521r1")])
        blob = string(b"ecdsa-sha2-" + curve) + string(curve) + string(random_point(size))
    name = blob[4:4 + blob[3]].decode()
    return f"{name} {base64.b64encode(blob).decode()} key {i}\n"


def random_point(size):
    """One on NIST's curve of this size, uncompressed."""
    p, b = {
        256: (2**256 - 2**224 + 2**192 + 2**96 - 1, 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b),
        384: (2**384 - 2**128 - 2**96 + 2**32 - 1,
              0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef),
        521: (2**521 - 1,
              0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00),
    }[size]
    while True:
        x = RANDOM.randrange(p)
        square = (x ** 3 - 3 * x + b) % p
        y = pow(square, (p + 1) // 4, p)        # all three are 3 modulo 4
        if y * y % p == square:
            n = (size + 7) // 8
            return b"\4" + x.to_bytes(n, "big") + y.to_bytes(n, "big")


def random_publics(pair, count):
    """Many keys in a file each, as -l takes them in one go: each fingerprint, the words of -B, the pictures."""
    for at in range(0, count, 500):
        pair.write("many", "".join(random_public(i) for i in range(at, min(at + 500, count))), 0o644)
        for args in ["-l"], ["-lE", "md5"], ["-lE", "sha1"], ["-lE", "sha384"], ["-lE", "sha512"], ["-B"], ["-lv"], ["-lvE", "md5"], ["-Bv"]:
            (status, want, _), (_, got, _) = (side.run(*args, "-f", "many") for side in (pair.theirs, pair.ours))
            same((status, want.count(b"\n") >= min(500, count - at)), (0, True), f"{args}: a line a key")
            for theirs, ours in zip(want.split(b"\n"), got.split(b"\n"), strict=True):
                same(ours, theirs, f"{args}: line")


def random_art(pair, names):
    for name in names:
        for algorithm in "sha256", "md5", "sha1", "sha384", "sha512":
            want = pair.theirs.run("-lvE", algorithm, "-f", name)
            got = pair.ours.run("-lvE", algorithm, "-f", name)
            same(got[:2], want[:2], f"-lvE {algorithm}")


def ciphers(pair, cipher):
    """A file made by one opens with the other, before and after a change of passphrase and comment."""
    for maker, other in (pair.ours, pair.theirs), (pair.theirs, pair.ours):
        passphrase = word(1, 80)
        same(maker.run("-q", "-t", "ed25519", "-a", "2", "-Z", cipher, "-N", passphrase, "-C", "one", "-f", "k")[0], 0, "make")
        for name in "k", "k.pub":
            shutil.copy2(f"{maker.folder}/{name}", f"{other.folder}/{name}")
        public = open(f"{maker.folder}/k.pub", "rb").read()
        same(pair.run("-y", "-P", passphrase, "-f", "k")[1], public, "-y")
        same(pair.run("-y", "-P", passphrase + "x", "-f", "k")[0], 255, "wrong passphrase")
        same(other.run("-p", "-P", passphrase, "-N", "zwei", "-a", "1", "-Z", cipher, "-f", "k")[0], 0, "-p")
        same(other.run("-c", "-P", "zwei", "-C", "two words", "-a", "1", "-Z", cipher, "-f", "k")[0], 0, "-c")
        shutil.copy2(f"{other.folder}/k", f"{maker.folder}/k")
        same(maker.run("-y", "-P", "zwei", "-f", "k")[1], public.replace(b" one", b" two words"), "after the change")
        same(open(f"{other.folder}/k.pub", "rb").read(), public.replace(b" one", b" two words"), ".pub")
        pair.empty()


def other_formats(pair):
    """PEM and PKCS#8 without a passphrase: each reads the other's, openssl reads ours, and -p converts there and back."""
    for kind, form in itertools.product(KINDS, ["PEM", "PKCS8"]):
        for maker, other in (pair.ours, pair.theirs), (pair.theirs, pair.ours):
            pair.empty()
            if (kind[1], form, maker) == ("ed25519", "PKCS8", pair.ours):
                continue    # as OpenSSH 9.6 and later write them; test/formats has them
            same(maker.run("-q", *kind, "-m", form, "-N", "", "-C", "c", "-f", "k")[0], 0, "make")
            for name in "k", "k.pub":
                shutil.copy2(f"{maker.folder}/{name}", f"{other.folder}/{name}")
            pair.run("-y", "-f", "k")
            pair.run("-l", "-f", "k")
            os.unlink(f"{maker.folder}/k.pub"), os.unlink(f"{other.folder}/k.pub")
            pair.run("-l", "-f", "k")
            if kind[1] == "ed25519":
                continue
            if maker is pair.ours:
                same(pair.ours.place.run([programs.foreign("openssl"), "pkey", "-check", "-noout", "-in", f"{maker.folder}/k"]).returncode,
                     0, f"openssl on our {form}")
            pair.run("-p", "-N", "", "-m", form, "-f", "k")         # the same bytes again: there is one way to write them
            pair.run("-c", "-C", "", "-m", form, "-f", "k")
            want, got = pair.theirs.run("-p", "-N", "", "-f", "k"), pair.ours.run("-p", "-N", "", "-f", "k")
            same(got, want, "-p to OpenSSH's format")
            pair.run("-y", "-f", "k", files=False)


def conversions(pair):
    """-e in each form of a private and of a public key, the same bytes; -i of them; what neither can."""
    for kind in KINDS:
        pair.empty()
        make_keys_of(pair, kind, "k")
        for form in [], ["-m", "RFC4716"], ["-m", "ssh2"], ["-m", "PKCS8"], ["-m", "pem"]:
            if kind[1] == "ed25519" and form[-1:] in (["PKCS8"], ["pem"]):
                continue    # OpenSSH has no such form of them
            status, text, _ = pair.run("-e", *form, "-f", "k")
            same(status, 0, "-e")
            same(pair.run("-e", *form, "-f", "k.pub")[1], text, "-e of the public key")
            pair.write("out", text)
            if kind[1] == "rsa" or form[-1:] != ["pem"]:    # -e -m PEM writes another form than -i -m PEM reads
                same(pair.run("-i", *form, "-f", "out")[0], 0, "-i")
            pair.write("out", text.replace(b"\n", b"\r\n"))
            if form[-1:] not in (["PKCS8"], ["pem"]):
                same(pair.run("-X", *form, "-f", "out")[0], 0, "-X with CR LF")
        for form in "PEM", "PKCS8":
            if kind[1] != "ed25519":
                pair.run("-p", "-N", "four", "-m", form, "-f", "k")         # too short a passphrase for these forms
        pair.write("garbage", "garbage\n")
        pair.write("empty", "")
        for form in [], ["-m", "PKCS8"], ["-m", "PEM"]:
            pair.run("-i", *form, "-f", "none")
            pair.run("-e", *form, "-f", "none")
        for form in ["-m", "PKCS8"], ["-m", "PEM"]:
            pair.run("-i", *form, "-f", "garbage")
            pair.run("-i", *form, "-f", "empty")


def make_keys_of(pair, kind, name):
    same(pair.theirs.run("-q", *kind, "-N", "", "-C", word(1), "-f", name)[0], 0, "make")
    for name in name, f"{name}.pub":
        shutil.copy2(f"{pair.theirs.folder}/{name}", f"{pair.ours.folder}/{name}")


def random_hosts():
    one = lambda: RANDOM.choice(["", "", "", "!"]) + RANDOM.choice(HOSTS + ["*", "a*", "?", "host.*"])
    return ",".join(one() for _ in range(RANDOM.choice([1, 1, 1, 2, 3])))


def random_known_hosts(pair, publics, bad):
    """Not in it, since we differ on purpose: a tab behind a marker, types of no known name (both are good lines for us)."""
    lines = []
    for _ in range(RANDOM.randint(0, 8)):
        key = RANDOM.choice(publics)
        line = RANDOM.choice(["", "", "", " ", "\t"]) + RANDOM.choice(["", "", "", "", "@revoked ", "@cert-authority "])
        line += random_hosts() + RANDOM.choice([" ", "  ", "\t"]) + key + RANDOM.choice(["", " c", "  c d", " # x"])
        lines.append(RANDOM.choice([line] * 8 + ["", "# " + line, "   "]))
    if bad:  # no line that ends behind the hosts: OpenSSH before c991273c1 then reads on in what the buffer held before
        lines.insert(RANDOM.randint(0, len(lines)), RANDOM.choice(
            ["a ", "@foo a " + publics[0], "a ssh-ed25519 ", "a 1024 35 99", "@revoked a ", "a # x", "a b c"]))
    text = "".join(f"{x}\n" for x in lines)
    text = text[:-1] if RANDOM.random() < 0.2 else text
    pair.write("kh", text, RANDOM.choice([0o600, 0o644, 0o640]))
    if not bad and RANDOM.random() < 0.3:
        pair.theirs.run("-Hf", "kh")
        if os.path.exists(f"{pair.theirs.folder}/kh.old"):
            os.unlink(f"{pair.theirs.folder}/kh.old")
        with open(f"{pair.theirs.folder}/kh", "rb") as f:
            pair.ours.write("kh", f.read())
        os.chmod(f"{pair.theirs.folder}/kh", 0o600)


def find_and_remove(pair, publics, rounds):
    for i in range(rounds):
        pair.empty()
        random_known_hosts(pair, publics, bad=i % 4 == 0)
        host = RANDOM.choice(HOSTS + ["nohost", "host.x"])
        for args in ["-F", host], ["-lF", host], ["-qF", host], ["-R", host], ["-F", host]:
            pair.run(*args, "-f", "kh")


def hashing(pair, publics, rounds):
    """Salts are random: what each hashed, the other must find."""
    for i in range(rounds):
        pair.empty()
        random_known_hosts(pair, publics, bad=i % 8 == 0)
        want, got = pair.theirs.run("-H", "-f", "kh"), pair.ours.run("-H", "-f", "kh")
        same(got, want, f"-H: {pair.text!r}")
        salted = re.compile(rb"\|1\|\S+")
        files = [{n: (m, salted.sub(b"HASH", d)) for n, (m, d) in side.files().items()} for side in (pair.ours, pair.theirs)]
        same(files[0], files[1], "files after -H")
        for host in HOSTS:
            finds = [side.run("-F", host, "-f", f"{made.folder}/kh") for side in (pair.ours, pair.theirs)
                     for made in (pair.ours, pair.theirs)]
            same(finds[0], finds[2], "-F in what we hashed")
            same(finds[1], finds[3], "-F in what they hashed")
            same(finds[0][0], finds[1][0], "found in both")


def authorized_lines(pair, publics, rounds):
    options = ["restrict", "no-pty", 'command="a b"', 'command="a \\" b"', 'from="*.x,!y"', 'environment="A=b c"', "cert-authority"]
    for _ in range(rounds):
        lines = []
        for _ in range(RANDOM.randint(1, 5)):
            lead = ",".join(RANDOM.sample(options, RANDOM.randint(0, 3)))
            lines.append(RANDOM.choice(["", " "]) + lead + RANDOM.choice([" ", "\t"]) * bool(lead) + RANDOM.choice(publics) +
                         RANDOM.choice([" comment", "  a b", " x#y"]))
        lines += RANDOM.choice([[], ["# x"], ["", "nonsense"], ['command="open ' + publics[0]]])
        text = "".join(f"{x}\n" for x in lines)
        pair.write("ak", text)
        pair.run("-l", "-f", "ak")
        pair.run("-l", "-f", "-", stdin=text.encode())


def usage_and_errors(pair):
    pair.write("empty", "")
    pair.write("garbage", "garbage\n")
    for args in (["-l", "-f", "none"], ["-y", "-f", "none"], ["-p", "-f", "none"], ["-c", "-f", "none"], ["-F", "a", "-f", "none"],
                 ["-l", "-f", "empty"], ["-l", "-f", "garbage"], ["-b", "x"], ["-b", "0"], ["-t", "rsa", "-b", "1023"],
                 ["-t", "rsa", "-b", "16385"], ["-t", "ecdsa", "-b", "255"], ["-t", "foo"], ["-a", "0"], ["-a", "x"], ["-m", "foo"],
                 ["-Z", "foo"], ["-E", "foo"], ["-q", "-t", "ed25519", "-N", "", "-f", "no/such/folder"]):
        pair.run(*args)


def loose_permissions(pair):
    same(pair.theirs.run("-q", "-t", "ed25519", "-N", "", "-C", "c", "-f", "k")[0], 0, "make")
    with open(f"{pair.theirs.folder}/k", "rb") as f:
        data = f.read()
    os.unlink(f"{pair.theirs.folder}/k.pub")
    for mode in (0o644, 0o640, 0o604, 0o666, 0o610, 0o600, 0o400, 0o700):
        pair.write("k", data, mode)
        for args in ["-y"], ["-l"], ["-p", "-N", "x", "-P", "y"] if mode & 0o77 else ["-y"], ["-c", "-C", "c"]:
            pair.run(*args, "-f", "k")


def main():
    tap = Tap()
    tap.note(f"SEED={SEED}")
    with Place() as place:
        pair = Pair(place)
        with tap.case(f"{30 * TIMES} keys of all types, made by either: fingerprints and public halves are the same"):
            show_keys(pair, make_keys(pair, 30 * TIMES))
        pair.empty()
        many = 10000 if os.environ.get("NACRE_LONG") else 500
        with tap.case(f"{many} random public keys: fingerprints, bubblebabble and random art are the same"):
            random_publics(pair, many)
        pair.empty()
        with tap.case("random art is the same with each hash"):
            random_art(pair, make_keys(pair, 10))
        pair.empty()
        publics = [open(f"{pair.theirs.folder}/{n}.pub", encoding="utf-8").read().split(" ") for n in make_keys(pair, 5)]
        publics = [" ".join(p[:2]) for p in publics]
        pair.empty()
        for cipher in CIPHERS:
            with tap.case(f"{cipher} files open both ways"):
                ciphers(pair, cipher)
        with tap.case("PEM and PKCS#8 keys of all types, both ways"):
            other_formats(pair)
        with tap.case("-e and -i in each form, the same bytes and words"):
            conversions(pair)
        pair.empty()
        with tap.case(f"-F, -l -F, -R on {50 * TIMES} random known_hosts files"):
            find_and_remove(pair, publics, 50 * TIMES)
        with tap.case(f"-H on {10 * TIMES} random known_hosts files: each finds what the other hashed"):
            hashing(pair, publics, 10 * TIMES)
        pair.empty()
        with tap.case(f"-l on {50 * TIMES} random authorized_keys files"):
            authorized_lines(pair, publics, 50 * TIMES)
        pair.empty()
        with tap.case("errors have the same words and statuses"):
            usage_and_errors(pair)
        pair.empty()
        with tap.case("private keys that others can read are refused in the same words"):
            loose_permissions(pair)
    tap.end()


main()
