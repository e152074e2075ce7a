#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ssh-audit on our server with its defaults: the rows it prints are those of the file audit_rows, no more and no less.

usage: audit.py [--print]      --print: the rows as they are now
"""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Place  # noqa: E402
from tap import Tap, same  # noqa: E402


def audit(place):
    """`kind algorithm: what it says of it` a row; not its header, the fingerprints and the recommendations."""
    server = servers.sshd(place, programs.ours("sshd"), ["MaxStartups 100"], ["ed25519", "ecdsa256", "rsa"])
    out = place.run([programs.foreign("ssh-audit"), "-n", "-b", "-p", str(server.port), "127.0.0.1"], timeout=120).stdout.decode()
    rows, row = [], ""
    for line in out.splitlines():
        if found := re.match(r"\((kex|key|enc|mac)\) (\S+(?: \([^)]*\))?)\s*(?:-- )?(.*)", line):
            row = f"{found[1]} {found[2]}"
        elif not (found := re.match(r"\s+(`- )(.*)", line)):
            continue
        rows.append(f"{row}: {found[found.lastindex].strip()}")
    return sorted(rows)


def main():
    room.enter()
    with Place() as place:
        if "--print" in sys.argv:
            print("\n".join(audit(place)))
            return
        tap = Tap()
        with open(f"{HERE}/audit_rows", encoding="ascii") as f:
            expected = [line.rstrip("\n") for line in f if not line.startswith("#")]
        with tap.case("ssh-audit says what is expected"):
            rows = audit(place)
            same([row for row in rows if row not in expected], [], "rows that are not expected")
            same([row for row in expected if row not in rows], [], "expected rows that are lacking")
        tap.end()


main()
