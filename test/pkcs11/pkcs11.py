#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ssh-pkcs11-helper and kit/pkcs11.h: keys on a SoftHSM token, PINs, and modules that crash, hang and lie."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import programs  # noqa: E402
from place import Place  # noqa: E402
from tap import Tap, same  # noqa: E402
from tokens import KINDS, PIN, Token, softhsm  # noqa: E402

FOLDER = f"{programs.build_folder()}/test/pkcs11"
ALGS = {"rsa": ["rsa-sha2-256", "rsa-sha2-512", "ssh-rsa", "rsa-sha2-512-cert-v01@openssh.com"], "cert": ["rsa-sha2-512"],
        "ecdsa256": ["ecdsa-sha2-nistp256"], "ecdsa384": ["ecdsa-sha2-nistp384"], "ecdsa521": ["ecdsa-sha2-nistp521"], "ed25519": ["ssh-ed25519"]}
EVIL = "\\033]0;evil\\007\\012"
RFC8032 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"


def drive(place, module, pin="-", asked=(), commands="", **env):
    """Status and output lines of the driver."""
    done = place.run([f"{FOLDER}/pkcs11-driver", module, pin, *asked], stdin=commands.encode(), env=place.env | env)
    if done.stderr and b"error: " not in done.stderr:
        raise AssertionError(done.stderr.decode())
    return done.returncode, done.stdout.decode().splitlines()


def after_keys(lines):
    return [line for line in lines if not line.startswith("key ")]


def check_token(tap, place, token):
    with tap.case("lists a key of each kind, that of a certificate too, without a PIN; the public halves are the token's"):
        status, lines = drive(place, token.module, asked=["x"])
        listed = {line.split()[-1]: " ".join(line.split()[1:3]) for line in lines}
        same((status, set(listed)), (0, {*KINDS, "cert"}), "status, labels")
        public = place.run([programs.foreign("ssh-keygen"), "-y", "-f", token.cert_key], check=True).stdout.decode()
        same(listed["cert"], " ".join(public.split()[:2]), "the certificate's key")
        theirs = place.run([programs.foreign("ssh-keygen"), "-D", token.module]).stdout.decode().splitlines()
        same({" ".join(line.split()[:2]) for line in theirs} - set(listed.values()), set(), "keys that only Debian's ssh-keygen lists")
    for how in "sign", "begin":
        with tap.case(f"each key signs by each of its algorithms ({how})"):
            wanted = [(label, alg) for label, algs in ALGS.items() for alg in algs if "cert-v01" not in alg]
            status, lines = drive(place, token.module, PIN, commands="".join(f"{how} {label} {alg} text\n" for label, alg in wanted))
            same((status, after_keys(lines)), (0, ["signed well"] * len(wanted)), "status, answers")
    with tap.case("a key does not sign by another's algorithm, and goes on signing"):
        _, lines = drive(place, token.module, PIN, commands="sign rsa ssh-ed25519 x\nsign rsa rsa-sha2-256 x\n")
        same(after_keys(lines), ["failed KEY_TYPE: this key does not sign by this algorithm", "signed well"], "answers")


def check_pins(tap, place, token):
    command = "sign ed25519 ssh-ed25519 x\n"
    with tap.case("a PIN is asked for at the first signature only"):
        _, lines = drive(place, token.module, asked=[PIN], commands=command * 3)
        same(after_keys(lines), ["asked for shelf"] + ["signed well"] * 3, "answers")
    with tap.case("a wrong PIN is asked for again, and after three the signature fails"):
        _, lines = drive(place, token.module, asked=["9999", PIN], commands=command)
        same(after_keys(lines), ["asked for shelf"] * 2 + ["signed well"], "answers")
        _, lines = drive(place, token.module, asked=["9999", "8888", "7777", PIN], commands=command)
        same(after_keys(lines), ["asked for shelf"] * 3 + ['failed PASSPHRASE: login to token "shelf" failed: CKR_PIN_INCORRECT'], "answers")
    with tap.case("no answer is an answer"):
        _, lines = drive(place, token.module, asked=[""], commands=command)
        same(after_keys(lines), ["asked for shelf", "failed PASSPHRASE: no PIN given"], "answers")
    with tap.case("a wrong PIN given ahead is an error at once, and so is none where nobody can be asked"):
        same(drive(place, token.module, "9999"), (1, ['failed PASSPHRASE: login to token "shelf" failed: CKR_PIN_INCORRECT']), "wrong")
        same(drive(place, token.module), (1, ['failed PASSPHRASE: token "shelf" wants a PIN']), "none")
        same(drive(place, token.module, "1" * 300), (1, ["failed PASSPHRASE: the PIN is too long"]), "long")


