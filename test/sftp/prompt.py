#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A person at sftp's prompt: lines are edited, remembered and completed, ^C ends a command and not the program."""
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "client")]
import programs  # noqa: E402
import trees  # noqa: E402
from tap import Tap, same  # noqa: E402
from term import Terminal  # noqa: E402

SERVER = "/usr/lib/openssh/sftp-server"


def environment(top):
    return {"PATH": programs.PATH, "HOME": top, "SHELL": "/bin/sh", "TERM": "xterm", "LC_ALL": "C.UTF-8"}


class Prompt:
    def __init__(self, top, *options, preload=None):
        self.local, self.remote = f"{top}/local", f"{top}/remote"
        trees.make(self.remote)
        trees.make(self.local)
        env = environment(top)
        if preload:
            env["LD_PRELOAD"] = preload
        os.chdir(self.local)
        self.terminal = Terminal([programs.ours("sftp"), "-D", f"{SERVER} -d {self.remote}", *options], env)
        self.wait("sftp> ")

    def wait(self, text):
        self.terminal.wait_for(text.encode())
        if text == "sftp> ":
            self.terminal.wait_echo(False)      # the editor takes the keys only then: it shows its prompt first

    def type(self, text):
        self.terminal.type(text.encode())

    def line(self, text, *wanted):
        self.type(text + "\n")
        for want in wanted:
            self.wait(want)
        self.wait("sftp> ")

    def end(self, text="bye\n"):
        self.type(text)
        status, screen = self.terminal.end()
        same(status, 0, f"status; the screen: {screen!r}")
        return screen


def lines(tap, top):
    with tap.case("commands at the prompt, and its end"):
        p = Prompt(top)
        p.line("pwd", f"Remote working directory: {p.remote}\r\n")
        p.line("frob", "Invalid command.")
        p.line("!echo shell", "shell\r\n")
        p.end()
    with tap.case("^D at the prompt ends it"):
        Prompt(top).end("\x04")
    with tap.case("an earlier line comes back"):
        p = Prompt(top)
        p.line("lpwd", f"Local working directory: {p.local}\r\n")
        p.line("\x1b[A", f"Local working directory: {p.local}\r\n")
        p.end()
    with tap.case("a line is edited"):
        p = Prompt(top)
        p.line("lpwx\x7fd", "Local working directory")
        p.end()


def completion(tap, top):
    rows = [("a command", "vers\t", "SFTP protocol version 3"),
            ("a remote name", "rename emp\tgone", None),
            ("a remote name with blanks", "get b\tnew", "Fetching {remote}/b c to new"),
            ("a remote name in open quotes", "get \"b c\tnew2", "Fetching {remote}/b c to new2"),
            ("a folder and what is in it", "ls d/s\t\t", "f"),
            ("a name that a pattern would read otherwise", "get quo\tnew3", "Fetching {remote}/quo'te\"*[x] to new3"),
            ("a local name, then a remote one", "put emp\td\tput", "Uploading empty to {remote}/d"),
            ("a local name for lcd", "lcd d/s\t", None)]
    for name, typed, wanted in rows:
        with tap.case(f"completion: {name}"):
            p = Prompt(top)
            if "b\t" in typed:
                os.remove(f"{p.remote}/big")
            p.line(typed, *([wanted.format(remote=p.remote)] if wanted else []))
            p.end()
            if typed.startswith("rename"):
                same(os.path.exists(f"{p.remote}/gone"), True, "renamed")
    with tap.case("a second tab shows what there is"):
        p = Prompt(top)
        p.type("ls d\t")
        p.wait("d/        dangling")
        p.type("\x15")
        p.end()
    with tap.case("names that steer a terminal are not put in, and shown safe"):
        p = Prompt(top)
        p.type("ls u/e\t\t")
        p.wait("esc\\033[1m")
        screen = p.end("\x15bye\n")
        if b"\x1b[1m" in screen:
            raise AssertionError(f"an escape sequence came through: {screen!r}")


def interrupts(tap, top):
    with tap.case("^C at the prompt forgets the line"):
        p = Prompt(top)
        p.type("rm a\x03")
        p.wait("sftp> ")
        p.line("pwd", "Remote working directory")
        p.end()
        same(os.path.exists(f"{p.remote}/a"), True, "a is there")
    with tap.case("^C just before the editor waits for a key is not lost"):
        p = Prompt(top, preload=os.environ["NACRE_EARLY"])
        p.wait("sftp> ")
        p.line("pwd", "Remote working directory")
        p.end()
    for verb, to in ("get", "local"), ("put", "remote"):
        with tap.case(f"^C in a {verb} ends it and not the program, and it can be taken up again"):
            p = Prompt(top, "-l", "400", "-R", "2", "-B", "8192")
            p.type(f"{verb} big part\n")
            p.wait("%")
            p.type("\x03")
            p.wait("Interrupt")
            p.wait("sftp> ")
            p.line("pwd", "Remote working directory")
            p.end()
            with open(f"{top}/{to}/part", "rb") as f, open(f"{p.remote}/big", "rb") as whole:
                got, want = f.read(), whole.read()
            same(len(got) < len(want) and want.startswith(got), True, f"a beginning of it: {len(got)} of {len(want)} bytes")


def meter_line(terminal, cols, percent):
    """Until the meter is drawn for a window of so many columns: the name's own grows with them, and the line fits."""
    terminal.wait_for(b"\r" + b"/home/good".ljust(cols - 37) + b" %3d%% " % percent)
    terminal.wait_for(b"\x1b[K")
    line = terminal.screen[:terminal.seen].rsplit(b"\r", 1)[1].removesuffix(b"\x1b[K")
    same(len(line) < cols, True, f"{line!r} fits into {cols} columns")


def resizing(tap, top):
    with tap.case("the progress meter follows the window's width, also while nothing comes"):
        held = f"{top}/held"
        os.mkfifo(held)
        t = Terminal([programs.ours("sftp"), "-B", "32768", "-D", f"/usr/bin/python3 {HERE}/liar.py holds"], {**environment(top), "HELD": held})
        t.wait_for(b"sftp> ")
        t.wait_echo(False)
        t.type(b"get good held-back\n")
        for cols in 91, 60, 140:
            t.resize(24, cols)
            meter_line(t, cols, 25)
        with open(held, "wb"):
            pass                                # the server goes on
        meter_line(t, 140, 100)
        t.wait_for(b"sftp> ")
        t.type(b"bye\n")
        same(t.end()[0], 0, "status")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="sftp-") as top:
        lines(tap, top)
        completion(tap, top)
        interrupts(tap, top)
        resizing(tap, top)
        os.chdir("/")
    tap.end()


main()
