#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What the server survives: kill -9 of nursery, keys and listener while a session lives; SIGHUP; its own files replaced; and what it
does not: a start without a jail or without host keys (ARCHITECTURE 3, TRUST T23, 49)."""
import base64
import fcntl
import os
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Place, die_with_parent, free_port  # noqa: E402
from tap import PATIENCE, Tap, same, wait_for  # noqa: E402


def children(pid, name):
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as f:
                stat = f.read()
        except (OSError, ValueError):
            continue
        comm, rest = stat[stat.index("(") + 1:stat.rindex(")")], stat[stat.rindex(")") + 2:].split()
        if comm == name and rest[1] == str(pid) and rest[0] != "Z":
            found.append(int(entry))
    return found


def filters(pid):
    """How many system call filters; None: it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as f:
            return int(re.search(r"Seccomp_filters:\s+(\d+)", f.read())[1])
    except OSError:
        return None


def nurseries(listener):
    return [pid for pid in children(listener, "sshd-net") if filters(pid) == 1]


class Live:
    """A shell on a terminal through Debian's ssh, which asks for new keys every 16 KB."""

    def __init__(self, place, server):
        argv = clients.ssh_argv(place, programs.foreign("ssh"), server, ["RekeyLimit 16K"])
        self.master, slave = os.openpty()
        termios.tcsetwinsize(slave, (24, 80))

        def own_terminal():
            die_with_parent()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen([*argv, "-tt", "127.0.0.1", "stty -echo; echo ready; exec sh"], stdin=slave, stdout=slave, stderr=slave,
                                        env=place.env, start_new_session=True, preexec_fn=own_terminal)
        place.processes.append(self.process)
        os.close(slave)
        self.seen = b""
        self.expect(rb"ready")

    def expect(self, pattern):
        until = time.monotonic() + PATIENCE
        while not re.search(pattern, self.seen):
            if not select.select([self.master], [], [], max(0, until - time.monotonic()))[0]:
                raise AssertionError(f"{pattern!r} did not come; seen {self.seen[-300:]!r}")
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:
                raise AssertionError(f"{pattern!r} did not come before the end; seen {self.seen[-300:]!r}") from None

    def run(self, command, pattern):
        self.seen = b""
        os.write(self.master, command.encode() + b"\n")
        self.expect(pattern)

    def resize(self, rows, cols):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        os.killpg(self.process.pid, signal.SIGWINCH)

    def check(self, number):
        """Enough data for several key exchanges, a new size, and it still answers."""
        self.run(f"head -c 200000 /dev/zero | tr '\\0' x | fold -w 70; echo; echo moved-$(({number}+1))", rb"moved-%d" % (number + 1))
        self.resize(30 + number, 100 + number)
        self.run("while [ \"$(stty size)\" != \"%d %d\" ]; do sleep 0.05; done; echo resized-$((%d+1))" % (30 + number, 100 + number, number),
                 rb"resized-%d" % (number + 1))

    def end(self, status):
        os.write(self.master, b"exit %d\n" % status)
        try:
            while os.read(self.master, 65536):
                pass
        except OSError:
            pass
        same(self.process.wait(PATIENCE), status, "status of the session")


def login_works(place, server):
    done = clients.ssh(place, programs.foreign("ssh"), server, "echo in")
    same((done.stdout, done.returncode), (b"in\n", 0), f"login ({done.stderr})")


def check_shortage(tap, place, server):
    """A helper ends while the listener can open nothing, so that its successor cannot be started there and then; nor does any later
    child's end come to remind the listener of it."""
    listener, old = server.process.pid, {"sshd-keys": children(server.process.pid, "sshd-keys"), "sshd-net": nurseries(server.process.pid)}
    limits = resource.prlimit(listener, resource.RLIMIT_NOFILE)
    for name, flaw in ("sshd-keys", b"host key process: "), ("sshd-net", b"cannot start sshd-net"):
        with tap.case(f"{name} ends while there are no descriptors: another is there once there are some"):
            said = place.read(server.log).count(flaw)
            resource.prlimit(listener, resource.RLIMIT_NOFILE, (3, limits[1]))
            try:
                for pid in old[name]:
                    os.kill(pid, signal.SIGKILL)
                wait_for("failed start in the log", lambda flaw=flaw, said=said: place.read(server.log).count(flaw) > said)
            finally:
                resource.prlimit(listener, resource.RLIMIT_NOFILE, limits)
            wait_for(f"new {name}", lambda name=name: len(children(listener, name)) >= len(old[name]))
            login_works(place, server)