def check_paths(tap, place, token):
    copy = place.write("module.so", open(f"{FOLDER}/badmodule.so", "rb").read(), 0o755)
    os.mkfifo(place.path("fifo"))
    os.symlink(copy, place.path("link"))
    os.symlink("fifo", place.path("fifo-link"))
    os.mkdir(place.path("folder"))
    place.write("text", "C_GetFunctionList\0")
    place.write("cut.so", open(copy, "rb").read()[:4000])
    with tap.case("links and .. are followed to the module"):
        for path in copy, place.path("link"), f"{place.folder}/folder/../link":
            same(drive(place, path, asked=["x"])[0], 0, path)
    for name, why in {"fifo": "is not a PKCS#11 library", "fifo-link": "is not a PKCS#11 library", "folder": "is not a PKCS#11 library",
                      "text": "is not a PKCS#11 library", "cut.so": "is not a PKCS#11 library", "nothing": "No such file or directory"}.items():
        with tap.case(f"no module: {name}"):
            status, lines = drive(place, place.path(name), asked=["x"])
            same((status, lines[0].endswith(why)), (1, True), f"status, {lines}")
    with tap.case("a library that is no module is not loaded"):
        for path in programs.ours("ssh-pkcs11-helper"), token.module.replace("softhsm/libsofthsm2", "libc") + ".6", "/dev/zero", "/proc/self/mem":
            same(drive(place, path, asked=["x"])[0], 1, path)


def check_faults(tap, place):
    module, command = f"{FOLDER}/badmodule.so", f"sign {EVIL} ssh-ed25519 x\n"
    with tap.case("a module's label passes the escaper"):
        status, lines = drive(place, module, asked=["x"])
        same((status, lines), (0, [f"key {RFC8032} {EVIL}"]), "status, lines")
    for at in "initialize", "search", "attributes", "sign":
        for fault in "crash", "exit", "hang":
            with tap.case(f"a module that does this in {at}: {fault}"):
                for way in ({}, {"BY_POLL": "yes"}) if fault != "hang" or at in ("search", "sign") else ({},):
                    _, lines = drive(place, module, asked=["x"], commands=command.replace("sign", "begin") if way else command, MODULE_FAULT=fault,
                                     MODULE_AT=at, TIMEOUT_S="1" if fault == "hang" else "1000", **way)
                    same(after_keys(lines), ["failed TIMEOUT: the PKCS#11 module does not answer" if fault == "hang" else
                                             "failed PEER_GONE: the PKCS#11 module crashed"], f"answers {way}")
    with tap.case("a signature that is not good does not leave"):
        _, lines = drive(place, module, asked=["x"], commands=command, MODULE_FAULT="lie")
        same(after_keys(lines), ["failed SIGNATURE: the token's signature is not good"], "answers")
    with tap.case("more keys than anybody listens to, attributes without end, more slots than fit"):
        status, lines = drive(place, module, asked=["x"], MODULE_FAULT="many")
        same((status, lines), (0, [f"key {RFC8032} {EVIL}"]), "many: status, lines")
        same(drive(place, module, asked=["x"], MODULE_FAULT="huge"), (0, []), "huge")
        same(drive(place, module, asked=["x"], MODULE_FAULT="slots"), (1, ["failed UNSUPPORTED: C_GetSlotList failed: too many slots"]), "slots")


def main():
    tap = Tap()
    with Place() as place:
        place.env["SSH_PKCS11_HELPER"] = programs.ours("ssh-pkcs11-helper")
        check_faults(tap, place)
        token = None
        with tap.case("a token with keys of all kinds"):
            softhsm()
            token = Token(place)
        if token:
            check_token(tap, place, token)
            check_pins(tap, place, token)
            check_paths(tap, place, token)
        with tap.case("started by hand it says so and ends"):
            same(place.run([programs.ours("ssh-pkcs11-helper")]).returncode, 1, "status")
    tap.end()


main()
