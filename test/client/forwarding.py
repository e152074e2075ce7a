#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Agent forwarding: through one and two servers with our ssh and OpenSSH's in any order, bound to the session at each hop; never unless it
was asked for."""
import os
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
import room
import servers
from place import Place
from tap import Tap, same, wait_for

room.enter(as_self=True)


def strings(data, count):
    found, at = [], 0
    for _ in range(count):
        n, = struct.unpack_from(">I", data, at)
        found.append(data[at + 4:at + 4 + n])
        at += 4 + n
    return found, data[at:]


class Relay:
    """Between clients and a real agent: keeps each connection's messages, both ways."""

    def __init__(self, path, real):
        self.real, self.connections = real, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(32)
        self.path = path
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            said = []
            self.connections.append(said)
            threading.Thread(target=self.talk, args=(client, said), daemon=True).start()

    def talk(self, client, said):
        with client, client.makefile("rb") as f, socket.socket(socket.AF_UNIX) as agent:
            agent.connect(self.real)
            with agent.makefile("rb") as answers:
                while len(head := f.read(4)) == 4:
                    message = f.read(struct.unpack(">I", head)[0])
                    said.append(message)
                    agent.sendall(head + message)
                    head = answers.read(4)
                    client.sendall(head + answers.read(struct.unpack(">I", head)[0]))

    def binds(self):
        """For each connection that asked anything: [(host key, forwarding)...] of its session-binds before the first other message."""
        found = []
        for said in self.connections:
            one = []
            for m in said:
                if m[0] != 27:
                    break
                (name, hostkey, _, _), rest = strings(m[1:], 4)
                same(name, b"session-bind@openssh.com", "extension")
                one.append((hostkey, rest == b"\1"))
            found.append((one, [m[0] for m in said if m[0] != 27]))
        self.connections.clear()
        return found


