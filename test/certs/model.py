# SPDX-License-Identifier: ISC
"""Certificates v01 once more, written from draft-ietf-sshm-cert and OpenSSH's manual pages alone: made, taken apart and judged, with the
`cryptography` module for the signatures. Nothing of Nacre is used, so that an error in one is seen by the other."""
import base64
import fnmatch
import ipaddress
import os
import struct

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

USER, HOST, FOREVER = 1, 2, (1 << 64) - 1
SUFFIX = b"-cert-v01@openssh.com"
CURVES = {b"nistp256": (ec.SECP256R1, hashes.SHA256), b"nistp384": (ec.SECP384R1, hashes.SHA384), b"nistp521": (ec.SECP521R1, hashes.SHA512)}
RSA_HASHES = {b"ssh-rsa": hashes.SHA1, b"rsa-sha2-256": hashes.SHA256, b"rsa-sha2-512": hashes.SHA512}
FLAGS = [b"permit-X11-forwarding", b"permit-agent-forwarding", b"permit-port-forwarding", b"permit-pty", b"permit-user-rc", b"no-touch-required"]


class Bad(Exception):
    """Not a certificate that anybody may take."""


# ---- RFC 4251 ----

def string(data):
    return struct.pack(">I", len(data)) + data


def mpint(n):
    return string(n.to_bytes(n.bit_length() // 8 + 1, "big") if n else b"")


class Reader:
    def __init__(self, data):
        self.data = data

    def take(self, n):
        if n > len(self.data):
            raise Bad("cut")
        head, self.data = self.data[:n], self.data[n:]
        return head

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def string(self):
        return self.take(self.number(4))

    def mpint(self):
        data = self.string()
        if data[:1] >= b"\x80" or (data[:1] == b"\0" and data[1:2] < b"\x80"):
            raise Bad("no mpint in shortest form")
        return int.from_bytes(data, "big")

    def end(self):
        if self.data:
            raise Bad("left over")


# ---- keys ----

class Key:
    """A plain key pair; kind: ed25519, ecdsa256, ecdsa384, ecdsa521, rsa."""

    def __init__(self, kind):
        if kind == "ed25519":
            self.private = ed25519.Ed25519PrivateKey.generate()
            self.type, raw = b"ssh-ed25519", self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            self.fields = string(raw)
        elif kind == "rsa":
            self.private = rsa.generate_private_key(65537, 2048)
            n = self.private.public_key().public_numbers()
            self.type, self.fields = b"ssh-rsa", mpint(n.e) + mpint(n.n)
        else:
            curve = b"nistp" + kind[5:].encode()
            self.private = ec.generate_private_key(CURVES[curve][0]())
            self.type, point = b"ecdsa-sha2-" + curve, self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            self.fields = string(curve) + string(point)
        self.blob = string(self.type) + self.fields
        self.algs = list(RSA_HASHES) if kind == "rsa" else [self.type]

    def sign(self, data, alg=None):
        alg = alg or self.algs[-1]
        if self.type == b"ssh-ed25519":
            return string(alg) + string(self.private.sign(data))
        if self.type == b"ssh-rsa":
            return string(alg) + string(self.private.sign(data, padding.PKCS1v15(), RSA_HASHES.get(alg, hashes.SHA512)()))
        r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(CURVES[self.type[11:]][1]())))
        return string(alg) + string(mpint(r) + mpint(s))


def public_read(kind, r):
    """A checked public key from the fields behind its type's name."""
    try:
        if kind == b"ssh-ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(r.string())
        if kind == b"ssh-rsa":
            e, n = r.mpint(), r.mpint()
            if n.bit_length() < 1024 or e % 2 == 0:
                raise Bad("weak")
            return rsa.RSAPublicNumbers(e, n).public_key()
        curve, point = r.string(), r.string()
        if kind != b"ecdsa-sha2-" + curve or curve not in CURVES or point[:1] != b"\4":
            raise Bad("curve")
        return ec.EllipticCurvePublicKey.from_encoded_point(CURVES[curve][0](), point)
    except (ValueError, UnsupportedAlgorithm) as e:
        raise Bad(str(e)) from e


def plain_parse(blob):
    r = Reader(blob)
    kind = r.string()
    if kind not in PLAIN:
        raise Bad("no plain key")
    key = public_read(kind, r)
    r.end()
    return kind, key


PLAIN = [b"ssh-ed25519", b"ssh-rsa", *(b"ecdsa-sha2-" + c for c in CURVES)]


def verify(kind, key, signature, data):
    """The algorithm of a good signature."""
    r = Reader(signature)
    alg, inner = r.string(), r.string()
    r.end()
    if alg not in (RSA_HASHES if kind == b"ssh-rsa" else [kind]):
        raise Bad("algorithm")
    try:
        if kind == b"ssh-ed25519":
            key.verify(inner, data)
        elif kind == b"ssh-rsa":
            size = (key.key_size + 7) // 8
            key.verify(inner.rjust(size, b"\0"), data, padding.PKCS1v15(), RSA_HASHES[alg]())
        else:
            r = Reader(inner)
            pair = r.mpint(), r.mpint()
            r.end()
            key.verify(utils.encode_dss_signature(*pair), data, ec.ECDSA(CURVES[kind[11:]][1]()))
    except (InvalidSignature, ValueError) as e:
        raise Bad("signature") from e
    return alg


