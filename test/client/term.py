# SPDX-License-Identifier: ISC
"""A person at a terminal: waits for a text, types an answer."""
import fcntl
import os
import select
import subprocess
import termios
import time

from place import die_with_parent
from tap import PATIENCE


class Terminal:
    def __init__(self, argv, env, size=(37, 91), extra=None):
        self.master, slave = os.openpty()
        termios.tcsetwinsize(slave, size)

        def own():
            die_with_parent()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        stdio = {"stdin": slave, "stdout": slave, "stderr": slave} | (extra or {})
        self.process = subprocess.Popen(argv, env=env, start_new_session=True, preexec_fn=own, **stdio)
        os.close(slave)
        self.screen, self.seen = b"", 0

    def wait_for(self, text):
        """Until the screen shows the text after what was waited for last."""
        until = time.monotonic() + PATIENCE
        while text not in self.screen[self.seen:]:
            if not self.read(until):
                raise AssertionError(f"{text!r} did not come; the screen: {self.screen[self.seen:]!r}")
        self.seen = self.screen.index(text, self.seen) + len(text)

    def read(self, until):
        if not select.select([self.master], [], [], max(0, until - time.monotonic()))[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:     # EIO: nobody has the terminal any more
            return False
        self.screen += data
        return bool(data)

    def wait_echo(self, on):
        """Until echo is off (a secret is asked for) or on again."""
        until = time.monotonic() + PATIENCE
        while bool(termios.tcgetattr(self.master)[3] & termios.ECHO) != on:
            if time.monotonic() > until:
                raise AssertionError(f"echo stayed {'off' if on else 'on'}")
            time.sleep(0.002)

    def type(self, text):
        os.write(self.master, text)

    def resize(self, rows, cols):
        termios.tcsetwinsize(self.master, (rows, cols))

    def end(self):
        """The status and all of the screen."""
        until = time.monotonic() + PATIENCE
        while self.read(until):
            pass
        try:
            status = self.process.wait(max(0.1, until - time.monotonic()))
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            os.close(self.master)
        return status, self.screen


def dialogue(argv, env, steps, secret=()):
    """steps: (text to wait for, answer); secret: those texts after which echo must be off before anything is typed."""
    t = Terminal(argv, env)
    try:
        for text, answer in steps:
            t.wait_for(text)
            if text in secret:
                t.wait_echo(False)
            t.type(answer)
    except AssertionError:
        t.process.kill()
        raise
    return t.end()
