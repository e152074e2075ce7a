#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A transport that a server has taken over: whatever it says to the UI, it gets no signature but one over the proven session's
own id, our user name and our key, and every message out of turn ends the UI."""
import base64
import hashlib
import os
import re
import shutil
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
import room
from place import Place
from tap import Skip, Tap, same, wait_for

room.enter(as_self=True)     # no file of the machine's own users is read, a .bashrc's noise among them


def message_numbers():
    """enum cm_type of priv/client.h: name -> number."""
    with open(f"{programs.TOP}/src/priv/api/priv/client.h", encoding="utf-8") as f:
        body = re.search(r"enum cm_type \{(.*?)\};", f.read(), re.S)[1]
    names = re.findall(r"\bCM_(\w+)", re.sub(r"/\*.*?\*/", "", body, flags=re.S))
    return {name: i for i, name in enumerate(names)}


N = message_numbers()
FROM_TRANSPORT = [name for name, number in N.items() if N["READY"] <= number < N["COUNT"]]


# What the UI says until it has signed: START, SESSION, SOCKET, AUTH (the query), HOSTKEY_OK, AUTH (signed). Then it is over.
SAID = [None] * 6 + ["quit"]


def u32(value):
    return struct.pack(">I", value)


def string(data):
    return u32(len(data)) + data


def message(name, *fields):
    return u32(N[name]) + b"".join(u32(f) if isinstance(f, int) else string(f) for f in fields)


class Puppet:
    """Our ssh in a folder of its own, with the puppet as its transport."""

    def __init__(self, place):
        import paramiko
        self.place = place
        self.folder = place.path("puppet")
        os.mkdir(self.folder)
        shutil.copy(programs.ours("ssh"), f"{self.folder}/ssh")
        shutil.copy(os.environ["NACRE_PUPPET"], f"{self.folder}/ssh-transport")
        self.host = paramiko.Ed25519Key.from_private_key_file(place.key("ed25519", "host"))
        self.blob = self.host.asbytes()
        self.user = paramiko.Ed25519Key.from_private_key_file(place.key())
        self.user_public = paramiko.Ed25519Key(data=self.user.asbytes())
        self.hash = hashlib.sha256(b"a session").digest()
        place.write("known_hosts", f"host {place.public(place.key('ed25519', 'host'))}\n")

    def proof(self, digest=None, alg=b"ssh-ed25519"):
        return message("HOSTKEY", self.blob, alg, self.host.sign_ssh_data(digest or self.hash).asbytes(), digest or self.hash)

    def run(self, *script, options=()):
        """Returns (CompletedProcess, datagrams that the UI sent); the script's items are datagrams, None waits for one of the UI's."""
        open(f"{self.folder}/puppet.log", "w", encoding="ascii").close()     # nothing of the run before
        with open(f"{self.folder}/puppet.do", "w", encoding="ascii") as f:
            for item in script:
                f.write("wait\n" if item is None else f"send {item.hex()}\n" if isinstance(item, bytes) else f"{item}\n")
        p = self.place.run([f"{self.folder}/ssh", "-F", "none", "-l", "me", "-i", self.place.key(), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", *options,
                            "-o", f"UserKnownHostsFile={self.place.path('known_hosts')}", "-o", "GlobalKnownHostsFile=none",
                            "-o", "ProxyCommand=cat >/dev/null", "host", "true"], start_new_session=True)
        *lines, _ = wait_for("end of the puppet's log", self.log_whole)
        return p, [bytes.fromhex(line) for line in lines]

    def log_whole(self):
        """All lines of it, once the puppet has written the last one; it may outlive ssh."""
        with open(f"{self.folder}/puppet.log", encoding="ascii") as f:
            text = f.read()
        return text.endswith("end\n") and text.split()

    def signatures(self, sent):
        """Of every AUTH datagram its signature field, where it is not empty."""
        found = []
        for data in sent:
            if data[:4] != u32(N["AUTH"]):
                continue
            at, fields = 8, []
            for _ in range(4):      # user, alg, key, sig
                n, = struct.unpack_from(">I", data, at)
                fields.append(data[at + 4:at + 4 + n])
                at += 4 + n
            if fields[3]:
                found.append(fields[3])
        return found

    def covered(self, hostbound, session=None):
        name = b"publickey-hostbound-v00@openssh.com" if hostbound else b"publickey"
        text = string(session or self.hash) + b"\x32" + string(b"me") + string(b"ssh-connection") + string(name) + b"\1"
        text += string(b"ssh-ed25519") + string(self.user.asbytes())
        return text + string(self.blob) if hostbound else text

    def is_over(self, signature, text):
        import paramiko
        return self.user_public.verify_ssh_sig(text, paramiko.Message(signature))


def early(tap, p):
    ready = message("READY", 3)
    answers = {"LINE": (1, b"x"), "KEX": (1, 1, 1, 1, *[b""] * 10), "HOSTKEY": (b"", b"", b"", b""), "AUTH_NEXT": (b"publickey", b"", 0, 0),
               "PK_OK": (p.user.asbytes(), b"ssh-ed25519", b"", 0), "PROMPTS": (b"", b"", b"", 0), "PASSWD_CHANGE": (b"",), "BANNER": (b"x",),
               "AUTH_DONE": (), "SESSION_OPEN": (), "REFUSED": (0, 0, 0, b""), "EXIT": (0, 0, 0, b"", b""), "SUSPEND": (), "LISTENING": (0, 0, 0),
               "FORWARD_OPEN": (0, 0, 0, b"", b""), "AGENT_OPEN": (0,), "HOSTKEYS": (b"",), "PROVED": (1, b""),
               "FAILED": (1, 0, 0, 0, 0, 0, 0, b"", b"", b"", b""), "END": (0, 0, 0, 0), "READY": (3,)}
    same(sorted(answers), sorted(FROM_TRANSPORT), "messages this test knows")
    for name, fields in answers.items():
        if name != "READY":
            with tap.case(f"before it is jailed: {name}"):
                done, sent = p.run(message(name, *fields))
                same((done.returncode, p.signatures(sent)), (255, []), "status, signatures")
        if name not in ("LINE", "KEX"):
            with tap.case(f"before the host is proven: {name}"):
                done, sent = p.run(ready, message(name, *fields))
                same((done.returncode, p.signatures(sent)), (255, []), "status, signatures")
    for number in list(range(N["READY"])) + [N["COUNT"], 0xffffffff]:
        with tap.case(f"a message that is the UI's own, or none: {number}"):
            done, sent = p.run(ready, u32(number))
            same((done.returncode, p.signatures(sent)), (255, []), "status, signatures")


def proofs(tap, p):
    ready, other = message("READY", 3), hashlib.sha256(b"another").digest()
    sig = p.host.sign_ssh_data(p.hash).asbytes()
    wrong = {"a signature over another hash": message("HOSTKEY", p.blob, b"ssh-ed25519", sig, other),
             "a flipped bit": message("HOSTKEY", p.blob, b"ssh-ed25519", sig[:-1] + bytes([sig[-1] ^ 1]), p.hash),
             "an empty signature": message("HOSTKEY", p.blob, b"ssh-ed25519", b"", p.hash),
             "a hash that is too short": message("HOSTKEY", p.blob, b"ssh-ed25519", p.host.sign_ssh_data(b"short").asbytes(), b"short"),
             "an algorithm of another key": message("HOSTKEY", p.blob, b"rsa-sha2-512", sig, p.hash),
             "an algorithm that was not offered": message("HOSTKEY", p.blob, b"ssh-rsa", sig, p.hash),
             "another host's key": message("HOSTKEY", p.user.asbytes(), b"ssh-ed25519", p.user.sign_ssh_data(p.hash).asbytes(), p.hash)}
    for name, text in wrong.items():
        with tap.case(f"a host that is not proven: {name}"):
            done, sent = p.run(ready, text, message("PK_OK", p.user.asbytes(), b"ssh-ed25519", b"", 0))
            same((done.returncode, p.signatures(sent)), (255, []), "status, signatures")


def signing(tap, p):
    ready = message("READY", 3)
    ok = message("PK_OK", p.user.asbytes(), b"ssh-ed25519", b"", 0)
    bound = message("PK_OK", p.user.asbytes(), b"ssh-ed25519", b"", 1)
    with tap.case("the control: a proven host and PK_OK get a signature over the session's own text"):
        _, sent = p.run(ready, p.proof(), ok, *SAID)
        found = p.signatures(sent)
        same((len(found), p.is_over(found[0], p.covered(False))), (1, True), "signatures, over its text")
    with tap.case("bound to the host where that is asked for"):
        _, sent = p.run(ready, p.proof(), bound, *SAID)
        found = p.signatures(sent)
        same((len(found), p.is_over(found[0], p.covered(True)), p.is_over(found[0], p.covered(False))), (1, True, False), "signatures, over its text")
    with tap.case("PK_OK twice: one signature, then the end"):
        done, sent = p.run(ready, p.proof(), ok, ok, ok)
        same((done.returncode, len(p.signatures(sent))), (255, 1), "status, signatures")
    with tap.case("a second proof with another hash does not change what is signed"):
        later = hashlib.sha256(b"later").digest()
        _, sent = p.run(ready, p.proof(), p.proof(later), ok)
        same([p.is_over(s, p.covered(False, later)) for s in p.signatures(sent)].count(True), 0, "signatures over the other hash")
    for name, text in {"a key that was never offered": message("PK_OK", p.blob, b"ssh-ed25519", b"", 0),
                       "no key": message("PK_OK", b"", b"", b"", 0),
                       "a field too many": ok + b"\0", "a field too few": ok[:-4], "a length that lies": ok[:4] + u32(1 << 31) + ok[8:],
                       "prompts that were not asked for": message("PROMPTS", b"", b"", b"", 0)}.items():
        with tap.case(f"out of turn after the proof: {name}"):
            done, sent = p.run(ready, p.proof(), text, ok)
            same((done.returncode, p.signatures(sent)), (255, []), "status, signatures")
    with tap.case("after login nothing is signed"):
        done, sent = p.run(ready, p.proof(), message("AUTH_DONE"), ok)
        same((done.returncode, p.signatures(sent)), (255, []), "status, signatures")
    with tap.case("a forward that was not asked for is refused, another answer ends it"):
        done, sent = p.run(ready, p.proof(), message("AUTH_DONE"), message("FORWARD_OPEN", 1, 22, 1, b"localhost", b"x"), message("LISTENING", 0, 1, 22))
        refused = [d for d in sent if d[:4] == u32(N["FORWARD_TO"])]
        same((done.returncode, [d[8:12] for d in refused]), (255, [u32(0)]), "status, refused")
    with tap.case("what it shows cannot move the cursor"):
        done, _ = p.run(ready, message("LINE", 0, b"\x1b[2J\x07\xc2\x9b31m"), p.proof(), message("BANNER", b"\x1b]0;t\x07\r\nplain\r\n"),
                        message("FAILED", 36, 1, 0, 2, 1, 0, 1, b"\x1b[1m", b"\x1b[31m", b"\x1b", b"\x1b"))
        bad = [b for b in done.stderr if (b < 32 and b not in b"\r\n\t") or b == 0x9b or b == 0x7f]
        same((bad, b"plain" in done.stderr), ([], True), "control characters, the rest")


def proof(key, session, blob):
    return key.sign_ssh_data(string(b"hostkeys-prove-00@openssh.com") + string(session) + string(blob)).asbytes()


def after_login(tap, p):
    """Agent and host keys: only what was asked for, and once."""
    start, end = [message("READY", 3), p.proof(), message("AUTH_DONE")], message("READY", 3)
    with tap.case("a connection to the agent that was not asked for is refused"):
        done, sent = p.run(*start, message("AGENT_OPEN", 3), end)
        same([d[4:12] for d in sent if d[:4] == u32(N["FORWARD_TO"])], [u32(3) + u32(0)], "answers")
        same([d for d in sent if d[:4] == u32(N["AGENT"])], [], "forwarding asked for")
    with tap.case("proofs that were not asked for end it"):
        done, _ = p.run(*start, message("PROVED", 1, b""))
        same((done.returncode, b"was not asked for" in done.stderr), (255, True), "status, line")
    with tap.case("host keys named twice end it"):
        done, _ = p.run(*start, message("HOSTKEYS", string(p.blob)), message("HOSTKEYS", string(p.blob)))
        same((done.returncode, b"HOSTKEYS twice" in done.stderr), (255, True), "status, line")
    for what, keys in (("half a key", string(p.blob)[:-1]), ("a length that lies", u32(1 << 31) + p.blob), ("nonsense", b"\xff" * 4000),
                       ("the same key twice", string(p.blob) * 2)):
        with tap.case(f"host keys that are none change nothing: {what}"):
            before = p.place.read("known_hosts")
            done, sent = p.run(*start, message("HOSTKEYS", keys), end)
            same((p.place.read("known_hosts"), [d[4:] for d in sent if d[:4] == u32(N["PROVE"])]), (before, [u32(0) + u32(0)]), "file, what is to be proven")
    fresh = p.user.asbytes()
    good = proof(p.user, p.hash, fresh)
    login = p.user.sign_ssh_data(p.covered(False)).asbytes()
    for what, sigs, learned in (("good", string(good), True), ("over another session", string(proof(p.user, bytes(32), fresh)), False),
                                ("by the host's known key", string(proof(p.host, p.hash, fresh)), False), ("missing", b"", False),
                                ("followed by another", string(good) * 2, False), ("cut", string(good)[:-1], False),
                                ("the login's signature", string(login), False)):
        with tap.case(f"a new host key whose proof is {what}"):
            known = p.place.read("known_hosts")
            p.run(*start, message("HOSTKEYS", string(p.blob) + string(fresh)), message("PROVED", 1, sigs), end, options=["-o", "UpdateHostKeys=yes"])
            same(p.place.read("known_hosts").count(b"\n"), 2 if learned else 1, "lines")
            p.place.write("known_hosts", known)


def certificates(tap, p):
    """What stands for a host certificate: the algorithm's kind and the key's must be one, and the authority's signature good."""
    cert, end = "ssh-ed25519-cert-v01@openssh.com", message("READY", 3)
    ca = p.place.key("ed25519", "ca")
    p.place.run([programs.foreign("ssh-keygen"), "-q", "-h", "-s", ca, "-I", "x", "-n", "host", f"{p.place.key('ed25519', 'host')}.pub"], check=True)
    blob = base64.b64decode(p.place.read("host-cert.pub").split()[1])
    known = p.place.read("known_hosts")
    sig = p.host.sign_ssh_data(p.hash).asbytes()
    for what, key, alg, good in (("a certificate", blob, cert, True), ("a certificate as a plain key", blob, "ssh-ed25519", False),
                                 ("a plain key as a certificate", p.blob, cert, False),
                                 ("a certificate with a broken signature", blob[:-1] + bytes([blob[-1] ^ 1]), cert, False),
                                 ("a certificate that is cut", blob[:-1], cert, False), ("a certificate with a byte behind it", blob + b"x", cert, False)):
        with tap.case(f"a host that shows {what}"):
            p.place.write("known_hosts", f"@cert-authority * {p.place.public(ca)}\n")
            done, sent = p.run(message("READY", 3), message("HOSTKEY", key, alg.encode(), sig, p.hash), end)
            ok = [d[4:] for d in sent if d[:4] == u32(N["HOSTKEY_OK"])]
            same((ok, b"signature incorrect" in done.stderr), ([u32(1)] if good else [], not good), "accepted, said")
    p.place.write("known_hosts", known)


def main():
    tap = Tap()
    try:
        import paramiko  # noqa: F401
    except ImportError:
        with tap.case("hostile transport"):
            raise Skip("paramiko is not installed")
        tap.end()
    with Place() as place:
        p = Puppet(place)
        for part in early, proofs, signing, after_login, certificates:
            part(tap, p)
    tap.end()


main()
