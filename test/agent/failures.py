#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""TRUST T06 for ssh-agent and ssh-add: each call and each allocation fails in turn, while an agent starts, while it serves, and in each job of
ssh-add. Whatever it is: an answer that is true or none, no crash, no hang, and no key lost that the agent has said it holds."""
import contextlib
import errno
import os
import signal
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import failing
import programs
from agents import ANSWER, EXTENSION_FAILURE, FAILURE, SIGNED, SUCCESS, Key, Link, listening, shell_lines, string
from place import Place
from tap import same, wait_for

MODULE = failing.MODULE
LONG = bool(os.environ.get("NACRE_LONG"))
SHARE = 12                      # calls of a job that fail in a test run, of up to some hundred; in a long run all
LIBRARY_MAX = 1000 if LONG else 6   # of libcrypto's, which end in the same few places of ours
KINDS = [("talk", errno.ENOMEM), ("talk", errno.EMFILE), ("talk", errno.EINTR), ("memory", errno.ENOMEM), ("library", errno.ENOMEM)]
LIST, SIGN, ADD, REMOVE, LOCK, UNLOCK, ADD_CONSTRAINED, EXTENSION = 11, 13, 17, 18, 22, 23, 25, 27


def picked(calls, kind):
    """The numbers of the calls to fail: the first and the last among them, and one that is soon before the end."""
    if calls < 1 and kind not in ("library", "file"):       # of which simple jobs have none
        raise AssertionError("the module saw no calls")
    most = LIBRARY_MAX if kind == "library" else calls if LONG else SHARE
    step = max(1, -(-calls // max(1, most)))
    return sorted({*range(1, calls + 1, step), calls, calls - 2} - {0, -1, -2})


# ---- an agent that serves ----

class Living:
    """An agent in which calls fail while it works; what it must hold whatever happens."""

    def __init__(self, place, kind, error):
        self.place, self.kind = place, kind
        self.counter = failing.Counter(place.path("count"))
        self.held, self.other = Key(), Key()
        self.sock = place.path(f"living-{kind}-{error}.sock")
        self.start = lambda: place.start([programs.ours("ssh-agent"), "-D", "-a", self.sock], f"living-{kind}-{error}",
                                         env=self.counter.env(place.env, MODULE, kind, error))
        self.begin()

    def begin(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.sock)        # of one that libcrypto ended
        self.process = self.start()
        wait_for("socket of the agent", lambda: os.path.exists(self.sock) and listening(self.sock))
        with Link(self.sock) as link:
            same(link.ask(ADD, self.held.private() + string("held"))[0], SUCCESS, "adding the key to be held")

    def job(self, request):
        """The type of the answer; None: the agent ended the connection."""
        try:
            with Link(self.sock) as link:
                answer = link.ask(*request)
        except (ConnectionError, BrokenPipeError):
            return None
        return answer and answer[0]

    def blobs(self):
        with Link(self.sock) as link:
            return {blob for blob, _ in link.list()}

    def settle(self, request, answer):
        """It must be as the answer said; afterwards as it was before."""
        kind = request[0]
        if kind == LOCK and answer in (SUCCESS, None):
            with Link(self.sock) as link:
                done = link.ask(UNLOCK, string("pw"))[0]
            same(answer is None or done == SUCCESS, True, "locked, it said, but it was not")
        with Link(self.sock) as link:
            same(link.sign(self.held.blob, b"data") is not None, True, "a signature by the key that it holds")
        there = self.blobs()
        same(self.held.blob in there, True, "the key that it holds, in its list")
        if answer is not None and kind in (ADD, ADD_CONSTRAINED, REMOVE):
            before = kind == REMOVE
            same(self.other.blob in there, before != (answer == SUCCESS), f"the other key in its list after answer {answer}")

    def prepare(self, request):
        """The other key is there exactly for who removes it."""
        with Link(self.sock) as link:
            if request[0] == REMOVE:
                link.ask(ADD, self.other.private() + string("other"))
            else:
                link.ask(REMOVE, string(self.other.blob))

    def walk(self, request, good):
        """How many calls there are in the job, each of which failed, or a share of them."""
        self.prepare(request)
        self.counter.arm(0)
        same(self.job(request), good, "the answer when nothing fails")
        calls = self.counter.count
        self.settle(request, good)
        for n in picked(calls, self.kind):
            self.prepare(request)
            self.counter.arm(n)
            try:
                answer = self.job(request)
                self.counter.arm(0)
                if self.kind == "library" and self.process.poll() is not None and self.process.returncode < 0:
                    self.begin()        # libcrypto 3.0 dies of some
                    continue
                if answer not in (good, FAILURE, EXTENSION_FAILURE, None):
                    raise AssertionError(f"answer {answer}")
                self.settle(request, answer)
                same(self.process.poll(), None, "end of the agent")
            except Exception as flaw:
                raise AssertionError(f"call {n} of {calls}: {flaw}; the agent: {self.process.poll()}") from flaw
        return calls


def living_case(tap, place, kind, error):
    with tap.case(f"an agent that serves: each {kind} call fails with {errno.errorcode[error]}"):
        agent = Living(place, kind, error)
        held, other, host = agent.held, agent.other, Key()
        session = b"s" * 32
        bind = string("session-bind@openssh.com") + string(host.blob) + string(session) + string(host.sign(session)) + b"\0"
        jobs = {"list": ((LIST, b""), ANSWER), "sign": ((SIGN, string(held.blob) + string(b"x" * 5000) + struct.pack(">I", 0)), SIGNED),
                "add": ((ADD, other.private() + string("other")), SUCCESS),
                "add for a time": ((ADD_CONSTRAINED, other.private() + string("other") + b"\1" + struct.pack(">I", 3600)), SUCCESS),
                "remove": ((REMOVE, string(other.blob)), SUCCESS), "lock": ((LOCK, string("pw")), SUCCESS),
                "bind": ((EXTENSION, bind), SUCCESS), "query": ((EXTENSION, string("query")), 29)}
        calls = 0
        for name, (request, good) in jobs.items():
            try:
                calls += agent.walk(request, good)
            except AssertionError as flaw:
                raise AssertionError(f"{name}: {flaw}") from flaw
        tap.note(f"{calls} calls")
        place.stop(agent.process)


# ---- an agent that starts ----

def end(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    wait_for("end of the agent", lambda: not os.path.exists(f"/proc/{pid}") or zombie(pid))


def zombie(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    return True


def start_case(tap, place, args, kind, error):
    with tap.case(f"ssh-agent {' '.join(args)}: each {kind} call of its start fails with {errno.errorcode[error]}"):
        calls, at, todo = 0, 0, [0]
        while todo:
            at = todo.pop(0)
            counter = failing.Counter(place.path("count"), at)
            done = place.run([programs.ours("ssh-agent"), *args], cwd=place.folder, env=counter.env(place.env, MODULE, kind, error))
            where = f"call {at} of {calls}: status {done.returncode}, {done.stdout!r}, {done.stderr!r}"
            if done.returncode == 0:
                found = shell_lines(done.stdout.decode())
                try:
                    if at == 0:
                        calls = counter.count
                        todo = picked(calls, kind)
                    counter.arm(0)
                    with Link(found["SSH_AUTH_SOCK"]) as link:
                        same(link.list(), [], f"{where}: keys")
                finally:
                    end(int(found["SSH_AGENT_PID"]))
                same(os.path.exists(found["SSH_AUTH_SOCK"]), False, f"{where}: socket after the end")
            elif done.returncode < 0 and kind != "library":
                raise AssertionError(f"{where}: it crashed")
            elif done.returncode > 0 and not done.stderr:
                raise AssertionError(f"{where}: it does not say why")
        tap.note(f"{calls} calls")


def reuse_case(tap, place, kind, error):
    """What a login's agent holds must not be lost because another shell could not look at it."""
    with tap.case(f"ssh-agent --reuse: each {kind} call fails with {errno.errorcode[error]}, and the agent that is there stays"):
        first = shell_lines(place.run([programs.ours("ssh-agent"), "--reuse"], cwd=place.folder, check=True).stdout.decode())
        sock, pid = first["SSH_AUTH_SOCK"], int(first["SSH_AGENT_PID"])
        key, calls, todo = Key(), 0, [0]
        with Link(sock) as link:
            link.ask(ADD, key.private() + string("c"))
        try:
            while todo:
                at = todo.pop(0)
                counter = failing.Counter(place.path("count"), at)
                done = place.run([programs.ours("ssh-agent"), "--reuse"], cwd=place.folder, env=counter.env(place.env, MODULE, kind, error))
                where = f"call {at} of {calls}: status {done.returncode}, {done.stdout!r}, {done.stderr!r}"
                if at == 0:
                    calls = counter.count
                    todo = picked(calls, kind)
                if done.returncode == 0:
                    same(shell_lines(done.stdout.decode()), first, where)
                elif (done.returncode < 0 and kind != "library") or (done.returncode > 0 and not done.stderr):
                    raise AssertionError(where)
                with Link(sock) as link:
                    same([blob for blob, _ in link.list()], [key.blob], f"{where}: its keys")
            tap.note(f"{calls} calls")
        finally:
            end(pid)


