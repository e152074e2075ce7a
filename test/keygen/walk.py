# SPDX-License-Identifier: ISC
"""One job of ssh-keygen, walked: each call of a kind fails in turn, or the process dies there, or no file may grow beyond a size, or nobody
takes what it prints. What is left behind is for each job's own check. For all: no draft stays, no private key that others may read, a status
that tells the truth, and a line that says why."""
import errno
import os
import re
import shutil
import stat
import time

import failing
import programs
from tap import same

WHOLE = bool(os.environ.get("NACRE_LONG"))
SAMPLE, MANY = 40, 1000
CALLS = [("file", [errno.EIO, errno.ENOSPC, "kill"]), ("memory", [errno.ENOMEM]), ("library", [errno.ENOMEM])]


class Walk:
    """One job: what it starts from, the command, and what makes its outcome whole: check(where, folder, before, after, status), which finds
    the rest in `done`, and what comes of the job by itself in `normal`."""

    calls_min = {"open": 1, "memory": 2}    # 3 of other kinds

    def __init__(self, place, name, args, prepare, check, stdin=b"", env=None, sample=SAMPLE, helped=False, lines_max=1):
        self.place, self.name, self.args, self.prepare, self.check, self.stdin = place, name, args, prepare, check, stdin
        self.env, self.sample, self.helped, self.lines_max = place.env | (env or {}), sample, helped, lines_max
        self.folder = place.path(name.replace(" ", "-"))
        self.normal = self.done = None
        self.largest = 0

    def begin(self):
        """A fresh folder; its files."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.mkdir(self.folder)
        self.prepare(self.folder)
        return files(self.folder)

    def start(self, before=(), env=None):
        # a session of its own: without a terminal, questions are answered by standard input
        self.done = self.place.run([*before, programs.ours("ssh-keygen"), *self.args], self.stdin, cwd=self.folder, env=env or self.env,
                                   start_new_session=True)
        return self.done

    def run(self, kind, at, error):
        """The job in a fresh folder with a failure, the folder's files before it, and how many calls there were."""
        before = self.begin()
        counter = failing.Counter(self.place.path("count"), at)
        done = self.start(env=counter.env(self.env, failing.MODULE, kind, error))
        return done, before, counter.count

    def run_normal(self):
        """Once: what comes of the job by itself, and how large its files are then."""
        if self.normal:
            return
        before = self.begin()
        self.normal = self.start()
        self.largest = max([0, *(len(d) for f, d in files(self.folder).items() if before.get(f) != d)])

    def judge(self, where, before, may_die):
        """What holds for every job, then what holds for this one."""
        where = f"{self.name}: {where}: status {self.done.returncode}, {self.done.stdout[-300:]!r}, {self.done.stderr!r}"
        killed, after = self.done.returncode < 0, files(self.folder)
        if killed and not may_die:
            raise AssertionError(f"{where}: ended by a signal")
        drafts = [f for f in after if is_draft(f)]
        if drafts and not killed:
            raise AssertionError(f"{where}: drafts left behind: {drafts}")
        self.check(where, self.folder, before, {f: d for f, d in after.items() if not is_draft(f)}, self.done.returncode)
        loose = [f for f, d in after.items() if b"PRIVATE KEY" in d and stat.S_IMODE(os.stat(f"{self.folder}/{f}").st_mode) & 0o77]
        if loose:
            raise AssertionError(f"{where}: readable by others: {loose}")
        lines = [line for line in self.done.stderr.splitlines() if shape(line) not in map(shape, self.normal.stderr.splitlines())]
        if not killed and self.done.returncode != self.normal.returncode and not 0 < len(lines) <= self.lines_max:
            raise AssertionError(f"{where}: {len(lines)} lines that say why")
        if any(word in line for line in lines for word in (b"(null)", b"Sanitizer", b"uccess")):
            raise AssertionError(f"{where}: words")

    def walk(self, kind, error):
        """Fail call 1, 2, ... (of the thousands in libraries a sample, in a long run MANY); how many there are."""
        self.run_normal()
        done, _, calls = self.run(kind, 0, error)
        same(done.returncode, self.normal.returncode, f"{self.name}: status without a failure")
        most = MANY if WHOLE and kind == "library" else calls if WHOLE or kind != "library" and self.sample == SAMPLE else self.sample
        step = max(1, calls // max(1, most))    # PBKDF2 alone asks libcrypto for memory 800,000 times
        for n in range(1 + int(time.time()) % min(step, 10), calls + 1, step):
            done, before, _ = self.run(kind, n, error)
            if error == "kill" and done.returncode >= 0 and not self.helped:
                raise AssertionError(f"{self.name}: call {n}: not ended by the signal")
            # libcrypto 3.0 and glibc's nss die of some
            self.judge(f"{kind} call {n} with {error}", before, error == "kill" or kind == "library")
        return calls

    def walk_sizes(self):
        """No file may have more than n bytes, as when a disk is full: parts of what is written arrive."""
        self.run_normal()
        largest = self.largest
        points = range(0, largest, max(1, largest // (MANY if WHOLE else self.sample)))
        for n in points:
            before = self.begin()
            self.start(["env", "--ignore-signal=XFSZ", "prlimit", f"--fsize={n}"])
            if self.done.returncode == self.normal.returncode:
                raise AssertionError(f"{self.name}: {n} bytes of {largest}: success")
            self.judge(f"{n} bytes of {largest}", before, False)
        return len(points)

    def walk_full(self):
        """Nobody takes what it prints."""
        self.run_normal()
        before = self.begin()
        self.start(["/bin/sh", "-c", 'exec "$@" >/dev/full', "sh"])
        if self.done.returncode == self.normal.returncode or self.done.returncode == 0:
            raise AssertionError(f"{self.name}: success without output, {self.done.stderr!r}")
        self.judge("full output", before, False)

    def walk_all(self, tap, kinds):
        for kind, errors in kinds:
            for error in errors:
                with tap.case(f"{self.name}: each {kind} call fails with {error}"):
                    calls = self.walk(kind, error)
                    tap.note(f"{calls} calls")
                    if calls < self.calls_min.get(kind, 3):
                        raise AssertionError("the module saw no calls")


def shape(line):
    """A line without its times and numbers."""
    return re.sub(rb"\d+", b"0", line)


def is_draft(name):
    stem, _, end = name.rpartition(".")
    return bool(stem) and len(end) == 10


def files(folder):
    found = {}
    for at, _, names in os.walk(folder):
        for name in names:
            with open(f"{at}/{name}", "rb") as f:
                found[os.path.relpath(f"{at}/{name}", folder)] = f.read()
    return found


def opens(place, folder, name, passphrases):
    keygen = programs.foreign("ssh-keygen")
    return any(place.run([keygen, "-y", "-P", p, "-f", f"{folder}/{name}"]).returncode == 0 for p in passphrases)
