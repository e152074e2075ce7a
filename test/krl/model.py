# SPDX-License-Identifier: ISC
"""Key revocation lists as PROTOCOL.krl has them, in Python: written from the document, to check programs by."""
import hashlib
import struct


class Bad(Exception):
    pass


class Reader:
    def __init__(self, data):
        self.data = data

    def take(self, n):
        if len(self.data) < n:
            raise Bad("too short")
        head, self.data = self.data[:n], self.data[n:]
        return head

    def u8(self):
        return self.take(1)[0]

    def u32(self):
        return struct.unpack(">I", self.take(4))[0]

    def u64(self):
        return struct.unpack(">Q", self.take(8))[0]

    def string(self):
        return self.take(self.u32())

    def end(self):
        if self.data:
            raise Bad("something is left")


class Cert:
    """What a revocation list asks of a certificate blob."""

    def __init__(self, blob):
        r = Reader(blob)
        self.type = r.string().decode()
        plain = self.type.removesuffix("-cert-v01@openssh.com")
        r.string()  # nonce
        fields = b""
        for _ in range({"ssh-ed25519": 1, "ssh-rsa": 2}.get(plain, 2)):
            s = r.string()
            fields += struct.pack(">I", len(s)) + s
        self.plain = struct.pack(">I", len(plain)) + plain.encode() + fields
        self.serial = r.u64()
        r.u32()
        self.key_id = r.string()
        r.string(), r.u64(), r.u64(), r.string(), r.string(), r.string()
        self.ca = r.string()


class List:
    def __init__(self):
        self.keys, self.sha1, self.sha256 = set(), set(), set()
        self.cas = {}       # blob, b"" for any: (list of (lo, hi), set of key ids)

    def ca(self, blob):
        return self.cas.setdefault(blob, ([], set()))

    def has_key(self, blob):
        return blob in self.keys or hashlib.sha1(blob).digest() in self.sha1 or hashlib.sha256(blob).digest() in self.sha256

    def has(self, blob):
        """Is this key or certificate revoked?"""
        if b"-cert-v01@openssh.com" not in blob[:60]:
            return self.has_key(blob)
        cert = Cert(blob)
        if self.has_key(cert.plain) or self.has_key(cert.ca):
            return True
        for name in (cert.ca, b""):
            runs, ids = self.cas.get(name, ([], set()))
            if cert.key_id in ids or (cert.serial and any(lo <= cert.serial <= hi for lo, hi in runs)):
                return True
        return False


def check_ca(blob):
    """Only ed25519 keys are CAs where files are mutated."""
    r = Reader(blob)
    if r.string() != b"ssh-ed25519" or len(r.string()) != 32:
        raise Bad("no key")
    r.end()


def text(data):
    if b"\0" in data:
        raise Bad("a NUL")
    return data


def extension(r):
    text(r.string())
    critical = r.u8()
    r.string()
    r.end()
    if critical:
        raise Bad("critical")


def serials(kind, r, runs):
    def add(lo, hi):
        if lo == 0 or hi < lo:
            raise Bad("serial")
        runs.append((lo, hi))
    if kind == 0x20:
        while r.data:
            n = r.u64()
            add(n, n)
    elif kind == 0x21:
        add(r.u64(), r.u64())
    else:
        first, bits = r.u64(), r.string()
        if bits and bits[0] & 0x80:
            raise Bad("negative")
        number = int.from_bytes(bits, "big")
        for i in range(number.bit_length()):
            if number >> i & 1:
                if first + i >= 1 << 64:
                    raise Bad("wraps")
                add(first + i, first + i)
    r.end()


def certificates(krl, r):
    blob = r.string()
    r.string()
    if blob:
        check_ca(blob)
    runs, ids = krl.ca(blob)
    while r.data:
        kind, part = r.u8(), Reader(r.string())
        if kind in (0x20, 0x21, 0x22):
            serials(kind, part, runs)
        elif kind == 0x23:
            while part.data:
                ids.add(text(part.string()))
        elif kind == 0x39:
            extension(part)
        else:
            raise Bad("unknown part")


def strings(r, into, size=None):
    while r.data:
        s = r.string()
        if size and len(s) != size:
            raise Bad("a hash of another size")
        into.add(s)


def parse(data):
    krl, r = List(), Reader(data)
    if r.take(8) != b"SSHKRL\n\0" or r.u32() != 1:
        raise Bad("magic")
    r.u64(), r.u64(), r.u64(), r.string(), text(r.string())
    while r.data:
        kind, part = r.u8(), Reader(r.string())
        if kind == 1:
            certificates(krl, part)
        elif kind == 2:
            strings(part, krl.keys)
        elif kind == 3:
            strings(part, krl.sha1, 20)
        elif kind == 5:
            strings(part, krl.sha256, 32)
        elif kind == 255:
            extension(part)
        else:
            raise Bad("unknown section")
    return krl
