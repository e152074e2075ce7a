# SPDX-License-Identifier: ISC
"""One port on all of 127.0.0.0/8 that leads to a server, but for those addresses that stay silent; and servers that misbehave."""
import asyncio
import os
import random
import socket
import struct
import threading


class Crowd:
    """Listens on every address, so only for a network namespace of one's own. silent: beginnings of addresses."""

    def __init__(self, to_port, silent=("127.9.",), backlog=4096):
        self.to_port, self.silent, self.backlog = to_port, silent, backlog
        self.busy = self.most = 0
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        threading.Thread(target=self.serve, args=[started], daemon=True).start()
        started.wait()

    def serve(self, started):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self.answer, "0.0.0.0", 0, backlog=self.backlog))
        self.port = server.sockets[0].getsockname()[1]
        self.gate = asyncio.Semaphore(16)   # what a server that forks can bear
        started.set()
        self.loop.run_forever()

    async def answer(self, reader, writer):
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            if writer.get_extra_info("sockname")[0].startswith(self.silent):
                await reader.read()
                return
            async with self.gate:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to_port)
                ways = [asyncio.ensure_future(self.pipe(reader, far_writer)), asyncio.ensure_future(self.pipe(far_reader, writer))]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ways:
                    way.cancel()
                far_writer.close()
        except OSError:
            pass
        finally:
            self.busy -= 1
            writer.close()

    @staticmethod
    async def pipe(source, sink):
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except OSError:
            pass


def garbage(c):
    c.sendall(random.Random(1).randbytes(100000))


def endless_banner(c):
    while True:
        c.sendall(b"hello there\r\n" * 1000)


def endless_line(c):
    while True:
        c.sendall(b"a" * 65536)


def drip(c):
    c.sendall(b"x")
    while c.recv(1):
        c.sendall(b"x")


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def old(c):
    c.sendall(b"SSH-1.5-old\r\n")
    c.recv(1000)


def steering(c):
    c.sendall(b"SSH-2.0-x\x1b]0;evil\x07\x9b2J\r\n" + os.urandom(64))
    c.recv(1000)


def huge_packet(c):
    c.sendall(b"SSH-2.0-huge\r\n\xff\xff\xff\xff" + b"\x14" * 70000)
    c.recv(1000)


def silent(c):
    while c.recv(1000):
        pass


HOSTILE = [garbage, endless_banner, endless_line, drip, reset, old, steering, huge_packet, silent]


def hostile(how):
    """A port of 127.0.0.1 whose server does that to each connection."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)

    def one(connection):
        with connection:
            try:
                how(connection)
            except OSError:
                pass

    def serve():
        while True:
            threading.Thread(target=one, args=[listener.accept()[0]], daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]
