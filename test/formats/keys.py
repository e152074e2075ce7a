# SPDX-License-Identifier: ISC
"""Keys of each type for the tests of formats, and each suite's program behind one call."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs  # noqa: E402
from tap import same  # noqa: E402

PASSPHRASE = "pass w\u00f6rd"
KINDS = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa"]
BITS = {"ecdsa256": ["-b", "256"], "ecdsa384": ["-b", "384"], "ecdsa521": ["-b", "521"], "rsa": ["-b", "2048"]}


class Keys:
    """One key of each kind, in OpenSSH's format, made by OpenSSH."""

    def __init__(self, place):
        self.place, self.count = place, 0
        self.old, self.new = place.write("old", PASSPHRASE), place.write("new", PASSPHRASE)
        self.empty = place.write("empty", "")
        for kind in KINDS:
            self.run(programs.foreign("ssh-keygen"), "-q", "-t", kind.rstrip("0123456789") if kind.startswith("ecdsa") else kind,
                     *BITS.get(kind, []), "-N", "", "-C", "a comment", "-f", self.path(kind))

    def path(self, kind):
        return self.place.path(f"key-{kind}")

    def public(self, kind):
        """type base64"""
        return self.place.public(self.path(kind))

    def fresh(self, suffix=""):
        self.count += 1
        return self.place.path(f"f{self.count}{suffix}")

    def run(self, *argv, status=0, stdin=b""):
        done = self.place.run(argv, stdin)
        if done.returncode != status:
            raise AssertionError(f"{argv}: status {done.returncode}, {done.stdout!r}, {done.stderr.decode(errors='replace')}")
        return done.stdout

    def ours(self, *args, **kw):
        return self.run(programs.ours("ssh-keygen"), *args, **kw)

    def openssh(self, *args, **kw):
        return self.run(programs.foreign("ssh-keygen"), *args, **kw)

    def openssl(self, *args, **kw):
        return self.run(programs.foreign("openssl"), *args, **kw)

    def puttygen(self, *args, **kw):
        return self.run(programs.foreign("puttygen"), *args, **kw)

    def copy(self, kind, *args, passphrase=""):
        """A copy of the key that our ssh-keygen has converted in place."""
        path = self.fresh()
        with open(self.path(kind), "rb") as f:
            self.place.write(os.path.basename(path), f.read())
        self.ours("-q", "-p", "-P", "", "-N", passphrase, *args, "-f", path)
        return path

    def check_ours(self, kind, path, passphrase="", comment=None):
        """We read it as this key; -l shows it without the passphrase where it has a clear half."""
        os.chmod(path, 0o600)
        line = self.ours("-y", "-P", passphrase, "-f", path).decode().rstrip("\n")
        same(line, self.public(kind) + (f" {comment}" if comment else ""), f"-y of {path}")
        if passphrase and kind == "ecdsa256":       # once a form: KDFs take their time
            self.ours("-y", "-P", "wrong", "-f", path, status=255)

    def check_openssh(self, kind, path, passphrase=""):
        line = self.openssh("-y", "-P", passphrase, "-f", path).decode()
        same(" ".join(line.split()[:2]), self.public(kind), f"OpenSSH's -y of {path}")

    def check_asyncssh(self, kind, path, passphrase=None):
        import asyncssh
        key = asyncssh.read_private_key(path, passphrase)
        same(key.export_public_key().decode().split()[:2], self.public(kind).split(), f"asyncssh on {path}")

    def check_paramiko(self, kind, path, passphrase=None):
        import paramiko
        of = paramiko.RSAKey if kind == "rsa" else paramiko.ECDSAKey
        key = of.from_private_key_file(path, passphrase)
        same([key.get_name(), key.get_base64()], self.public(kind).split(), f"paramiko on {path}")
