# SPDX-License-Identifier: ISC
"""Our sftp and scp on our server, with a folder here and one of the server's user; what trees are; a line that counts and cuts."""
import ctypes
import hashlib
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import die_with_parent  # noqa: E402
from tap import PATIENCE  # noqa: E402

LONG = bool(os.environ.get("NACRE_LONG"))
LIBC = ctypes.CDLL(None, use_errno=True)


class Site:
    """A server, `here` and `there`: two empty folders, the second one of the user who logs in."""

    def __init__(self, place, options=(), program=None, subsystem="internal-sftp"):
        self.place = place
        self.server = servers.sshd(place, program or programs.ours("sshd"), [*options, f"Subsystem sftp {subsystem}", "LogLevel VERBOSE"],
                                   user_keys=["ed25519"])
        self.here, self.there = place.path("here"), f"{place.home}/there"
        self.fresh()

    def fresh(self):
        for folder in self.here, self.there:
            shutil.rmtree(folder, ignore_errors=True)
            os.mkdir(folder)
        self.give(self.there)

    def give(self, path):
        """To the user who logs in, with all that is in it."""
        user = pwd.getpwnam(self.place.user)
        for folder, _, files in os.walk(os.fsencode(path)):
            for name in [folder, *[folder + b"/" + f for f in files]]:
                os.chown(name, user.pw_uid, user.pw_gid, follow_symlinks=False)

    def options(self, port=None):
        options = ["-S", programs.ours("ssh"), *clients.ssh_argv(self.place, programs.ours("ssh"), self.server)[1:]]
        return options + ["-o", f"Port={port}", "-o", f"HostKeyAlias=[127.0.0.1]:{self.server.port}"] if port else options

    def sftp_argv(self, *lines, port=None, args=()):
        batch = self.place.write(f"batch-{threading.get_ident()}", b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines) + b"\n")
        return [programs.ours("sftp"), *args, "-b", batch, *self.options(port), "127.0.0.1"]

    def sftp(self, *lines, port=None, args=(), **kw):
        return self.place.run(self.sftp_argv(*lines, port=port, args=args), **kw)

    def scp_argv(self, *args, port=None):
        """An argument that begins with `:` is a remote path."""
        return [programs.ours("scp"), *self.options(port), *[f"127.0.0.1{arg}" if arg.startswith(":") else arg for arg in args]]

    def scp(self, *args, port=None, **kw):
        return self.place.run(self.scp_argv(*args, port=port), **kw)

    def ssh_subsystem(self, **kw):
        argv = [*clients.ssh_argv(self.place, programs.ours("ssh"), self.server), "-s", "127.0.0.1", "sftp"]
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.place.env, preexec_fn=die_with_parent, bufsize=0, **kw)


def good(done, what):
    if done.returncode:
        raise AssertionError(f"{what}: {done.returncode}: {done.stderr.decode(errors='replace')[-1500:]}")
    return done


# ---- trees ----

def data_hash(path):
    """Of the bytes, zeros skipped a MB at a time: files of many GB that are mostly holes."""
    piece, whole = 1 << 20, hashlib.sha256()
    with open(path, "rb", buffering=0) as f:
        size, at = os.fstat(f.fileno()).st_size, 0
        while at < size:
            try:
                at = os.lseek(f.fileno(), at, os.SEEK_DATA) // piece * piece
            except OSError:     # only a hole is left
                break
            data = os.pread(f.fileno(), piece, at)
            if data.strip(b"\0"):
                whole.update(b"%d:" % at + data)
            at += piece
        whole.update(b"%d" % size)
    return whole.hexdigest()


def facts(top, times=True):
    """{name: (kind and mode, size, hash or target, time)} of all that is below, and of top itself."""
    top, found = os.fsencode(top), {}
    for folder, folders, files in os.walk(top):
        for path in [folder] * (folder == top) + [folder + b"/" + name for name in folders + files]:
            st = os.lstat(path)
            what = [stat.filemode(st.st_mode)]
            if stat.S_ISREG(st.st_mode):
                what += [st.st_size, data_hash(path)]
            elif stat.S_ISLNK(st.st_mode):
                what.append(os.readlink(path))
            found[os.path.relpath(path, top)] = (*what, *[int(st.st_mtime)] * times)
    return found


def same_trees(got, want):
    for name in sorted({*got, *want}):
        if got.get(name) != want.get(name):
            raise AssertionError(f"{name!r}: got {got.get(name)}, expected {want.get(name)}; {len(got)} names, expected {len(want)}")


def mapped(path):
    """Real bytes of a file on disk."""
    return os.stat(path).st_blocks * 512


def exchange(a, b):
    """Two names change places in one step."""
    if LIBC.renameat2(-100, a, -100, b, 2):
        raise OSError(ctypes.get_errno(), "renameat2")


# ---- processes ----

def processes():
    """pid -> (parent, name of the program's file)"""
    found = {}
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as f:
                rest = f.read().rpartition(")")[2].split()
            found[int(entry)] = int(rest[1]), os.path.basename(os.readlink(f"/proc/{entry}/exe")).removesuffix(" (deleted)")
        except (OSError, ValueError):
            continue
    return found


def family(pid):
    """All that descend from pid, itself first: [(pid, program)]"""
    every, kin = processes(), [pid]
    for parent in kin:
        kin += [p for p, (of, _) in every.items() if of == parent]
    return [(p, every[p][1]) for p in kin if p in every]


def memory_kb(pids, field="Pss"):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith(f"{field}:"))
        except OSError:
            continue
    return total


# ---- the line ----

class Line:
    """Relays connections to a port. counts: bytes [to the server, to the client] of the last one; cut_at(direction, n, what): when n bytes have
    gone that way, nothing goes on any more and what() is called."""

    def __init__(self, target):
        self.target, self.listener = target, socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.counts, self.cut, self.open = [0, 0], None, []
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def cut_at(self, direction, n, what):
        self.cut = direction, n, what

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target), PATIENCE)
            server.settimeout(None)
            self.counts, done = [0, 0], threading.Event()
            for direction, (a, b) in enumerate(((client, server), (server, client))):
                threading.Thread(target=self.carry, args=(direction, a, b, self.counts, done), daemon=True).start()

    def carry(self, direction, source, target, counts, done):
        while True:
            try:
                data = source.recv(65536)
                if data and not done.is_set():
                    target.sendall(data)
                    counts[direction] += len(data)
            except OSError:
                data = b""
            if not data:
                break
            if self.cut and not done.is_set() and self.cut[0] == direction and counts[direction] >= self.cut[1]:
                what, self.cut = self.cut[2], None
                done.set()
                what()
                break
        for end in source, target:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def sleeper(argv):
    """Runs beside a test until it is ended."""
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, preexec_fn=die_with_parent)


IN_ROOM_AS_ROOT = room.inside() and os.geteuid() == 0