def check_kills(tap, place):
    server = servers.sshd(place, programs.ours("sshd"), ["LogLevel VERBOSE"])
    listener = server.process.pid
    wait_for("two nurseries", lambda: len(nurseries(listener)) == 2)
    live = Live(place, server)
    with tap.case("a session survives kill -9 of both nurseries, and logins go on"):
        for pid in nurseries(listener):
            os.kill(pid, signal.SIGKILL)
        live.check(1)
        login_works(place, server)
        wait_for("two new nurseries", lambda: len(nurseries(listener)) == 2)
    with tap.case("a session survives kill -9 of the keys process: it gets new keys from its successor"):
        old = children(listener, "sshd-keys")
        os.kill(old[0], signal.SIGKILL)
        live.check(2)
        wait_for("new keys process", lambda: children(listener, "sshd-keys") not in ([], old))
        login_works(place, server)
    check_shortage(tap, place, server)
    with tap.case("a session survives kill -9 of the listener: rekeys, resizes, ends with its status"):
        os.kill(listener, signal.SIGKILL)
        server.process.wait(PATIENCE)
        live.check(3)
        again = place.start([programs.ours("sshd"), "-D", "-e", "-f", place.path(f"sshd_config-{server.port}")], "again.log")
        place.wait_port(server.port, again, "again.log")
        login_works(place, server)
        live.check(4)
        live.end(7)
        place.stop(again)


def spare_caught(listener):
    """A nursery that stands still in the middle of its start, so that it has not yet said that it is ready: a new one is made until one is caught."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for pid in children(listener, "sshd-net"):
            if filters(pid) == 0:
                os.kill(pid, signal.SIGSTOP)
                wait_for("stop", lambda pid=pid: stopped(pid))
                if filters(pid) == 0:
                    return pid
                os.kill(pid, signal.SIGKILL)
        if len(nurseries(listener)) == 2:
            os.kill(max(nurseries(listener)), signal.SIGKILL)
    raise AssertionError("no nursery was caught at its start")


def stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        return f.read().rpartition(")")[2].split()[0] == "T"


def check_handover(tap, place):
    """After so many forks the spare takes a nursery's place. What that one was told before then it still does, however late."""
    forks = 64      # NURSERY_FORKS
    server = servers.sshd(place, programs.ours("sshd"), ["MaxStartups 1000"], log="handover.log")
    listener = server.process.pid

    def connect(count):
        return [socket.create_connection(("127.0.0.1", server.port), PATIENCE) for _ in range(count)]

    def greeted(connections):
        idents = [c.recv(8) for c in connections]
        for c in connections:
            c.close()
        same(idents, [b"SSH-2.0-"] * len(connections), "what the connections are greeted with")

    for what, heard in {"before it is ready": False, "before anybody has heard that it is ready": True}.items():
        with tap.case(f"a nursery that is relieved {what} does all that it was told"):
            wait_for("two nurseries", lambda: len(nurseries(listener)) == 2)
            late, said = spare_caught(listener), place.read(server.log).count(b"the spare takes over")
            for pid in nurseries(listener):
                os.kill(pid, signal.SIGKILL)
            wait_for("the spare's turn", lambda said=said: place.read(server.log).count(b"the spare takes over") > said)
            if heard:
                os.kill(late, signal.SIGCONT)
                greeted(connect(1))
                os.kill(late, signal.SIGSTOP)
            held = connect(forks + (not heard))
            wait_for("one that serves each", lambda held=held: len(children(listener, "sshd")) >= len(held))
            os.kill(late, signal.SIGCONT)
            greeted(held)
    place.stop(server.process)


def check_hangup(tap, place):
    folder = place.path("bin")
    os.mkdir(folder, 0o755)
    for name in "sshd", "sshd-net", "sshd-keys", "sshd-auth":
        shutil.copy(programs.ours(name), f"{folder}/{name}")
    server = servers.sshd(place, f"{folder}/sshd", ["LogLevel VERBOSE"], log="hangup.log")
    config, pid_file = place.path(f"sshd_config-{server.port}"), place.path("sshd.pid")
    live = Live(place, server)
    with tap.case("SIGHUP: the same process with the same arguments, the new configuration, and sessions live on"):
        with open(config, "a", encoding="ascii") as f:
            f.write("ForceCommand echo forced\n")
        cmdline = [int(place.read("sshd.pid"))]
        server.process.send_signal(signal.SIGHUP)
        wait_for("restart in the log", lambda: place.read(server.log).count(b"Server listening") == 2)
        done = clients.ssh(place, programs.foreign("ssh"), server, "echo in")
        same(done.stdout, b"forced\n", "output under the new configuration")
        same((server.process.poll(), int(place.read("sshd.pid"))), (None, cmdline[0]), "process")
        live.check(1)
        live.end(3)
    with tap.case("serving goes on when the programs' files are replaced or deleted"):
        for name in "sshd", "sshd-net", "sshd-keys", "sshd-auth":
            os.unlink(f"{folder}/{name}")
        for _ in range(70):     # beyond a nursery's forks: a new one is started from the open file
            with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as s:
                s.recv(8)
        same(clients.ssh(place, programs.foreign("ssh"), server, "true").stdout, b"forced\n", "output")
    with tap.case("SIGTERM ends it and takes the PidFile away"):
        server.process.terminate()
        same((server.process.wait(PATIENCE), os.path.exists(pid_file)), (0, False), "status, PidFile")
    shutil.rmtree(folder)