# ---- ssh-add ----

def add_case(tap, place, name, args, before, after, kind, error):
    """A job of ssh-add, and the keys before it (comments) and after it."""
    with tap.case(f"ssh-add {name}: each {kind} call fails with {errno.errorcode[error]}"):
        add, sock = programs.ours("ssh-add"), place.path("add.sock")
        env = place.env | {"SSH_AUTH_SOCK": sock, "SSH_ASKPASS": place.path("askpass"), "SSH_ASKPASS_REQUIRE": "force"}
        files = {"one": place.key("ed25519", "one", "one"), "two": place.key("ecdsa256", "two", "two")}
        text = {n: place.read(n) for n in files}

        def keys():
            with Link(sock) as link:
                link.ask(UNLOCK, string("pw"))
                return sorted(c.decode() for _, c in link.list())

        calls, todo = 0, [0]
        while todo:
            at = todo.pop(0)
            place.run([add, "-Dq"], env=env)
            place.run([add, "-q", *(files[n] for n in before)], env=env) if before else None
            same(keys(), sorted(before), "keys before it")
            counter = failing.Counter(place.path("count"), at)
            done = place.run([add, *args], env=counter.env(env, MODULE, kind, error), cwd=place.folder)
            where = f"call {at} of {calls}: status {done.returncode}, {done.stdout!r}, {done.stderr!r}"
            if at == 0:
                same(done.returncode, 0, where)
                calls = counter.count
                todo = picked(calls, kind)
            now = keys()
            if done.returncode < 0 and kind != "library":
                raise AssertionError(f"{where}: it crashed")
            if done.returncode > 0 and not done.stderr + done.stdout:
                raise AssertionError(f"{where}: it does not say why")
            if done.returncode == 0:
                same(now, sorted(after), f"{where}: keys after it")
            elif now not in (sorted(before), sorted(after)) or (set(before) & set(after)) - set(now):
                raise AssertionError(f"{where}: keys after it: {now}")
            same({n: place.read(n) for n in files}, text, f"{where}: the files")
        tap.note(f"{calls} calls")


