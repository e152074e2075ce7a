# SPDX-License-Identifier: ISC
"""SFTP by hand, for clients that mean harm: what is sent is what a case says, and nothing is taken for granted about the answers."""
import os
import select
import struct
import time

from tap import PATIENCE

(INIT, VERSION, OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, SETSTAT, FSETSTAT, OPENDIR, READDIR, REMOVE, MKDIR, RMDIR, REALPATH, STAT, RENAME, READLINK,
 SYMLINK) = range(1, 21)
STATUS, HANDLE, DATA, NAME, ATTRS = range(101, 106)
EXTENDED, EXTENDED_REPLY = 200, 201
OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, BAD_MESSAGE = range(6)
F_READ, F_WRITE, F_CREAT, F_TRUNC = 1, 2, 8, 16


def u32(n):
    return struct.pack(">I", n)


def u64(n):
    return struct.pack(">Q", n)


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return u32(len(value)) + value


NO_ATTRS = u32(0)


class Ended(AssertionError):
    """The server, or the connection, has ended."""


class Wire:
    """On the pipes of `ssh -s host sftp`."""

    def __init__(self, process):
        self.process, self.number, self.rest = process, 0, b""
        os.set_blocking(process.stdin.fileno(), False)
        self.send_raw(u32(5) + bytes([INIT]) + u32(3))
        kind, _, _ = self.reply()
        if kind != VERSION:
            raise AssertionError(f"first message is {kind}")

    def send_raw(self, data, timeout=PATIENCE):
        """How much of it went; less than all when the server takes no more for that long."""
        sent, fd = 0, self.process.stdin.fileno()
        while sent < len(data):
            if not select.select([], [fd], [], timeout)[1]:
                break
            try:
                sent += os.write(fd, data[sent:sent + 65536])
            except BrokenPipeError:
                raise Ended("nobody reads any more") from None
        return sent

    def message(self, kind, *parts):
        self.number += 1
        body = bytes([kind]) + u32(self.number) + b"".join(parts)
        return u32(len(body)) + body

    def read(self, n):
        until = time.monotonic() + PATIENCE
        while len(self.rest) < n:
            if not select.select([self.process.stdout], [], [], max(0, until - time.monotonic()))[0]:
                raise AssertionError("no answer")
            got = os.read(self.process.stdout.fileno(), 1 << 20)
            if not got:
                raise Ended("the server has ended")
            self.rest += got
        data, self.rest = self.rest[:n], self.rest[n:]
        return data

    def reply(self):
        """(kind, id, the rest)"""
        body = self.read(struct.unpack(">I", self.read(4))[0])
        return body[0], struct.unpack(">I", body[1:5])[0], body[5:]

    def ask(self, kind, *parts):
        """(kind of the reply, status or None, the rest)"""
        self.send_raw(self.message(kind, *parts))
        got, number, rest = self.reply()
        if number != self.number:
            raise AssertionError(f"answer to {number}, not to {self.number}")
        return got, struct.unpack(">I", rest[:4])[0] if got == STATUS else None, rest

    def extended(self, name, *parts):
        return self.ask(EXTENDED, text(name), *parts)

    def open(self, path, flags=F_READ):
        kind, status, rest = self.ask(OPEN, text(path), u32(flags), NO_ATTRS)
        return (rest[4:], None) if kind == HANDLE else (None, status)

    def alive(self):
        """Does it still answer?"""
        return self.ask(REALPATH, text("."))[0] == NAME

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()
