#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Our ssh beside OpenSSH's: the same words on stderr, the same output and the same exit status for the same command."""
import os
import re
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
import room
import servers
from place import Place, free_port
from tap import Tap, same


class Fake:
    """A server that sends a text to each who connects, reads what it may, and closes (or resets)."""

    def __init__(self, text, reset=False, read_first=False):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.text, self.reset, self.read_first = self.listener.getsockname()[1], text, reset, read_first
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            c, _ = self.listener.accept()
            with c:
                if self.read_first:
                    c.recv(20)
                c.sendall(self.text)
                if self.reset:
                    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                else:
                    c.shutdown(socket.SHUT_WR)
                    while c.recv(4096):
                        pass


# OpenSSH's, where its proxy command was gone before it wrote its first line: and where it was not.
BROKEN = b"banner exchange: Connection to UNKNOWN port 65535: Broken pipe\r\n"
GONE = b"kex_exchange_identification: Connection closed by remote host\r\nConnection closed by UNKNOWN port 65535\r\n"


def plain(text):
    """Without what may differ: Debian's own hint, the versions, what 10.5 says and 9.2 does not."""
    text = re.sub(rb"  remove with:\r\n  ssh-keygen [^\n]*\n", b"", text)
    text = re.sub(rb"\*\* [^\n]*\n", b"", text)
    text = text.replace(BROKEN, GONE)
    return re.sub(rb"usage: ssh .*", b"usage: ssh", text, flags=re.S)


class Pair:
    def __init__(self, place, server):
        self.place, self.server, self.count = place, server, 0
        self.ssh = [programs.ours("ssh"), programs.foreign("ssh")]

    def run(self, args, known=None, stdin=b"", base=True, prepare=None, port=None, key=None):
        """The same with both; each has a known_hosts of its own under the same name. Returns (status, stdout, stderr, known_hosts)."""
        results = []
        path = self.place.path("known_hosts")
        for program in self.ssh:
            self.place.write("known_hosts", self.server.known_hosts() if known is None else known)
            if prepare:
                prepare()
            options = ["-F", "none", "-p", str(port or self.server.port), "-o", f"UserKnownHostsFile={path}", "-o", "GlobalKnownHostsFile=none",
                       "-o", "IdentitiesOnly=yes", "-o", "UpdateHostKeys=no", "-i", key or self.place.key()] if base else []
            p = self.place.run([program, *options, *args], stdin, start_new_session=True)
            after = open(path, encoding="utf-8").read() if os.path.exists(path) else None
            results.append((p.returncode, p.stdout, plain(p.stderr), after))
        same(results[0], results[1], f"ssh {' '.join(args)}")
        return results[0]


def exit_codes(tap, pair):
    for command, status in ("true", 0), ("false", 1), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 255), ("nonexistent-command", 127):
        with tap.case(f"exit status of {command}"):
            same(pair.run(["127.0.0.1", command])[0], status, "status")
    with tap.case("output and errors go where they belong"):
        same(pair.run(["127.0.0.1", "echo out; echo err >&2; cat"], stdin=b"in\n")[1], b"out\nin\n", "stdout")
    with tap.case("options after the destination"):
        pair.run(["127.0.0.1", "-l", pair.place.user, "echo", "-n", "word"])
    with tap.case("a subsystem that does not exist"):
        pair.run(["-s", "127.0.0.1", "nosuch"])
    with tap.case("standard input closed"):
        pair.run(["-n", "127.0.0.1", "cat; echo end"])


def own_errors(tap, pair):
    host = "127.0.0.1"
    with tap.case("own errors: connection refused"):
        same(pair.run([host], port=free_port())[0], 255, "status")
    with tap.case("own errors: a bad port"):
        same(pair.run(["-p", "0", host], base=False)[0], 255, "status")
    for name, args in {
            "connection refused, IPv6": ["-6", "::1"],
            "a name that does not resolve": ["no-such-host.invalid"],
            "an address family that does not fit": ["-6", host],
            "a bind address that is not ours": ["-b", "192.0.2.1", host, "true"],
            "a proxy command that fails": ["-o", "ProxyCommand=head -c 10 >/dev/null", host],
            "a proxy command that is not there": ["-o", "ProxyCommand=/nonexistent", host],
            "an unknown option": ["-o", "NoSuchOption=yes", host],
            "a bad value": ["-o", "Port=x", host],
            "a bad cipher": ["-c", "nosuch", host],
            "a bad MAC": ["-m", "nosuch", host],
            "a bad key exchange": ["-o", "KexAlgorithms=nosuch", host],
            "a bad escape character": ["-e", "xx", host],
            "a bad local forward": ["-L", "nonsense", host],
            "a bad remote forward": ["-R", "a:b:c:d:e", host],
            "a bad stdio forward": ["-W", "nonsense", host],
            "no destination": [],
            "an unknown letter": ["-?"],
            "a missing argument": ["-p"],
            "a URI that is none": ["ssh://"],
            "a destination that begins with a dash": ["--", "-oProxyCommand=touch x"],
            "an unreadable configuration": ["-F", "/nonexistent", host],
            "a subsystem without a name": ["-s", host],
            "background without a command": ["-f", host],
            "both kinds of command": ["-o", "RemoteCommand=true", host, "true"],
            "an unknown query": ["-Q", "nosuch"]}.items():
        with tap.case(f"own errors: {name}"):
            same(pair.run(args)[0], 255, "status")


