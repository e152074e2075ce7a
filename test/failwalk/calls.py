#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""TRUST T06 for a login: our ssh logs in to our sshd, sends data through a command and gets it back, and one system call of one of
their processes is interrupted, does less than asked for, or fails; each call in its turn. Whatever it is: the login works, or the
client says why in a line and ends with 255; nothing crashes, hangs or stays behind, and the next login works.

In a test run it is a fair share of the calls, picked by NACRE_SEED, which is printed; with NACRE_LONG every one.
"""
import ctypes
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import failing  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from failing import EINTR, FAIL, MODES, PROGRAMS, SHORT  # noqa: E402
from place import Place  # noqa: E402
from tap import Tap, same, wait_for  # noqa: E402

SEED = int(os.environ.get("NACRE_SEED") or time.time())
LONG = bool(os.environ.get("NACRE_LONG"))
SHARE = 100          # failures tried in a test run for each kind of login, of about 1000
ROLES = {("ssh", 0): "ssh", ("ssh", 1): "ssh starting its transport", ("ssh-transport", 0): "ssh's transport", ("sshd", 0): "listener",
         ("sshd", 1): "warden", ("sshd", 2): "session before its shell", ("sshd-net", 0): "nursery", ("sshd-net", 1): "face and verifier",
         ("sshd-keys", 0): "keys"}
DATA = random.Random(1).randbytes(150000)


def tree(pid):
    """{pid: name} of what descends from a process, without zombies."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as f:
                stat = f.read()
        except OSError:
            continue
        rest = stat[stat.rindex(")") + 2:].split()
        children.setdefault(int(rest[1]), []).append((int(entry), stat[stat.index("(") + 1:stat.rindex(")")], rest[0]))
    found, todo = {}, [pid]
    while todo:
        for child, name, state in children.get(todo.pop(), []):
            todo.append(child)
            if state != "Z":
                found[child] = name
    return found


def in_jail(nursery):
    """Whether it is done with its start, whose calls would count in the next login."""
    with open(f"/proc/{nursery}/status", encoding="utf-8") as f:
        return "\nSeccomp_filters:\t0\n" not in f.read()


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Walk:
    """Logins of one kind: with data through a command, or on a terminal."""

    def __init__(self, place, module, on_terminal):
        self.place, self.module, self.on_terminal = place, module, on_terminal
        self.server = servers.sshd(place, programs.ours("sshd"), ["LogLevel VERBOSE", "PidFile none"], log=f"walk-{on_terminal}.log")
        self.listener = self.server.process.pid
        # why a connection is gone is said at INFO (as by OpenSSH's)
        self.argv = clients.ssh_argv(place, programs.ours("ssh"), self.server, ["LogLevel INFO"])
        if on_terminal:
            self.argv += ["-tt", "127.0.0.1", "tty >/dev/null && id -un; exit 7"]
            self.data, self.whole, self.bye = b"", place.user.encode() + b"\r\n", b"Connection to 127.0.0.1 closed.\r\n"
        else:
            self.argv += ["127.0.0.1", "id -un; cat; exit 7"]
            self.data, self.whole, self.bye = DATA, place.user.encode() + b"\n" + DATA, b""
        wait_for("server at rest", self.at_rest)
        for _ in range(2):                          # what is done once a nursery or a process is behind us
            self.login("before any failure")
        self.kept = wait_for("server at rest", self.at_rest)

    def at_rest(self):
        """How many descriptors the listener and the keys process hold, once only what serves is left; else None."""
        reap_orphans(self.place.processes)
        found = tree(os.getpid())
        if sorted(found.values()) != ["sshd", "sshd-keys", "sshd-net", "sshd-net"]:
            return None
        try:
            if not all(in_jail(pid) for pid, name in found.items() if name != "sshd"):
                return None
            keys = [pid for pid, name in found.items() if name == "sshd-keys"]
            return descriptors(self.listener), descriptors(keys[0])
        except OSError:     # it ended meanwhile
            return None

    def run(self):
        return self.place.run(self.argv, stdin=self.data, timeout=60)

    def login(self, when):
        done = self.run()
        same((done.returncode, done.stdout == self.whole, done.stderr), (7, True, self.bye), f"login {when}")

    def judge(self, done, mode):
        """What a login with a failure in it may look like."""
        lines = done.stderr.count(b"\n")
        if done.returncode == 7 and self.on_terminal:       # which may say that there is no home to go to
            same(done.stdout.endswith(self.whole), True, f"status of the whole, but {done.stdout} came")
        elif done.returncode == 7:
            same(done.stdout == self.whole, True, f"status of the whole, but only {len(done.stdout)} bytes came; stderr {done.stderr}")
        elif self.on_terminal and done.returncode == 1 and mode == FAIL:    # said on the terminal, or before there was one
            pass
        elif done.returncode not in (1, 254, 255) or not self.whole.startswith(done.stdout):
            raise AssertionError(f"status {done.returncode}, {len(done.stdout)} bytes {done.stdout[:100]}, stderr {done.stderr}")
        elif not 1 <= lines <= 3:
            raise AssertionError(f"status {done.returncode} with {lines} lines on stderr: {done.stderr}")
        elif mode in (EINTR, SHORT):
            raise AssertionError(f"status {done.returncode}, stderr {done.stderr}: a signal or a short count is no failure")

    def step(self, point):
        """One login with one failure. The name of the call that failed, or None if it was not reached."""
        program, depth, number, mode = point
        logged = os.path.getsize(self.place.path(self.server.log))
        self.module.arm(program, depth, number, mode)
        call = None
        try:
            try:
                done = self.run()
            finally:
                call = self.module.disarm()
            self.judge(done, mode if call else EINTR)
            same(self.server.process.poll(), None, "end of the listener")
            wait_for("server at rest, with no more descriptors than before", lambda: self.at_rest() == self.kept)
            if done.returncode != 7:
                self.login("after it")
        except Exception as flaw:
            with open(self.place.path(self.server.log), "rb") as f:
                f.seek(logged)
                log = f.read().decode(errors="replace")
            raise AssertionError(f"{call or 'no call'} {MODES[mode]} ({PROGRAMS[program]} {depth}, call {number}): {flaw}\n{log}") from flaw
        return call


