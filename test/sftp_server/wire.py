# SPDX-License-Identifier: ISC
"""SFTP version 3 as bytes: every request can be sent, also wrong ones. Speaks to a server's pipes."""
import hashlib
import os
import stat
import struct

INIT, VERSION, OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, SETSTAT, FSETSTAT, OPENDIR, READDIR, REMOVE, MKDIR, RMDIR, REALPATH, STAT, RENAME, \
    READLINK, SYMLINK = range(1, 21)
STATUS, HANDLE, DATA, NAME, ATTRS = range(101, 106)
EXTENDED, EXTENDED_REPLY = 200, 201
OK, EOF, NO_SUCH_FILE, DENIED, FAILURE, BAD_MESSAGE, _, _, UNSUPPORTED = range(9)
F_READ, F_WRITE, F_APPEND, F_CREAT, F_TRUNC, F_EXCL = 1, 2, 4, 8, 16, 32


def u32(n):
    return struct.pack(">I", n)


def u64(n):
    return struct.pack(">Q", n)


def text(s):
    s = s.encode() if isinstance(s, str) else s
    return u32(len(s)) + s


def attrs(size=None, owner=None, mode=None, times=None):
    flags = (size is not None) | (owner is not None) << 1 | (mode is not None) << 2 | (times is not None) << 3
    out = u32(flags)
    out += u64(size) if size is not None else b""
    out += u32(owner[0]) + u32(owner[1]) if owner is not None else b""
    out += u32(mode) if mode is not None else b""
    return out + (u32(times[0]) + u32(times[1]) if times is not None else b"")


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        self.at += n
        if self.at > len(self.data):
            raise AssertionError("reply ends too early")
        return self.data[self.at - n:self.at]

    def u32(self):
        return struct.unpack(">I", self.take(4))[0]

    def u64(self):
        return struct.unpack(">Q", self.take(8))[0]

    def text(self):
        return self.take(self.u32())

    def attrs(self):
        flags, out = self.u32(), {}
        if flags & 1:
            out["size"] = self.u64()
        if flags & 2:
            out["uid"], out["gid"] = self.u32(), self.u32()
        if flags & 4:
            out["mode"] = self.u32()
        if flags & 8:
            out["atime"], out["mtime"] = self.u32(), self.u32()
        return out

    def rest(self):
        return self.take(len(self.data) - self.at)


class Wire:
    """One session over (read from, write to) descriptors."""

    def __init__(self, read_fd, write_fd, version=3):
        self.read_fd, self.write_fd, self.next_id, self.got = read_fd, write_fd, 100, {}
        self.write(bytes([INIT]) + u32(version))
        r = Reader(self.message())
        self.version = (r.take(1)[0], r.u32())
        self.extensions = {}
        while r.at < len(r.data):
            name = r.text().decode()
            self.extensions[name] = r.text().decode()

    def write(self, body):
        data = u32(len(body)) + body
        while data:
            data = data[os.write(self.write_fd, data):]

    def read(self, n):
        out = b""
        while len(out) < n:
            got = os.read(self.read_fd, n - len(out))
            if not got:
                raise EOFError("the server has ended")
            out += got
        return out

    def message(self):
        return self.read(struct.unpack(">I", self.read(4))[0])

    def send(self, kind, *parts):
        """A request; returns its id."""
        self.next_id += 1
        self.write(bytes([kind]) + u32(self.next_id) + b"".join(parts))
        return self.next_id

    def reply(self, wanted):
        """(type, Reader) of the request's reply; others that come before are kept."""
        while wanted not in self.got:
            r = Reader(self.message())
            kind = r.take(1)[0]
            self.got[r.u32()] = (kind, r)
        return self.got.pop(wanted)

    def ask(self, kind, *parts):
        return self.reply(self.send(kind, *parts))

    def extended(self, name, *parts):
        return self.ask(EXTENDED, text(name), *parts)

    def status(self, kind, *parts):
        kind, r = self.ask(kind, *parts)
        return r.u32() if kind == STATUS else f"reply {kind}"

    def open(self, path, flags=F_READ, a=attrs()):
        kind, r = self.ask(OPEN, text(path), u32(flags), a)
        if kind != HANDLE:
            raise AssertionError(f"open {path}: status {r.u32()}")
        return r.text()

    def close(self, handle):
        return self.status(CLOSE, text(handle))

    def read_file(self, path, at=0, n=1 << 17):
        handle = self.open(path)
        kind, r = self.ask(READ, text(handle), u64(at), u32(n))
        self.close(handle)
        return r.text() if kind == DATA else r.u32()

    def list(self, path):
        """[(name, line of ls -l, attributes)]"""
        kind, r = self.ask(OPENDIR, text(path))
        if kind != HANDLE:
            raise AssertionError(f"opendir {path}: status {r.u32()}")
        handle, out = r.text(), []
        while True:
            kind, r = self.ask(READDIR, text(handle))
            if kind != NAME:
                break
            out += [(r.text(), r.text(), r.attrs()) for _ in range(r.u32())]
        self.close(handle)
        if r.u32() != EOF:
            raise AssertionError("READDIR ended with something else than EOF")
        return sorted(out)


def shown(kind, r):
    """A reply as something that can be compared: without handles, and without what time and place make of it."""
    if kind == STATUS:
        return ["status", r.u32()]
    if kind == HANDLE:
        return ["handle"]
    if kind == DATA:
        return ["data", r.text()]
    if kind == ATTRS:
        return ["attrs", r.attrs()]
    if kind == NAME:
        return ["names", sorted((r.text(), r.text(), sorted(r.attrs().items())) for _ in range(r.u32()))]
    return ["extended reply", r.rest()]


def tree(top):
    """What is below a folder: name -> (mode, size or target, hash, times)."""
    out = {}
    for folder, folders, names in os.walk(os.fsencode(top)):
        for name in folders + names:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            what = os.readlink(path) if stat.S_ISLNK(st.st_mode) else None
            if stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    what = hashlib.sha256(f.read()).hexdigest()
            out[os.path.relpath(path, os.fsencode(top))] = (st.st_mode, st.st_nlink, st.st_uid, st.st_gid, what)
    return out
