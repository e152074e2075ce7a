#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Who gets in, who does not, and the lines that others read of it: methods, limits, penalties (INVENTORY 2.9, TRUST T08, T15)."""
import contextlib
import os
import re
import socket
import sys
import time

import paramiko

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Place  # noqa: E402
from servers import log_of  # noqa: E402
from tap import PATIENCE, Tap, same  # noqa: E402


def expect_log(place, server, *patterns):
    """Lines in this order; the log is written a moment after the client has gone."""
    until = time.monotonic() + PATIENCE
    want = r"(?s)" + ".*?".join(f"(?m:^{p}\r?$)" for p in patterns)
    while not re.search(want, log_of(place, server)):
        if time.monotonic() > until:
            raise AssertionError(f"not in the log, in this order: {patterns}\n{log_of(place, server)[-2500:]}")
        time.sleep(0.02)


def with_password(place, server, password, methods="password", user=None, key=None, prompts=1):
    """Debian's ssh with its password from sshpass."""
    argv = clients.ssh_argv(place, programs.foreign("ssh"), server, [f"PreferredAuthentications {methods}", f"NumberOfPasswordPrompts {prompts}",
                                                                    *([f"User {user}"] if user else [])])
    config = place.read(os.path.basename(argv[2])).decode().replace("BatchMode yes", "BatchMode no")
    if not key:
        config = re.sub(r"IdentityFile .*\n", "", config)
    place.write(os.path.basename(argv[2]), config)
    return place.run([programs.foreign("sshpass"), "-p", password, *argv, "127.0.0.1", "echo in"])


def debian(place, server, command="echo in", *options, user=None, key="ed25519"):
    if key == "unlisted":
        place.key("ed25519", "key-unlisted")
    return clients.ssh(place, programs.foreign("ssh"), server, command, options=[*([f"User {user}"] if user else []), *options], key=key)


PORT = r"127\.0\.0\.1 port \d+"
U = room.TESTER


def check_lines(tap, place):
    server = servers.own(place)
    with tap.case("lines of a login with a key"):
        same(debian(place, server).stdout, b"in\n", "output")
        expect_log(place, server, rf"Connection from {PORT} on 127\.0\.0\.1 port {server.port} rdomain \"\"",
                   rf"Accepted publickey for {U} from {PORT} ssh2: ED25519 SHA256:[A-Za-z0-9+/]{{43}}", rf"Starting session: command for {U} from {PORT} id 0",
                   rf"Received disconnect from {PORT}:11: disconnected by user", rf"Disconnected from user {U} {PORT}")
    with tap.case("lines of a login with a password, and of a wrong one"):
        same(with_password(place, server, room.PASSWORD).stdout, b"in\n", "output")
        expect_log(place, server, rf"Accepted password for {U} from {PORT} ssh2")
        same(with_password(place, server, "wrong").returncode != 0, True, "refused")
        expect_log(place, server, rf"Failed password for {U} from {PORT} ssh2", rf"Connection closed by authenticating user {U} {PORT} \[preauth\]")
    with tap.case("keyboard-interactive asks for the password"):
        same(with_password(place, server, room.PASSWORD, "keyboard-interactive").stdout, b"in\n", "output")
        expect_log(place, server, rf"Accepted keyboard-interactive(/\w+)? for {U} from {PORT} ssh2")
    with tap.case("lines of a name nobody has"):
        same(with_password(place, server, "x", user="nosuchone").returncode != 0, True, "refused")
        expect_log(place, server, rf"Invalid user nosuchone from {PORT}", rf"Failed password for invalid user nosuchone from {PORT} ssh2",
                   rf"Connection closed by invalid user nosuchone {PORT} \[preauth\]")
    with tap.case("a client that asks for the login service again before each try (paramiko)"):
        with contextlib.closing(paramiko.Transport(("127.0.0.1", server.port))) as t:
            t.start_client(timeout=PATIENCE)
            for word in "wrong", "wrong again":
                with contextlib.suppress(paramiko.AuthenticationException):
                    t.auth_password(U, word)
            t.auth_password(U, room.PASSWORD)
            same(t.is_authenticated(), True, "logged in at the third try")
    with tap.case("a name made to forge a line stays one line"):
        debian(place, server, user="x\\nAccepted password for root from 1.2.3.4 port 5 ssh2")
        same(re.findall(r"(?m)^Accepted password for root", log_of(place, server)), [], "forged lines")
    with tap.case("a key that is not listed"):
        place.key("ed25519", "key-stranger")
        argv = clients.ssh_argv(place, programs.foreign("ssh"), server)
        place.write(os.path.basename(argv[2]), place.read(os.path.basename(argv[2])).decode().replace("key-ed25519", "key-stranger"))
        done = place.run([*argv, "127.0.0.1", "true"])
        same((done.returncode, b"Permission denied (publickey,password,keyboard-interactive)" in done.stderr), (255, True), done.stderr)
        expect_log(place, server, rf"Failed publickey for {U} from {PORT} ssh2: ED25519 SHA256:.*")
    with tap.case("no common algorithm"):
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as s:
            s.sendall(b"SSH-1.5-old\r\n")
            while s.recv(4096):
                pass
        expect_log(place, server, rf"banner exchange: Connection from {PORT}: .*")
        debian(place, server, "true", "Ciphers aes256-cbc")
        expect_log(place, server, rf"Unable to negotiate with {PORT}: no matching cipher found\. Their offer: aes256-cbc \[preauth\]")


