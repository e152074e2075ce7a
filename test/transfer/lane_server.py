#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""An SFTP server on stdin and stdout whose files all have CONTENT; a file's name says how its READs are answered."""
import os
import random
import struct
import sys

INIT, VERSION, OPEN, CLOSE, READ = 1, 2, 3, 4, 5
STATUS, HANDLE, DATA, NAME, ATTRS = range(101, 106)
OK, EOF, NO_FILE, DENIED, FAILURE = range(5)
REALPATH, STAT, LSTAT, FSTAT, EXTENDED = 16, 17, 7, 8, 200
PLACED, UNPLACED = 0xf1, 0xf2
CONTENT = random.Random(11).randbytes((3 << 20) + 12345)


def string(b):
    return struct.pack(">I", len(b)) + b


def message(kind, ident, body):
    return struct.pack(">IBI", len(body) + 5, kind, ident) + body


def status(ident, code):
    return message(STATUS, ident, struct.pack(">I", code) + string(b"text") + string(b""))


class Server:
    def __init__(self):
        self.lies, self.reads, self.held = {}, 0, []

    def data(self, ident, offset, length, handle):
        """The replies to one READ, in order."""
        part = CONTENT[offset:offset + length]
        right = message(DATA, ident, string(part)) if part else status(ident, EOF)
        self.reads += 1
        lie, odd = self.lies[handle], self.reads % 5 == 3
        if lie == "backwards" and self.reads <= 8:      # two batches of four, the last one first
            self.held.append(right)
            if len(self.held) < 4:
                return []
            held, self.held = self.held[::-1], []
            return held
        if lie == "short" and odd and len(part) > 1000:
            return [message(DATA, ident, string(part[:1000]))]
        if lie == "too-long" and odd:
            return [message(DATA, ident, string(part + b"x" * (length - len(part) + 1)))]
        if lie == "twice" and odd:
            return [right, right]
        if lie == "both" and odd:               # a status, and the data as well
            return [status(ident, FAILURE), right]
        if lie == "wrong-id" and odd:
            return [message(DATA, ident + 4096, string(part))]
        if lie == "lengths" and odd:            # DATA's own length says less than the message's
            return [message(DATA, ident, string(part[:-7]) + part[-7:])]
        if lie == "placed" and odd:
            return [message(PLACED, ident, struct.pack(">I", len(part)))]
        if lie == "unplaced" and odd:
            return [message(UNPLACED, ident, struct.pack(">I", 28))]
        if lie == "fails" and odd:
            return [status(ident, FAILURE)]
        if lie == "ends" and odd:
            return [status(ident, EOF)]
        if lie == "dies" and offset > 1 << 20:
            sys.stdout.buffer.write(right[:len(right) // 2])
            sys.stdout.buffer.flush()
            os._exit(0)
        return [right]

    def answer(self, kind, ident, body):
        if kind in (STAT, LSTAT, FSTAT):
            told = len(CONTENT)
            if b"grows" in body:
                told -= 700000
            elif b"shrinks" in body:
                told += 5 << 20
            return [message(ATTRS, ident, struct.pack(">IQI", 5, told, 0o100644))]
        if kind == OPEN:
            n, = struct.unpack_from(">I", body)
            handle = b"h%d" % len(self.lies)
            self.lies[handle] = os.path.basename(body[4:4 + n]).decode()
            return [message(HANDLE, ident, string(handle))]
        if kind == READ:
            n, = struct.unpack_from(">I", body)
            return self.data(ident, *struct.unpack_from(">QI", body, 4 + n), body[4:4 + n])
        if kind == REALPATH:
            return [message(NAME, ident, struct.pack(">I", 1) + string(b"/home") + string(b"/home") + struct.pack(">II", 4, 0o40755))]
        return [status(ident, OK)]

    def send(self, replies):
        out = b"".join(replies)
        odd = "odd" in self.lies.values()       # the channel's packets begin and end anywhere
        while out:
            n = random.choice((1, 2, 4, 5, 9, 12, 13, 14, 1000, 32768, 70000)) if odd else len(out)
            sys.stdout.buffer.write(out[:n])
            sys.stdout.buffer.flush()
            out = out[n:]

    def run(self):
        while head := sys.stdin.buffer.read(5):
            length, kind = struct.unpack(">IB", head)
            body = sys.stdin.buffer.read(length - 1)
            if kind == INIT:
                self.send([struct.pack(">IBI", 5, VERSION, 3)])
            else:
                self.send(self.answer(kind, struct.unpack(">I", body[:4])[0], body[4:]))


if __name__ == "__main__":
    try:
        Server().run()
    except BrokenPipeError:
        sys.stderr.close()
