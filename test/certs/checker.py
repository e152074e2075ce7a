#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Certificates judged three times: by Nacre, by model.py, and by OpenSSH's ssh-keygen where it can be asked (-L for the form, -Y verify for
principals and times). All must agree, on a matrix of principals, times to the second, options, nesting and signature algorithms, and on
random damage under a true signature. SEED=n repeats a run; argv[1] is the driver."""
import base64
import hashlib
import itertools
import os
import random
import re
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import model
import programs
from model import FOREVER, HOST, USER, string
from place import Place
from tap import Tap, same

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
RANDOM = random.Random(SEED)
TIMES = 20 if os.environ.get("NACRE_LONG") else 1
ALL_ALGS = b"ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256"
KINDS = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa"]


class Judges:
    def __init__(self, place, driver):
        self.place, self.seen = place, []
        self.driver = subprocess.Popen([driver], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.keys = {kind: (model.Key(kind), model.Key(kind)) for kind in KINDS}
        self.key, self.ca = self.keys["ed25519"]

    def end(self):
        self.driver.stdin.close()
        same(self.driver.wait(), 0, "the driver's status")

    def ours(self, blob, kind, now, algs, name):
        self.driver.stdin.write(b"x%s %d %d x%s x%s\n" % (base64.b64encode(blob), kind, now, algs, name.hex().encode()))
        self.driver.stdin.flush()
        return self.driver.stdout.readline().decode().rstrip("\n")

    def judge(self, blob, kind=USER, now=1000, algs=ALL_ALGS, name=b"alice"):
        """The answer on which both agree; the certificate is kept for OpenSSH's judgment of its form."""
        try:
            c = model.Cert(blob)
            permits = c.permits()
            want = (f"{c.show()} check={int(c.check(kind, now, algs))} principal={int(c.has_principal(name))} "
                    f"permits={'none' if permits is None else permits}")
        except model.Bad:
            want = "refused"
        same(self.ours(blob, kind, now, algs, name), want, f"kind {kind}, now {now}, {algs}, {name} on {blob.hex()}")
        self.seen.append(blob)
        return want

    def make(self, **fields):
        return model.make(self.key, self.ca, **fields)

    def their_forms(self):
        """OpenSSH's -L on all that was judged since the last time: it shows exactly what the lenient model lets through."""
        blobs, self.seen = self.seen, []
        blobs = [b for b in blobs if showable(b)]
        path = self.place.write("all", b"# all\n" + b"".join(map(model.line, blobs)))
        done = self.place.run([programs.foreign("ssh-keygen"), "-L", "-f", path])
        shown = {int(n) - 2 for n in re.findall(rb"(?m)^" + re.escape(path.encode()) + rb":(\d+):$", done.stdout)}
        if done.returncode not in (0, 1):
            raise AssertionError(f"OpenSSH's -L stopped: {done.returncode}, {done.stderr[-300:]} at {blobs[max(shown, default=0)].hex()}")
        for i, blob in enumerate(blobs):
            same(i in shown, lenient(blob), f"OpenSSH's -L takes it: {blob.hex()}")
        return len(blobs)


def showable(blob):
    """Can stand in a line, and -L does not stop at it: an option's data that is not as it should be ends that program."""
    try:
        kind = model.Reader(blob).string()
        if not re.fullmatch(rb"[!-~]+", kind):
            return False
        c = model.Cert(blob, strict=False)
    except model.Bad:
        return len(blob) > 4 and blob[:4] != b"\0\0\0\0" and 4 + int.from_bytes(blob[:4], "big") <= len(blob)
    for options, critical in (c.critical, True), (c.extensions, False):
        for name, data in options:
            text = critical and name in (b"force-command", b"source-address")
            flag = name == b"verify-required" if critical else name in model.FLAGS
            if b"\0" in name or (flag and data) or (text and (data != string(data[4:]) or b"\0" in data[4:-1])):
                return False
    return True


def lenient(blob):
    try:
        model.Cert(blob, strict=False)
    except model.Bad:
        return False
    return True


# ---- the matrix ----

def types(j):
    n = 0
    for subject, ca, kind in itertools.product(KINDS, KINDS, (USER, HOST)):
        key, signer = j.keys[subject][0], j.keys[ca][1]
        for alg in signer.algs:
            blob = model.make(key, signer, kind=kind, serial=RANDOM.getrandbits(64), key_id=b"k" * RANDOM.randrange(40), alg=alg)
            same(j.judge(blob, kind) == "refused", False, "refused")
            n += 1
    return n


def algorithms(j):
    """What signed, under which name, and what is allowed: exact names."""
    n = 0
    lists = [ALL_ALGS, b"", b"ssh-rsa", b"rsa-sha2-256", b"rsa-sha2-512,ssh-ed25519", b"rsa-*", b"*", b"ssh-ed2551", b"ssh-ed25519x",
             b"ssh-ed25519-cert-v01@openssh.com", b"ssh-rsa-cert-v01@openssh.com,ecdsa-sha2-nistp256"]
    names = [b"ssh-ed25519", b"ecdsa-sha2-nistp256", b"ssh-rsa", b"rsa-sha2-256", b"rsa-sha2-512", b"", b"none", b"ssh-ed25519-cert-v01@openssh.com",
             b"rsa-sha2-512-cert-v01@openssh.com"]
    for ca, alg in itertools.product(KINDS, names):
        blob = model.make(j.key, j.keys[ca][1], alg=alg)
        for algs in lists:
            j.judge(blob, algs=algs)
            n += 1
    return n