def check_sig_algs(tap, place):
    """server-sig-algs: before the user is known what may be allowed to anyone, then what this user may use (ext-info-in-auth@openssh.com)."""
    place.key("rsa", "key-rsa")
    for allowed in "rsa-sha2-256", "rsa-sha2-512":
        with tap.case(f"Match: {allowed} only, and our client signs with that at once"):
            server = servers.own(place, match=[f"Match User {U}", f"PubkeyAcceptedAlgorithms {allowed}"])
            done = clients.ssh(place, programs.ours("ssh"), server, "echo in", options=["LogLevel DEBUG2"], key="rsa")
            told = re.findall(rb"server-sig-algs|SSH2_MSG_EXT_INFO received", done.stderr)
            same((done.stdout, told.count(b"SSH2_MSG_EXT_INFO received")), (b"in\n", 2), f"output, EXT_INFO messages; {done.stderr.decode()}")
            same(re.findall(r"Failed publickey.*", log_of(place, server)), [], "failures")
            same(debian(place, server, key="rsa").stdout, b"in\n" if allowed.endswith("512") else b"", "a client that takes no second one")
            place.stop(server.process)
    with tap.case("without a Match block there is one EXT_INFO only, and so for who does not ask for two"):
        server = servers.own(place)
        done = clients.ssh(place, programs.ours("ssh"), server, "echo in", options=["LogLevel DEBUG1"])
        same((done.stdout, done.stderr.count(b"SSH2_MSG_EXT_INFO received")), (b"in\n", 1), "output, messages")
        place.stop(server.process)
        server = servers.own(place, match=[f"Match User {U}", "PubkeyAcceptedAlgorithms ssh-ed25519"])
        done = debian(place, server, "echo in", "LogLevel DEBUG1")
        same((done.stdout, done.stderr.count(b"SSH2_MSG_EXT_INFO received")), (b"in\n", 1), "output, messages to OpenSSH 9.2's")
    place.stop(server.process)


def check_methods(tap, place):
    server = servers.own(place, "AuthenticationMethods publickey,password", "MaxAuthTries 3")
    with tap.case("two methods in order: key alone is partial, key and password are a login"):
        done = debian(place, server)
        same((done.returncode, b"Permission denied (password)" in done.stderr), (255, True), done.stderr)
        expect_log(place, server, rf"Partial publickey for {U} from {PORT} ssh2: .*")
        same(with_password(place, server, room.PASSWORD, "publickey,password", key=True).stdout, b"in\n", "output")
        expect_log(place, server, rf"Accepted password for {U} from {PORT} ssh2")
    with tap.case("the second method alone is not offered and does not help"):
        same(with_password(place, server, room.PASSWORD).returncode, 255, "status")
    server = servers.own(place, "AuthenticationMethods publickey,publickey")
    with tap.case("\"publickey,publickey\" wants two different keys"):
        same(debian(place, server).returncode, 255, "one key")
        same(debian(place, server, "echo in", f"IdentityFile {place.key('rsa')}").stdout, b"in\n", "two keys")
    server = servers.own(place, "MaxAuthTries 2")
    with tap.case("MaxAuthTries ends it"):
        strangers = [f"IdentityFile {place.key('ed25519', f'stranger-{i}')}" for i in range(3)]
        done = debian(place, server, "true", *strangers, key="unlisted")
        same(done.returncode, 255, done.stderr)
        expect_log(place, server, rf"error: maximum authentication attempts exceeded for {U} from {PORT} ssh2 \[preauth\]",
                   rf"Disconnecting authenticating user {U} {PORT}: Too many authentication failures \[preauth\]")


