#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""VerifyHostKeyDNS with zones of our own: signed, unsigned, spoilt after signing; served by unbound, validated by ssh-dns. Only a proven answer
stands for a known host, and only where the user wants that; every failure leaves the host to be judged as ever."""
import os
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
import room
import servers
from place import Place, free_port
from tap import PATIENCE, Tap, same
from term import dialogue

room.enter(as_self=True)

ASK = b"(yes/no/[fingerprint])? "


class Dns:
    """The zones good.test (signed), bad.test (signed, then changed), plain.test (not signed), each with the hosts match, wrong, other and none."""

    def __init__(self, place, host_key, other_key):
        self.place, self.port = place, free_port()
        keygen = programs.foreign("ssh-keygen")
        match = subprocess.run([keygen, "-r", "HOST", "-f", f"{host_key}.pub"], capture_output=True, check=True, text=True).stdout
        wrong = subprocess.run([keygen, "-r", "HOST", "-f", f"{other_key}.pub"], capture_output=True, check=True, text=True).stdout
        other = "HOST IN SSHFP 1 2 " + "ab" * 32 + "\n"
        records = "".join(text.replace("HOST", name) for name, text in (("match", match), ("wrong", wrong), ("other", other), ("mixed", match + wrong),
                                                                               ("many", match + "".join(other.replace("ab", f"{i:02x}") for i in range(50)))))
        zones = {zone: place.write(zone, f"$ORIGIN {zone}.\n$TTL 60\n@ IN SOA ns.{zone}. root.{zone}. 1 3600 900 86400 60\n@ IN NS ns.{zone}.\n"
                                         f"ns IN A 127.0.0.1\nnone IN A 127.0.0.1\n{records}") for zone in ("good.test", "bad.test", "plain.test")}
        anchors = []
        for zone in "good.test", "bad.test":
            key = self.tool("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone).strip()
            self.tool("ldns-signzone", "-n", zones[zone], place.path(key))
            with open(place.path(f"{key}.key"), encoding="ascii") as f:
                anchors.append(place.write(f"{zone}.anchor", f.read(), 0o644))
            zones[zone] += ".signed"
        text = place.read("bad.test.signed").decode()
        spoilt = [" ".join(w[:-1] + [w[-1][::-1]]) if "SSHFP" in (w := line.split())[3:4] and "RRSIG" not in line else line for line in text.splitlines()]
        place.write("bad.test.signed", "\n".join(spoilt) + "\n")
        config = place.write("server.conf", f"server:\n  interface: 127.0.0.1@{self.port}\n  chroot: \"\"\n  username: \"\"\n  directory: \"{place.folder}\"\n"
                             f"  pidfile: \"\"\n  use-syslog: no\n  do-daemonize: no\n  module-config: \"iterator\"\n  local-zone: \"test.\" nodefault\n"
                             "remote-control:\n  control-enable: no\n"
                             + "".join(f"auth-zone:\n  name: \"{zone}\"\n  zonefile: \"{path}\"\n  for-upstream: no\n" for zone, path in zones.items()))
        self.process = place.start([programs.foreign("unbound"), "-d", "-c", config], "unbound.log")
        place.wait_port(self.port, self.process, "unbound.log")
        self.anchors = anchors
        self.conf = self.client("client.conf", self.port, anchors)
        self.deaf = self.client("deaf.conf", free_port(), anchors)

    def tool(self, name, *args):
        return subprocess.run([programs.foreign(name), *args], capture_output=True, check=True, text=True, cwd=self.place.folder).stdout

    def client(self, name, port, anchors):
        stubs = "".join(f"stub-zone:\n  name: \"{zone}.test\"\n  stub-addr: 127.0.0.1@{port}\n" for zone in ("good", "bad", "plain"))
        return self.place.write(name, "server:\n  do-not-query-localhost: no\n  module-config: \"validator iterator\"\n  root-hints: \"\"\n"
                                      "  local-zone: \"test.\" nodefault\n" + "".join(f"  trust-anchor-file: \"{a}\"\n" for a in anchors) + stubs)


class Bench:
    def __init__(self, place):
        self.place = place
        self.server = servers.sshd(place, programs.foreign("sshd"))
        self.dns = Dns(place, place.key("ed25519", "host-ed25519"), place.key("ed25519", "other"))
        self.relay = place.write("relay.py", f"""import os, socket, threading