ADD_JOBS = [("a key", ["-q", "two"], ["one"], ["one", "two"]), ("-d", ["-qd", "two"], ["one", "two"], ["one"]), ("-L", ["-L"], ["one"], ["one"]),
            ("-l -v", ["-lv"], ["one"], ["one"]), ("-T", ["-T", "one.pub"], ["one"], ["one"]), ("-D", ["-Dq"], ["one"], []),
            ("-x", ["-x"], ["one"], ["one"])]


def add_cases(tap, place):
    place.write("askpass", "#!/bin/sh\necho pw\n", 0o700)
    agent = place.start([programs.ours("ssh-agent"), "-D", "-a", place.path("add.sock")], "add")
    wait_for("socket of the agent", lambda: os.path.exists(place.path("add.sock")) and listening(place.path("add.sock")))
    others = [k for k in KINDS if k[0] != "memory"]
    for n, (name, args, before, after) in enumerate(ADD_JOBS):
        for kind, error in [*KINDS, ("file", errno.EIO)] if LONG else [others[n % len(others)], KINDS[3]]:
            add_case(tap, place, name, args, before, after, kind, error)
    place.stop(agent)


def main():
    tap = failing.tap()
    with Place() as place:
        programs.ours("ssh-agent")
        for kind, error in KINDS:
            living_case(tap, place, kind, error)
        for kind, error in [*KINDS, ("file", errno.EIO)]:
            start_case(tap, place, ["-s"], kind, error)
            if LONG:
                start_case(tap, place, ["-s", "-T"], kind, error)
        for kind, error in [*KINDS, ("file", errno.EIO)] if LONG else KINDS[:1] + KINDS[3:4]:
            reuse_case(tap, place, kind, error)
        add_cases(tap, place)
    tap.end()


main()
