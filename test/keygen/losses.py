#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""TRUST T06 for the jobs of ssh-keygen that make many things, or tell what there is (-M, -K, -A, -r, -D, -B, --audit and the like): whatever fails,
each file is the old one or a whole new one, and what is missing from the files or from the output is no success."""
import errno
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "sk"))
import failing  # noqa: E402
import programs  # noqa: E402
from place import Place  # noqa: E402
from tap import Skip, same  # noqa: E402
from walk import CALLS, WHOLE, Walk, opens  # noqa: E402

FEW = 3                         # of the calls of each kind; in a long run all
KINDS = [("file", [errno.EIO, "kill"]), *CALLS[1:], ("open", [errno.EMFILE])] if not WHOLE else [*CALLS, ("open", [errno.EMFILE, errno.EIO])]
PIN = "4321"
START, SAFE = (3 << 509) + 12345, 3     # where candidates begin; how many of those that are screened are good


def foreign(place, *args, **kw):
    done = place.run([programs.foreign("ssh-keygen"), *args], **kw)
    same(done.returncode, 0, f"{args}: {done.stderr!r}")
    return done.stdout


def lines_of(data):
    """Lines of moduli, all but the time."""
    return [line.split(b" ", 1)[1] for line in data.splitlines() if not line.startswith(b"#")]


# ---- -M ----

def generate_case(place):
    def prepare(folder):
        with open(f"{folder}/moduli", "wb") as f:
            f.write(b"# older ones\n")

    whole = []

    def check(where, folder, before, after, status):
        same(sorted(after), ["moduli"], f"{where}: files")
        if not whole:
            place.run([programs.ours("ssh-keygen"), *walk.args[:-1], "whole"], cwd=place.folder, check=True)
            whole.append(lines_of(place.read("whole")))
        changed = after["moduli"] != before["moduli"]
        if changed and lines_of(after["moduli"]) != whole[0]:
            raise AssertionError(f"{where}: {after['moduli'].count(10)} lines of {len(whole[0])}, the last is {after['moduli'][-50:]!r}")
        if status == 0 and not changed:
            raise AssertionError(f"{where}: success, but nothing changed")
    walk = Walk(place, "generate", ["-M", "generate", "-O", "bits=512", "-O", f"start={START:x}", "moduli"], prepare, check, sample=FEW // 2)
    return walk


def candidates(place):
    """Some lines of candidates, few of them good."""
    made = place.path("candidates")
    if not os.path.exists(made):
        done = place.run([programs.ours("ssh-keygen"), "-M", "generate", "-O", "bits=512", "-O", f"start={START:x}", made])
        same(done.returncode, 0, f"candidates: {done.stderr!r}")
        every = open(made, "rb").read().splitlines(keepends=True)
        # a line's number q by Fermat: both it and 2q + 1 are prime, and there is a generator for them
        good = [line for line in every if pow(2, (q := int(line.split()[6], 16)) - 1, q) == pow(2, 2 * q, 2 * q + 1) == 1
                and ((2 * q + 1) % 24 == 11 or (2 * q + 1) % 10 in (3, 7))][:SAFE]
        bad = [line for line in every if line not in good]
        with open(made, "wb") as f:
            f.writelines([bad[0], good[0], b"# a comment\n", bad[1], *good[1:], *bad[2:5]])
    return made


def screen_case(place, checkpoint):
    older = b"# older ones\n"
    args = ["-M", "screen", "-f", "candidates", "-O", "prime-tests=4", *(["-O", "checkpoint=place"] if checkpoint else []), "moduli"]

    def prepare(folder):
        shutil.copy(candidates(place), f"{folder}/candidates")
        with open(f"{folder}/moduli", "wb") as f:
            f.write(older)

    def found(folder):
        with open(f"{folder}/moduli", "rb") as f:
            return lines_of(f.read())

    whole = []

    def check(where, folder, before, after, status):
        if not whole:
            made = f"screened-{checkpoint}"
            place.run([programs.ours("ssh-keygen"), *args[:6], place.path(made)], cwd=folder, check=True)
            whole.extend(lines_of(place.read(made)))
            same(len(whole), SAFE, "safe primes")
        text = after["moduli"]
        if not text.startswith(older) or (text[-1:] != b"\n" and status >= 0) or lines_of(text) != whole[:len(lines_of(text))]:
            raise AssertionError(f"{where}: the file is {text!r}")
        if status == 0 and (lines_of(text) != whole or "place" in after):
            raise AssertionError(f"{where}: success, but {len(lines_of(text))} of {len(whole)}, checkpoint there: {'place' in after}")
        if status != 0 and checkpoint:      # it goes on where it was, and none is left out
            place.run([programs.ours("ssh-keygen"), *args], cwd=folder, check=True)
            same(sorted(set(found(folder))), sorted(whole), f"{where}: after another run")
            if len(found(folder)) > len(whole) + (status < 0):
                raise AssertionError(f"{where}: after another run some stand there twice")
    # with a checkpoint that cannot be written it goes on, until there is more that cannot be
    walk = Walk(place, "screen on" if checkpoint else "screen", args, prepare, check, lines_max=1 + checkpoint, sample=FEW if not checkpoint else 2 * FEW)
    walk.calls_min = {"open": 1, "memory": 0}       # it stands on libcrypto's alone
    return walk


# ---- -K and -A ----

def library():
    return f"{programs.build_folder()}/test/sk/soft-sk.so"


def residents_case(place):
    names = {"id_ed25519_sk_rk": "ssh:", "id_ecdsa_sk_rk_work": "ssh:work", "id_ed25519_sk_rk_home": "ssh:home"}
    env = {"SOFT_SK_STORE": place.path("store"), "SOFT_SK_PIN": PIN}
    os.mkdir(place.path("store"))
    for name, application in names.items():
        done = place.run([programs.ours("ssh-keygen"), "-q", "-t", name.split("_")[1] + "-sk", "-w", library(), "-N", "", "-O", "resident", "-O",
                          f"application={application}", "-f", place.path(name)], env=place.env | env)
        same((done.returncode, done.stderr), (0, b""), f"making {name}")
    old = place.key("ed25519")

    def prepare(folder):
        shutil.copy2(old, f"{folder}/id_ed25519_sk_rk")

    def check(where, folder, before, after, status):
        for name in names:
            if name in after and after[name] != before.get(name) and not opens(place, folder, name, ["pass"]):
                raise AssertionError(f"{where}: {name} does not open")
            if f"{name}.pub" in after:
                same(after[f"{name}.pub"].split()[:2], place.read(f"{name}.pub").split()[:2], f"{where}: {name}.pub")
        every = {*names, *(f"{n}.pub" for n in names)}
        if status == 0 and (set(after) != every or after["id_ed25519_sk_rk"] == before["id_ed25519_sk_rk"]):
            raise AssertionError(f"{where}: success, but there are {sorted(after)}")
        if not set(after) <= every:
            raise AssertionError(f"{where}: there are {sorted(after)}")
    return Walk(place, "residents", ["-K", "-q", "-w", library(), "-N", "pass", "-a", "1"], prepare, check, stdin=f"{PIN}\ny\n".encode(), env=env,
                helped=True, sample=FEW)


def machine_case(place):
    """-A; RSA keys take long, so that in a test run there is one."""
    kinds = ["rsa"] * WHOLE + ["ecdsa", "ed25519"]

    def prepare(folder):
        os.makedirs(f"{folder}/etc/ssh")
        open(f"{folder}/etc/ssh/ssh_host_ecdsa_key", "wb").close()        # an empty one is as good as none
        if not WHOLE:
            shutil.copy2(place.key("rsa"), f"{folder}/etc/ssh/ssh_host_rsa_key")

    def check(where, folder, before, after, status):
        for kind in kinds:
            name = f"etc/ssh/ssh_host_{kind}_key"
            if after.get(name) and foreign(place, "-y", "-f", f"{folder}/{name}").split() != after.get(f"{name}.pub", b"").split():
                raise AssertionError(f"{where}: {name} and its public half are not the same key")
            if status == 0 and not after.get(name):
                raise AssertionError(f"{where}: success without {name}")
    return Walk(place, "machine", ["-A", "-f", "."], prepare, check, sample=FEW, lines_max=2)


# ---- what tells ----

class Shelf:
    """A folder of everything that there is to tell of, made by OpenSSH."""

    def __init__(self, place):
        self.place, self.folder = place, place.path("shelf")
        os.mkdir(self.folder)
        for name, kind in ("k", "ed25519"), ("other", "ed25519"), ("ec", "ecdsa"), ("big", "rsa"), ("ca", "ed25519"):
            foreign(place, "-q", "-t", kind, *(["-b", "2048"] if kind == "rsa" else []), "-N", "", "-C", f"of {name}", "-f", self.path(name))
        self.make("-q", "-s", "ca", "-I", "id", "-n", "a,b", "-z", "7", "-O", "force-command=true", "k.pub")
        self.make("-kqf", "list", "other.pub")
        self.write("framed", self.make("-e", "-f", "k.pub"))
        self.write("data", b"some data")
        self.make("-q", "-Y", "sign", "-f", "k", "-n", "file", "data")
        self.write("signers", b"me namespaces=\"file\" " + self.read("k.pub") + b"ours cert-authority " + self.read("ca.pub"))
        self.write("keys", b"".join(self.read(f"{n}.pub") for n in ("k", "ec", "big")))
        self.write("kh", b"".join(b"host%d,host7 " % n + self.read("ec.pub") for n in range(5)))
        shutil.copy(self.path("kh"), self.path("kh-hashed"))
        self.make("-q", "-H", "-f", "kh-hashed")
        os.unlink(self.path("kh-hashed.old"))
        os.mkdir(self.path("home"))
        for name in "k", "k.pub", "k-cert.pub", "other.pub", "list", "kh":
            shutil.copy2(self.path(name), self.path("home"))
        shutil.copy(self.path("keys"), self.path("home/authorized_keys"))

    def path(self, name):
        return f"{self.folder}/{name}"

    def make(self, *args):
        return foreign(self.place, *args, cwd=self.folder)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)


TELLING = {                     # what: arguments, and the statuses that say that all is told
    "fingerprints": (["-l", "-f", "keys"], [0]), "a private key's picture": (["-lv", "-f", "k"], [0]), "bubblebabble": (["-B", "-f", "k.pub"], [0]),
    "framed fingerprint": (["-l", "-f", "framed"], [0]), "a public half": (["-y", "-f", "k"], [0]), "export": (["-e", "-f", "k.pub"], [0]),
    "export as PKCS8": (["-e", "-m", "PKCS8", "-f", "big.pub"], [0]), "import": (["-i", "-f", "framed"], [0]),
    "a certificate": (["-L", "-f", "k-cert.pub"], [0]), "a certificate's fingerprint": (["-l", "-f", "k-cert.pub"], [0]),
    "find": (["-F", "host7", "-f", "kh"], [0, 1]), "find hashed": (["-l", "-F", "host3", "-f", "kh-hashed"], [0, 1]),
    "records": (["-r", "host.example", "-f", "k.pub"], [0]), "generic records": (["-r", "host.example", "-g", "-f", "big"], [0]),
    "a token's keys": (["-D", "MODULE"], [0]), "audit": (["--audit", "home"], [0, 1]),
    "audit with a list": (["--audit", "-q", "-O", "krl=list", "keys", "other.pub"], [0, 1]), "revoked": (["-Q", "-l", "-f", "list", "k.pub", "other.pub"], [0]),
    "not revoked": (["-Q", "-f", "list", "k.pub", "ec.pub"], [0]),
    "verify": (["-Y", "verify", "-f", "signers", "-I", "me", "-n", "file", "-s", "data.sig", "-r", "list"], [0]),
    "find signers": (["-Y", "find-principals", "-f", "signers", "-s", "data.sig"], [0]),
    "match signers": (["-Y", "match-principals", "-f", "signers", "-I", "me"], [0]),
}


def telling_cases(place):
    shelf = Shelf(place)

    def case(name, args, true):
        def check(where, folder, before, after, status):
            same(sorted(after), sorted(before), f"{where}: files")
            if status == 0 or status in true:
                same((status, walk.done.stdout), (walk.normal.returncode, walk.normal.stdout), f"{where}: what it tells")
        args = [a.replace("MODULE", f"{programs.build_folder()}/test/pkcs11/badmodule.so") for a in args]
        walk = Walk(place, name, args, lambda folder: shutil.copytree(shelf.folder, folder, dirs_exist_ok=True), check, stdin=b"some data",
                    sample=FEW, helped="-D" in args, lines_max=1 + (name in ("find signers", "match signers")))     # "No principal matched." is OpenSSH's
        walk.calls_min = {"open": 1, "memory": 2, "file": 0 if "-D" in args else 3}      # a token is no file
        return walk
    return [case(name, *row) for name, row in TELLING.items()]


def main():
    tap = failing.tap()
    with Place() as place:
        programs.ours("ssh-keygen")
        try:
            programs.ours("ssh-sk-helper")
            residents = [residents_case(place)]
        except (Skip, FileNotFoundError) as why:
            tap.skip("-K", why)
            residents = []
        makers = [generate_case(place), screen_case(place, False), screen_case(place, True), *residents, machine_case(place)]
        for walk in makers:
            walk.walk_all(tap, KINDS)
            with tap.case(f"{walk.name}: no file grows beyond some size"):
                tap.note(f"{walk.walk_sizes()} sizes")
        for walk in telling_cases(place):
            walk.walk_all(tap, [("file", [errno.EIO]), *KINDS[1:]])
            with tap.case(f"{walk.name}: nobody takes what it prints"):
                walk.walk_full()
    tap.end()


main()
