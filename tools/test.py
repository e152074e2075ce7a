#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Run every test of the builds and add up their TAP cases.

usage: tools/test.py [--long] [TEST...]

A crash, a time-out, a plan not kept, or fewer cases than test/FLOOR is a failure of its own.
"""
import json
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILDS = {"strict": "full", "asan": "asan"}  # build: the test setup in test/meson.build


class Sum:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.notes = []

    def fail(self, note):
        self.failed += 1
        self.notes.append(note)

    def add(self, name, record):
        """One test program: its TAP lines, then how it ended."""
        out = record.get("stdout", "")
        plan, seen, bad = None, 0, 0
        for line in out.splitlines():
            if m := re.match(r"1\.\.(\d+)(\s*#\s*skip.*)?", line, re.I):
                plan = int(m[1])
                if plan == 0:
                    self.skipped += 1
                    print(f"  skipped {name}: {line}")
            elif m := re.match(r"(not )?ok\b([^#]*)(#\s*skip\b(.*))?", line, re.I):
                seen += 1
                if m[3]:
                    self.skipped += 1
                    print(f"  skipped {name}:{m[2].rstrip()} ({m[4].strip()})")
                elif m[1]:
                    bad += 1
                    self.fail(f"{name}: {line}")
                else:
                    self.passed += 1
            elif line.startswith("Bail out!"):
                self.fail(f"{name}: {line}")
        if record["result"] in ("TIMEOUT", "INTERRUPT"):
            self.fail(f"{name}: {record['result'].lower()} after {record['duration']:.0f} s")
        elif plan is None:
            self.fail(f"{name}: no plan (exit status {record['returncode']})")
        elif plan != seen:
            self.fail(f"{name}: {seen} of {plan} planned cases (exit status {record['returncode']})")
        elif record["returncode"] and not bad:
            self.fail(f"{name}: exit status {record['returncode']}")
        if bad or plan != seen:
            print(out, record.get("stderr", ""), sep="\n")


def run_build(build, setup, extra, tests, total):
    where = f"{TOP}/build/{build}"
    log = f"{where}/meson-logs/testlog-{setup}.json"
    if os.path.exists(log):
        os.unlink(log)
    command = ["meson", "test", "-C", where, "--no-rebuild", "--setup", setup, "--num-processes", str(os.cpu_count() or 2), *extra, *tests]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
    if not os.path.exists(log):
        total.fail(f"{build}: the tests did not run")
        return
    with open(log, encoding="utf-8") as f:
        for line in f:
            record = json.loads(line)
            total.add(f"{build}/{record['name'].split(' / ')[-1]}", record)


def main():
    args = sys.argv[1:]
    long = "--long" in args
    tests = [a for a in args if not a.startswith("-")]
    os.environ["NACRE_LONG"] = "1" if long else ""
    start, total = time.monotonic(), Sum()
    for build, setup in BUILDS.items():
        run_build(build, setup, ["-t", "60"] if long else [], tests, total)
    with open(f"{TOP}/test/FLOOR", encoding="ascii") as f:
        floor = int(f.read().split()[-1])
    count = total.passed + total.failed + total.skipped
    if not tests and count < floor:
        total.fail(f"only {count} cases, test/FLOOR says {floor}")
    for note in total.notes:
        print("failed:", note)
    print(f"took {time.monotonic() - start:.0f} s")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed or not total.passed else 0


sys.exit(main())
