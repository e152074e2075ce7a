#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What single keywords of ssh_config do: the line about one that is not there, what others change on the wire."""
import dataclasses
import os
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients
import programs
import room
import servers
import tos
from place import Place, free_port
from tap import Tap, same, wait_for
from term import Terminal

ANSIBLE = ["-C", "-o", "ControlMaster=auto", "-o", "ControlPersist=60s"]


class Bench:
    def __init__(self, place, server):
        self.place, self.server = place, server
        self.base = [*clients.ssh_argv(place, programs.ours("ssh"), server, ["LogLevel INFO"])]

    def run(self, *args, **kw):
        return self.place.run([*self.base, *args], **kw)


def lines_of(done):
    return [line for line in done.stderr.decode().splitlines() if line]


def warnings(tap, b):
    one = "command-line line 0: keyword ControlMaster is not supported; ignored"
    two = "command-line line 0: keyword ControlPersist is not supported; ignored"
    with tap.case("what is not there has one line and the session goes on"):
        done = b.run(*ANSIBLE, "-o", "ControlMaster=yes", "-M", "127.0.0.1", "echo in")
        same((done.returncode, done.stdout, lines_of(done)), (0, b"in\n", [one, two]), "session")
    with tap.case("LogLevel ERROR keeps the line, FATAL and -q do not, wherever they stand"):
        same(lines_of(b.run(*ANSIBLE[3:], "-o", "LogLevel=ERROR", "127.0.0.1", "true")), [two], "ERROR")
        for quiet in ["-q"], ["-o", "LogLevel=FATAL"]:
            same(lines_of(b.run(*quiet, *ANSIBLE, "127.0.0.1", "true")), [], f"{quiet} in front")
            same(lines_of(b.run(*ANSIBLE, *quiet, "127.0.0.1", "true")), [], f"{quiet} behind")
    with tap.case("-E takes the line along"):
        path = b.place.path("lines")
        same(lines_of(b.run(*ANSIBLE[3:], "-E", path, "127.0.0.1", "true")), [], "stderr")
        same(b.place.read("lines").decode().splitlines(), [two], "file")
    with tap.case("a value that asks for nothing has no line"):
        quiet = ["ControlMaster=no", "ControlPath=none", "GSSAPIAuthentication=no", "ForwardX11=no", "UpdateHostKeys=no", "ForwardAgent=no"]
        done = b.run(*[word for option in quiet for word in ("-o", option)], "-x", "-a", "-k", "127.0.0.1", "true")
        same((done.returncode, lines_of(done)), (0, []), "session")
    with tap.case("options of one letter that are not there say so as their keywords do"):
        want = [f"command-line line 0: keyword {name} is not supported; ignored" for name in ("ForwardX11",)]
        want.append('command-line line 0: Unsupported option "gssapiauthentication"')
        done = b.run("-A", "-X", "-K", "127.0.0.1", "true")
        same((done.returncode, lines_of(done)), (0, want), "session")
    with tap.case("Debian's own ssh_config is taken with one line"):
        text = b.place.read(os.path.basename(b.base[2])).decode()
        b.place.write("debian", text + "Host *\n    SendEnv LANG LC_*\n    HashKnownHosts yes\n    GSSAPIAuthentication yes\n")
        number = len(text.splitlines()) + 4
        done = b.place.run([b.base[0], "-F", b.place.path("debian"), "127.0.0.1", "echo in"])
        same((done.returncode, done.stdout, lines_of(done)),
             (0, b"in\n", [f'{b.place.path("debian")} line {number}: Unsupported option "gssapiauthentication"']), "session")


