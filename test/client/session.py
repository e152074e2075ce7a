#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Sessions of our ssh with OpenSSH's sshd: the terminal, escapes, signals, pipes at their edges, much data, what the processes hold."""
import fcntl
import hashlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import termios
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients
import programs
import room
import servers
from place import Place, die_with_parent, free_port
from tap import PATIENCE, Tap, same, wait_for
from term import Terminal

room.enter(as_self=True)     # no file of the machine's own users is read, a .bashrc's noise among them

BIG = 20_000_000
CARRY = """import os, socket, sys, threading
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def up():
    while data := os.read(0, 65536):
        s.sendall(data)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := s.recv(65536):
    os.write(1, data)
"""


class Session:
    def __init__(self, place, server):
        self.place, self.server = place, server
        self.base = [*clients.ssh_argv(place, programs.ours("ssh"), server, ["EscapeChar ~"]), "-o", "LogLevel=INFO"]

    def argv(self, *args):
        return [*self.base, *args]

    def run(self, *args, **kw):
        kw.setdefault("start_new_session", True)
        return self.place.run(self.argv(*args), **kw)

    def popen(self, *args, **kw):
        return subprocess.Popen(self.argv(*args), env=self.place.env, preexec_fn=die_with_parent, start_new_session=True, **kw)

    def shell(self, *args, program=None):
        t = Terminal([program or self.base[0], *self.argv("-tt", *args, "127.0.0.1", "exec sh")[1:]], self.place.env | {"PS1": "P> "})
        t.type(b"stty -echo; PS1=; echo rea'dy'\n")
        t.wait_for(b"ready\r\n")
        return t


def slow_forward(tap, s):
    with tap.case("a target of -R that does not answer keeps nobody waiting"):
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            port, through, held = full.getsockname()[1], free_port(), []
            for _ in range(4):      # the queue is full: what comes after it hears nothing for minutes
                held.append(socket.socket())
                held[-1].setblocking(False)
                held[-1].connect_ex(("127.0.0.1", port))
            script = f"import socket; c = socket.create_connection(('127.0.0.1', {through}), 60); print('asked', flush=True)"
            done = s.run("-R", f"127.0.0.1:{through}:127.0.0.1:{port}", "127.0.0.1", f'{sys.executable} -c "{script}"; sleep 0.5; exit 7', timeout=60)
            same((done.returncode, done.stdout), (7, b"asked\n"), "status, output")
    with tap.case("-R to a port where nobody listens says so and goes on"):
        through, nobody = free_port(), free_port()
        script = f"import socket; c = socket.create_connection(('127.0.0.1', {through}), 60); print(c.recv(9))"
        done = s.run("-R", f"127.0.0.1:{through}:127.0.0.1:{nobody}", "127.0.0.1", f'{sys.executable} -c "{script}"; exit 7', timeout=60)
        same((done.returncode, done.stdout), (7, b"b''\n"), "status, output")
        same(f"connect_to 127.0.0.1 port {nobody}: failed." in done.stderr.decode(), True, f"line: {done.stderr}")


def verbosity(tap, s):
    with tap.case("~v and ~V make it tell more and less, in OpenSSH's words"):
        for program in s.base[0], programs.foreign("ssh"):
            t = s.shell(program=program)
            for key, level in (b"v", b"VERBOSE"), (b"v", b"DEBUG"), (b"v", b"DEBUG2"), (b"v", b"DEBUG3"), (b"v", b"DEBUG3"):
                t.type(b"\r~" + key)
                t.wait_for(b"~v [LogLevel %s]\r\n" % level)
            t.type(b"\r~R")
            t.wait_for(b"debug1: SSH2_MSG_NEWKEYS received\r\n")
            for level in b"DEBUG2", b"DEBUG", b"VERBOSE", b"INFO", b"ERROR", b"FATAL", b"SILENT", b"SILENT":
                t.type(b"\r~V")
                t.wait_for(b"~V [LogLevel %s]\r\n" % level)
            t.type(b"exit 9\n")
            same(t.end()[0], 9, "status")


