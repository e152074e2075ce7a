#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""`ssh-keygen -s` and `-L`, ours beside OpenSSH's: the same listing, byte for byte, of random certificates that either made from the same
command line; the same files, words and statuses. SEED=n repeats a run, TIMES=n makes it n times as long."""
import os
import random
import re
import stat
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
from place import Place
from tap import Tap, same

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
RANDOM = random.Random(SEED)
TIMES = int(os.environ.get("TIMES") or (100 if os.environ.get("NACRE_LONG") else 1))
KEYS = {"ed25519": ["-t", "ed25519"], "p256": ["-t", "ecdsa"], "p384": ["-t", "ecdsa", "-b", "384"], "p521": ["-t", "ecdsa", "-b", "521"],
        "rsa": ["-t", "rsa", "-b", "2048"]}
PERMISSIONS = ["x11-forwarding", "agent-forwarding", "port-forwarding", "pty", "user-rc"]
ADDRESSES = ["1.2.3.4", "10.0.0.0/8", "::1", "2001:db8::/32", "0.0.0.0/0", "192.0.2.128/25"]
ZONES = ["UTC", "Asia/Kolkata", "America/Phoenix", "Asia/Tokyo"]     # without summer time, where OpenSSH 9.2 is an hour off


class Sides:
    def __init__(self, place):
        self.place = place
        self.programs = {"ours": programs.ours("ssh-keygen"), "theirs": programs.foreign("ssh-keygen")}
        for name in self.programs:
            os.mkdir(place.path(name))
        for name, how in KEYS.items():
            self.theirs("-q", *how, "-N", "", "-C", f"{name} key", "-f", place.path(f"ours/{name}"))
            for end in "", ".pub":
                place.run(["/bin/cp", "-p", place.path(f"ours/{name}{end}"), place.path("theirs")], check=True)

    def run(self, who, *args, stdin=b"", zone="UTC", **env):
        return self.place.run([self.programs[who], *args], stdin, cwd=self.place.path(who), env={**self.place.env, "TZ": zone, **env})

    def ours(self, *args, **kw):
        return self.run("ours", *args, **kw)

    def theirs(self, *args, **kw):
        return self.run("theirs", *args, **kw)

    def both(self, *args, words=True, **kw):
        """Both must end and say the same."""
        want, got = self.theirs(*args, **kw), self.ours(*args, **kw)
        same((got.returncode, got.stdout), (want.returncode, want.stdout), f"{args}: status and stdout ({got.stderr} beside {want.stderr})")
        if words:
            same(got.stderr, want.stderr, f"{args}: stderr")
        return got

    def read(self, who, name):
        with open(self.place.path(f"{who}/{name}"), "rb") as f:
            return f.read()


# ---- random command lines ----

def word(most=12):
    return "".join(RANDOM.choice("abcXYZ019 ._-@:/*?!#$%&()[]{}|;<>~^`'\"\\+=\u00e4\u20ac") for _ in range(RANDOM.randint(1, most)))


def random_options():
    out = []
    add = lambda text: out.extend(["-O", text])
    if RANDOM.random() < 0.2:
        add("clear")
    for name in RANDOM.sample(PERMISSIONS, RANDOM.randrange(3)):
        add(RANDOM.choice(["no-", "permit-", "No-", "PERMIT-"]) + name)
    for name in "no-touch-required", "verify-required":
        if RANDOM.random() < 0.15:
            add(name)
    if RANDOM.random() < 0.3:
        add("force-command=" + word(60))
    if RANDOM.random() < 0.3:
        add("source-address=" + ",".join(RANDOM.sample(ADDRESSES, RANDOM.randint(1, 4))))
    for which in "extension", "critical":
        for name in RANDOM.sample(["a", "b@example.com", "zz", "permit-Pty", "Force-command"], RANDOM.choice([0, 0, 0, 1, 2])):
            add(f"{which}:{name}" + RANDOM.choice(["", "=", "=" + word(30)]))
    return out


def stamp():
    text = time.strftime("%Y%m%d%H%M%S", time.gmtime(RANDOM.randrange(86400, 4 << 30)))
    return text[:RANDOM.choice([8, 12, 14])] + RANDOM.choice(["", "Z"])


def random_validity():
    after = RANDOM.choice(["always", stamp(), stamp(), f"0x{RANDOM.getrandbits(RANDOM.choice([8, 31, 40])):x}"])
    before = RANDOM.choice(["forever", stamp(), stamp(), f"0x{RANDOM.getrandbits(RANDOM.choice([31, 40])):x}"])
    return RANDOM.choice([[], ["-V", f"{after}:{before}"], ["-V", f"{after}:{before}"]])


def random_line():
    ca, principals = RANDOM.choice(list(KEYS)), [word().replace(",", "") for _ in range(RANDOM.choice([0, 1, 1, 2, 5, 256]))]
    args = ["-s", ca, "-I", RANDOM.choice(["", word(), word(100)]), *random_validity(), *random_options()]
    args += ["-n", ",".join(principals)] if principals else []
    args += RANDOM.choice([[], ["-z", str(RANDOM.getrandbits(RANDOM.choice([4, 64])))], ["-z", f"+{RANDOM.getrandbits(32)}"]])
    args += RANDOM.choice([[], [], ["-h"]])
    if ca == "rsa":
        args += RANDOM.choice([[], ["-t", "rsa-sha2-256"], ["-t", "rsa-sha2-512"]])
    return args


def random_certificates(sides, least):
    """Until so many are shown; each round: one command line, both programs, three keys; then both show what both made."""
    shown = 0
    while shown < least:
        args, names, zone = random_line(), RANDOM.sample(list(KEYS), 3), RANDOM.choice(ZONES)
        files = [name + RANDOM.choice(["", ".pub"]) for name in names]
        ours, theirs = sides.ours(*args, *files, zone=zone), sides.theirs(*args, *files, zone=zone)
        words = ours.stderr.replace(b"WARNING: without principals (-n) nobody accepts a certificate.\r\n", b"")
        words = re.sub(rb"[\x80-\xff]", lambda m: b"\\%03o" % m[0][0], words.replace(b"\\", b"\\\\"))    # we show both as they are
        same((ours.returncode, ours.stdout), (theirs.returncode, theirs.stdout), f"{args} {files}: {ours.stderr} beside {theirs.stderr}")
        if max(map(len, theirs.stderr.split(b"\n"))) < 1000:           # OpenSSH cuts its lines
            same(words, theirs.stderr, f"{args} {files}: stderr")
        if ours.returncode:
            continue
        for who in "ours", "theirs":
            text = b"".join(sides.read(who, f"{name}-cert.pub") for name in names)
            listing = sides.both("-L", "-f", "-", stdin=text, zone=zone)
            same(listing.returncode, 0, f"{args}: status of -L")
            shown += len(names)
            first = listing.stdout if who == "ours" else first_differs(first, listing.stdout, args)
        for name in names:
            same(sides.read("ours", f"{name}-cert.pub").split(b" ", 2)[2], sides.read("theirs", f"{name}-cert.pub").split(b" ", 2)[2], "comment")


def first_differs(ours, theirs, args):
    """Nothing but the nonce and the signature may differ between what the two make."""
    same(ours, theirs, f"{args}: what they made")
    return theirs


# ---- single cases ----

WRONG = [  # arguments behind -s p256, with the same words on both sides
    [], ["-I", "x"], ["ed25519.pub"], ["-I", "x", "nosuch"], ["-I", "x", "-n", "a,", "ed25519.pub"], ["-I", "x", "-n", "", "ed25519.pub"],
    ["-I", "x", "-n", ",".join(["a"] * 257), "ed25519.pub"], ["-I", "x", "-z", "x", "ed25519.pub"], ["-I", "x", "-z", "-1", "ed25519.pub"],
    ["-I", "x", "-z", "18446744073709551616", "ed25519.pub"], ["-I", "x", "-z", "", "ed25519.pub"], ["-I", "x", "-z", "+", "ed25519.pub"],
    *(["-I", "x", "-O", o, "ed25519.pub"] for o in ("bogus", "force-command=", "critical", "extension", "", "permit-x", "no-", "force-command")),
    ["-I", "x", "-O", "force-command=a", "-O", "force-command=b", "ed25519.pub"],
    ["-I", "x", "-O", "source-address=::1", "-O", "source-address=::2", "ed25519.pub"],
    *(["-I", "x", "-V", v, "ed25519.pub"] for v in ("x", "", ":", "a:", ":b", "+", "+x", "+1x", "5:6", "always:always", "forever:forever", "-0:+0", "0x:0x1",
                                                   "0xg:0x1", "0x5:0x5", "0x6:0x5", "20250101:20240101", "19691231Z:forever", "202501012460:forever",
                                                   "-99999999999s:forever", "+1h:-1h", "2025:forever", "20250101z0:forever")),
    ["-I", "x", "-t", "rsa", "ed25519.pub"], ["-I", "x", "-t", "rsa-sha2-512", "ed25519.pub"],
]
OWN_WORDS = {"", "-99999999999s:forever", "source-address=1.2.3.4/8"}


def wrong_lines(sides):
    for args in WRONG:
        want, got = sides.theirs("-s", "p256", *args), sides.ours("-s", "p256", *args)
        same((got.returncode, got.stdout), (want.returncode, want.stdout), f"{args}: status ({got.stderr} beside {want.stderr})")
        first = lambda done: done.stderr.split(b"\r\n")[0].split(b"usage")[0]
        if not OWN_WORDS & set(args):
            same(first(got), first(want), f"{args}: first line")
    for value in "1.2.3.4/8", "x", "", "1.2.3.4,", "*", "!::1":
        same(sides.ours("-s", "p256", "-I", "x", "-O", f"source-address={value}", "ed25519.pub").returncode, 255, value)


def odd_inputs(sides):
    """-L on what is no certificate, on many, on standard input; -l shows the key's own fingerprint."""
    same(sides.ours("-q", "-s", "p256", "-I", "x", "-n", "a", "rsa.pub").returncode, 0, "status")
    cert, plain = sides.read("ours", "rsa-cert.pub"), sides.read("ours", "p384.pub")
    for who in "ours", "theirs":
        for name, text in {"cert": cert, "many": b"# comment\n" + plain + b"  " + cert + b"rubbish\n" + cert + b"# end", "none": plain, "bare": cert[:-1],
                           "crlf": cert.replace(b"\n", b"\r\n"), "empty": b"", "cut": cert[:300]}.items():
            sides.place.write(f"{who}/{name}", text)
    for name in "cert", "many", "none", "bare", "crlf", "empty", "cut":
        sides.both("-L", "-f", name, words=False)
        sides.both("-L", "-f", "-", stdin=sides.read("ours", name), words=False)
    for args in ["-L", "-E", "md5"], ["-L", "-E", "sha512"], ["-l"], ["-lE", "md5"], ["-lv"]:
        sides.both(*args, "-f", "cert")
    same(sides.ours("-L", "-f", "nosuch").returncode, sides.theirs("-L", "-f", "nosuch").returncode, "status without a file")