def principals(j):
    lists = [[], [b""], [b"alice"], [b"Alice"], [b"bob", b"alice"], [b"alice", b"alice"], [b"*"], [b"al*"], [b"?lice"], [b"alice,bob"],
             [b"bob,alice"], [b"alice,"], [b","], [b"alice", b"a,b"], [b"alice "], [b" alice"], [b"alice bob"], [b"!alice"], [b"!bob"], [b"!bob", b"*"],
             [b"alice\0"], [b"alice\0bob"], [b"\0"], [b"a" * 1000], [b"p%d" % i for i in range(256)], [b"p%d" % i for i in range(257)],
             [b"alice"] * 256, [b"*.example.com"], [b"[a]lice"], [b"al\xc3\xafce"], [b"\xff"]]
    names = [b"alice", b"ALICE", b"bob", b"", b"*", b"alice,bob", b"alice bob", b"!bob", b"p255", b"p256", b"h.example.com", b"example.com", b"a" * 1000]
    for names_in, name, kind in itertools.product(lists, names, (USER, HOST)):
        j.judge(j.make(principals=names_in, kind=kind), kind, name=name)
    return len(lists) * len(names) * 2


def times(j):
    n = 0
    for after, before in [(0, FOREVER), (0, 1), (1000, 2000), (1999, 2000), (2000, 2000), (2000, 1000), (FOREVER, FOREVER), (FOREVER - 1, FOREVER),
                          (1 << 63, FOREVER), (0, 1 << 63), ((1 << 32) - 1, 1 << 32), (0, 0), (FOREVER, 0)]:
        blob = j.make(after=after, before=before)
        for now in sorted({max(0, min(FOREVER, t + d)) for t in (after, before) for d in (-1, 0, 1)}):
            j.judge(blob, now=now)
            n += 1
    return n


def options(j):
    n = 0
    text = lambda s: string(s)
    addresses = [b"1.2.3.4", b"10.0.0.0/8,::1", b"", b"*", b"1.2.3.4/24", b"!1.2.3.4", b"1.2.3.4,", b"host", b"1.2.3.4/33", b"::/0", b"1.2.3.4\0"]
    criticals = [[], [(b"force-command", text(b"x"))], [(b"force-command", text(b""))], [(b"force-command", b"")], [(b"force-command", b"x")],
                 [(b"force-command", text(b"x") + b"y")], [(b"force-command", text(b"x\0y"))], [(b"force-command", text(b"c" * 8191))],
                 [(b"force-command", text(b"c" * 8192))], [(b"verify-required", b"")], [(b"verify-required", b"x")], [(b"unknown", b"")],
                 [(b"Force-command", text(b"x"))], [(b"force-command\0", text(b"x"))], [(b"permit-pty", b"")], [(b"", b"")],
                 *([(b"source-address", text(a))] for a in addresses),
                 [(b"force-command", text(b"x")), (b"source-address", text(b"::1")), (b"verify-required", b"")],
                 [(b"source-address", text(b"::1")), (b"force-command", text(b"x"))],
                 [(b"force-command", text(b"x")), (b"force-command", text(b"y"))]]
    extensions = [[], [(b"permit-pty", b"")], [(b"permit-pty", text(b""))], [(b"unknown@example.com", b"anything")],
                  [(name, b"") for name in sorted(model.FLAGS)], [(b"force-command", text(b"x"))], [(b"permit-pty", b""), (b"permit-pty", b"")]]
    for critical, extension, kind in itertools.product(criticals, extensions, (USER, HOST)):
        j.judge(j.make(critical=critical, extensions=extension, kind=kind), kind)
        n += 1
    for flags in itertools.product((0, 1), repeat=len(model.FLAGS)):
        j.judge(j.make(extensions=[(name, b"") for name, on in zip(sorted(model.FLAGS), flags) if on]))
        n += 1
    return n


def orders(j):
    names = [b"a", b"aa", b"b", b"permit-X11-forwarding", b"permit-agent-forwarding", b"z"]
    for _ in range(60 * TIMES):
        chosen = [(RANDOM.choice(names), b"") for _ in range(RANDOM.randrange(5))]
        if RANDOM.random() < 0.5:
            chosen = sorted(set(chosen))
        j.judge(j.make(extensions=chosen))
        j.judge(j.make(critical=chosen))
    return 120 * TIMES


def nesting(j):
    """A CA that is itself certified, with each signature that it could have made; and keys in the wrong places."""
    inner = j.make()
    n = 0
    for ca_blob in inner, inner[:-1], b"", string(b"ssh-ed25519"), j.key.blob, j.ca.blob + b"x", j.ca.blob[:-1], j.keys["rsa"][0].blob:
        for alg in None, b"ssh-ed25519-cert-v01@openssh.com":
            same("refused", j.judge(j.make(ca_blob=ca_blob, alg=alg)), "answer")
            n += 1
    return n


