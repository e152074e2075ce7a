# SPDX-License-Identifier: ISC
"""Our program beside OpenSSH's of the same name, in one folder: what one does must be what the other does.

SEED=n repeats a run; TIMES=n makes it n times as long (NACRE_LONG: 400 times).
"""
import base64
import os
import random
import struct

import programs
from tap import same

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
RANDOM = random.Random(SEED)
TIMES = int(os.environ.get("TIMES") or (400 if os.environ.get("NACRE_LONG") else 1))


class Pair:
    def __init__(self, place, name="ssh-keygen"):
        self.place, self.folder = place, place.path("pair")
        os.mkdir(self.folder)
        self.programs = {"ours": programs.ours(name), "theirs": programs.foreign(name)}
        self.text = ""      # shown when something differs

    def path(self, name):
        return f"{self.folder}/{name}"

    def write(self, name, data, mode=0o600):
        path = self.path(name)
        if os.path.lexists(path):
            os.unlink(path)
        with open(path, "wb") as f:
            os.fchmod(f.fileno(), mode)
            f.write(data if isinstance(data, bytes) else data.encode())
        return path

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def run(self, which, *args, stdin=b"", **kw):
        """ours or theirs; (status, stdout, stderr)"""
        done = self.place.run([self.programs[which], *args], stdin, cwd=self.folder, **kw)
        return done.returncode, done.stdout, done.stderr

    def both(self, *args, stdin=b"", stderr=True, **kw):
        """Both must do and say the same; returns it."""
        got, want = self.run("ours", *args, stdin=stdin, **kw), self.run("theirs", *args, stdin=stdin, **kw)
        for i, what in enumerate(("status", "stdout", "stderr")[:2 + stderr]):
            same(got[i], want[i], f"{' '.join(args)}: {what} (stderr {got[2]!r} and {want[2]!r}), {self.text!r}")
        return got

    def key(self, name, *kind, comment="c"):
        """A fresh key pair NAME, NAME.pub made by OpenSSH; its public blob."""
        self.place.run([self.programs["theirs"], "-q", *(kind or ("-t", "ed25519")), "-N", "", "-C", comment, "-f", self.path(name)], check=True)
        return self.blob(f"{name}.pub")

    def blob(self, name):
        return base64.b64decode(self.read(name).split()[1])

    def certify(self, ca, name, out, *args):
        """OUT.pub: NAME's key certified by the key file CA."""
        os.link(self.path(f"{name}.pub"), self.path(f"{out}.tmp.pub"))
        self.place.run([self.programs["theirs"], "-q", "-s", self.path(ca), *args, self.path(f"{out}.tmp.pub")], check=True)
        os.rename(self.path(f"{out}.tmp-cert.pub"), self.path(f"{out}.pub"))
        os.unlink(self.path(f"{out}.tmp.pub"))


def mutated(data):
    """One to three of: a byte changed, cut, doubled, a length field off by a little."""
    data = bytearray(data)
    for _ in range(RANDOM.randint(1, 3)):
        at = RANDOM.randrange(len(data)) if data else 0
        how = RANDOM.randrange(5)
        if not data:
            break
        if how == 0:
            data[at] ^= 1 << RANDOM.randrange(8)
        elif how == 1:
            data[at] = RANDOM.choice([0, 1, 0x7f, 0x80, 0xff, 10, 32])
        elif how == 2:
            del data[at:at + RANDOM.choice([1, 1, 4, 8, 100])]
        elif how == 3:
            data[at:at] = data[at:at + RANDOM.choice([1, 4, 20])]
        elif at + 4 <= len(data):
            n = struct.unpack(">I", data[at:at + 4])[0] + RANDOM.choice([-1, 1, 8, -8])
            data[at:at + 4] = struct.pack(">I", n & 0xffffffff)
    return bytes(data)