def terminal(tap, s):
    with tap.case("a terminal: size, type, resize, interrupt, status"):
        t = s.shell()
        t.type(b"stty size; echo $TERM; tty\n")
        t.wait_for(b"37 91\r\nxterm\r\n/dev/pts/")
        t.resize(24, 80)
        os.kill(t.process.pid, signal.SIGWINCH)
        t.type(b"until [ \"$(stty size)\" = '24 80' ]; do sleep 0.05; done; echo resized\n")
        t.wait_for(b"resized\r\n")
        t.type(b"trap 'echo caug''ht' INT; echo set; sleep 30\n")
        t.wait_for(b"set\r\n")
        t.type(b"\x03")
        t.wait_for(b"caught\r\n")
        t.type(b"exit 9\n")
        status, screen = t.end()
        same((status, screen.split()[-4:]), (9, b"Connection to 127.0.0.1 closed.".split()), "status, last line")
    with tap.case("~? helps, ~# lists, ~~ is one, ~x is two characters, ~R rekeys, ~. ends"):
        t = s.shell()
        t.type(b"\n~?")
        t.wait_for(b"Supported escape sequences:\r\n")
        t.type(b"~#")
        t.wait_for(b"The following connections are open:\r\n")
        t.type(b"\necho ~~ a~.b | od -c\n")
        t.wait_for(b"~   ~       a   ~   .   b")
        t.type(b"~~")
        t.type(b"\n~")
        t.type(b"x\n")
        t.wait_for(b"~x: not found")
        t.type(b"~R")
        t.type(b"echo af''ter\n")
        t.wait_for(b"after\r\n")
        t.type(b"~.")
        status, screen = t.end()
        same((status, screen.split()[-5:]), (255, b"~. Connection to 127.0.0.1 closed.".split()), "status, last lines")
    with tap.case("the terminal is raw during the session and as before after it"):
        t = s.shell()
        before = termios.tcgetattr(t.master)[3] & (termios.ICANON | termios.ECHO)
        t.type(b"exit\n")
        until = time.monotonic() + PATIENCE
        while t.process.poll() is None and t.read(until):
            pass
        t.process.wait(PATIENCE)
        after = termios.tcgetattr(t.master)[3] & (termios.ICANON | termios.ECHO)
        same((before, after), (0, termios.ICANON | termios.ECHO), "flags")
        os.close(t.master)
    for name, sig in ("SIGTERM", signal.SIGTERM), ("SIGHUP", signal.SIGHUP), ("SIGINT", signal.SIGINT):
        with tap.case(f"{name} ends a session and restores the terminal"):
            t = s.shell()
            os.kill(t.process.pid, sig)
            status = t.process.wait(PATIENCE)
            flags = termios.tcgetattr(t.master)[3] & (termios.ICANON | termios.ECHO)
            same((status, flags), (255, termios.ICANON | termios.ECHO), "status, flags")
            os.close(t.master)
    with tap.case("-e none: no escapes"):
        t = s.shell("-e", "none")
        t.type(b"\n~.\necho still\n")
        t.wait_for(b"still\r\n")
        t.type(b"exit\n")
        same(t.end()[0], 0, "status")


def suspension(tap, s):
    with tap.case("~^Z suspends with the terminal restored, and goes on"):      # below a shell with jobs, else SIGTSTP does nothing
        t = Terminal(["bash", "--norc", "--noprofile", "-i"], s.place.env | {"PS1": "J> "})
        t.wait_for(b"J> ")
        t.type(shlex.join(s.argv("-tt", "127.0.0.1", "PS1= exec sh")).encode() + b"\n")
        t.type(b"echo i''n\n")
        t.wait_for(b"\r\nin\r\n")
        t.type(b"\n~\x1a")
        t.wait_for(b"Stopped")
        t.wait_for(b"J> ")
        t.type(b"stty -a | grep -o -- '-\\?icanon'; fg\n")
        t.wait_for(b"\ricanon\r\n")
        t.type(b"\necho ba''ck\n")
        t.wait_for(b"\r\nback\r\n")
        t.type(b"exit 3\n")
        t.wait_for(b"J> ")
        t.type(b"echo status $?; exit\n")
        t.wait_for(b"status 3\r\n")
        t.end()


