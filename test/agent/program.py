#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ssh-agent as a program: where it listens, how it is started, found again and ended, what a person is asked, what clients may do to it."""
import base64
import contextlib
import hashlib
import os
import re
import resource
import signal
import socket
import stat
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
from agents import EXTENSION_FAILURE, FAILURE, SUCCESS, Agent, Key, login, shell_lines, string
from place import Place
from tap import Tap, same, wait_for

CLIENTS = 100


def start(place, *args, env=None, status=0):
    """Run ssh-agent, whose child goes on; what it printed."""
    done = place.run([programs.ours("ssh-agent"), *args], env=env or place.env, cwd=place.folder)
    same((done.returncode, done.stderr), (status, b""), f"status and errors of ssh-agent {' '.join(args)}")
    return done.stdout.decode()


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@contextlib.contextmanager
def started(place, *args, env=None):
    """(socket, pid) of an agent in the background, ended afterwards."""
    found = shell_lines(start(place, *args, env=env))
    pid = int(found["SSH_AGENT_PID"])
    try:
        yield found["SSH_AUTH_SOCK"], pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        wait_for("end of the agent", lambda: gone(pid))


# ---- starting and ending ----

def places(tap, place):
    with tap.case("a socket in ~/.ssh/agent for its owner only, and gone with the agent"):
        with started(place) as (sock, pid):
            same(bool(re.fullmatch(rf"{place.folder}/\.ssh/agent/s\.\w{{10}}\.agent\.\w{{10}}", sock)), True, f"path {sock}")
            same([stat.S_IMODE(os.stat(p).st_mode) for p in (sock, os.path.dirname(sock))], [0o600, 0o700], "modes")
            same(os.getsid(pid), pid, "session")
            same([os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)], ["/dev/null"] * 3, "what it has open")
        same(os.path.exists(sock), False, "socket after the end")
    with tap.case("-T makes a folder in TMPDIR and takes it away"):
        with started(place, "-T", env=place.env | {"TMPDIR": place.folder}) as (sock, _):
            same(bool(re.fullmatch(rf"{place.folder}/ssh-\w{{12}}/agent\.\d+", sock)), True, f"path {sock}")
        same(os.path.exists(os.path.dirname(sock)), False, "folder after the end")
    with tap.case("a path with every character comes through the shell's eval"):
        name = "so ck'et\"$(touch pwned)`touch pwned`;&!\\*"
        for shell, flag in ("/bin/sh", "-s"), ("/bin/bash", "-s"):
            script = f'eval "$("$0" {flag} -a "$1")"; test -S "$SSH_AUTH_SOCK" && printf "%s\\n" "$SSH_AUTH_SOCK"; "$0" -k'
            done = place.run([shell, "-c", script, programs.ours("ssh-agent"), name], cwd=place.folder)
            same((done.returncode, done.stdout.decode().splitlines()[1]), (0, f"{place.folder}/{name}"), done.stderr)
        same(os.path.exists(place.path("pwned")), False, "a command in the path was run")
    with tap.case("a path that is taken or too long is refused"):
        place.write("taken", "x")
        for path in "taken", "x" * 120, "no/folder/sock":
            done = place.run([programs.ours("ssh-agent"), "-a", path], cwd=place.folder)
            same((done.returncode, done.stdout, done.stderr.count(b"\n")), (1, b"", 1), path)
        same(place.read("taken"), b"x", "what was there")


def wrong_options(tap, place):
    with tap.case("values that are wrong have OpenSSH's words and status"):
        both = programs.ours("ssh-agent"), programs.foreign("ssh-agent")
        for args in ["-E", "nonsense"], ["-O", "nonsense"], ["-P", "/a/*", "-P", "/b/*"], ["-a"], ["-x"], ["-k", "-x"]:
            command = [] if args == ["-a"] else ["true"]
            ours, theirs = (place.run([program, *args, *command], cwd=place.folder) for program in both)
            words = [done.stderr.decode().replace("\r", "").splitlines()[0] for done in (ours, theirs)]
            same((ours.returncode, ours.stdout, words[0]), (theirs.returncode, b"", words[1]), f"{args}")