# ---- certificates ----

def packed(options):
    return b"".join(string(name) + string(data) for name, data in options)


def make(key, ca, kind=USER, serial=0, key_id=b"id", principals=(b"alice",), after=0, before=FOREVER, critical=(), extensions=(), reserved=b"",
         ca_blob=None, alg=None, signature=None, tail=b"", raw_principals=None, raw_critical=None):
    """A certificate with exactly these fields in this order, and a true signature over them unless one is given."""
    body = string(key.type + SUFFIX) + string(os.urandom(32)) + key.fields + struct.pack(">QI", serial, kind) + string(key_id)
    body += string(b"".join(map(string, principals)) if raw_principals is None else raw_principals) + struct.pack(">QQ", after, before)
    body += string(packed(critical) if raw_critical is None else raw_critical) + string(packed(extensions)) + string(reserved)
    body += string(ca.blob if ca_blob is None else ca_blob)
    return body + string(ca.sign(body, alg) if signature is None else signature) + tail


def line(blob, comment=b""):
    return Reader(blob).string() + b" " + base64.b64encode(blob) + (b" " + comment if comment else b"") + b"\n"


class Cert:
    """Raises Bad for what is no certificate. strict: the draft's rules on option order and texts; else what OpenSSH lets through."""

    def __init__(self, blob, strict=True):
        r = Reader(blob)
        self.type = r.string()
        if not self.type.endswith(SUFFIX):
            raise Bad("no certificate type")
        self.plain_type = self.type[:-len(SUFFIX)]
        if self.plain_type not in PLAIN:
            raise Bad("type")
        r.string()
        self.key = public_read(self.plain_type, r)
        self.serial, self.kind, self.key_id = r.number(8), r.number(4), self.text(r.string(), strict)
        self.principals = [self.text(name, strict) for name in self.strings(r.string())]
        self.after, self.before = r.number(8), r.number(8)
        self.critical, self.extensions = self.options(r.string(), strict), self.options(r.string(), strict)
        r.string()
        ca_blob = r.string()
        body = blob[:len(blob) - len(r.data)]
        signature = r.string()
        r.end()
        if self.kind not in (USER, HOST) or len(self.principals) > 256:
            raise Bad("kind or count")
        self.ca_type, ca = plain_parse(ca_blob)         # a certificate is no plain key
        self.alg = verify(self.ca_type, ca, signature, body)

    @staticmethod
    def text(data, strict):
        if not strict and data.endswith(b"\0"):
            data = data[:-1]                            # OpenSSH lets one NUL at the end pass
        if b"\0" in data:
            raise Bad("NUL")
        return data

    @staticmethod
    def strings(data):
        r = Reader(data)
        while r.data:
            yield r.string()

    def options(self, data, strict):
        items = list(self.strings(data))
        if len(items) % 2:
            raise Bad("name without data")
        names = items[::2]
        if strict and (any(b"\0" in name for name in names) or names != sorted(names) or len(set(names)) != len(names)):
            raise Bad("order")
        return list(zip(names, items[1::2]))

    # ---- whether to believe it ----

    def check(self, kind, now, ca_algs):
        known = {b"force-command", b"source-address", b"verify-required"} if kind == USER else set()
        return (self.kind == kind and self.after <= now and (now < self.before or self.before == FOREVER) and bool(self.principals)
                and not any(b"," in p for p in self.principals) and all(name in known for name, _ in self.critical)
                and self.alg in ca_algs.split(b","))

    def has_principal(self, name):
        names = [p for p in self.principals if p and b"," not in p]
        if not name or self.kind == USER:
            return bool(name) and name in names
        return any(not p.startswith(b"!") and fnmatch.fnmatchcase(name.decode("latin1").lower(), p.decode("latin1").lower().replace("[", "[[]"))
                   for p in names)

    def permits(self):
        """The options in force as a text, or None: refused."""
        out = {}
        for name, data in self.critical:
            try:
                r = Reader(data)
                if name in (b"force-command", b"source-address"):
                    out[name] = r.string()
                elif name == b"verify-required":
                    out[name] = b""
                else:
                    return None
                r.end()
            except Bad:
                return None
        if b"\0" in out.get(b"force-command", b"") or len(out.get(b"force-command", b"")) > 8191:
            return None
        if b"source-address" in out and not sources_fit(out[b"source-address"]):
            return None
        for name, data in self.extensions:
            if name in FLAGS:
                if data:
                    return None
                out[name] = b""
        return None if self.kind != USER else " ".join(f"{name.decode()}={out[name].hex()}" for name in sorted(out))

    def show(self):
        opts = lambda options: ",".join(f"{name.hex()}:{data.hex()}" for name, data in options)
        return (f"type={self.type.decode()} kind={self.kind} serial={self.serial} id={self.key_id.hex()} after={self.after} before={self.before} "
                f"principals={','.join(p.hex() for p in self.principals)} critical={opts(self.critical)} extensions={opts(self.extensions)} "
                f"alg={self.alg.decode()}")


def sources_fit(text):
    for one in text.split(b","):
        try:
            if any(c not in b"0123456789abcdefABCDEF.:/" for c in one) or (b"/" in one and not one.split(b"/", 1)[1].isdigit()):
                return False
            ipaddress.ip_network(one.decode(), strict=True)
        except ValueError:
            return False
    return True
