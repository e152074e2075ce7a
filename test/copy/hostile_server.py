#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""An SFTP server over stdin and stdout that serves a made-up tree and lies as it is told.

usage: hostile_server.py LIE     (for scp -D)

It knows /tree, a folder whose files are all b"evil\\n" times a lot, and takes every upload without keeping it.
"""
import os
import struct
import sys

INIT, VERSION, OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, SETSTAT, FSETSTAT, OPENDIR, READDIR, REMOVE, MKDIR, RMDIR, REALPATH, STAT = range(1, 18)
STATUS, HANDLE, DATA, NAME, ATTRS = range(101, 106)
EXTENDED = 200
OK, EOF, NO_FILE, DENIED, FAILURE, BAD, *_, UNSUPPORTED = range(9)
CONTENT = b"evil\n" * 20000
DIR, REG, LNK = 0o040755, 0o100644, 0o120777

NAMES = [b"../escape", b"..", b".", b"/etc/escape", b"a/b", b"a/../../escape", b"nul\0name", b"", b"x" * 256, b"\x1b[31mred", b"new\nline", b"good",
         b"..\\escape", b"\xff\xfe", b"inner/../../../escape"]


def string(b):
    return struct.pack(">I", len(b)) + b


def attrs(mode, size=len(CONTENT)):
    return struct.pack(">IQIII", 1 | 4 | 8, size, mode, 1000000000, 1000000000)


def send(kind, ident, body):
    out = struct.pack(">BI", kind, ident) + body
    sys.stdout.buffer.write(struct.pack(">I", len(out)) + out)


def status(ident, code):
    send(STATUS, ident, struct.pack(">I", code) + string(b"words of \x1b[31mthe server") + string(b""))


class Server:
    def __init__(self, lie):
        self.lie, self.lists, self.opened, self.held, self.wrote = lie, {}, 0, [], 0

    def take(self, kind, ident, body):
        at = 0

        def text():
            nonlocal at
            n, = struct.unpack_from(">I", body, at)
            at += 4 + n
            return body[at - n:at]
        if kind in (STAT, LSTAT):
            self.stat(ident, text())
        elif kind == FSTAT:
            send(ATTRS, ident, attrs(REG))
        elif kind == OPEN:
            self.opened += 1
            send(HANDLE, ident, string(b"f%d" % self.opened))
        elif kind == OPENDIR:
            self.opened += 1
            handle = b"d%d" % self.opened
            self.lists[handle] = (text().rstrip(b"/"), 0)
            send(HANDLE, ident, string(handle))
        elif kind == READDIR:
            self.readdir(ident, text())
        elif kind == READ:
            text()
            offset, length = struct.unpack_from(">QI", body, at)
            self.read(ident, offset, length)
        elif kind == WRITE:
            self.wrote += 1
            status(ident, FAILURE if self.lie == "write-fails" and self.wrote == 2 else OK)
        elif kind == REALPATH:
            path = text()
            send(NAME, ident, struct.pack(">I", 1) + string(path) + string(path) + attrs(DIR))
        elif kind == EXTENDED:
            status(ident, UNSUPPORTED)
        else:
            status(ident, OK)

    def stat(self, ident, path):
        last = path.rstrip(b"/").split(b"/")[-1]
        if last == b"link" and self.lie == "link-of-links":
            send(ATTRS, ident, attrs(LNK))
        elif last in (b"tree", b"target", b"deep", b"sub"):
            send(ATTRS, ident, attrs(DIR))
        elif last.startswith(b"no"):
            status(ident, NO_FILE)
        elif self.lie == "huge-size":
            send(ATTRS, ident, attrs(REG, 2**63 - 1))
        elif self.lie == "max-size":
            send(ATTRS, ident, attrs(REG, 2**64 - 1))
        elif self.lie == "small-size":
            send(ATTRS, ident, attrs(REG, 10))
        elif self.lie == "zero-size":
            send(ATTRS, ident, attrs(REG, 0))
        else:
            send(ATTRS, ident, attrs(REG | (0o6000 if self.lie == "setuid" else 0)))

    def entries(self, path, turn):
        if self.lie == "names":
            return [(n, REG) for n in NAMES] + [(n, DIR) for n in NAMES[:8]] if turn == 0 else None
        if self.lie == "deep":
            return [(b"deep", DIR), (b"f", REG)] if turn == 0 else None
        if self.lie == "endless":
            return [(b"same%d" % (i % 7), REG) for i in range(100)] if turn < 50 else None
        if self.lie == "endless-dots":
            return [(b".", DIR), (b"..", DIR)]
        if self.lie == "swap":      # a folder under the name of a link that the user has, and a file under another's
            return [(b"outlink", DIR), (b"filelink", REG), (b"good", REG)] if turn == 0 and path.endswith(b"tree") else \
                [(b"inside", REG)] if turn == 0 else None
        if self.lie == "twice":
            return [(b"both", REG), (b"both", DIR), (b"both", REG)] if turn == 0 and path.endswith(b"tree") else None
        if self.lie == "link-of-links":
            return [(b"link", LNK), (b"good", REG)] if turn == 0 else None
        return [(b"good", REG), (b"sub", DIR)] if turn == 0 and path.endswith(b"tree") else [(b"inner", REG)] if turn == 0 else None

    def readdir(self, ident, handle):
        path, turn = self.lists[handle]
        self.lists[handle] = (path, turn + 1)
        found = self.entries(path, turn)
        if found is None:
            status(ident, EOF)
            return
        body = b"".join(string(n) + string(b"long \x1b]0;x\x07" + n) + attrs(mode | (0o6000 if self.lie == "setuid" else 0)) for n, mode in found)
        send(NAME, ident, struct.pack(">I", len(found)) + body)

    def read(self, ident, offset, length):
        data = CONTENT[offset:offset + length]
        if self.lie == "empty-data":
            send(DATA, ident, string(b""))
        elif self.lie == "too-much":
            send(DATA, ident, string(data + b"x" * (length - len(data) + 1)))
        elif self.lie == "short":
            data = CONTENT[offset:offset + min(length, 1000)]
            send(DATA, ident, string(data)) if data else status(ident, EOF)
        elif self.lie == "never-ends" and offset < 3 << 20:
            send(DATA, ident, string(b"z" * length))
        elif self.lie == "unknown-id":
            send(DATA, ident + 4096, string(data))
        elif self.lie == "wrong-kind":
            send(HANDLE, ident, string(b"h"))
        elif self.lie == "read-fails" and offset > 0:
            status(ident, FAILURE)
        elif self.lie == "ok-for-data":
            status(ident, OK)
        elif self.lie == "dies" and offset > 50000:
            os._exit(0)
        elif self.lie == "backwards":
            self.held.append((ident, data))
        else:
            send(DATA, ident, string(data)) if data else status(ident, EOF)

    def flush(self):
        for ident, data in reversed(self.held):
            send(DATA, ident, string(data)) if data else status(ident, EOF)
        self.held.clear()
        sys.stdout.buffer.flush()


def main():
    server, have = Server(sys.argv[1]), b""
    while True:
        got = os.read(0, 1 << 20)
        if not got:
            return
        have += got
        while len(have) >= 5 and len(have) >= 4 + struct.unpack_from(">I", have)[0]:
            n, = struct.unpack_from(">I", have)
            kind, body, have = have[4], have[5:4 + n], have[4 + n:]
            if kind == INIT:
                sys.stdout.buffer.write(struct.pack(">IBI", 5, VERSION, 3))
            else:
                server.take(kind, struct.unpack_from(">I", body)[0], body[4:])
        server.flush()


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        os._exit(0)
