#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Each program links what the file `needed` says, no more and no less, and is hardened."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import programs  # noqa: E402
from tap import Tap, same  # noqa: E402


def readelf(*args):
    return subprocess.run(["readelf", "-W", *args], capture_output=True, text=True, check=True).stdout


def check_hardening(path):
    """Position independent, nothing writable after relocation, no executable stack, stack protector, checked libc calls."""
    header, segments, dynamic, names = (readelf(flag, path) for flag in ("-h", "-l", "-d", "--dyn-syms"))
    flaws = [flaw for flaw, fine in {
        "not position independent": "DYN (Position-Independent" in header and "PIE" in dynamic,
        "no RELRO": "GNU_RELRO" in segments,
        "lazy binding": "NOW" in dynamic,
        "executable stack": re.search(r"GNU_STACK.* RW ", segments),
        "writable and executable segment": not re.search(r"LOAD.* RWE ", segments),
        "no stack protector": "__stack_chk_fail" in names,
        "no checked libc calls": "_chk@" in names.replace("__stack_chk_fail@", ""),
        "text relocations": "TEXTREL" not in dynamic,
        "a library path of its own": "RPATH" not in dynamic and "RUNPATH" not in dynamic,
    }.items() if not fine]
    same(flaws, [], "flaws")


def main():
    tap = Tap()
    with open(f"{HERE}/needed", encoding="ascii") as f:
        rows = [line.split() for line in f if line.strip() and not line.startswith("#")]
    for name, *libraries in rows:
        path = programs.ours(name)
        with tap.case(f"{name} links {' '.join(libraries)}"):
            same(sorted(re.findall(r"NEEDED.*\[(.*)\]", readelf("-d", path))), sorted(libraries), "NEEDED")
        with tap.case(f"{name} is hardened"):
            check_hardening(path)
    with tap.case("every program has a row"):
        same(sorted(programs.PROGRAMS), sorted(name for name, *_ in rows), "programs")
    tap.end()


main()
