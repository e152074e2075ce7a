#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Wycheproof's signature cases as SSH blobs through pubkey_parse() and pubkey_verify(), from $NACRE_VECTORS or ../shared/vectors. TAP:
one test a file, with the number of its cases; a file that is not there counts as skipped."""
import json
import os
import struct
import subprocess
import sys

DRIVER, SOURCE = sys.argv[1:3]
VECTORS = os.environ.get("NACRE_VECTORS") or os.path.join(SOURCE, "..", "shared", "vectors")


def string(data):
    data = data.encode() if isinstance(data, str) else data
    return struct.pack(">I", len(data)) + data


def mpint(number):
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big") if number else b"")


def ed25519(group, t):
    return "ssh-ed25519", string("ssh-ed25519") + string(bytes.fromhex(group["publicKey"]["pk"])), string(bytes.fromhex(t["sig"]))


def der_numbers(der):
    """r and s of a DER signature in the one right encoding, else None: SSH has no such signature."""
    def number(at):
        if der[at] != 2 or der[at + 1] > 0x7f:
            raise ValueError
        body = der[at + 2:at + 2 + der[at + 1]]
        if len(body) != der[at + 1] or not body or body[0] > 0x7f or (len(body) > 1 and body[0] == 0 and body[1] < 0x80):
            raise ValueError
        return int.from_bytes(body, "big"), at + 2 + len(body)

    try:
        at = 2 if der[1] < 0x80 else 3
        size = der[1] if at == 2 else der[2]
        if der[0] != 0x30 or (at == 3 and (der[1] != 0x81 or size < 0x80)) or size != len(der) - at:
            return None
        r, at = number(at)
        s, at = number(at)
        return (r, s) if at == len(der) else None
    except (ValueError, IndexError):
        return None


def ecdsa(bits):
    def case(group, t):
        name, numbers = f"ecdsa-sha2-nistp{bits}", der_numbers(bytes.fromhex(t["sig"]))
        if numbers is None:
            return None
        blob = string(name) + string(f"nistp{bits}") + string(bytes.fromhex(group["publicKey"]["uncompressed"]))
        return name, blob, string(mpint(numbers[0]) + mpint(numbers[1]))
    return case


def rsa(bits):
    def case(group, t):
        key = group["publicKey"]
        blob = string("ssh-rsa") + mpint(int(key["publicExponent"], 16)) + mpint(int(key["modulus"], 16))
        return f"rsa-sha2-{bits}", blob, string(bytes.fromhex(t["sig"]))
    return case


FILES = {
    "ed25519_test.json": ed25519,
    "ecdsa_secp256r1_sha256_test.json": ecdsa(256),
    "ecdsa_secp384r1_sha384_test.json": ecdsa(384),
    "ecdsa_secp521r1_sha512_test.json": ecdsa(521),
    "rsa_signature_2048_sha256_test.json": rsa(256),
    "rsa_signature_2048_sha512_test.json": rsa(512),
    "rsa_signature_3072_sha512_test.json": rsa(512),
    "rsa_signature_4096_sha512_test.json": rsa(512),
}


def run(driver, path, make):
    """The number of cases, and of those that came out otherwise than they should."""
    with open(path, encoding="utf-8") as f:
        groups = json.load(f)["testGroups"]
    count, wrong = 0, []
    for group in groups:
        for t in group["tests"]:
            made = make(group, t)
            if made is None:
                continue
            alg, blob, inner = made
            fields = [blob.hex(), t["msg"] or "-", (string(alg) + inner).hex()]
            driver.stdin.write(" ".join([alg, *fields]) + "\n")
            driver.stdin.flush()
            got = driver.stdout.readline().strip()
            count += 1
            allowed = {"valid": ["GOOD"], "invalid": ["BAD", "NOKEY"], "acceptable": ["GOOD", "BAD"]}[t["result"]]
            if got not in allowed:
                wrong.append(f"{t['tcId']} {t['comment']}: {got}, should be {t['result']}")
    return count, wrong


def main():
    failed = 0
    print(f"1..{len(FILES)}")
    with subprocess.Popen([DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:
        for i, (name, make) in enumerate(FILES.items(), 1):
            path = os.path.join(VECTORS, name)
            if not os.path.exists(path):
                print(f"ok {i} - {name} # SKIP not there")
                continue
            count, wrong = run(driver, path, make)
            failed += bool(wrong or not count)
            print(f"{'not ok' if wrong or not count else 'ok'} {i} - {name}: {count} signatures")
            for line in wrong[:5]:
                print("#", line)
    sys.exit(bool(failed))


main()