def check_access(tap, place):
    server = servers.own(place, "DenyUsers nacretest", "PermitRootLogin prohibit-password")
    with tap.case("DenyUsers: the key is right, the answer is no"):
        same(debian(place, server).returncode, 255, "status")
        expect_log(place, server, rf"User {U} from 127\.0\.0\.1 not allowed because listed in DenyUsers")
    server = servers.own(place, match=["Match User nacretest", "ForceCommand echo forced", "PasswordAuthentication no"])
    with tap.case("Match sets the command and takes a method away"):
        same(debian(place, server).stdout, b"forced\n", "output")
        same(b"(publickey,keyboard-interactive)" in with_password(place, server, room.PASSWORD).stderr, True, "methods left")
    server = servers.own(place, "PermitTTY no", "MaxSessions 1")
    with tap.case("PermitTTY no: no terminal, still sessions"):
        done = clients.ssh(place, programs.foreign("ssh"), server, "tty", args=["-tt"])
        same(b"PTY allocation request failed" in done.stderr, True, done.stdout + done.stderr)
        same(debian(place, server).stdout, b"in\n", "output without a terminal")


def check_limits(tap, place):
    server = servers.own(place, "LoginGraceTime 1")
    with tap.case("LoginGraceTime ends a connection that does nothing"):
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as s:
            while s.recv(4096):
                pass
        expect_log(place, server, r"Timeout before authentication for connection from 127\.0\.0\.1 to 127\.0\.0\.1, pid = \d+")
    server = servers.own(place, "MaxStartups 2:100:2", "LoginGraceTime 60")
    with tap.case("MaxStartups: what is too much is turned away, a login frees its place"):
        held = []
        while len(held) < 2:    # the first may meet what waited for the port
            s = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
            if s.recv(8) == b"SSH-2.0-":
                held.append(s)
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as s:
            same(s.recv(100), b"Exceeded MaxStartups\r\n", "third")
        held.pop().close()
        until = time.monotonic() + PATIENCE
        while debian(place, server).returncode != 0 and time.monotonic() < until:
            pass
        for _ in range(3):      # logins do not stay in the count
            same(debian(place, server).stdout, b"in\n", "login")
        held.pop().close()
    server = servers.own(place, "PerSourceMaxStartups 1", "LoginGraceTime 60")
    with tap.case("PerSourceMaxStartups"):
        first = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
        while first.recv(8) != b"SSH-2.0-":
            first = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as second:
            same(second.recv(100), b"Exceeded MaxStartups\r\n", "second")
        first.close()


def check_penalties(tap, place):
    # servers.sshd() switches penalties off for the other tests; the first value counts
    server = servers.own(place, "PerSourcePenalties yes", "PerSourcePenalties authfail:30 noauth:0 invaliduser:30 min:15")
    with tap.case("PerSourcePenalties: who failed must wait"):
        same(with_password(place, server, "wrong").returncode, 255, "refused")
        expect_log(place, server, r"srclimit_penalise: .*failed authentication")
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as s:
            same(s.recv(100), b"Not allowed at this time\r\n", "next connection")
        expect_log(place, server, rf"drop connection #\d+ from \[127\.0\.0\.1\]:\d+ on \[127\.0\.0\.1\]:{server.port} penalty.*")


def main():
    tap = Tap()
    room.enter_as_root(tap, "policy")
    with Place() as place:
        check_lines(tap, place)
        check_methods(tap, place)
        check_sig_algs(tap, place)
        check_access(tap, place)
        check_limits(tap, place)
        check_penalties(tap, place)
    tap.end()


main()
