# SPDX-License-Identifier: ISC
"""The type of service of the packets that go over loopback, as a raw socket sees them (root only)."""
import os
import socket
import threading

from tap import Skip


class Watch:
    """with Watch(port) as w: ...; w.sent_from_port and w.sent_to_port are the sets of values seen in packets that carry data."""

    def __init__(self, port):
        if os.geteuid() != 0:
            raise Skip("needs root")
        self.port, self.sent_from_port, self.sent_to_port = port, set(), set()
        try:
            self.raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        except PermissionError as why:
            raise Skip("needs raw sockets") from why
        self.raw.bind(("lo", 0))
        self.raw.settimeout(0.2)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.read, daemon=True)

    def read(self):
        while not self.over.is_set():
            try:
                packet = self.raw.recv(65536)
            except TimeoutError:
                continue
            ip_n = (packet[0] & 15) * 4
            tcp = packet[ip_n:]
            if packet[9] != 6 or len(tcp) < 20 or int.from_bytes(packet[2:4], "big") <= ip_n + (tcp[12] >> 4) * 4:
                continue
            if int.from_bytes(tcp[0:2], "big") == self.port:
                self.sent_from_port.add(packet[1])
            if int.from_bytes(tcp[2:4], "big") == self.port:
                self.sent_to_port.add(packet[1])

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.raw.close()