def ends(tap, place):
    with tap.case("-k ends the agent and unsets what names it, in both shells' words"):
        for flag, unset in ("-s", "unset"), ("-c", "unsetenv"):
            text = start(place, flag)
            pid = int(re.search(r"Agent pid (\d+)", text)[1])
            want = rf"SSH_AUTH_SOCK=(\S+); export SSH_AUTH_SOCK;\nSSH_AGENT_PID={pid}; export" if flag == "-s" else \
                rf"setenv SSH_AUTH_SOCK (\S+);\nsetenv SSH_AGENT_PID {pid};"
            same(bool(re.match(want, text)), True, text)
            text = start(place, flag, "-k", env=place.env | {"SSH_AGENT_PID": str(pid)})
            same(text, f"{unset} SSH_AUTH_SOCK;\n{unset} SSH_AGENT_PID;\necho Agent pid {pid} killed;\n", "-k")
            wait_for("end of the agent", lambda: gone(pid))
    with tap.case("a command gets the agent, its status comes back, and the agent ends with it"):
        script = 'ssh_add=$1; $ssh_add -l; echo "$SSH_AUTH_SOCK $SSH_AGENT_PID"; exit 7'
        done = place.run([programs.ours("ssh-agent"), "sh", "-c", script, "sh", programs.ours("ssh-add")])
        lines = done.stdout.decode().splitlines()
        same((done.returncode, lines[0]), (7, "The agent has no identities."), "status and list")
        sock, pid = lines[1].split()
        wait_for("end of the agent", lambda: gone(pid) and not os.path.exists(sock))
    with tap.case("SIGUSR1 forgets all keys, SIGTERM ends it"):
        with started(place) as (sock, pid):
            agent = Agent.__new__(Agent)
            agent.place, agent.sock = place, sock
            same(agent.add(place.key()).returncode, 0, "add")
            os.kill(pid, signal.SIGUSR1)
            with agent.connect() as link:
                wait_for("empty list", lambda: link.list() == [])


def stale(tap, place):
    folder = place.path(".ssh/agent")
    with tap.case("sockets that nobody listens to are removed when older than an hour, of other hosts only by -uu"):
        with started(place) as (live, _):
            host = os.path.basename(live).split(".")[1]
            names = {f"s.{host}.agent.stale": True, f"s.{host}.sshd.stale": True, f"s.{host}.agent.young": False, "s.other.agent.stale": False}
            for name in names:
                with started(place, "-a", f"{folder}/{name}") as (_, pid):
                    os.kill(pid, signal.SIGKILL)
                    wait_for("end", lambda: gone(pid))
                if not name.endswith("young"):
                    os.utime(f"{folder}/{name}", (0, 0))
            os.utime(live, (0, 0))
            place.write(".ssh/agent/plain", "no socket")
            with started(place, "-U"):
                same([n for n in names if not os.path.exists(f"{folder}/{n}")], [], "removed with -U")
            same(start(place, "-u"), "", "output of -u")
            same({n: not os.path.exists(f"{folder}/{n}") for n in names}, names, "removed by -u")
            start(place, "-u", "-u")
            left = [n for n in os.listdir(folder) if not n.startswith(".")]
            same(sorted(left), sorted([os.path.basename(live), "plain", f"s.{host}.agent.young"]), "left by -uu")


