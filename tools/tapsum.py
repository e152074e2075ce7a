# SPDX-License-Identifier: ISC
"""What TAP output of test programs adds up to. A crash, a time-out, a plan not kept are failures of their own."""
import re


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