def reap_orphans(started):
    """We are who inherits processes whose parents have ended."""
    own = {process.pid for process in started}
    while True:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) if tree_has_children() else None
        if ended is None or ended.si_pid in own:
            return
        os.waitpid(ended.si_pid, 0)


def tree_has_children():
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as f:
        return bool(f.read().split())


def own_books():
    """Empty ones, so that the logins are not in the machine's."""
    for folder in "/run", "/var/log":
        room.mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    for path in "/run/utmp", "/var/log/wtmp", "/var/log/lastlog":
        with open(path, "w", encoding="ascii"):
            os.chmod(path, 0o664)


def walk_role(tap, walk, points, name):
    flaws, reached, missed = [], {}, 0
    for point in points:
        try:
            call = walk.step(point)
        except Exception as flaw:  # noqa: BLE001: the other points are still to be tried
            flaws.append(str(flaw))
            Tap.note(flaw)
            if len(flaws) >= 3 or walk.server.process.poll() is not None:
                break
            continue
        missed += call is None
        if call:
            reached[call] = reached.get(call, 0) + 1
    tap.ok(not flaws, f"{name}: each of {len(points)} failures ends well")
    tap.note(f"{missed} not reached; " + ", ".join(f"{call} {n}" for call, n in sorted(reached.items())))


def walk_logins(tap, walk):
    """All failures of one kind of login, or a share of them. NACRE_POINT="sshd 1 110 3" (program, depth, number, mode): only that one."""
    walk.module.arm()
    walk.login("that counts the calls")
    walk.module.disarm()
    points, only = walk.module.points(), os.environ.get("NACRE_POINT", "").split()
    chosen = points if LONG else sorted(random.Random(SEED).sample(points, min(SHARE, len(points))))
    if only:
        chosen = [(PROGRAMS.index(only[0]), *map(int, only[1:]))]
    kind = "on a terminal" if walk.on_terminal else "with data"
    tap.note(f"login {kind}: {len(points)} failures, {len(chosen)} of them tried")
    for (program, depth), name in ROLES.items():
        here = [p for p in chosen if (PROGRAMS[p[0]], p[1]) == (program, depth)]
        if here or not only:
            walk_role(tap, walk, here, f"login {kind}, {name}")
    walk.place.stop(walk.server.process)


def main():
    tap = Tap()
    room.enter_as_root(tap, "failing system calls in a login")
    if not os.path.exists(failing.MODULE):
        tap.skip("failing system calls in a login", "NACRE_FAIL names no module")
        tap.end()
    own_books()
    if not LONG and "NACRE_SEED" not in os.environ:
        tap.skip("failing system calls in a login", "some end only after a minute on a busy machine: with --long, or NACRE_SEED=N")
        tap.end()
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: what is left over comes to us
    tap.note(f"NACRE_SEED={SEED}")
    with Place() as place:
        module = failing.Module(place)
        for on_terminal in False, True:
            walk_logins(tap, Walk(place, module, on_terminal))
    tap.end()


main()
