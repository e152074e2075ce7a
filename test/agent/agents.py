# SPDX-License-Identifier: ISC
"""Agents for tests: started and ended, spoken to byte by byte."""
import os
import re
import socket
import struct

import programs
from tap import Skip, wait_for

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
except ImportError:
    Ed25519PrivateKey = None

FAILURE, SUCCESS, ANSWER, SIGNED, EXTENSION_FAILURE, RESPONSE = 5, 6, 12, 14, 28, 29


def string(b):
    b = b.encode() if isinstance(b, str) else b
    return struct.pack(">I", len(b)) + b


def strings(b):
    """Every string of b, which holds nothing else."""
    found = []
    while b:
        n = struct.unpack(">I", b[:4])[0]
        found.append(b[4:4 + n])
        b = b[4 + n:]
    return found


class Key:
    """An ed25519 key of the test's own: a user's, or a host's that proves sessions."""

    def __init__(self):
        if not Ed25519PrivateKey:
            raise Skip("python3-cryptography is not installed")
        self.key = Ed25519PrivateKey.generate()
        self.public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.blob = string("ssh-ed25519") + string(self.public)

    def sign(self, data):
        return string("ssh-ed25519") + string(self.key.sign(data))

    def private(self):
        seed = self.key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return string("ssh-ed25519") + string(self.public) + string(seed + self.public)


def login(session, user, blob, host=None):
    """What a login signs (RFC 4252 7), bound to a host key or not."""
    text = string(session) + b"\x32" + string(user) + string("ssh-connection")
    text += string("publickey-hostbound-v00@openssh.com" if host else "publickey") + b"\1" + strings_first(blob) + string(blob)
    return text + (string(host.blob) if host else b"")


def strings_first(blob):
    return blob[:4 + struct.unpack(">I", blob[:4])[0]]


class Agent:
    """An agent in the foreground; place ends it."""

    def __init__(self, place, program, *args, name="agent", env=None):
        self.place = place
        self.sock = place.path(f"{name}.sock")
        self.process = place.start([program, "-D", "-a", self.sock, *args], name, env=env or place.env)
        wait_for("socket of the agent", lambda: os.path.exists(self.sock) and listening(self.sock))

    def env(self, **more):
        return self.place.env | {"SSH_AUTH_SOCK": self.sock} | more

    def add(self, *args, program=None, **kw):
        """ssh-add with these arguments: ours, or another's."""
        return self.place.run([program or programs.ours("ssh-add"), *args], env=self.env(), cwd=self.place.folder, **kw)

    def connect(self):
        return Link(self.sock)


def listening(path):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(path) == 0


class Link:
    """One connection to an agent."""

    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(path)
        self.s.settimeout(120)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def send(self, kind, body=b""):
        self.s.sendall(struct.pack(">IB", len(body) + 1, kind) + body)

    def take(self):
        """(type, body) of an answer; None: the agent ended the connection."""
        head = self.read(4)
        if head is None:
            return None
        body = self.read(struct.unpack(">I", head)[0])
        return body[0], body[1:]

    def read(self, n):
        got = b""
        while len(got) < n:
            more = self.s.recv(n - len(got))
            if not more:
                return None
            got += more
        return got

    def ask(self, kind, body=b""):
        self.send(kind, body)
        return self.take()

    def list(self):
        """[(blob, comment)]"""
        kind, body = self.ask(11)
        if kind != ANSWER:
            raise AssertionError(f"answer {kind} to a list")
        found = strings(body[4:])
        return list(zip(found[::2], found[1::2]))

    def sign(self, blob, data, flags=0):
        """The signature blob, or None where the agent refuses."""
        kind, body = self.ask(13, string(blob) + string(data) + struct.pack(">I", flags))
        return strings(body)[0] if kind == SIGNED else None

    def bind(self, host, session, forwarding, signer=None):
        """session-bind@openssh.com; the type of the answer."""
        proof = string(host.blob) + string(session) + string((signer or host).sign(session)) + bytes([forwarding])
        return self.extension("session-bind@openssh.com", proof)[0]

    def extension(self, name, body=b""):
        return self.ask(27, string(name) + body)


def shell_lines(text):
    """{name: value} that the lines of ssh-agent set in a Bourne shell."""
    return dict(re.findall(r"^(\w+)=([^;]*); export \1;$", text, re.M))
