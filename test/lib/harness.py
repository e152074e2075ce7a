#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What the other tests lean on, each case once seen to fail: a driver that loses a race makes good programs look bad."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from place import Hung, Place
from tap import Tap, same

# As Dropbear's client ends: it lets go of the terminal, and exits a moment later. {} is what it does in that moment.
LET_GO = "import os, time\nos.write(1, b'shown')\nos.closerange(0, 3)\n{}\nos._exit(5)"


def main():
    tap = Tap()
    with Place() as place:
        with tap.case("a program that lets go of its terminal before it exits gets no hang-up, and its status counts"):
            done = place.run_terminal([sys.executable, "-c", LET_GO.format("time.sleep(0.5)")])
            same((done.returncode, done.stdout), (5, b"shown"), "status, screen")
        with tap.case("a program that stays is ended, and what it showed is told"):
            try:
                place.run_terminal(["sleep", "infinity"], typed=b"echoed", timeout=1)
            except Hung as hung:
                same("echoed" in str(hung) and "waits in" in str(hung), True, f"in the message {hung}")
            else:
                raise AssertionError("not noticed")
    tap.end()


main()
