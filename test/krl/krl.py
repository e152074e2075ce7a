#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Revocation lists by our ssh-keygen, beside OpenSSH's and a model in Python: made from random specifications, updated, asked, broken."""
import base64
import hashlib
import os
import re
import struct
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"), os.path.dirname(os.path.abspath(__file__))]
import model
from pair import RANDOM, SEED, TIMES, Pair, mutated
from place import Place
from tap import Tap, same

SERIALS = [0, 1, 2, 3, 7, 8, 9, 64, 100, 1000, 1023, 1025, 16384, 40000, 1 << 32, (1 << 64) - 1]
IDS = ["a", "b", "the id", "id with # in it", "back\\slash", "\u00e4\u20ac", "x" * 200]
KINDS = [("-t", "ed25519"), ("-t", "ecdsa"), ("-t", "rsa", "-b", "1024"), ("-t", "ed25519")]


class World:
    """Keys, CAs and certificates, each in a file; by name their blobs."""

    def __init__(self, pair):
        self.pair, self.blobs = pair, {}
        self.cas = [f"ca{i}" for i in range(3)]
        for ca in self.cas:
            self.blobs[ca] = pair.key(ca)
        self.keys = [f"k{i}" for i in range(len(KINDS))]
        for name, kind in zip(self.keys, KINDS):
            self.blobs[name] = pair.key(name, *kind)
        self.certs = []
        for i, serial in enumerate(SERIALS):
            name = f"c{i}"
            pair.certify(self.cas[i % 2], self.keys[i % len(self.keys)], name, "-z", str(serial), "-I", IDS[i % len(IDS)], "-n", "me")
            self.blobs[name] = pair.blob(f"{name}.pub")
            self.certs.append(name)
        self.files = [f"{n}.pub" for n in (*self.cas, *self.keys, *self.certs)]

    def line(self, name):
        return self.pair.read(f"{name}.pub").decode().strip()


# ---- specifications, and what they mean ----

def random_serial():
    return max(1, RANDOM.choice([RANDOM.choice(SERIALS), RANDOM.randint(1, 300), RANDOM.randint(1, 50000), RANDOM.choice(SERIALS) - 1]))


def serial_line(ca, krl):
    lo = random_serial()
    hi = min(lo + RANDOM.choice([0, 0, 0, 1, 5, 100, 20000]), (1 << 64) - 1)
    krl.ca(ca)[0].append((lo, hi))
    form = RANDOM.choice([str, str, hex, lambda n: f"0{n:o}"])
    return f"serial: {form(lo)}" + (f"-{form(hi)}" if hi > lo else "")


def id_line(ca, krl):
    key_id = RANDOM.choice(IDS).split("#")[0].strip()
    krl.ca(ca)[1].add(key_id.encode())
    return f"id: {key_id}"


def key_line(world, krl):
    name = RANDOM.choice(world.cas + world.keys + world.certs)
    blob, is_cert = world.blobs[name], name in world.certs
    cert = model.Cert(blob) if is_cert else None
    plain = cert.plain if is_cert else blob
    word = RANDOM.choice(["", "", "key:", "sha1:", "sha256:", "hash:"])
    sha256 = hashlib.sha256(plain).digest()
    if word == "" and is_cert:
        runs, ids = krl.ca(cert.ca)
        if cert.serial:
            runs.append((cert.serial, cert.serial))
        else:
            ids.add(cert.key_id)
    elif word in ("", "key:"):
        krl.keys.add(plain)
    elif word == "sha1:":
        krl.sha1.add(hashlib.sha1(plain).digest())
    else:
        krl.sha256.add(sha256)
    if word == "hash:":
        return f"hash: SHA256:{base64.b64encode(sha256).decode().rstrip('=')}"
    return f"{RANDOM.choice([word, word.upper()])}{' ' * bool(word)}{world.line(name)}"


def random_spec(world, krl, ca, most=12):
    """ca: the blob of -s, b"" for `-s none`, None without -s."""
    lines = []
    for _ in range(RANDOM.randint(0, most)):
        how = RANDOM.randrange(6)
        line = serial_line(ca, krl) if ca is not None and how < 3 else id_line(ca, krl) if ca is not None and how == 3 else key_line(world, krl)
        lines.append(RANDOM.choice(["", "", " ", "\t"]) + line + RANDOM.choice(["", "", " # x", "  "]))
        lines += RANDOM.choice([[]] * 5 + [["# a comment"], [""], ["  "]])
    return "".join(f"{x}\n" for x in lines)


