# SPDX-License-Identifier: ISC
"""TAP output: one line a case, a plan at the end, the reason of a failure as diagnostics."""
import contextlib
import signal
import sys
import time
import traceback


for number in signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM:    # what we start takes them as usual, under nohup(1), too
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

PATIENCE = 120      # seconds for what must happen; only something that never happens lasts longer, however busy the machine


class Skip(Exception):
    """Raised inside a case: it cannot run here, and why."""


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def _line(self, word, name, note=""):
        self.count += 1
        print(f"{word} {self.count} - {name.replace('#', ' ')}{note}", flush=True)

    def ok(self, good, name, why=""):
        self.failed += not good
        self._line("ok" if good else "not ok", name)
        if not good and why:
            self.note(why)

    def skip(self, name, why):
        self._line("ok", name, f" # SKIP {why}")

    @staticmethod
    def note(text):
        for line in str(text).rstrip().splitlines():
            print("#", line, flush=True)

    @contextlib.contextmanager
    def case(self, name):
        """with tap.case(name): an exception fails the case, Skip skips it."""
        start = time.monotonic()
        try:
            yield
        except Skip as why:
            self.skip(name, why)
        except Exception:  # whatever it is, the other cases still run
            self.ok(False, name, f"after {time.monotonic() - start:.1f} s:\n{traceback.format_exc(limit=-3)}")
        else:
            self.ok(True, name)

    def end(self):
        """Print the plan and leave."""
        print(f"1..{self.count}", flush=True)
        sys.exit(1 if self.failed else 0)


def same(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, expected {want!r}")


def wait_for(what, condition):
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"no {what} within {PATIENCE} s")
