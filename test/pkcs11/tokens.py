# SPDX-License-Identifier: ISC
"""A SoftHSM token of its own in a Place, with keys of every kind that SSH uses."""
import glob
import os

import programs
from tap import Skip

PIN = "1234"
KINDS = {"rsa": "rsa:2048", "ecdsa256": "EC:prime256v1", "ecdsa384": "EC:secp384r1", "ecdsa521": "EC:secp521r1", "ed25519": "EC:edwards25519"}


def softhsm():
    for path in glob.glob("/usr/lib/*/softhsm/libsofthsm2.so") + glob.glob("/usr/lib/softhsm/libsofthsm2.so"):
        return path
    raise Skip("softhsm2 is not installed")


class Token:
    """Its keys are in the order of `kinds`, with the ids 01, 02 ... and the kinds as labels; `cert` is one more, an RSA key of which only
    a certificate is public. The place's programs find the token by their environment."""

    def __init__(self, place, kinds=tuple(KINDS), cert=True, folder="tokens"):
        self.place, self.module = place, softhsm()
        os.mkdir(place.path(folder), 0o700)
        place.env["SOFTHSM2_CONF"] = place.write(f"{folder}.conf", f"directories.tokendir = {place.path(folder)}\nobjectstore.backend = file\n"
                                                                   "log.level = ERROR\nslots.removable = false\n")
        self.run("softhsm2-util", "--init-token", "--free", "--label", "shelf", "--pin", PIN, "--so-pin", "87654321")
        for number, kind in enumerate(kinds, 1):
            self.tool("--keypairgen", "--key-type", KINDS[kind], "--id", f"{number:02x}", "--label", kind)
        if cert:
            self.add_certificate(f"{len(kinds) + 1:02x}")

    def run(self, program, *args):
        return self.place.run([programs.foreign(program), *args], check=True)

    def tool(self, *args):
        return self.run("pkcs11-tool", "--module", self.module, "--login", "--pin", PIN, *args)

    def add_certificate(self, number):
        key, cert = self.place.path("cert.pem"), self.place.path("cert.der")
        self.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-outform", "DER", "-out", cert, "-subj", "/CN=someone",
                 "-days", "30")
        self.tool("--write-object", key, "--type", "privkey", "--id", number, "--label", "cert")
        self.tool("--write-object", cert, "--type", "cert", "--id", number, "--label", "cert")
        self.cert_key = key