s = socket.create_connection(("127.0.0.1", {self.server.port}))
def out():
    while data := s.recv(65536):
        os.write(1, data)
    os._exit(0)
threading.Thread(target=out).start()
while data := os.read(0, 65536):
    s.sendall(data)
s.shutdown(socket.SHUT_WR)
""")

    def argv(self, host, options, known):
        path = self.place.write("known", known)
        return [programs.ours("ssh"), "-v", "-F", "none", "-o", f"UserKnownHostsFile={path}", "-o", "GlobalKnownHostsFile=none",
                "-o", "HostKeyAlgorithms=ssh-ed25519", "-o", f"ProxyCommand=/usr/bin/python3 {self.relay}",
                *[a for o in options for a in ("-o", o)], "-i", self.place.key(), host, "echo in"]

    def run(self, host, *options, known="", conf=None):
        env = {**self.place.env, "NACRE_DNS_CONF": conf or self.dns.conf}
        done = self.place.run(self.argv(host, options, known), env=env, start_new_session=True)
        return done.returncode, done.stderr.decode(), self.place.read("known").decode()


def main_part(tap, b):
    yes, ask, strict = "VerifyHostKeyDNS=yes", "VerifyHostKeyDNS=ask", "StrictHostKeyChecking=yes"
    with tap.case("a proven match stands for a known host, and nothing is learned"):
        status, said, known = b.run("match.good.test", yes, strict)
        same((status, known, "found 2 secure fingerprints" in said, "\nmatching" in said.replace("debug1: ", "")), (0, "", True, True), said)
    with tap.case("the same by TCP, when the answer is too long for a datagram"):
        status, said, known = b.run("many.good.test", yes, strict)
        same((status, known, "found 52 secure fingerprints" in said), (0, "", True), said)
    for what, host, options in (
            ("the same where the user only wants to be told", "match.good.test", [ask]), ("the same where nobody asked for it", "match.good.test", []),
            ("a match without proof", "match.plain.test", [yes]), ("an answer that fails validation", "match.bad.test", [yes]),
            ("another key's fingerprint, proven", "wrong.good.test", [yes]), ("a fingerprint that fits beside one that does not", "mixed.good.test", [yes]),
            ("another algorithm's fingerprint", "other.good.test", [yes]), ("no fingerprint, proven", "none.good.test", [yes]),
            ("no such name, proven", "nobody.good.test", [yes]), ("no such name", "nobody.plain.test", [yes])):
        with tap.case(f"it does not: {what}"):
            status, said, known = b.run(host, strict, *options)
            same((status, known, "known for" in said), (255, "", True), said)
            same("REMOTE HOST IDENTIFICATION HAS CHANGED" in said, host in ("wrong.good.test", "mixed.good.test"), f"the warning; {said}")
            same("failed validation" in said, host.endswith("bad.test"), f"the line; {said}")
    for what, conf in ("nobody answers there", b.dns.deaf), ("no such file of ours", b.place.path("nothing")):
        with tap.case(f"it does not when nobody can be asked: {what}"):
            status, said, known = b.run("match.good.test", yes, strict, conf=conf)
            same((status, known, "known for" in said), (255, "", True), said)
    line = f"{{}} {b.server.publics[0]}\n"
    for host in "match.plain.test", "match.bad.test", "wrong.good.test", "none.good.test":
        with tap.case(f"a known host stays known: {host}"):
            same(b.run(host, yes, strict, known=line.format(host))[0], 0, "status")
    with tap.case("a changed key is refused unless DNS vouches for it, by proof"):
        other = b.place.public(b.place.key("ed25519", "other"))
        for host, status in ("match.plain.test", 255), ("match.good.test", 0):
            same(b.run(host, yes, strict, known=f"{host} {other}\n")[0], status, host)
    with tap.case("a revoked key is refused whatever DNS says"):
        same(b.run("match.good.test", yes, strict, known="@revoked " + line.format("*"))[0], 255, "by known_hosts")
        revoked = b.place.write("revoked", b.server.publics[0] + "\n")
        same(b.run("match.good.test", yes, strict, f"RevokedHostKeys={revoked}")[0], 255, "by RevokedHostKeys")
    with tap.case("numerical addresses are not asked for"):
        status, said, _ = b.run("127.0.0.1", yes, strict)
        same((status, "numerical hostname" in said), (255, True), said)
    for host, word in ("match.plain.test", b"Matching"), ("match.good.test", b"Matching"), ("none.good.test", b"No matching"):
        with tap.case(f"the question says so: {host}"):
            env = {**b.place.env, "NACRE_DNS_CONF": b.dns.conf}
            status, screen = dialogue([a for a in b.argv(host, [ask], "") if a != "-v"], env, [(ASK, b"yes\n")])
            same((status, b"\n" + word + b" host key fingerprint found in DNS." in screen), (0, True), f"{screen}")


def helper(tap, b):
    """What the process that asks may do, and that whatever it says is bounded."""
    with tap.case("ssh-dns ends by itself, answers only on its descriptor 1, and is quiet"):
        done = b.place.run([programs.ours("ssh-dns"), "match.good.test"], env={"NACRE_DNS_CONF": b.dns.conf})
        same((done.returncode, done.stdout[:4], done.stderr), (0, b"\0\0\0\4", b""), "status, answer, words")
    with tap.case("an answer that fails validation brings no records along"):
        done = b.place.run([programs.ours("ssh-dns"), "match.bad.test"], env={"NACRE_DNS_CONF": b.dns.conf})
        same((done.returncode, done.stdout[:4], done.stdout[-4:]), (0, b"\0\0\0\1", b"\0\0\0\0"), "status, answer, count")
    with tap.case("ssh-dns asks from behind a filter, with no new rights and one thread"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
            mute.bind(("127.0.0.1", 0))
            mute.settimeout(PATIENCE)
            conf = b.dns.client("mute.conf", mute.getsockname()[1], b.dns.anchors)
            process = b.place.start([programs.ours("ssh-dns"), "match.good.test"], "mute.log", env={"NACRE_DNS_CONF": conf}, stdout=subprocess.DEVNULL)
            mute.recv(4096)
            with open(f"/proc/{process.pid}/status", encoding="utf-8") as f:
                status = dict(line.rstrip("\n").split(":", 1) for line in f)
            same([status[k].strip() for k in ("Seccomp", "NoNewPrivs", "Threads")], ["2", "1", "1"], "Seccomp, NoNewPrivs, Threads")
            b.place.stop(process)
    folder = b.place.path("liar")
    os.mkdir(folder)
    for name in "ssh", "ssh-transport":
        shutil.copy(programs.ours(name), folder)
    shutil.copy(os.environ["NACRE_LIAR"], f"{folder}/ssh-dns")
    good = b.place.run([programs.ours("ssh-dns"), "match.good.test"], env={"NACRE_DNS_CONF": b.dns.conf}).stdout
    for what, text, status in (("the truth", good, 0), ("nothing", b"", 255), ("a part", good[:-1], 255), ("too much", good + b"\0", 255),
                               ("a count that lies", good[:11] + b"\xff" + good[12:], 255), ("an unknown status", b"\0\0\0\5" + good[4:], 255),
                               ("a flood", b"\0\0\0\4" + b"\0" * 200000, 255)):
        with tap.case(f"a helper that says {what}"):
            same(lie(b, text, 0), status, "status")
    with tap.case("a helper that ends badly after the truth is not believed"):
        same(lie(b, good, 1), 255, "status")


def lie(b, answer, status):
    b.place.write("liar/answer", answer)
    b.place.write("liar/status", str(status))
    argv = b.argv("match.good.test", ["VerifyHostKeyDNS=yes", "StrictHostKeyChecking=yes"], "")
    return b.place.run([b.place.path("liar/ssh"), *argv[1:]], start_new_session=True).returncode


def main():
    tap = Tap()
    with Place() as place:
        b = Bench(place)
        for part in main_part, helper:
            part(tap, b)
    tap.end()


main()