def pipes(tap, s):
    data = os.urandom(BIG)
    digest = hashlib.sha256(data).hexdigest().encode()
    with tap.case(f"{BIG} bytes up"):
        same(s.run("127.0.0.1", "sha256sum", stdin=data).stdout[:64], digest, "hash")
    with tap.case(f"{BIG} bytes both ways at once"):
        same(hashlib.sha256(s.run("127.0.0.1", "cat", stdin=data).stdout).hexdigest().encode(), digest, "hash")
    with tap.case("from a file and into a file, which keep their offsets"):
        path = s.place.write("in", data)
        with open(path, "rb") as source, open(s.place.path("out"), "wb") as to:
            to.write(b"head")
            to.flush()
            source.seek(5)
            subprocess.run(s.argv("127.0.0.1", "cat"), stdin=source, stdout=to, env=s.place.env, check=True, timeout=PATIENCE)
            same(source.tell(), BIG, "offset of the source")
            to.write(b"tail")
        same(s.place.read("out") == b"head" + data[5:] + b"tail", True, "content")
    with tap.case("yes | head: a reader that goes away ends it"):
        p = s.popen("127.0.0.1", "yes", stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        same(p.stdout.read(4), b"y\ny\n", "first")
        p.stdout.close()
        p.wait(PATIENCE)
        p.stderr.close()
    with tap.case("standard output without room: 255, and why"):
        with open("/dev/full", "wb") as full:
            p = subprocess.run(s.argv("127.0.0.1", "echo x"), stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, env=s.place.env,
                               timeout=30, check=False)
        same((p.returncode, b"No space left on device" in p.stderr, p.stderr.count(b"\n")), (255, True, 1), f"status, stderr {p.stderr}")
    with tap.case("standard output closed from the start"):
        p = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *s.argv("127.0.0.1", "echo x; echo y >&2")], stdin=subprocess.DEVNULL, capture_output=True,
                           env=s.place.env, timeout=PATIENCE, check=False)
        same((p.returncode, p.stderr), (0, b"y\n"), "status, stderr")
    with tap.case("the end of input is passed on while output goes on"):
        same(s.run("127.0.0.1", "cat; sleep 0.3; echo end", stdin=b"in\n").stdout, b"in\nend\n", "output")
    with tap.case("stderr after standard output's end"):
        p = s.run("127.0.0.1", "exec >/dev/null; sleep 0.3; echo late >&2")
        same((p.returncode, p.stderr), (0, b"late\n"), "status, stderr")
    with tap.case("no descriptor that we inherited gets O_NONBLOCK"):
        r, w = os.pipe()
        out_r, out_w = os.pipe()
        p = subprocess.Popen(s.argv("127.0.0.1", "cat"), stdin=r, stdout=out_w, stderr=out_w, env=s.place.env)
        os.write(w, b"x")
        same(os.read(out_r, 1), b"x", "through")
        flags = [fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK for fd in (r, w, out_r, out_w)]
        os.close(w)
        p.wait(PATIENCE)
        same(flags, [0] * 4, "flags")
        for fd in r, out_r, out_w:
            os.close(fd)
    with tap.case("a pair of sockets as standard input and output"):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            p = subprocess.Popen(s.argv("127.0.0.1", "tr a-z A-Z"), stdin=theirs, stdout=theirs, env=s.place.env)
            theirs.close()
            ours.sendall(b"words")
            ours.shutdown(socket.SHUT_WR)
            got = b""
            while part := ours.recv(100):
                got += part
            same((got, p.wait(PATIENCE)), (b"WORDS", 0), "answer, status")


