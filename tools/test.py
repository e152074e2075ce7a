#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Run every test of the builds and add up their TAP cases.

usage: tools/test.py [TEST...]
       tools/test.py --long [PART...]     see long.py beside this

A crash, a time-out, a plan not kept, or fewer cases than test/FLOOR is a failure of its own.
"""
import json
import os
import subprocess
import sys
import time

import long
from tapsum import Sum

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILDS = {"strict": "full", "asan": "asan"}  # build: the test setup in test/meson.build


def run_build(build, setup, tests, total):
    where = f"{TOP}/build/{build}"
    log = f"{where}/meson-logs/testlog-{setup}.json"
    if os.path.exists(log):
        os.unlink(log)
    at_once = (os.cpu_count() or 2) + 2     # many tests wait for others most of their time
    command = ["meson", "test", "-C", where, "--no-rebuild", "--setup", setup, "--num-processes", str(at_once), *tests]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
    if not os.path.exists(log):
        total.fail(f"{build}: the tests did not run")
        return
    with open(log, encoding="utf-8") as f:
        for line in f:
            record = json.loads(line)
            total.add(f"{build}/{record['name'].split(' / ')[-1]}", record)


def run_all(tests):
    """All tests of both builds, or those named, each with a fair share of its cases."""
    os.environ["NACRE_LONG"] = ""
    total = Sum()
    for build, setup in BUILDS.items():
        run_build(build, setup, tests, total)
    with open(f"{TOP}/test/FLOOR", encoding="ascii") as f:
        floor = int(f.read().split()[-1])
    count = total.passed + total.failed + total.skipped
    if not tests and count < floor:
        total.fail(f"only {count} cases, test/FLOOR says {floor}")
    return total


def main():
    args, start = sys.argv[1:], time.monotonic()
    names = [a for a in args if not a.startswith("-")]
    total = long.run(names, run_all) if "--long" in args else run_all(names)
    for note in total.notes:
        print("failed:", note)
    print(f"took {time.monotonic() - start:.0f} s")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed or not total.passed else 0


sys.exit(main())