def refusals(tap, pair):
    host = "127.0.0.1"
    with tap.case("permission denied, publickey only"):
        same(pair.run(["-o", "BatchMode=yes", host], key=pair.place.key(name="stranger"))[0], 255, "status")
    with tap.case("permission denied without any method"):
        pair.run(["-o", "PubkeyAuthentication=no", "-o", "BatchMode=yes", host])
    with tap.case("preferred methods that the server does not have"):
        pair.run(["-o", "PreferredAuthentications=hostbased", host])
    for what, option in ("cipher", "Ciphers=aes128-ctr"), ("MAC", "MACs=umac-64@openssh.com"), ("key exchange", "KexAlgorithms=ecdh-sha2-nistp521"), \
            ("host key", "HostKeyAlgorithms=rsa-sha2-256"):
        with tap.case(f"nothing in common: {what}"):
            out = pair.run(["-o", option, "-o", "Ciphers=aes128-ctr", host, "true"], port=pair.narrow.port, known=pair.narrow.known_hosts())[2]
            same(b"Unable to negotiate with 127.0.0.1 port" in out, True, "line")


def fakes(tap, pair):
    for name, fake in {"closes at once": Fake(b""), "closes after its ident": Fake(b"SSH-2.0-Fake\r\n"),
                       "resets": Fake(b"", reset=True, read_first=True), "speaks SSH 1": Fake(b"SSH-1.5-Old\r\n"),
                       "speaks SSH 9": Fake(b"SSH-9.9-New\r\n"), "speaks HTTP": Fake(b"HTTP/1.0 400 Bad\r\n\r\n"),
                       "refuses in words": Fake(b"Not allowed at this time\r\n")}.items():
        with tap.case(f"a server that {name}"):
            for options in [], ["-o", "LogLevel=ERROR"], ["-q"]:
                same(pair.run([*options, "127.0.0.1"], port=fake.port)[0], 255, "status")
    for what, options, named in ("a server", [], "127.0.0.1 port PORT"), ("a proxy command", ["-o", "ProxyCommand=sleep 1000"], "UNKNOWN port 65535"):
        with tap.case(f"ConnectTimeout: {what} that says nothing"), socket.create_server(("127.0.0.1", 0)) as silent:
            port = str(silent.getsockname()[1])
            done = pair.place.run([pair.ssh[0], "-F", "none", "-p", port, "-o", "ConnectTimeout=1", *options, "127.0.0.1", "true"])
            same((done.returncode, done.stderr.decode()), (255, "Connection timed out during banner exchange\r\n"
                                                           f"Connection to {named} timed out\r\n".replace("PORT", port)), "status, words of OpenSSH")
    with tap.case("control characters in an ident line end it and do not reach the terminal"):  # OpenSSH goes on
        done = pair.place.run([pair.ssh[0], "-v", "-F", "none", "-p", str(Fake(b"SSH-2.0-a\x1b[2J\x07b\r\n").port), "127.0.0.1"])
        same((done.returncode, b"\x1b" in done.stderr, b"\x07" in done.stderr), (255, False, False), "status, escape, bell")


def forwards(tap, pair):
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as echo:
        busy, port = taken.getsockname()[1], echo.getsockname()[1]

        def serve():
            while True:
                try:
                    c, _ = echo.accept()
                except OSError:
                    return
                with c:
                    while data := c.recv(4096):
                        c.sendall(data.upper())
        threading.Thread(target=serve, daemon=True).start()
        with tap.case("-W carries standard input and output"):
            same(pair.run(["-W", f"127.0.0.1:{port}", "127.0.0.1"], stdin=b"hello")[1], b"HELLO", "stdout")
        with tap.case("-W to where nobody listens"):
            pair.run(["-W", f"127.0.0.1:{free_port()}", "127.0.0.1"])
        with tap.case("-L on a port that is taken"):
            pair.run(["-L", f"127.0.0.1:{busy}:127.0.0.1:{port}", "127.0.0.1", "echo still"])
        with tap.case("-L on a port that is taken, ExitOnForwardFailure"):
            pair.run(["-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{busy}:127.0.0.1:{port}", "127.0.0.1", "echo still"])
        with tap.case("-R on a port that is taken"):
            pair.run(["-R", f"127.0.0.1:{busy}:127.0.0.1:{port}", "127.0.0.1", "sleep 0.3; echo still"])
        with tap.case("-R on a port that is taken, ExitOnForwardFailure"):
            pair.run(["-o", "ExitOnForwardFailure=yes", "-R", f"127.0.0.1:{busy}:127.0.0.1:{port}", "127.0.0.1", "sleep 1; echo still"])
        for letter in "LR":
            with tap.case(f"-{letter} carries a connection"):
                through = free_port()
                script = f"import socket;s=socket.create_connection(('127.0.0.1',{through}),60);s.sendall(b'abc');print(s.recv(9))"
                if letter == "R":
                    out = pair.run(["-R", f"127.0.0.1:{through}:127.0.0.1:{port}", "127.0.0.1", f'sleep 0.5; {sys.executable} -c "{script}"'])[1]
                    same(out, b"b'ABC'\n", "answer")
                else:
                    out = pair.run(["-L", f"{through}:127.0.0.1:{port}", "127.0.0.1", f'{sys.executable} -c "{script}"'])[1]
                    same(out, b"b'ABC'\n", "answer")


def main():
    tap = Tap()
    with Place() as place:
        server = servers.sshd(place, programs.foreign("sshd"), ["AcceptEnv NACRE_*", "LogLevel VERBOSE"])
        pair = Pair(place, server)
        pair.narrow = servers.sshd(place, programs.foreign("sshd"), ["Ciphers aes256-ctr", "MACs hmac-sha2-512",
                                                                     "KexAlgorithms curve25519-sha256"], log="narrow.log")
        for part in exit_codes, own_errors, refusals, fakes, forwards:
            part(tap, pair)
    tap.end()


if __name__ == "__main__":
    room.enter(as_self=True)     # no file of the machine's own users is read, a .bashrc's noise among them
    main()