def relative_times(sides):
    for text, least, most in ("-4w:+4w", 4 * 604800, 4 * 604800), ("-1h30m:+1d", 5400, 86400), ("-90:+1W1D1H1M1S", 90, 694861):
        before = int(time.time())
        same(sides.ours("-q", "-s", "p256", "-I", "x", "-n", "a", "-V", text, "rsa.pub").returncode, 0, text)
        later = int(time.time())
        low, high = validity(sides)
        same(high - low, least + most, text)
        if not before - least <= low <= later - least:
            raise AssertionError(f"{text}: from {low} where {before - least} to {later - least} was expected")
    before = int(time.time())
    same(sides.ours("-q", "-s", "p256", "-I", "x", "-n", "a", "-V", "+52w1d", "rsa.pub").returncode, 0, "+52w1d")
    low, high = validity(sides)
    if low % 60 or not before - 120 < low <= high - 52 * 604800 - 86400 - 59:
        raise AssertionError(f"from {low} to {high} at {before}")
    sides.place.env["TZ"] = "Europe/Berlin"
    same(sides.ours("-q", "-s", "p256", "-I", "x", "-n", "a", "-V", "202507011200:202512011200", "rsa.pub", zone="Europe/Berlin").returncode, 0, "local")
    same(validity(sides), (1751364000, 1764586800), "local times, one of them in summer")