def shown(output):
    return re.sub(rb"# Generated at \S+", b"# Generated at TIME", output)


def random_lists(pair, world, rounds):
    for _ in range(rounds):
        krl, updating = model.List(), []
        for _ in range(RANDOM.choice([1, 1, 2, 3])):
            who = RANDOM.choice([None, "none", *world.cas])
            ca = None if who is None else b"" if who == "none" else world.blobs[who]
            pair.text = random_spec(world, krl, ca)
            pair.write("spec", pair.text)
            args = ["-k", *updating, *([] if who is None else ["-s", who if who == "none" else f"{who}.pub"]),
                    *RANDOM.choice([[], ["-z", str(RANDOM.randint(1, 1 << 40))], ["-C", RANDOM.choice(["a comment", "x\ty"])]])]
            done = [pair.run(w, *args, "-f", f"{w}.krl", "spec") for w in ("ours", "theirs")]
            same(done[0], done[1], f"{args}: {pair.text!r}")
            same(done[0][0], 0, f"{args}: status, {done[0][2]!r}")
            updating = ["-u"]
        sizes = [len(pair.read(f"{w}.krl")) for w in ("ours", "theirs")]
        if sizes[0] > sizes[1]:
            raise AssertionError(f"ours has {sizes[0]} bytes, theirs {sizes[1]}: {pair.text!r}")
        want = {name: krl.has(blob) for name, blob in world.blobs.items()}
        model_says = {name: model.parse(pair.read("ours.krl")).has(blob) for name, blob in world.blobs.items()}
        same(model_says, want, f"our file: {pair.text!r}")
        asked = [(shown(p[1]), p[0], p[2]) for p in
                 (pair.run(w, "-Q", "-l", "-f", f"{f}.krl", *world.files) for w in ("ours", "theirs") for f in ("ours", "theirs"))]
        for other in asked[1:]:
            same(asked[0], other, f"-Q -l: {pair.text!r}")
        said = {m[1].decode(): m[2] == b"REVOKED" for m in re.finditer(rb"^(\w+)\.pub .*: (ok|REVOKED)$", asked[0][0], re.M)}
        same(said, want, f"-Q: {pair.text!r}")
        same(asked[0][1], 1 if any(want.values()) else 0, "status of -Q")


def random_runs():
    """Serials at whose distances list, bitmap and range cost nearly the same."""
    gaps, lengths = RANDOM.choice([(1, 8, 130), (8, 130, 160), (100, 140, 170), (200, 4000, 16384)]), RANDOM.choice([(1,), (1, 2, 8), (1, 100, 170)])
    runs, at = [], RANDOM.randint(1, 300)
    for _ in range(RANDOM.randint(1, 30)):
        runs.append((at, at + RANDOM.randrange(RANDOM.choice(lengths))))
        at = runs[-1][1] + 1 + RANDOM.randint(1, RANDOM.choice(gaps))
    return runs


def sizes_of_serials(pair, rounds):
    """None larger than OpenSSH's. The first one was, by a byte: of two bitmaps of one size, the one that had bits left was given up."""
    for runs in ([(1, 1), (6, 6), (147, 148), (180, 280), (1023, 1023), (22170, 22170)], *(random_runs() for _ in range(rounds))):
        pair.write("spec", "".join(f"serial: {lo}-{hi}\n" if hi > lo else f"serial: {lo}\n" for lo, hi in runs))
        for w in "ours", "theirs":
            same(pair.run(w, "-kq", "-s", "none", "-f", f"{w}.krl", "spec")[0], 0, "status")
        sizes = [len(pair.read(f"{w}.krl")) for w in ("ours", "theirs")]
        if sizes[0] > sizes[1]:
            raise AssertionError(f"ours has {sizes[0]} bytes, theirs {sizes[1]}: {runs}")
        asked = [pair.run(w, "-Q", "-l", "-f", f"{f}.krl") for w, f in (("theirs", "ours"), ("ours", "theirs"))]
        same(shown(asked[0][1]), shown(asked[1][1]), f"what they hold: {runs}")