def reuse(tap, place):
    with tap.case("--reuse: all who come at once get one agent, later ones too, and a new one when it is gone"):
        running = [subprocess.Popen([programs.ours("ssh-agent"), "--reuse"], env=place.env, stdout=subprocess.PIPE, text=True) for _ in range(10)]
        said = [shell_lines(p.communicate(timeout=120)[0]) for p in running]
        same(len({(s["SSH_AUTH_SOCK"], s["SSH_AGENT_PID"]) for s in said}), 1, f"agents {said}")
        pid = int(said[0]["SSH_AGENT_PID"])
        try:
            done = place.run([programs.ours("ssh-agent"), "--reuse", "sh", "-c", "echo $SSH_AGENT_PID"])
            same(done.stdout.decode(), f"{pid}\n", "for a command")
        finally:
            os.kill(pid, signal.SIGKILL)
        wait_for("end", lambda: gone(pid))
        with started(place, "--reuse") as (sock, other):
            same((sock, other != pid), (said[0]["SSH_AUTH_SOCK"], True), "the next")


def busy(tap, place):
    """Who cannot tell whether the login's agent lives must not put another in its place."""
    with tap.case("--reuse leaves an agent alone that is too busy to take another client"), contextlib.ExitStack() as stack:
        with started(place, "--reuse") as (sock, pid):
            os.kill(pid, signal.SIGSTOP)
            stack.callback(lambda: os.kill(pid, signal.SIGCONT))
            for _ in range(1000):
                s = stack.enter_context(socket.socket(socket.AF_UNIX))
                s.setblocking(False)
                if s.connect_ex(sock) != 0:
                    break
            found = os.stat(sock).st_ino
            done = place.run([programs.ours("ssh-agent"), "--reuse"])
            same((done.returncode, done.stdout, done.stderr.count(b"\n")), (1, b"", 1), done.stderr)
            same(os.stat(sock).st_ino, found, "its socket")
            stack.close()


# ---- clients ----

def crowd(tap, place, agent):
    key = place.key()
    same(agent.add(key).returncode, 0, "add")
    with tap.case(f"{CLIENTS} clients at once, each with its turn, half of them in the midst of a request"), contextlib.ExitStack() as stack:
        links = [stack.enter_context(agent.connect()) for _ in range(CLIENTS)]
        blob = links[0].list()[0][0]
        for link in links[::2]:
            link.s.sendall(struct.pack(">I", 100000) + b"\x0d" * 50)
        for i, link in enumerate(links[1::2]):
            link.send(13, string(blob) + string(f"text {i}") + struct.pack(">I", 0))
        same({link.take()[0] for link in links[1::2]}, {14}, "answers")
        for link in links[::2]:
            link.s.sendall(b"\x0d" * (100000 - 50))
        same({link.take()[0] for link in links[::2]}, {FAILURE}, "answers to garbage")
    with tap.case("with 1,024 descriptors it has 600 clients at once, and keeps its keys"), contextlib.ExitStack() as stack:
        other = Agent(place, programs.ours("ssh-agent"), name="limited")
        resource.prlimit(other.process.pid, resource.RLIMIT_NOFILE, (1024, 1024))
        same(other.add(key).returncode, 0, "add")
        links = [stack.enter_context(other.connect()) for _ in range(600)]
        same([len(link.list()) for link in links[::100]], [1] * 6, "keys")
    with tap.case("a request that claims too much or nothing ends that connection only"):
        for head in b"\xff\xff\xff\xff", b"\0\0\0\0", struct.pack(">I", 262145):
            with agent.connect() as link, agent.connect() as other:
                link.s.sendall(head)
                same(link.take(), None, "answer")
                same(len(other.list()), 1, "another's keys")
    with tap.case("a client that asks and reads nothing costs no more than one answer"):
        with agent.connect() as link, agent.connect() as other:
            link.s.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    link.s.sendall(b"\0\0\0\1\x0b" * 1000)
            same(len(other.list()), 1, "another's keys")
    with tap.case("every message type, empty and with rubbish, is answered"), agent.connect() as link:
        for kind in set(range(256)) - {19}:
            for body in b"", b"\0\0\0\0", b"\xff" * 9:
                got = link.ask(kind, body)
                same(got is not None and got[0] in (FAILURE, 12, EXTENSION_FAILURE), True, f"type {kind} {body!r}: {got}")
        same(len(link.list()), 1, "keys")