def validity(sides):
    text = sides.theirs("-L", "-f", "-", stdin=sides.read("ours", "rsa-cert.pub")).stdout.decode()
    return tuple(int(time.mktime(time.strptime(t, "%Y-%m-%dT%H:%M:%S"))) for t in re.search(r"Valid: from (\S+) to (\S+)\n", text).groups())


def files(sides):
    """Names, modes, comments; what was there is replaced, a key without .pub serves too, and no half-made file stays."""
    place = sides.place
    os.unlink(place.path("ours/p521.pub")), os.unlink(place.path("theirs/p521.pub"))
    place.write("ours/p521-cert.pub", b"old", 0o600)
    for name in "p521", "./p384", place.path("ours/p256.pub"):
        same(sides.ours("-q", "-s", "ed25519", "-I", "x", "-n", "a", name).returncode, 0, name)
        out = name.removesuffix(".pub") + "-cert.pub"
        path = out if out[0] == "/" else place.path(f"ours/{out}")
        same(stat.S_IMODE(os.stat(path).st_mode), 0o600 if name == "p521" else 0o644, f"mode of {out}")   # its own, where it was there
        same(sides.both("-L", "-f", "-", stdin=open(path, "rb").read()).returncode, 0, "status of -L")
    same(sides.ours("-s", "ed25519", "-I", "x", "p384-cert.pub").returncode, 255, "status for a certificate")
    same([n for n in os.listdir(place.path("ours")) if n.startswith("p384")].__len__(), 3, "files")
    for kind in "extension:a", "critical:b":
        done = sides.ours("-s", "ed25519", "-I", "x", "-O", kind, "-O", f"{kind}=x", "rsa.pub")
        same((done.returncode, b"given twice" in done.stderr), (255, True), kind)
        same(sides.ours("-q", "-s", "ed25519", "-I", "x", "-O", kind, "-O", kind, "rsa.pub").returncode, 0, f"{kind} repeated")


