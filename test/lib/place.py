# SPDX-License-Identifier: ISC
"""A throw-away folder with keys and processes of its own. Nothing of it outlives `with Place() as place:`."""
import ctypes
import fcntl
import os
import pwd
import random
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import time

import programs
import room
from tap import PATIENCE

LIBC = ctypes.CDLL(None)
KEY_BITS = {"rsa": ["-b", "3072"], "ecdsa256": ["-b", "256"], "ecdsa384": ["-b", "384"], "ecdsa521": ["-b", "521"]}


RESERVED = []       # sockets whose names keep other tests from the ports that we were given, as long as this one runs


def reserve(port):
    """Whether no other test has it: a server that finds its port taken ends, and then we would speak to another test's."""
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0nacre-test-port-{port}")
    except OSError:
        mark.close()
        return False
    RESERVED.append(mark)
    return True


def free_port():
    """A port for a server that binds it by itself, a moment later: none of those that the kernel gives to connections meanwhile."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        lowest = int(f.read().split()[0])
    while True:
        port = random.randrange(10000, lowest) if lowest > 12000 else 0
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            port = s.getsockname()[1]
            if reserve(port):
                return port


def die_with_parent():
    LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: what we start never outlives us


class Hung(AssertionError):
    """A program did not end in a time that is long even for a machine with much else to do."""


def where(pid):
    """What a process waits for, for the reader of a failure."""
    try:
        with open(f"/proc/{pid}/wchan", encoding="ascii") as wchan, open(f"/proc/{pid}/syscall", encoding="ascii") as call:
            return f"it waits in {wchan.read()}, system call {call.read().strip()}"
    except OSError as error:
        return str(error)


def read_screen(master, until):
    """All that a terminal shows until the last program lets go of it; and whether that was before the time was over."""
    screen = b""
    while select.select([master], [], [], max(0, until - time.monotonic()))[0]:
        try:
            screen += os.read(master, 65536)
        except OSError:  # EIO: nobody has the terminal any more
            return screen, True
    return screen, False


class Place:
    """In BASE, else in the room's folder, else in the system's place for temporary files."""

    def __init__(self, base=None):
        self.folder = tempfile.mkdtemp(prefix="nacre-", dir=base or (room.FOLDER if room.inside() else None))
        os.chmod(self.folder, 0o755)
        self.user = room.user()
        self.home = pwd.getpwnam(self.user).pw_dir
        self.processes = []
        self.env = {"PATH": programs.PATH, "HOME": self.folder, "USER": self.user, "LOGNAME": self.user, "LC_ALL": "C.UTF-8",
                    "SHELL": "/bin/sh", "TERM": "xterm"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            self.stop(process)
        logs = {name: self.read(name).decode(errors="replace") for name in os.listdir(self.folder) if name.endswith(".log")}
        shutil.rmtree(self.folder, ignore_errors=True)
        for name, log in logs.items():
            if "Sanitizer" in log:      # a flaw or leak in a process whose status nobody asks for
                raise AssertionError(f"{name}:\n{log}")

    def path(self, name):
        return f"{self.folder}/{name}"

    def write(self, name, text, mode=0o600):
        """Write a file of this place; returns its path."""
        with open(self.path(name), "wb") as f:
            os.fchmod(f.fileno(), mode)
            f.write(text if isinstance(text, bytes) else text.encode())
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def is_safe(self):
        """Whether nobody else may write to a folder above, as StrictModes wants it."""
        above = os.path.realpath(self.folder)
        while above != "/":
            above = os.path.dirname(above)
            if os.stat(above).st_mode & 0o022:
                return False
        return True

    def key(self, kind="ed25519", name=None, comment="test"):
        """The path of a private key, made when first asked for; kind: ed25519, rsa, ecdsa256, ecdsa384, ecdsa521."""
        path = self.path(name or f"key-{kind}")
        if not os.path.exists(path):
            kind_only = "ecdsa" if kind.startswith("ecdsa") else kind
            self.run([programs.any_keygen(), "-q", "-t", kind_only, *KEY_BITS.get(kind, []), "-N", "", "-C", comment, "-f", path],
                     check=True)
        return path

    def public(self, private):
        """`type base64` of a private key's .pub file."""
        with open(f"{private}.pub", encoding="ascii") as f:
            return " ".join(f.read().split()[:2])

    def run(self, argv, stdin=b"", timeout=PATIENCE, **kw):
        """Run to the end and return the CompletedProcess, output as bytes; its standard input is never the test's own."""
        kw.setdefault("env", self.env)
        return subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout, preexec_fn=die_with_parent, **kw)

    def run_files(self, argv, source, sink, timeout=PATIENCE):
        """The same with standard input from the file `source` and standard output to the file `sink`, of any size."""
        with open(source, "rb") as data, open(sink, "wb") as out:
            return subprocess.run(argv, stdin=data, stdout=out, stderr=subprocess.PIPE, env=self.env, timeout=timeout,
                                  preexec_fn=die_with_parent, check=False)

    def run_spooled(self, argv, stdin=b"", timeout=PATIENCE):
        """As run(), but its standard output and error are files, which never make it wait."""
        with tempfile.TemporaryFile(dir=self.folder) as out, tempfile.TemporaryFile(dir=self.folder) as err:
            done = subprocess.run(argv, input=stdin, stdout=out, stderr=err, timeout=timeout, preexec_fn=die_with_parent, env=self.env)
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(argv, done.returncode, out.read(), err.read())

    def run_terminal(self, argv, typed=b"", size=(37, 91), timeout=PATIENCE):
        """Run with a terminal of `size` (rows, columns) as standard input, output, error and controlling terminal."""
        master, slave = os.openpty()
        termios.tcsetwinsize(slave, size)

        def own_terminal():
            die_with_parent()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=self.env, start_new_session=True,
                                   preexec_fn=own_terminal)
        os.close(slave)
        os.write(master, typed)
        until = time.monotonic() + timeout
        screen, ended = read_screen(master, until)
        try:
            process.wait(max(0.1, until - time.monotonic()) if ended else 0)
        except subprocess.TimeoutExpired:
            raise Hung(f"{argv} did not end within {timeout} s; {where(process.pid)}; on the screen:\n{screen.decode(errors='replace')}") from None
        finally:
            process.kill()
            process.wait()
            os.close(master)  # not before: a hang-up would end those that let go of their terminal first and exit then, as dbclient does
        return subprocess.CompletedProcess(argv, process.returncode, screen, b"")

    def start(self, argv, log, **kw):
        """Start a process that is ended with the place; its output goes to the file `log` of the place."""
        kw.setdefault("env", self.env)
        kw.setdefault("stdin", subprocess.DEVNULL)
        with open(self.path(log), "ab") as out:
            kw.setdefault("stdout", out)
            process = subprocess.Popen(argv, stderr=out, start_new_session=True, preexec_fn=die_with_parent, **kw)
        self.processes.append(process)
        return process

    def stop(self, process):
        """End a process we started, gently first."""
        if process in self.processes:
            self.processes.remove(process)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()

    def wait_port(self, port, process, log, timeout=PATIENCE):
        """Until the port of 127.0.0.1 takes connections; fails with the log when the process ends first."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if process.poll() is not None:
                raise AssertionError(f"server ended with {process.returncode}:\n{self.read(log).decode(errors='replace')[-2000:]}")
            try:
                socket.create_connection(("127.0.0.1", port), PATIENCE).close()
                return
            except OSError:
                time.sleep(0.01)
        raise AssertionError(f"nothing listens on port {port}:\n{self.read(log).decode(errors='replace')[-2000:]}")