# ---- files that are none, or nearly ----

def packed(*fields):
    return b"".join(struct.pack(">I", len(f)) + f for f in fields)


def full_list(pair, world):
    pair.write("spec", "".join(f"serial: {s}\n" for s in ("1-4", 10, 15, 30, "1000-2000", *range(5000, 5100, 2))) + "id: a\nid: b\n" +
               "".join(f"{word}: {world.line('k0')}\n" for word in ("key", "sha1", "sha256")))
    same(pair.run("ours", "-kq", "-s", "ca0.pub", "-f", "full", "spec")[0], 0, "making a list")
    return pair.read("full")


def broken_lists(pair, world, rounds):
    """We say what the model says; OpenSSH 9.2 does, too, but for extensions, which it does not know, signatures, which it takes, and numbers
    with needless zeros or above its limit."""
    data = full_list(pair, world)
    agreed = 0
    for _ in range(rounds):
        pair.text = mutated(data)
        if RANDOM.random() < 0.3:
            pair.text += bytes([RANDOM.choice([2, 3, 4, 5, 6, 254, 255])]) + packed(RANDOM.choice([b"", packed(b"e") + b"\0" + packed(b""), packed(b"x" * 20)]))
        pair.write("broken", pair.text)
        try:
            krl = model.parse(pair.text)
            want = {name: krl.has(world.blobs[name]) for name in ("k0", "k1", "c0", "c1", "ca0")}
            want = (1 if any(want.values()) else 0, want)
        except model.Bad as why:
            krl, want = str(why), (255, {})
        status, out, err = pair.run("ours", "-Q", "-f", "broken", "k0.pub", "k1.pub", "c0.pub", "c1.pub", "ca0.pub")
        said = {m[1].decode(): m[2] == b"REVOKED" for m in re.finditer(rb"^(\w+)\.pub .*: (ok|REVOKED)$", out, re.M)}
        same((status, said), want, f"{pair.text!r}, {err!r}, {krl}")
        if status == 255 and err.count(b"\n") != 1:
            raise AssertionError(f"not one line: {err!r}")
        agreed += pair.run("theirs", "-Q", "-f", "broken", "k0.pub", "k1.pub", "c0.pub", "c1.pub", "ca0.pub")[:2] == (status, out)
    if agreed < rounds * 0.8:
        raise AssertionError(f"OpenSSH agrees on {agreed} of {rounds} only")


def wrong_specs(pair, world):
    """The same words and status as OpenSSH."""
    for line in ("serial: 5-3", "serial: 5-5", "serial:", "serial: x", "serial: 99999999999999999999", "serial: 1-99999999999999999999",
                 "serial: 1-", "serial: 08", "hash: MD5:abc", "hash: SHA256:!!", "hash: SHA256:a", "nonsense", "key: foo", "sha1: foo",
                 "sha256: ssh-ed25519 AAAA", "ssh-foo AAAA"):
        pair.write("spec", line + "\n")
        pair.text = line
        pair.both("-kq", "-s", "none", "-f", "never", "spec")
    for args in (["-k"], ["-Q"], ["-k", "-u", "-f", "never", "spec"], ["-k", "-f", "never", "nospec"], ["-Q", "-f", "spec"], ["-Q", "-f", "none"],
                 ["-Q", "-f", "full", "none"], ["-k", "-z", "x", "-f", "never", "spec"], ["-k", "-s", "none.pub", "-f", "never", "spec"],
                 ["-kq", "-f", "no/such/folder", "k0.pub"], ["-Q", "-f", "full"]):
        pair.both(*args)
    for line, words in {"serial: 1": "requires specification of a CA key", "id: x": "requires specification of a CA key"}.items():
        pair.write("spec", line + "\n")
        got = pair.both("-kq", "-f", "never", "spec")
        if words not in got[2].decode():
            raise AssertionError(got)
    for line in "serial: 0", "serial: -5", "serial: +5", "id: x\0y":     # OpenSSH takes the second and third as numbers
        pair.write("spec", line + "\n")
        status, out, err = pair.run("ours", "-kq", "-s", "none", "-f", "never", "spec")
        same((status, out, err.count(b"\n")), (255, b"", 1), line)
    if os.path.exists(pair.path("never")):
        raise AssertionError("a list was made all the same")


