#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""File signatures and allowed signers by our ssh-keygen, beside OpenSSH's: made by either, judged by both; random signer files, broken
signatures, keys in an agent, files that are none."""
import base64
import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
from pair import RANDOM, SEED, TIMES, Pair, mutated
from place import Place
from tap import Skip, Tap, same, wait_for

KINDS = {"ed25519": ("-t", "ed25519"), "p256": ("-t", "ecdsa"), "p384": ("-t", "ecdsa", "-b", "384"), "p521": ("-t", "ecdsa", "-b", "521"),
         "rsa": ("-t", "rsa", "-b", "2048")}
BEGIN, END = b"-----BEGIN SSH SIGNATURE-----\n", b"\n-----END SSH SIGNATURE-----\n"
DATA = b"what is signed\n"


def prepare(pair):
    """Keys, CAs, certificates; a signature by each key and certificate in NAME.sig."""
    pair.write("data", DATA)
    for name, kind in KINDS.items():
        pair.key(name, *kind)
    for ca in "ca", "ca2", "other":
        pair.key(ca)
    certs = {"cert": ("ed25519", "-n", "me,you@x.example"), "old": ("p256", "-n", "me", "-V", "20100101Z:20110101Z"),
             "host": ("p384", "-h", "-n", "me"), "nobody": ("p521",), "certrsa": ("rsa", "-n", "me")}
    for name, (key, *args) in certs.items():
        pair.certify("ca", key, f"{name}-cert", "-I", "id", *args)
        os.link(pair.path(key), pair.path(name))
    signers = [*KINDS, *(f"{n}-cert.pub" for n in certs)]
    for n, signer in enumerate(signers):
        who = ("ours", "theirs")[n % 2]
        status, out, err = pair.run(who, "-Y", "sign", "-q", "-f", signer, "-n", "file", *RANDOM.choice([[], ["-Ohashalg=sha256"], ["-OHASHALG=sha512"]]),
                                    stdin=DATA)
        same((status, err), (0, b""), f"{who} signing with {signer}")
        pair.write(f"{signer.removesuffix('.pub')}.sig", out)
    return [s.removesuffix(".pub") for s in signers]


# ---- signing ----

def same_signatures(pair):
    """These signatures are the same bytes each time, so that ours must be theirs."""
    for signer in "ed25519", "rsa", "cert-cert.pub", "certrsa-cert.pub", "ed25519.pub":
        for args in [], ["-O", "hashalg=sha256"], ["-O", "hashalg=sha512"]:
            pair.both("-Y", "sign", "-f", signer, "-n", "a name", *args, stdin=RANDOM.randbytes(RANDOM.choice([0, 1, 1000, 300000])))


def signing_files(pair):
    for who in "ours", "theirs":
        pair.write("a", "a\n"), pair.write("b", "b\n")
        for name in "a.sig", "b.sig":
            if os.path.exists(pair.path(name)):
                os.unlink(pair.path(name))
        first = pair.run(who, "-Y", "sign", "-f", "ed25519", "-n", "file", "a", "b")
        files = pair.read("a.sig"), pair.read("b.sig"), os.stat(pair.path("a.sig")).st_mode
        again = [pair.run(who, "-Y", "sign", "-f", "rsa", "-n", "file", "a", stdin=answer) for answer in (b"n\n", b"y\n")]
        mixed = pair.run(who, "-Y", "sign", "-f", "ed25519", "-n", "file", "-", stdin=b"x")
        missing = pair.run(who, "-Y", "sign", "-q", "-f", "ed25519", "-n", "file", "none", "a")
        now = first, files, again, mixed, missing, pair.read("a.sig")
        if who == "ours":
            got = now
    same(got, now, "signing files")
    if got[1][0] == got[5]:
        raise AssertionError("the answer y overwrote nothing")


def long_files(pair):
    """256 MiB with 64 MiB of memory."""
    with open(pair.path("sparse"), "wb") as f:
        f.truncate(256 << 20)

    done = pair.place.run(["/bin/sh", "-c", 'ulimit -v 65536; exec "$@"', "sh", pair.programs["ours"], "-Y", "sign", "-f", "ed25519", "-n", "file",
                           "-q", "sparse"], cwd=pair.folder)
    same((done.returncode, done.stderr), (0, b""), "signing")
    os.rename(pair.path("sparse.sig"), pair.path("sparse.ours"))
    same(pair.run("theirs", "-Y", "sign", "-f", "ed25519", "-n", "file", "-q", "sparse")[0], 0, "OpenSSH signing")
    same(pair.read("sparse.ours"), pair.read("sparse.sig"), "signatures")


def agents(pair):
    """-f KEY.pub without the private file, each program with an agent."""
    agent = programs.foreign("ssh-agent")
    sock = pair.path("agent.sock")
    pair.place.start([agent, "-D", "-a", sock], "agent.log")
    wait_for("the agent", lambda: os.path.exists(sock))
    env = dict(pair.place.env, SSH_AUTH_SOCK=sock)
    os.mkdir(pair.path("away"))
    for name in "ed25519", "rsa":
        pair.both("-Y", "sign", "-U", "-f", f"{name}.pub", "-n", "file", stdin=DATA, env=env)      # not there yet
        pair.place.run([programs.foreign("ssh-add"), "-q", pair.path(name)], env=env, check=True)
        os.rename(pair.path(name), pair.path(f"away/{name}"))
        try:
            pair.both("-Y", "sign", "-f", f"{name}.pub", "-n", "file", stdin=DATA)                 # no agent, no file
            for args in [], ["-U"]:
                pair.both("-Y", "sign", *args, "-f", f"{name}.pub", "-n", "file", stdin=DATA, env=env)
        finally:
            os.rename(pair.path(f"away/{name}"), pair.path(name))
    pair.both("-Y", "sign", "-U", "-f", "p256.pub", "-n", "file", stdin=DATA, env=env)
    pair.both("-Y", "sign", "-U", "-f", "p256.pub", "-n", "file", stdin=DATA)
    # the agent has the plain key only: OpenSSH looks for the certificate there, we take the key
    os.unlink(pair.path("cert"))
    status, out, _ = pair.run("ours", "-Y", "sign", "-U", "-f", "cert-cert.pub", "-n", "file", stdin=DATA, env=env)
    os.link(pair.path("ed25519"), pair.path("cert"))
    same((status, out), (0, pair.run("theirs", "-Y", "sign", "-f", "cert-cert.pub", "-n", "file", stdin=DATA)[1]), "a certificate's key in the agent")


# ---- judging ----

def random_signers(pair, keys):
    """No blank lines and none with a quote amid a word: on those OpenSSH says less or more."""
    times = ["20100101", "20100601Z", "20300101", "20101231235959Z", "19990101UTC", "202101010000"]
    lines = []
    for _ in range(RANDOM.randint(0, 5)):
        options = RANDOM.sample(["cert-authority", "CERT-authority", 'namespaces="file"', 'namespaces="git,f*"', 'namespaces="x"', 'namespaces=""',
                                 f'valid-after="{RANDOM.choice(times)}"', f'valid-before="{RANDOM.choice(times)}"'], RANDOM.choice([0, 0, 1, 1, 2]))
        bad = ["foo", "namespaces=file", 'namespaces="x', 'valid-after="x"', "cert-authority,", 'valid-after="2010"', "valid-before"]
        if RANDOM.random() < 0.1:
            options.append(RANDOM.choice(bad))
        who = RANDOM.choice(["me", "you@x.example", "*", "m?,you*", "!me,*", '"me,other"', "*@x.example", "nobody"])
        line = RANDOM.choice(["", "", " ", "\t"]) + who + RANDOM.choice([" ", "\t", "  "]) + ",".join(options) + " " * bool(options)
        key = pair.read(RANDOM.choice(keys)).decode().strip()
        lines.append(line + RANDOM.choice([key] * 9 + ["ssh-ed25519 AAAA", "nonsense", key.rsplit(" ", 1)[0]]))
        lines += RANDOM.choice([[]] * 4 + [["# a comment"]])
    return "".join(f"{x}\n" for x in lines)


def random_verdicts(pair, signers, rounds):
    keys = [*(f"{k}.pub" for k in KINDS), "ca.pub", "ca.pub", "ca2.pub", "cert-cert.pub"]
    for _ in range(rounds):
        pair.text = random_signers(pair, keys)
        pair.write("signers", pair.text)
        signer = RANDOM.choice([*signers, "cert-cert", "ed25519"])
        at = RANDOM.choice([[], [], ["-Overify-time=20100301Z"], ["-O", "verify-time=20110101"], ["-Overify-time=20250101000000Z"]])
        who, space = RANDOM.choice(["me", "me", "you@x.example", "other", "nobody"]), RANDOM.choice(["file", "file", "file", "git"])
        revoked = RANDOM.choice([[]] * 4 + [["-r", "ca.pub"], ["-r", f"{signer.split('-')[0]}.pub" if signer in KINDS else "other.pub"]])
        args = ["-Y", "verify", "-f", "signers", "-I", who, "-n", space, "-s", f"{signer}.sig", *at, *RANDOM.choice([[], [], ["-Oprint-pubkey"], ["-q"]])]
        stdin = RANDOM.choice([DATA] * 5 + [DATA + b"x"])
        pair.both(*args, *revoked, stdin=stdin, stderr=not revoked)
        pair.both("-Y", "find-principals", "-f", "signers", "-s", f"{signer}.sig", *at)
        pair.both("-Y", "match-principals", "-f", "signers", "-I", who)
        pair.both("-Y", "check-novalidate", "-n", space, "-s", f"{signer}.sig", stdin=stdin)


def broken_signatures(pair, rounds):
    """The same verdicts; the words are our own."""
    pair.write("signers", "".join(f"me {pair.read(f'{k}.pub').decode()}" for k in KINDS))
    for _ in range(rounds):
        armour = pair.read(RANDOM.choice(["ed25519.sig", "rsa.sig", "cert-cert.sig", "p256.sig"]))
        if RANDOM.random() < 0.5:
            blob = mutated(base64.b64decode(armour[len(BEGIN):-len(END)]))
            pair.text = BEGIN + base64.b64encode(blob) + END
        else:
            pair.text = mutated(armour)
        pair.write("broken", pair.text)
        args = ["-Y", "check-novalidate", "-n", "file", "-s", "broken", "-Oprint-pubkey"]
        got, want = pair.run("ours", *args, stdin=DATA), pair.run("theirs", *args, stdin=DATA)
        # A NUL ends OpenSSH's base64, and in a reserved field it takes what it did not sign only if it was signed
        if b"\0" not in pair.text:
            same(got[:2], want[:2], f"{pair.text!r}: {got[2]!r}, {want[2]!r}")
        if got[0] and got[2].count(b"\n") != 1:
            raise AssertionError(f"not one line: {got[2]!r}")
        args = ["-Y", "verify", "-f", "signers", "-I", "me", "-n", "file", "-s", "broken"]
        if pair.run("ours", *args, stdin=DATA)[0] == 0 and got[0]:
            raise AssertionError("verify takes what check-novalidate refuses")


def algorithms(pair):
    """TRUST T21: RSA signatures with SHA-1 are none, whatever else is right."""
    fields, rest = [], base64.b64decode(pair.read("rsa.sig")[len(BEGIN):-len(END)])
    head, rest = rest[:10], rest[10:]
    while rest:
        n = int.from_bytes(rest[:4], "big")
        fields.append(rest[4:4 + n])
        rest = rest[4 + n:]
    packed = lambda *parts: b"".join(len(p).to_bytes(4, "big") + p for p in parts)
    text = b"SSHSIG" + packed(fields[1], b"", b"sha512", hashlib.sha512(DATA).digest())
    pair.write("text", text)
    for name, digest, good in (b"ssh-rsa", "-sha1", False), (b"rsa-sha2-256", "-sha256", True), (b"rsa-sha2-512", "-sha512", True):
        pair.write("pem", pair.read("rsa"))
        same(pair.run("theirs", "-q", "-p", "-N", "", "-m", "PEM", "-f", "pem")[0], 0, "the key as PEM")
        done = pair.place.run([programs.foreign("openssl"), "dgst", digest, "-sign", pair.path("pem"), pair.path("text")], check=True)
        blob = head + packed(fields[0], fields[1], b"", b"sha512", packed(name, done.stdout))
        pair.write("made", BEGIN + base64.b64encode(blob) + END)
        status = pair.both("-Y", "check-novalidate", "-n", "file", "-s", "made", stdin=DATA, stderr=False)[0]
        same(status == 0, good, name)


def wrong_usage(pair):
    for op in "sign", "verify", "check-novalidate", "find-principals", "match-principals":
        for args in [], ["-n", "x"], ["-f", "x"], ["-n", "x", "-s", "y"], ["-n", "", "-f", "x"], ["-f", "x", "-s", "y"]:
            status = [pair.run(w, "-Y", op, *args)[0] for w in ("ours", "theirs")]
            same(status[0], status[1], f"{op} {args}")
    for args in (["-Y", "sign", "-f", "none", "-n", "x"], ["-Y", "sign", "-f", "ed25519", "-n", "x", "-O", "foo"],
                 ["-Y", "match-principals", "-f", "none", "-I", "x"],
                 ["-Y", "verify", "-f", "none", "-I", "me", "-n", "file", "-s", "ed25519.sig"], ["-Y", "check-novalidate", "-n", "file", "-s", "none"]):
        pair.both(*args, stdin=DATA)
    for time in "x", "2010", "19690101", "19700101Z", "201001011260", "0x1":
        args = ["-Y", "check-novalidate", "-n", "file", "-s", "ed25519.sig", "-O", f"verify-time={time}"]
        same([pair.run(w, *args, stdin=DATA)[0] for w in ("ours", "theirs")], [255, 255], f"verify-time={time}")
    same(pair.run("ours", "-Y", "frobnicate")[0], 1, "an unknown operation")


def special_files(pair):
    os.mkfifo(pair.path("fifo"))
    os.mkdir(pair.path("folder"))
    with open(pair.path("huge"), "wb") as f:
        f.truncate(10 << 30)
    for name, why in {"fifo": b"not a regular file", "folder": b"Is a directory", "huge": b"too large"}.items():
        for args in (["-Y", "check-novalidate", "-n", "file", "-s", name], ["-Y", "verify", "-f", name, "-I", "me", "-n", "file", "-s", "ed25519.sig"],
                     ["-Y", "verify", "-f", "signers", "-I", "me", "-n", "file", "-s", "ed25519.sig", "-r", name]):
            status, out, err = pair.run("ours", *args, stdin=DATA)
            same((status, out, err.count(b"\n"), why in err), (255, b"Could not verify signature.\n", 1, True), f"{args}: {err!r}")
    pair.write("longline", b"me " + b"x" * (1 << 20) + b"\n" + b"me " + pair.read("ed25519.pub"))
    status, out, err = pair.run("ours", "-Y", "verify", "-f", "longline", "-I", "me", "-n", "file", "-s", "ed25519.sig", stdin=DATA)
    same((status, err.count(b"\n")), (0, 1), f"a long line before a good one: {err!r}")
    pair.write("nul", b"me\0 " + pair.read("ed25519.pub"))
    same(pair.run("ours", "-Y", "verify", "-f", "nul", "-I", "me", "-n", "file", "-s", "ed25519.sig", stdin=DATA)[0], 255, "a NUL in a line")


def main():
    tap = Tap()
    tap.note(f"SEED={SEED}")
    with Place() as place:
        pair = Pair(place)
        signers = prepare(pair)
        for name, part in {"what has one signature only is the same bytes": lambda: same_signatures(pair),
                           "files, answers and words of signing are the same": lambda: signing_files(pair),
                           "a file of 256 MiB is not held in memory": lambda: long_files(pair),
                           "keys in an agent sign": lambda: agents(pair),
                           f"{25 * TIMES} random signer files: the same verdicts, names and words": lambda: random_verdicts(pair, signers, 25 * TIMES),
                           f"{25 * TIMES} broken signatures: the same verdicts": lambda: broken_signatures(pair, 25 * TIMES),
                           "RSA with SHA-1 is refused": lambda: algorithms(pair),
                           "wrong usage: the same statuses": lambda: wrong_usage(pair),
                           "FIFOs, folders, endless files and lines: one line": lambda: special_files(pair)}.items():
            with tap.case(name):
                part()
    tap.end()


main()