def forms(j):
    """Kinds, counts, lengths, tails."""
    good = j.make()
    rows = [j.make(kind=k) for k in (0, 3, 4, 0x101, 0xffffffff)] + [good + b"\0", good[1:], b"", j.make(tail=b"x"), j.make(signature=b"")]
    rows += [j.make(raw_principals=raw) for raw in (b"\0", b"\0\0\0\1", b"\0\0\0\2a", b"\xff\xff\xff\xff", b"\0\0\0\0", string(b"a") + b"\0")]
    rows += [j.make(raw_critical=raw) for raw in (b"\0\0\0\0", string(b"a"), string(b"a") + b"\0\0\0\1", string(b"a") * 3)]
    rows += [j.make(key_id=i) for i in (b"", b"\0", b"a\0b", b"a\0", b"\xff\x1b[2J", b"x" * 2000)] + [j.make(reserved=b"anything")]
    for blob in rows:
        j.judge(blob)
    cuts = range(0, len(good), 1 if TIMES > 1 else 7)
    for n in cuts:
        same("refused", j.judge(good[:n]), f"cut at {n}")
    return len(rows) + len(cuts)


def damage(j):
    """Random bytes changed, lost or added; half of them under a true signature over the result."""
    key = j.key
    head = len(string(key.type + model.SUFFIX)) + 4 + 32 + len(key.fields)
    for i in range(300 * TIMES):
        blob = j.make(principals=[b"alice", b"bob"], critical=[(b"force-command", string(b"x"))], extensions=[(b"permit-pty", b"")])
        end = len(blob) - 4 - len(j.ca.sign(b"")) if i % 2 else len(blob)
        at = RANDOM.randrange(head if i % 2 else 0, end)
        how = RANDOM.randrange(4)
        middle = [bytes([blob[at] ^ 1 << RANDOM.randrange(8)]), b"", os.urandom(1) + blob[at:at + 1], bytes([RANDOM.choice(b"\0\1\2\x7f\xff")])][how]
        body = blob[:at] + middle + blob[at + 1:end]
        j.judge(body + string(j.ca.sign(body)) if i % 2 else body + blob[end:])
    return 300 * TIMES


# ---- OpenSSH's own rules ----

def stamp(at):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(at))


def their_verdicts(j):
    """ssh-keygen -Y verify with a cert-authority line: kind, principals and times, to the second."""
    message, name = b"message", j.place.path
    j.place.write("signers", b"* cert-authority " + model.line(j.ca.blob))
    n = 0
    t = 1700000000
    lists = [[b"alice"], [], [b"*"], [b"bob", b"alice"], [b"al*"], [b"alice,bob"], [b"Alice"]]
    rows = [(USER, [b"alice"], t, t + 60, b"alice", t + d) for d in (-1, 0, 1, 59, 60, 61)]
    rows += [(kind, names, 0, FOREVER, who, t) for kind in (USER, HOST) for names in lists for who in (b"alice", b"bob")]
    for kind, names, after, before, who, now in rows:
        blob = j.make(kind=kind, principals=names, after=after, before=before)
        signed = b"SSHSIG" + string(b"test") + string(b"") + string(b"sha512") + string(hashlib.sha512(message).digest())
        sig = b"SSHSIG" + struct.pack(">I", 1) + string(blob) + string(b"test") + string(b"") + string(b"sha512") + string(j.key.sign(signed))
        armour = base64.encodebytes(sig)
        j.place.write("sig", b"-----BEGIN SSH SIGNATURE-----\n" + armour + b"-----END SSH SIGNATURE-----\n")
        done = j.place.run([programs.foreign("ssh-keygen"), "-Y", "verify", "-f", name("signers"), "-I", who.decode(), "-n", "test", "-s", name("sig"),
                            "-O", f"verify-time={stamp(now)}"], message)
        answer = j.judge(blob, USER, now, name=who)
        ours = " check=1 " in answer and " principal=1 " in answer
        same(done.returncode == 0, ours, f"OpenSSH on kind {kind}, {names}, {after} to {before}, {who} at {now}: {done.stderr}")
        n += 1
    return n


def main():
    tap = Tap()
    tap.note(f"SEED={SEED}")
    with Place() as place:
        j = Judges(place, sys.argv[1])
        for check in types, algorithms, principals, times, options, orders, nesting, forms, damage:
            with tap.case(f"{check.__name__}: model and Nacre agree"):
                tap.note(f"{check(j)} judgments")
            with tap.case(f"{check.__name__}: OpenSSH's -L takes the same"):
                tap.note(f"{j.their_forms()} certificates")
        with tap.case("principals and times: OpenSSH's -Y verify says the same"):
            tap.note(f"{their_verdicts(j)} judgments")
        with tap.case("the driver ends well"):
            j.end()
    tap.end()


main()