class Bench:
    def __init__(self, place):
        self.place = place
        self.real = place.path("agent")
        process = place.start([programs.foreign("ssh-agent"), "-D", "-a", self.real], "agent.log")
        wait_for("agent", lambda: os.path.exists(self.real) or process.poll() is not None)
        self.relay = Relay(place.path("relay"), self.real)
        self.add(place.key("ed25519"))
        self.server = servers.sshd(place, programs.foreign("sshd"), ["AcceptEnv MARK"], user_keys=["ed25519"])
        self.known = place.write("known", self.server.known_hosts(), 0o644)

    def add(self, key, *args):
        subprocess.run([programs.foreign("ssh-add"), "-q", *args, key], check=True, env={**self.place.env, "SSH_AUTH_SOCK": self.real},
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def argv(self, program, *args):
        return [program, "-F", "none", "-p", str(self.server.port), "-o", f"UserKnownHostsFile={self.known}", "-o", "GlobalKnownHostsFile=none",
                "-o", "BatchMode=yes", "-o", "UpdateHostKeys=no", *args]

    def run(self, *args, env=None, program=None):
        return self.place.run([*self.argv(program or programs.ours("ssh")), *args], env={**self.place.env, "SSH_AUTH_SOCK": self.relay.path, **(env or {})},
                              start_new_session=True)


def blob(public):
    import base64
    return base64.b64decode(public.split()[1])


def one_hop(tap, b):
    ours = b.place.public(b.place.key("ed25519"))
    host = blob(b.server.publics[0])
    with tap.case("-A: the server reaches our agent, bound to the session and marked as forwarded"):
        done = b.run("-A", "127.0.0.1", "ssh-add -L")
        same((done.returncode, ours in done.stdout.decode()), (0, True), f"status, key; {done.stderr}")
        binds = b.relay.binds()
        same(([one for one, _ in binds][:2], binds[1][1]), ([[(host, False)], [(host, True)]], [11]), "binds of the login and of the forward, requests")
    with tap.case("many connections at once, each bound"):
        done = b.run("-A", "127.0.0.1", "for i in 1 2 3 4 5 6 7 8; do ssh-add -L & done; wait")
        same((done.returncode, done.stdout.decode().count(ours)), (0, 8), "status, keys")
        same([one for one, _ in b.relay.binds()[1:]], [[(host, True)]] * 8, "binds")
    for what, args, env, there in (
            ("by default", [], {}, False), ("-a behind -A", ["-A", "-a"], {}, True), ("-a", ["-a"], {}, False),
            ("ForwardAgent=yes", ["-o", "ForwardAgent=yes"], {}, True), ("a path", ["-o", f"ForwardAgent={b.real}"], {}, True),
            ("$NAME", ["-o", "ForwardAgent=$OTHER"], {"OTHER": b.real}, True), ("$NAME that is not set", ["-o", "ForwardAgent=$OTHER"], {}, False),
            ("a path where nothing is", ["-o", f"ForwardAgent={b.place.path('nothing')}"], {}, False),
            ("no agent", ["-A", "-i", b.place.key()], {"SSH_AUTH_SOCK": ""}, False),
            ("IdentityAgent's", ["-A", "-o", f"IdentityAgent={b.real}"], {"SSH_AUTH_SOCK": ""}, True),
            ("another than IdentityAgent's", ["-o", f"ForwardAgent={b.real}", "-o", "IdentityAgent=none", "-i", b.place.key()], {}, True)):
        with tap.case(f"forwarding: {what}"):
            results = [b.run(*args, "127.0.0.1", 'test -n "$SSH_AUTH_SOCK" && ssh-add -L', env=env, program=programs.foreign(p) if p == "ssh" else p)
                       for p in (programs.ours("ssh"), "ssh")]
            same((results[0].returncode == 0, ours in results[0].stdout.decode()), (there, there), f"reached; {results[0].stderr}")
            if what not in ("-a behind -A", "$NAME that is not set", "another than IdentityAgent's"):     # where OpenSSH forwards another agent, or none
                same(results[0].stdout, results[1].stdout, "ours and OpenSSH's")
    b.relay.connections.clear()
    with tap.case("a host whose key has changed gets no agent, whatever is asked for"):
        other = b.place.public(b.place.key("ed25519", "other-host"))
        wrong = b.place.write("wrong", f"[127.0.0.1]:{b.server.port} {other}\n")
        argv = [a.replace(b.known, wrong) for a in b.argv(programs.ours("ssh"), "-A", "-o", "StrictHostKeyChecking=no", "127.0.0.1", "ssh-add -L")]
        done = b.place.run(argv, env={**b.place.env, "SSH_AUTH_SOCK": b.relay.path})
        same((done.returncode, b"Agent forwarding is disabled" in done.stderr, ours in done.stdout.decode()), (2, True, False), "status, said, reached")
    with tap.case("ExitOnForwardFailure with a path where nothing is"):
        done = b.run("-o", f"ForwardAgent={b.place.path('nothing')}", "-o", "ExitOnForwardFailure=yes", "127.0.0.1", "echo in")
        same((done.returncode, done.stdout), (255, b""), "status, output")
    with tap.case("an agent that dies meanwhile: the server's connection is refused, the session goes on"):
        done = b.run("-o", f"ForwardAgent={b.place.path('gone')}", "127.0.0.1", "ssh-add -L; echo on", env={})
        same(b"on\n" in done.stdout, True, "session")


def two_hops(tap, b):
    host = blob(b.server.publics[0])
    mine, theirs = programs.ours("ssh"), programs.foreign("ssh")
    for first, second in (mine, theirs), (theirs, mine), (mine, mine):
        with tap.case(f"two hops, first with {'ours' if first == mine else 'OpenSSH'}, then with {'ours' if second == mine else 'OpenSSH'}"):
            b.relay.connections.clear()
            inner = " ".join(f"'{a}'" for a in b.argv(second, "-A", "127.0.0.1", "ssh-add -L"))
            done = b.run("-A", "127.0.0.1", inner, program=first)
            same((done.returncode, b.place.public(b.place.key("ed25519")) in done.stdout.decode()), (0, True), f"status, key; {done.stderr}")
            binds = {tuple(one) for one, _ in b.relay.binds()}
            need = {((host, False),), ((host, True), (host, False)), ((host, True), (host, True))}
            # OpenSSH looks with a connection of its own whether there is an agent.
            same((need - binds, binds - need - {(), ((host, True),)}), (set(), set()), "binds that lack, binds too many")
    with tap.case("a key for the first server only cannot be used from there"):
        key = b.place.key("ecdsa256", "restricted")
        b.place.write("hosts-for-add", f"first {b.server.publics[0]}\n")
        with open(f"{b.place.home}/.ssh/authorized_keys", "a", encoding="ascii") as f:
            f.write(b.place.public(key) + "\n")
        subprocess.run([programs.foreign("ssh-add"), "-q", "-D"], check=True, env={**b.place.env, "SSH_AUTH_SOCK": b.real}, stderr=subprocess.DEVNULL)
        b.add(key, "-h", "first", "-H", b.place.path("hosts-for-add"))
        same(b.run("-A", "127.0.0.1", "echo in").stdout, b"in\n", "the first hop")
        inner = " ".join(f"'{a}'" for a in b.argv(theirs, "127.0.0.1", "echo in"))
        done = b.run("-A", "127.0.0.1", inner)
        same((done.returncode, b"Permission denied" in done.stderr), (255, True), f"the second; {done.stderr}")


def hostile(tap, b):
    """A server that opens channels nobody asked for."""
    import paramiko
    key = paramiko.Ed25519Key.from_private_key_file(b.place.key("ed25519", "hostile"))

    class Server(paramiko.ServerInterface):
        def __init__(self):
            self.got = threading.Event()

        def check_auth_publickey(self, username, key):
            return paramiko.AUTH_SUCCESSFUL

        def get_allowed_auths(self, username):
            return "publickey"

        def check_channel_request(self, kind, chanid):
            return paramiko.OPEN_SUCCEEDED

        def check_channel_forward_agent_request(self, channel):
            return True

        def check_channel_exec_request(self, channel, command):
            self.got.set()
            return True

    def serve(args, opens):
        """Our ssh against it: (what each open gave, ssh's status and words)."""
        listener, results = socket.create_server(("127.0.0.1", 0)), []

        def run():
            connection, _ = listener.accept()
            t = paramiko.Transport(connection)
            t.add_server_key(key)
            server = Server()
            t.start_server(server=server)
            session = t.accept(60)
            server.got.wait(60)
            for name in opens:
                try:
                    c = t.open_channel(name, src_addr=("127.0.0.1", 1), dest_addr=("127.0.0.1", 2), timeout=60)
                    c.sendall(b"\0\0\0\1\x0b")
                    c.settimeout(60)
                    results.append(c.recv(1))
                    c.close()
                except paramiko.ChannelException as e:
                    results.append(e.code)
            session.send_exit_status(7)
            session.close()
            t.join(60)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        known = b.place.write("hostile-known", f"[127.0.0.1]:{port} {b.place.public(b.place.key('ed25519', 'hostile'))}\n")
        argv = [programs.ours("ssh"), "-F", "none", "-p", str(port), "-o", f"UserKnownHostsFile={known}", "-o", "GlobalKnownHostsFile=none", *args,
                "-i", b.place.key(), "127.0.0.1", "x"]
        done = b.place.run(argv, env={**b.place.env, "SSH_AUTH_SOCK": b.relay.path})
        thread.join(60)
        return results, done

    agent = ["auth-agent@openssh.com", "agent-connect"]
    with tap.case("a server that asks for our agent unasked gets none, and we are told"):
        results, done = serve([], agent)
        same((results, done.returncode, done.stderr.count(b"tried agent forwarding")), ([1, 1], 7, 2), "opens, status, lines")
    with tap.case("with -A it gets it by either name"):
        results, done = serve(["-A"], agent)
        same((results, done.returncode), ([b"\0", b"\0"], 7), "opens, status")
    with tap.case("channels of other kinds are refused all the same"):
        results, done = serve(["-A"], ["session", "x11", "forwarded-tcpip", "direct-tcpip", "tun@openssh.com", "nonsense"])
        same(([r for r in results if r not in (1, 3)], len(results)), ([], 6), f"opens {results}")


def main():
    tap = Tap()
    with Place() as place:
        b = Bench(place)
        for part in one_hop, two_hops:
            part(tap, b)
        try:
            hostile(tap, b)
        except ImportError:
            tap.skip("a hostile server", "paramiko is not installed")
    tap.end()


main()