def agent(sides):
    """-U: the CA's key is in OpenSSH's agent; only its public half is in a file."""
    done = sides.place.run([programs.foreign("ssh-agent"), "/bin/sh", "-c", """
set -e
cd "$1"
"$2" -q rsa; "$2" -q ed25519
mv rsa rsa.away; mv ed25519 ed25519.away
for t in rsa-sha2-512 rsa-sha2-256; do "$3" -q -Us rsa.pub -t $t -I x -n a p256.pub; "$4" -Lf p256-cert.pub | grep using; done
"$3" -q -Us ed25519.pub -I x -n a p256.pub; "$4" -Lf p256-cert.pub | grep using
mv rsa.away rsa; mv ed25519.away ed25519
"$3" -Us p256.pub -I x -n a p384.pub && exit 1
true""", "sh", sides.place.path("ours"), programs.foreign("ssh-add"), sides.programs["ours"], sides.programs["theirs"]])
    same(re.findall(rb"\(using (.*)\)", done.stdout), [b"rsa-sha2-512", b"rsa-sha2-256", b"ssh-ed25519"], f"algorithms ({done.stderr})")
    same((done.returncode, b"not found in agent" in done.stderr), (0, True), "status and last words")
    for env in {}, {"SSH_AUTH_SOCK": "/nonexistent"}:
        sides.both("-U", "-s", "ed25519.pub", "-I", "x", "p384.pub", **env)


def names(sides):
    """ssh -Q: every name of OpenSSH 9.2's but DSA's, and what 10.5 has besides."""
    newer = {"ssh-mldsa44-ed25519@openssh.com", "ssh-mldsa44-ed25519-cert-v01@openssh.com", "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"}
    for query in "key", "key-cert", "key-plain", "key-sig", "sig":
        ours, theirs = (set(sides.place.run([ssh, "-Q", query], check=True).stdout.decode().split()) for ssh in (programs.ours("ssh"), programs.foreign("ssh")))
        same(ours - newer, {name for name in theirs if not name.startswith("ssh-dss")}, query)
        same(ours & newer, {name for name in newer if ("cert" in name or query != "key-cert") and ("cert" not in name or query not in ("key-plain", "sig"))
                            and (not name.startswith("webauthn") or query == "key-sig")}, f"{query}, newer than 9.2")


def main():
    tap = Tap()
    tap.note(f"SEED={SEED}")
    with Place() as place:
        sides = Sides(place)
        for n in range(TIMES):
            with tap.case(f"random certificates, part {n + 1}: 100 listings"):
                random_certificates(sides, 100)
        for case in wrong_lines, odd_inputs, relative_times, files, agent, names:
            with tap.case(case.__name__.replace("_", " ")):
                case(sides)
    tap.end()


main()