def built(tap, b):
    with tap.case("keywords of keys, certificates and agents are there, and say nothing"):
        key, none = b.place.key(), b.place.write("revoked-none", "# none\n")
        known = b.place.write("known-by-command", b.server.known_hosts())
        options = [f"CertificateFile={key}.pub", "CASignatureAlgorithms=ssh-ed25519", f"KnownHostsCommand=/bin/cat {known}", f"RevokedHostKeys={none}",
                   "UpdateHostKeys=yes", "ForwardAgent=yes", "AddKeysToAgent=yes", "IdentityAgent=none", "VerifyHostKeyDNS=no",
                   "HostKeyAlgorithms=+ssh-rsa-cert-v01@openssh.com", "PubkeyAcceptedAlgorithms=^ssh-ed25519-cert-v01@openssh.com"]
        done = b.run(*[word for option in options for word in ("-o", option)], "-A", "127.0.0.1", "echo in")
        same((done.returncode, done.stdout, lines_of(done)), (0, b"in\n", []), "session")
    with tap.case("KnownHostsCommand: words and tokens as OpenSSH's, a failure ends it"):
        known = b.place.write("known-by-command", b.server.known_hosts())
        said = b.place.path("said")
        command = b.place.write("command", f"#!/bin/sh\nfor a; do printf '<%s>' \"$a\"; done >>{said}\necho >>{said}\ncat {known}\n", 0o700)
        base = ["-F", "none", "-p", str(b.server.port), "-i", b.place.key(), "-o", "UserKnownHostsFile=none",
                "-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes"]
        results = []
        for program in programs.ours("ssh"), programs.foreign("ssh"):
            value = f"{command} %t %K %I %H %f %h %% \"a 'b' c\" ${{USER}}"
            results.append([b.place.run([program, *base, "-o", f"KnownHostsCommand={value}", "127.0.0.1", "echo in"]).stdout, b.place.read("said")])
            os.unlink(said)
            b.place.write("failing", f"#!/bin/sh\ncat {known}\nexit 3\n", 0o700)
            results[-1].append(b.place.run([program, *base, "-o", f"KnownHostsCommand={b.place.path('failing')}", "127.0.0.1", "echo in"]).returncode)
            results[-1].append(b.place.run([program, *base, "-o", "KnownHostsCommand=cat x", "127.0.0.1", "echo in"]).returncode)
        same(results[0], results[1], "ours and OpenSSH's")
        same((results[0][0], results[0][2:]), (b"in\n", [255, 255]), "session, failures")


def hostbound(tap, b):
    with tap.case("PubkeyAuthentication unbound leaves host-bound signatures out, host-bound and yes use them"):
        server = servers.sshd(b.place, programs.foreign("sshd"), ["LogLevel DEBUG1"], log="bound.log")
        for value, bound in ("unbound", False), ("host-bound", True), ("yes", True):
            seen = len(b.place.read("bound.log"))
            done = clients.ssh(b.place, programs.ours("ssh"), server, "echo in", [f"PubkeyAuthentication {value}"])
            same((done.returncode, done.stdout), (0, b"in\n"), value)
            same(b"method publickey-hostbound-v00@openssh.com" in b.place.read("bound.log")[seen:], bound, f"{value}: a host-bound request")


def dump(tap, b):
    with tap.case("-G shows ~ and tokens expanded where OpenSSH does"):
        config = b.place.write("dump", "UserKnownHostsFile ~/.k-%h ~/.k2\nControlPath ~/c-%r@%h:%p\nIdentityAgent ~/agent-%u\n"
                                       "RemoteCommand echo %n %%\nCertificateFile ~/cert\nGlobalKnownHostsFile ~/global\nIdentityFile ~/id-%h\n")
        keys = "userknownhostsfile controlpath identityagent remotecommand certificatefile globalknownhostsfile identityfile".split()
        shown = []
        for program in programs.ours("ssh"), programs.foreign("ssh"):
            out = b.place.run([program, "-G", "-F", config, "h.example"], check=True).stdout.decode()
            shown.append([line for line in out.splitlines() if line.split(" ")[0] in keys])
        same(shown[0], shown[1], "dump")
        same(f"userknownhostsfile {b.place.home}/.k-h.example {b.place.home}/.k2" in shown[0], True, "known hosts in the dump")