def lives(tap, place, agent):
    with tap.case("a key with a lifetime is gone when it is over, by -t of either program"):
        same(agent.add("-D").returncode, 0, "empty")
        done = agent.add("-t", "1", place.key())
        same((done.returncode, b"Lifetime set to 1 seconds" in done.stderr), (0, True), "add")
        with agent.connect() as link:
            wait_for("end of its life", lambda: link.list() == [])
        short = Agent(place, programs.ours("ssh-agent"), "-t", "1", name="short")
        same(short.add(place.key()).returncode, 0, "add")
        with short.connect() as link:
            wait_for("end of its life", lambda: link.list() == [])
    with tap.case("the agent's -t counts for a certificate, too, though ssh-add says when that ends"):
        key = place.key("ed25519", "certified")
        place.run([programs.ours("ssh-keygen"), "-q", "-s", place.key(), "-I", "id", "-n", "me", "-V", "+52w", f"{key}.pub"], check=True)
        same(short.add(key).returncode, 0, "add")
        with short.connect() as link:
            same(len(link.list()) <= 2, True, "keys")
            wait_for("end of both lives", lambda: link.list() == [])
    with tap.case("ssh-add: a file whose name begins with - is no option behind another file"):
        done = agent.add(place.key(), "-D")
        same((done.returncode, b"-D: No such file" in done.stderr), (1, True), done.stderr)
        with agent.connect() as link:
            same(len(link.list()), 1, "keys")
        same(agent.add("-D").returncode, 0, "empty")


def locks(tap, place, agent):
    with tap.case("wrong passwords make each next try wait longer; others are served meanwhile"), agent.connect() as link, agent.connect() as other:
        same(link.ask(22, string("right"))[0], SUCCESS, "lock")
        begin = time.monotonic()
        for _ in range(3):
            link.send(23, string("wrong"))
            same(other.list(), [], "list of a locked agent")
            same(link.take()[0], FAILURE, "unlock")
        same(link.ask(23, string("right"))[0], SUCCESS, "unlock")
        same(time.monotonic() - begin >= 0.1 + 0.2 + 0.3, True, "at least the time that three wrong passwords cost")


# ---- a person ----

ASKPASS = """#!/bin/sh
printf '%s|%s\\n' "$SSH_ASKPASS_PROMPT" "$1" >>"{log}"
. "{answer}"
"""