def options(tap, s):
    with tap.case("SendEnv and SetEnv"):
        p = s.run("-o", "SendEnv=NACRE_A NACRE_B*", "-o", "SetEnv=NACRE_C=three", "127.0.0.1", "env | grep NACRE | sort",
                  env=s.place.env | {"NACRE_A": "one", "NACRE_B2": "two", "NACRE_D": "no"})
        same(p.stdout, b"NACRE_A=one\nNACRE_B2=two\nNACRE_C=three\n", "environment")
    with tap.case("RemoteCommand"):
        same(s.run("-o", "RemoteCommand=echo %r", "127.0.0.1").stdout.decode(), f"{s.place.user}\n", "output")
    with tap.case("ProxyCommand, its tokens, its shell"):
        script = s.place.write("proxy", f"""#!/bin/sh
printf '%s ' "$@" >{s.place.path('tokens')}
exec {sys.executable} {s.place.write('carry.py', CARRY)} {s.server.port}
""", 0o755)
        p = s.run("-o", f"ProxyCommand={script} %h %p %r %n \"%%\" $((1+1))",
                  "-o", "HostKeyAlias=[127.0.0.1]:%d" % s.server.port, "-p", "77", "somewhere", "echo in")
        same((p.stdout + p.stderr, s.place.read("tokens").decode()), (b"in\n", f"somewhere 77 {s.place.user} somewhere % 2 "), "output, tokens")
    with tap.case("-f goes to the background after login"):
        p = s.run("-f", "127.0.0.1", f"sleep 0.4; echo done >{s.place.path('background')}")
        same(p.returncode, 0, "status")
        wait_for("what goes on in the background", lambda: os.path.exists(s.place.path("background")))
    with tap.case("-N stays until it is told to go"):
        p = s.popen("-v", "-N", "127.0.0.1", stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while b"Entering interactive session" not in (line := p.stderr.readline()):
            same(line != b"", True, "still running")
        time.sleep(0.3)     # long enough for one that would end by itself
        running = p.poll() is None
        p.terminate()
        same((running, p.wait(PATIENCE)), (True, 255), "running, status")
        p.stderr.close()
    with tap.case("-E takes the lines of -v, stderr stays empty"):
        p = s.run("-v", "-E", s.place.path("log"), "127.0.0.1", "true")
        log = s.place.read("log").decode()
        same(p.stderr, b"", "stderr")
        for line in (r"^debug1: kex: algorithm: \S+\r$", r"^debug1: kex: server->client cipher: \S+ MAC: \S+ compression: \S+\r$",
                     r"^debug1: Server host key: ssh-ed25519 SHA256:\S+\r$", r"^Authenticated to 127.0.0.1 \(\[127.0.0.1\]:\d+\) using \"publickey\"\.\r$",
                     r"^debug1: Offering public key: \S+ ED25519 SHA256:\S+ explicit\r$", r"^debug1: Exit status 0\r$"):
            same(re.search(line, log, re.M) is not None, True, line)
    with tap.case("compression"):
        same(s.run("-C", "127.0.0.1", "cat", stdin=b"a" * 100000).stdout, b"a" * 100000, "data")
    with tap.case("a server that falls silent is given up"):
        relay = Relay(s.server.port)
        p = s.popen("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=8", "-o", f"HostKeyAlias=[127.0.0.1]:{s.server.port}", "-p", str(relay.port),
                    "127.0.0.1", "echo up; sleep 60", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # -F's Port came first; the relay is reached by name and port of its own
        same(p.stdout.readline(), b"up\n", "before")
        relay.silent.set()
        same((p.wait(PATIENCE), p.stderr.read()), (255, b"Timeout, server 127.0.0.1 not responding.\r\n"), "status, line")
        p.stdout.close(), p.stderr.close()


class Relay:
    """Carries connections to a port until it falls silent, without closing anything."""

    def __init__(self, to):
        self.listener, self.to, self.silent = socket.create_server(("127.0.0.1", 0)), to, threading.Event()
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(("127.0.0.1", self.to))
            for a, b in (near, far), (far, near):
                threading.Thread(target=self.carry, args=(a, b), daemon=True).start()

    def carry(self, a, b):
        while data := a.recv(65536):
            if self.silent.is_set():
                threading.Event().wait()
            b.sendall(data)


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)


def alive(pid):
    try:
        return status_of(pid)["State"][0] != "Z"
    except OSError:     # ProcessLookupError, where it ended between open and read
        return False


def look_inside(child):
    fds = {fd: os.readlink(f"/proc/{child}/fd/{fd}") for fd in os.listdir(f"/proc/{child}/fd")}
    kinds = sorted(re.sub(r"[\[:].*", "", to) for fd, to in fds.items())   # ours to the UI and to the server; stdin, stdout, stderr
    same((len(kinds), kinds.count("socket"), kinds.count("/dev/null") >= 3), (8, 2, True), f"descriptors {fds}")
    same(open(f"/proc/{child}/environ", "rb").read(), b"", "environment")
    maps = open(f"/proc/{child}/maps", encoding="utf-8").read()
    same({m for m in re.findall(r"lib(\w+)[-.\d]*\.so", maps)} <= {"c", "crypto", "z"}, True, "libraries")


def processes(tap, s):
    with tap.case("the transport: no rights, two locks, no files, nothing of the user's"):
        p = s.popen("127.0.0.1", "echo up; cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        same(p.stdout.readline(), b"up\n", "up")
        children = open(f"/proc/{p.pid}/task/{p.pid}/children", encoding="utf-8").read().split()
        same(len(children), 1, "children of the UI")
        child = children[0]
        st, own = status_of(child), status_of(p.pid)
        same([st[k].strip() for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")], ["0" * 16] * 5, "capabilities")
        same((st["NoNewPrivs"], st["Seccomp"], st["Threads"]), ("1", "2", "1"), "locks")
        if os.geteuid() == 0:
            same("0" in st["Uid"].split(), False, "root's uid")
            look_inside(child)      # it cannot be dumped, so that only root may
        maps = open(f"/proc/{p.pid}/maps", encoding="utf-8").read()
        same((own["NoNewPrivs"], own["Seccomp"]), ("0", "0"), "the UI is the user's own")
        p.stdin.close()
        same(p.wait(PATIENCE), 0, "status")
        p.stdout.close()
    with tap.case("a transport that is killed ends the UI with a word"):
        p = s.popen("127.0.0.1", "echo up; cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        p.stdout.readline()
        child = int(open(f"/proc/{p.pid}/task/{p.pid}/children", encoding="utf-8").read())
        os.kill(child, signal.SIGKILL)
        same((p.wait(PATIENCE), p.stderr.read()), (255, b"ssh-transport: killed by signal 9\r\n"), "status, line")
        for f in p.stdin, p.stdout, p.stderr:
            f.close()
    with tap.case("a UI that is killed leaves no transport behind"):
        p = s.popen("127.0.0.1", "echo up; cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        p.stdout.readline()
        child = int(open(f"/proc/{p.pid}/task/{p.pid}/children", encoding="utf-8").read())
        p.kill()
        p.wait()
        wait_for("end of the transport", lambda: not alive(child))
        for f in p.stdin, p.stdout:
            f.close()


def main():
    tap = Tap()
    with Place() as place:
        program = programs.foreign("sshd") if room.foreign_terminals() else programs.ours("sshd")
        server = servers.sshd(place, program, ["AcceptEnv NACRE_*", "Compression delayed"])
        s = Session(place, server)
        for part in slow_forward, terminal, verbosity, suspension, pipes, options, processes:
            part(tap, s)
    tap.end()


main()
