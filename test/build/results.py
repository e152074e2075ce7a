#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""docs/RESULTS.md as tools/long.py writes it: one row a part, replaced by its next run, failures told."""
import contextlib
import io
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "..", "tools"), os.path.join(HERE, "..", "lib")]
import long  # noqa: E402
from tap import Tap, same  # noqa: E402
from tapsum import Sum  # noqa: E402

EVERY = [long.Part(name, f"what {name} is", "", []) for name in ("one", "two-a", "two-b")]


def sum_of(out, returncode=0):
    total = Sum()
    with contextlib.redirect_stdout(io.StringIO()):
        total.add("build/name", {"stdout": out, "result": "", "duration": 1.0, "returncode": returncode})
    return total


def check_page(tap, folder):
    long.PAGE = f"{folder}/RESULTS.md"

    def write(i, word):
        long.write_row(EVERY[i], ["size", word, "1 s", "abcd1234", "2025-01-01"], EVERY)
        with open(long.PAGE, encoding="utf-8") as f:
            return [(line.split(" | ")[0][2:], line.split(" | ")[3]) for line in f if line.startswith("| ")][1:]

    with tap.case("a row is written when there is no page"):
        same(write(2, "passed"), [("two-b", "passed")], "rows")
    with tap.case("a further part joins in the order of the parts"):
        same(write(0, "**failed**"), [("one", "**failed**"), ("two-b", "passed")], "rows")
    with tap.case("parts that never ran are named"), open(long.PAGE, encoding="utf-8") as f:
        same(f.read().splitlines()[-1], "Never run: two-a.", "last line")
    with tap.case("a part that ran again has one row, the last"):
        same(write(0, "passed"), [("one", "passed"), ("two-b", "passed")], "rows")


def check_results(tap):
    for name, out, returncode, want in (
            ("all passed", "ok 1 - a\nok 2 - b\n1..2\n", 0, "passed, 2 cases"),
            ("one skipped", "ok 1 - a\nok 2 - b # SKIP no peer\n1..2\n", 0, "passed, 1 case, 1 skipped"),
            ("one failed", "ok 1 - a\nnot ok 2 - b | c\n1..2\n", 1, "**failed**: 1 of 2: 2 - b / c"),
            ("crashed after the first", "ok 1 - a\n1..2\n", -11, "**failed**: 1 of 2: 1 of 2 planned cases (exit status -11)"),
            ("nothing ran", "1..0 # SKIP needs root\n", 0, "not run: skipped")):
        with tap.case(f"the result's words: {name}"):
            same(long.result(sum_of(out, returncode)), want, "result")


def check_run(tap, folder):
    """meson names what a test is given by its place below the build's folder."""
    with open(f"{folder}/given", "w", encoding="ascii") as f:
        f.write("ok 1 - here\n1..1\n")
    with tap.case("a test runs in its build's folder, at its long size or as in a test run"), contextlib.redirect_stdout(io.StringIO()):
        test = {"cmd": ["sh", "-c", 'cat "$0"; echo "# $NACRE_LONG"'], "env": {}, "workdir": None}
        for whole, told in (True, "1"), (False, ""):
            same(long.run_test(folder, test, ["given"], whole)["stdout"], f"ok 1 - here\n1..1\n# {told}\n", "output")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        check_page(tap, folder)
        check_run(tap, folder)
    check_results(tap)
    tap.end()


main()