def config(place, port, *lines):
    return place.write("config", "\n".join([*lines, f"Port {port}", "ListenAddress 127.0.0.1", f"AuthorizedKeysFile {servers.authorize(place)}",
                                            f"PidFile {place.path('daemon.pid')}", "StrictModes no", "PerSourcePenalties no"]) + "\n")


def authenticator_key(place):
    """A key file as for a key on a FIDO authenticator (PROTOCOL.u2f); there is no such authenticator."""
    packed = lambda *parts: b"".join(len(p).to_bytes(4, "big") + p for p in parts)
    kind, public = b"sk-ssh-ed25519@openssh.com", packed(bytes([9] * 32), b"ssh:")
    half = bytes(8) + packed(kind) + public + b"\1" + packed(b"a handle", b"", b"comment")
    half += bytes(range(1, 1 + -len(half) % 8))
    blob = b"openssh-key-v1\0" + packed(b"none", b"none", b"") + (1).to_bytes(4, "big") + packed(packed(kind) + public, half)
    text = base64.encodebytes(blob).decode()
    return place.write("authenticator", f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}-----END OPENSSH PRIVATE KEY-----\n")


def check_start(tap, place):
    sshd, host = programs.ours("sshd"), place.key("ed25519", "host-ed25519")
    with tap.case("no working jail, no service"):
        port = free_port()
        done = place.run(["setpriv", "--bounding-set", "-sys_admin,-sys_chroot", sshd, "-D", "-e", "-f", config(place, port, f"HostKey {host}")])
        same(done.returncode, 255, "status")
        same(b"jail" in done.stderr and b"Server listening" not in done.stderr, True, f"stderr {done.stderr}")
    with tap.case("no working jail, no inetd service either"):
        done = place.run(["setpriv", "--bounding-set", "-sys_admin,-sys_chroot", sshd, "-i", "-f", config(place, 1, f"HostKey {host}")])
        same((done.returncode, done.stdout), (255, b""), "status, what the peer saw")
    with tap.case("no host key, no service"):
        done = place.run([sshd, "-D", "-e", "-f", config(place, free_port(), "HostKey /nonexistent/key")])
        same((done.returncode, b"no hostkeys available" in done.stderr), (1, True), f"status, stderr {done.stderr}")
    with tap.case("a host key that others may read is not taken"):
        loose = place.write("loose", place.read("host-ed25519"), 0o644)
        done = place.run([sshd, "-t", "-f", config(place, free_port(), f"HostKey {loose}")])
        same((done.returncode, b"bad permissions" in done.stderr), (1, True), f"status, stderr {done.stderr}")
    with tap.case("a host key on an authenticator is taken, whether that is there or not"):
        done = place.run([sshd, "-t", "-f", config(place, free_port(), f"HostKey {authenticator_key(place)}", f"HostKey {host}")])
        same((done.returncode, done.stderr), (0, b""), "status, stderr")
    with tap.case("host keys that cannot be used do not change the numbers of those behind them"):
        other = place.key("ecdsa256", "host-ecdsa256")
        for what, lines in {"a file that cannot be read": ["HostKey /nonexistent/key"],
                            "one without an algorithm": [f"HostKey {other}", "HostKeyAlgorithms ssh-ed25519"],
                            "one on an authenticator that is not there": [f"HostKey {authenticator_key(place)}"]}.items():
            server = servers.sshd(place, sshd, lines, log="numbers.log")
            done = clients.ssh(place, programs.foreign("ssh"), server, "echo in")
            same((done.returncode, done.stdout), (0, b"in\n"), f"{what}: {done.stderr}")
            place.stop(server.process)
    with tap.case("-t says nothing about a good configuration, and why about a bad one"):
        done = place.run([sshd, "-t", "-f", config(place, free_port(), f"HostKey {host}")])
        same((done.returncode, done.stdout, done.stderr), (0, b"", b""), "good")
        done = place.run([sshd, "-t", "-f", config(place, free_port(), f"HostKey {host}", "NoSuchKeyword yes")])
        same((done.returncode != 0, b"NoSuchKeyword" in done.stderr), (True, True), f"bad: {done.stderr}")
    with tap.case("-V names version and library"):
        done = place.run([sshd, "-V"])
        same(bool(re.fullmatch(rb"Nacre_\S+ \(OpenSSH_10\.5p1\), OpenSSL .*\n", done.stderr)), True, f"stderr {done.stderr}")
    with tap.case("as a daemon: the start returns when the service stands; PidFile; ends by SIGTERM"):
        port = free_port()
        done = place.run([sshd, "-E", place.path("daemon.log"), "-f", config(place, port, f"HostKey {host}")])
        same((done.returncode, done.stdout, done.stderr), (0, b"", b""), "start")
        server = servers.Server("sshd", port, "daemon.log", [place.public(host)])
        pid = int(place.read("daemon.pid"))
        try:
            login_works(place, server)
        finally:
            os.kill(pid, signal.SIGTERM)
        wait_for("end of the daemon", lambda: not os.path.exists(f"/proc/{pid}") or not os.path.exists(place.path("daemon.pid")))
        same(os.path.exists(place.path("daemon.pid")), False, "PidFile")