def wide_bitmaps(pair, world):
    """OpenSSH makes bitmaps that it refuses to read; ours it reads, and we read its."""
    pair.write("spec", "".join(f"serial: {i}\n" for i in range(1, 40001, 2)))
    for w in "ours", "theirs":
        same(pair.run(w, "-kq", "-s", "none", "-f", f"{w}.krl", "spec")[0], 0, "status")
    same(pair.run("theirs", "-Q", "-f", "theirs.krl")[0], 255, "OpenSSH's -Q on its own list")
    got = [pair.run(w, "-Q", "-f", f"{f}.krl", *world.files) for w, f in (("ours", "ours"), ("ours", "theirs"), ("theirs", "ours"))]
    same(got[0], got[1], "ours on theirs")
    same(got[0], got[2], "theirs on ours")


def shown_is_spec(pair, world):
    """What -Q -l shows makes a list that revokes the same but for SHA-1 hashes, which no specification can hold."""
    pair.write("spec", f"serial: 5-9\nid: a\n{world.line('k0')}\nsha256: {world.line('k1')}\n")
    same(pair.run("ours", "-kq", "-s", "ca1.pub", "-f", "one", "spec")[0], 0, "making a list")
    pair.write("spec", pair.run("ours", "-Q", "-l", "-f", "one")[1])
    same(pair.run("ours", "-kq", "-s", "ca1.pub", "-f", "two", "spec")[0], 0, "making it again")
    same(pair.run("ours", "-Q", "-f", "two", *world.files), pair.run("ours", "-Q", "-f", "one", *world.files), "what is revoked")


def special_files(pair, world):
    os.mkfifo(pair.path("fifo"))
    os.mkdir(pair.path("folder"))
    with open(pair.path("huge"), "wb") as f:
        f.truncate(10 << 30)
    pair.write("long", b"x" * (1 << 20))
    for name, why in {"fifo": b"not a regular file", "folder": b"Is a directory", "huge": b"too large", "/dev/zero": b"not a regular file"}.items():
        for args in ["-Q", "-f", name, "k0.pub"], ["-k", "-f", "never", name], ["-k", "-u", "-f", name, "k0.pub"]:
            status, out, err = pair.run("ours", *args)
            same((status, err.count(b"\n"), why in err), (255, 1, True), f"{args}: {err}")
            same(out, b"", f"{args}: stdout")
    status, _, err = pair.run("ours", "-kq", "-f", "never", "long")
    same((status, err.count(b"\n"), len(err) < 300), (255, 1, True), "a line of a megabyte")
    same(pair.run("ours", "-kq", "-f", "/dev/null", "k0.pub")[0], 0, "writing to a device")
    same(os.path.exists("/dev/null") and not os.path.isfile("/dev/null"), True, "the device is one still")
    os.symlink("linked", pair.path("link"))
    pair.write("linked", b"")
    same(pair.run("ours", "-kq", "-f", "link", "k0.pub")[0], 0, "writing through a link")
    same((os.path.islink(pair.path("link")), pair.run("ours", "-Q", "-f", "linked", "k0.pub")[0]), (True, 1), "the link and its file")
    same(pair.run("ours", "-kq", "-f", "-x", "k0.pub")[0], 0, "a name that begins with a dash")


def main():
    tap = Tap()
    tap.note(f"SEED={SEED}")
    with Place() as place:
        pair = Pair(place)
        world = World(pair)
        for name, part in {f"{25 * TIMES} random lists: ours, OpenSSH's and the model agree on all keys": lambda: random_lists(pair, world, 25 * TIMES),
                           f"{25 * TIMES} lists of serials: none larger than OpenSSH's": lambda: sizes_of_serials(pair, 25 * TIMES),
                           f"{25 * TIMES} broken lists: refused exactly as the document says": lambda: broken_lists(pair, world, 25 * TIMES),
                           "wrong specifications: OpenSSH's words": lambda: wrong_specs(pair, world),
                           "wide bitmaps are read by both": lambda: wide_bitmaps(pair, world),
                           "what is shown makes the same list again": lambda: shown_is_spec(pair, world),
                           "FIFOs, folders, devices, endless files: one line": lambda: special_files(pair, world)}.items():
            with tap.case(name):
                part()
    tap.end()


main()