def confirms(tap, place):
    log, answer = place.path("asked"), place.write("answer", "exit 1")
    place.write("askpass", ASKPASS.format(log=log, answer=answer), 0o755)
    env = place.env | {"SSH_ASKPASS": place.path("askpass"), "SSH_ASKPASS_REQUIRE": "force"}
    agent = Agent(place, programs.ours("ssh-agent"), name="confirm", env=env)
    key = place.key()
    same(agent.add("-c", key).returncode, 0, "add")

    def asks(link, data, what, good):
        place.write("answer", what)
        place.write("asked", "")
        same(link.sign(link.list()[0][0], data) is not None, good, f"signature after {what!r}")
        return place.read("asked").decode()

    with tap.case("a key with confirm signs after a yes only"), agent.connect() as link:
        for what, good in ("exit 1", False), ("exit 0", True), ("echo yes", True), ("echo no", False), ("echo YES; exit 0", True), ("kill $$", False):
            asks(link, b"data", what, good)
    with tap.case("the question names the key, says that no host was named, and what is signed, escaped"), agent.connect() as link:
        said = asks(link, b"data", "exit 0", True)
        same("confirm|Allow use of key test?\nKey fingerprint SHA256:" in said, True, said)
        same("on this machine that named no host.\nFor: data of an unknown kind\n" in said, True, said)
        sshsig = b"SSHSIG" + string("git\x1b[2J") + string("") + string("sha512") + string(b"x" * 64)
        same('namespace "git\\033[2J"' in asks(link, sshsig, "exit 0", True), True, "the namespace")
    with tap.case("the question names the way that session-bind proved, and whether the login is for its end"), agent.connect() as link:
        near, far = Key(), Key()
        place.write(".ssh/known_hosts", f"near.example,10.0.0.1 ssh-ed25519 {base64.b64encode(near.blob).decode()}\n")
        same((link.bind(near, b"n" * 32, True), link.bind(far, b"f" * 32, False)), (SUCCESS, SUCCESS), "bind")
        blob = link.list()[0][0]
        said = asks(link, login(b"f" * 32, "root", blob, far), "exit 0", True)
        print_ = base64.b64encode(hashlib.sha256(far.blob).digest()).decode().rstrip("=")
        way = f'Way: this machine > near.example > a host not in known_hosts, key SHA256:{print_}\nFor: login as "root"\n'
        same(way in said, True, said)
        for text in login(b"n" * 32, "root", blob, far), login(b"f" * 32, "root", blob, near), login(b"f" * 32, "root", blob):
            said = asks(link, text, "exit 1", False)
            same('For: login as "root"; the host is NOT PROVED\n' in said, True, said)
    with tap.case("the question says when a claim to act for a host was false"), agent.connect() as link:
        same(link.bind(Key(), b"n" * 32, True, Key()), EXTENSION_FAILURE, "bind")
        same("claimed to act for a host and could not prove it" in asks(link, b"x", "exit 1", False), True, "words")
    with tap.case("a client that goes takes its question with it; others are not held up"):
        place.write("answer", "sleep 1000")
        place.write("asked", "")
        with agent.connect() as link, agent.connect() as other:
            link.send(13, string(link.list()[0][0]) + string("x") + struct.pack(">I", 0))
            wait_for("question", lambda: place.read("asked"))
            same(len(other.list()), 1, "another's list")
            children = wait_for("askpass", lambda: place.run(["pgrep", "-P", str(agent.process.pid)]).stdout.split())
        wait_for("end of askpass", lambda: all(gone(int(c)) for c in children))
    with tap.case("without an askpass nothing is confirmed"):
        mute = Agent(place, programs.ours("ssh-agent"), name="mute", env=place.env)
        same(mute.add("-c", key).returncode, 0, "add")
        with mute.connect() as link:
            same(link.sign(link.list()[0][0], b"x"), None, "signature")


def shows(tap, place, agent):
    with tap.case("-l -v shows constraints and the last use; -Q the extensions"):
        same(agent.add("-D").returncode, 0, "empty")
        same(agent.add("-t", "1h", "-c", place.key()).returncode, 0, "add")
        place.write("known_hosts", f"host.example {place.public(place.key(name='hostkey'))}\n")
        other = place.key("ecdsa256", name="other")
        same(agent.add("-H", "known_hosts", "-h", "root@host.example", other).returncode, 0, "add")
        third = place.key(name="third")
        same((agent.add(third).returncode, agent.add("-T", f"{third}.pub").returncode), (0, 0), "add and use")
        text = agent.add("-l", "-v").stdout.decode()
        want = r"256 \S+ test \(ED25519\)\n  removed in (1h|59m\d+s)\n  each use is confirmed\n  not used yet\n" \
               r"256 \S+ test \(ECDSA\)\n  only to root@host.example\n  not used yet\n256 \S+ test \(ED25519\)\n  used 1 time, last \d+s ago: other data\n"
        same(bool(re.fullmatch(want, text)), True, text)
        same(agent.add("-Q").stdout.decode().split(), ["session-bind@openssh.com", "query", "key-facts@nacre"], "extensions")


def main():
    tap = Tap()
    with Place() as place:
        for part in places, wrong_options, ends, stale, reuse, busy, confirms:
            part(tap, place)
        agent = Agent(place, programs.ours("ssh-agent"))
        for part in crowd, lives, locks, shows:
            part(tap, place, agent)
    tap.end()


main()