def carry(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def check_inetd(tap, place):
    sshd, host = programs.ours("sshd"), place.key("ed25519", "host-ed25519")
    argv = [sshd, "-i", "-E", place.path("inetd.log"), "-f", config(place, 1, f"HostKey {host}")]
    with tap.case("sshd -i on a TCP socket"):
        server = servers.inetd(place, "inetd", argv, [place.public(host)])
        done = clients.ssh(place, programs.foreign("ssh"), server, "echo $SSH_CONNECTION; exit 5")
        same((done.returncode, bool(re.fullmatch(rb"127\.0\.0\.1 \d+ 127\.0\.0\.1 %d\n" % server.port, done.stdout))), (5, True), done.stdout)
    with tap.case("sshd -i on a socketpair"):
        listener = socket.create_server(("127.0.0.1", 0))

        def serve():
            connection, _ = listener.accept()
            ours, theirs = socket.socketpair()
            with theirs:
                place.processes.append(subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env=place.env))
            threading.Thread(target=carry, args=(ours, connection), daemon=True).start()
            carry(connection, ours)
        threading.Thread(target=serve, daemon=True).start()
        server = servers.Server("inetd", listener.getsockname()[1], "inetd.log", [place.public(host)])
        done = clients.ssh(place, programs.foreign("ssh"), server, "echo $SSH_CONNECTION; exit 6")
        same((done.returncode, done.stdout), (6, b"UNKNOWN 65535 UNKNOWN 65535\n"), done.stderr)
    with tap.case("sshd -i on two pipes (ProxyCommand), 4 MB each way"):
        server = servers.Server("inetd", 1, "inetd.log", [place.public(host)])
        proxy = ["ProxyCommand " + " ".join(argv)]
        data = os.urandom(4 << 20)
        done = clients.ssh(place, programs.foreign("ssh"), server, "cat; exit 9", options=proxy, stdin=data)
        same((done.returncode, done.stdout == data), (9, True), done.stderr)


def check_random(tap, place, count):
    """The cookie of KEXINIT is the first random thing a face makes."""
    with tap.case(f"{count} faces have distinct random bytes"):
        server, seen = servers.sshd(place, programs.ours("sshd"), ["LogLevel QUIET"], log="random.log"), set()
        for _ in range(count):
            with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as s:
                s.sendall(b"SSH-2.0-count\r\n")
                data = b""
                while b"\n" not in data or len(data) < data.index(b"\n") + 1 + 22:
                    chunk = s.recv(4096)
                    if not chunk:
                        raise AssertionError(f"closed after {data!r}")
                    data += chunk
                packet = data[data.index(b"\n") + 1:]
                same(packet[5], 20, "message number of the first packet")
                seen.add(packet[6:22])
        same(len(seen), count, "distinct cookies")
        place.stop(server.process)


def main():
    tap = Tap()
    room.enter_as_root(tap, "what the server survives")
    with Place() as place:
        check_start(tap, place)
        check_inetd(tap, place)
        check_kills(tap, place)
        check_handover(tap, place)
        check_hangup(tap, place)
        check_random(tap, place, 10000 if os.environ.get("NACRE_LONG") else 1000)
    tap.end()


main()
