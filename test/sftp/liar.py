#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""An SFTP server that lies, on stdin and stdout: liar.py WHAT. Its folder /home has the files good and g2; the rest is WHAT's."""
import os
import struct
import sys

(INIT, VERSION, OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, SETSTAT, FSETSTAT, OPENDIR, READDIR, REMOVE, MKDIR, RMDIR, REALPATH, STAT, RENAME, READLINK,
 SYMLINK) = range(1, 21)
STATUS, HANDLE, DATA, NAME, ATTRS = range(101, 106)
EXTENDED, REPLY = 200, 201
OK, EOF, NO_SUCH_FILE, DENIED, FAILURE = range(5)
NAMES = [b"../up", b"..", b".", b"", b"/etc/x", b"a/b", b"n\0ul", b"x" * 300, b"\x1b]0;title\x07", b"back\\slash",
         b"\xc2\x9b31m", b"\xe2\x80\xaerl", b"line\nfeed",
         b"-rf", b"good", b"g2"]

HELD_SIZE = 4 * 32768


def string(b):
    return struct.pack(">I", len(b)) + b


def attrs(mode=0o100644, size=5):
    return struct.pack(">IQIIIII", 15, size, 4242, 4243, mode, 1, 1)


class Liar:
    def __init__(self, what):
        self.what, self.listed, self.count = what, 0, 0

    def send(self, kind, body):
        sys.stdout.buffer.write(struct.pack(">IB", len(body) + 1, kind) + body)
        sys.stdout.buffer.flush()

    def status(self, ident, code):
        text = b"\x1b[2Jtext" if self.what == "texts" else b"text"
        self.send(STATUS, struct.pack(">II", ident, code) + string(text) + string(b"en"))

    def names(self, ident, names):
        longs = b"\x1b[31mlong\r\n" if self.what == "longnames" else b"long "
        self.send(NAME, struct.pack(">II", ident, len(names)) + b"".join(string(n) + string(longs + n) + attrs() for n in names))

    def version(self):
        if self.what == "garbage":
            sys.stdout.buffer.write(b"Welcome to this host\r\n")
            return sys.stdout.buffer.flush()
        extensions = string(b"users-groups-by-id@openssh.com") + string(b"1") if self.what == "owners" else b""
        return self.send(VERSION, struct.pack(">I", 9 if self.what == "version" else 3) + extensions)

    def realpath(self, ident):
        answers = {"no-realpath": [], "two-realpaths": [b"/home", b"/x"], "empty-realpath": [b""], "odd-realpath": [b"/ho\x1b[31mme\nsftp> "]}
        self.names(ident, answers.get(self.what, [b"/home"]))

    def readdir(self, ident):
        self.listed += 1
        if self.listed == 1 and "LISTING" in os.environ:   # a test wants to know
            open(os.environ["LISTING"], "wb").close()
        if self.what == "endless" or (self.what == "nothing-for-ever"):
            return self.names(ident, [b"n%d" % self.listed] if self.what == "endless" else [b"", b"."])
        if self.what == "empty-lists":
            return self.names(ident, [])
        if self.listed % 2 == 0:
            return self.status(ident, EOF)
        return self.names(ident, NAMES if self.what in ("names", "owners") else [b"good", b"g2"])

    def held(self, ident, offset, length):
        """A quarter of the file at once; the rest when a test has opened the FIFO and closed it."""
        if offset == HELD_SIZE // 4:
            with open(os.environ["HELD"], "rb") as fifo:
                fifo.read()
        return self.send(DATA, struct.pack(">I", ident) + string(bytes(length))) if length else self.status(ident, EOF)

    def answer(self, kind, ident, body):
        if self.what == "leaves" and self.count == 4:
            sys.exit(0)
        if self.what == "unknown-id" and kind != REALPATH:
            return self.status(ident + 77, OK)
        if self.what == "wrong-kind" and kind != REALPATH:
            return self.send(HANDLE, struct.pack(">I", ident) + string(b"h"))
        if kind == REALPATH:
            return self.realpath(ident)
        if kind in (STAT, LSTAT, FSTAT):
            if b"nope" in body:
                return self.status(ident, NO_SUCH_FILE)
            if self.what == "holds":
                return self.send(ATTRS, struct.pack(">I", ident) + attrs(size=HELD_SIZE))
            folder = body[4:].rstrip(b"/") in (b"/home", b"/")
            return self.send(ATTRS, struct.pack(">I", ident) + attrs(0o040755 if folder else 0o100644))
        if kind in (OPEN, OPENDIR):
            return self.send(HANDLE, struct.pack(">I", ident) + string(b"h"))
        if kind == READDIR:
            return self.readdir(ident)
        if kind == READ:
            offset, length = struct.unpack_from(">QI", body, 5)
            if self.what == "holds":
                return self.held(ident, offset, min(length, max(0, HELD_SIZE - offset)))
            if self.what == "no-data":
                return self.send(DATA, struct.pack(">I", ident) + string(b""))
            return self.send(DATA, struct.pack(">I", ident) + string(b"evil\n")) if offset == 0 else self.status(ident, EOF)
        if kind == EXTENDED and self.what == "owners":
            return self.send(REPLY, struct.pack(">I", ident) + string(string(b"\x1b[31mroot\nx")) + string(string(b"\x07g")))
        return self.status(ident, FAILURE if self.what == "texts" else OK)

    def run(self):
        while head := sys.stdin.buffer.read(5):
            length, kind = struct.unpack(">IB", head)
            body = sys.stdin.buffer.read(length - 1)
            self.count += 1
            if kind == INIT:
                self.version()
            else:
                self.answer(kind, struct.unpack(">I", body[:4])[0], body[4:])


if __name__ == "__main__":
    try:
        Liar(sys.argv[1]).run()
    except BrokenPipeError:
        sys.stderr.close()