def silence(tap, b):
    for value, command, status in (("session=1", "sleep 300; exit 23", 255), ("global=1", "sleep 300; exit 23", 255), ("*=1", "sleep 300; exit 23", 255),
                                   ("direct-tcpip=1", "sleep 2; exit 23", 23), ("session=5", "for i in 1 2 3 4 5 6 7; do sleep 1; echo $i; done; exit 23", 23)):
        with tap.case(f"ChannelTimeout {value}: status {status}"):
            same(b.run("-o", f"ChannelTimeout={value}", "127.0.0.1", command, timeout=90).returncode, status, "status")
    with tap.case("ChannelTimeout direct-tcpip closes a silent forward"):
        target, port = socket.create_server(("127.0.0.1", 0)), free_port()
        process = b.place.start([*b.base, "-N", "-o", "ChannelTimeout=direct-tcpip=1", "-L", f"127.0.0.1:{port}:127.0.0.1:{target.getsockname()[1]}",
                                 "127.0.0.1"], "forward.log")
        b.place.wait_port(port, process, "forward.log")
        with socket.create_connection(("127.0.0.1", port)) as c:
            c.settimeout(60)
            same((c.recv(9), process.poll()), (b"", None), "our end, the client")
        b.place.stop(process)


def qos(tap, b):
    with tap.case("IPQoS: the one value with a terminal, the other without"):
        for args, want, other in ((), 0x20, 0x48), (("-tt",), 0x48, 0x20):
            with tos.Watch(b.server.port) as w:
                same(b.run("-o", "IPQoS=af21 cs1", *args, "127.0.0.1", "true").returncode, 0, "status")
            same((want in w.sent_to_port, other in w.sent_to_port), (True, False), f"seen: {w.sent_to_port}")


class Wire:
    """Between our ssh and the server: what the client sends, piece by piece."""

    def __init__(self, port):
        self.to, self.sent, self.changed = port, 0, time.monotonic()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        here, _ = self.listener.accept()
        there = socket.create_connection(("127.0.0.1", self.to))
        threading.Thread(target=self.carry, args=(there, here, False), daemon=True).start()
        self.carry(here, there, True)

    def carry(self, a, b, count):
        while data := a.recv(65536):
            if count:
                self.sent += len(data)
                self.changed = time.monotonic()
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)

    def quiet(self, seconds=4):
        """Until nothing was sent for that long: chaff ends 3.1 s after the last key at the latest."""
        wait_for("silence", lambda: time.monotonic() - self.changed > seconds)
        return self.sent


def keystrokes(tap, b):
    size = 36       # a packet of ten bytes, as one key's and PING's are, with chacha20-poly1305
    for value, least, most in ("yes", 10, 157), ("interval:200", 3, 18), ("no", 1, 1):
        with tap.case(f"ObscureKeystrokeTiming {value}: of one key {least} to {most} packets, all alike"):
            wire = Wire(b.server.port)
            argv = clients.ssh_argv(b.place, b.base[0], dataclasses.replace(b.server, port=wire.port),
                                    ["Ciphers chacha20-poly1305@openssh.com", f"ObscureKeystrokeTiming {value}"])
            t = Terminal([*argv, "-tt", "127.0.0.1", "stty raw -echo; echo rea''dy; head -c 2; echo do''ne; exec cat"], b.place.env)
            t.wait_for(b"ready")
            before = wire.quiet(1)
            t.type(b"x")
            wait_for("key", lambda w=wire, n=before: w.sent > n)
            sent = wire.quiet() - before
            same((sent % size, least <= sent // size <= most), (0, True), f"{sent} bytes of chaff and key")
            t.type(b"y")
            t.wait_for(b"xydone")
            t.type(b"p" * 3000)         # no typing: nothing is held back
            t.wait_for(b"p" * 3000)
            t.process.kill()
            t.end()
    with tap.case("without a terminal nothing is added"):
        wire = Wire(b.server.port)
        argv = clients.ssh_argv(b.place, b.base[0], dataclasses.replace(b.server, port=wire.port), ["Ciphers chacha20-poly1305@openssh.com"])
        with subprocess.Popen([*argv, "127.0.0.1", "echo ready; cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=b.place.env) as p:
            same(p.stdout.readline(), b"ready\n", "start")
            before = wire.quiet(1)
            os.write(p.stdin.fileno(), b"x")
            same(os.read(p.stdout.fileno(), 1), b"x", "echo")
            same(wire.quiet(1) - before, size, "bytes of one key")
            p.kill()


def main():
    tap = Tap()
    with Place() as place:
        b = Bench(place, servers.sshd(place, programs.ours("sshd"), ["LogLevel VERBOSE"]))
        for part in warnings, built, hostbound, dump, silence, qos, keystrokes:
            part(tap, b)
    tap.end()


if __name__ == "__main__":
    room.enter(as_self=True)
    main()
