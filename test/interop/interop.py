#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Our client against foreign servers, our server against foreign clients: every row of the pinned table beside this file.

usage: interop.py [to|from] [--peer NAME] [--only TEXT] [--sample]     run the rows (--sample: the first row of each peer)
       interop.py --pin                                                print the table anew from the peers' own lists
"""
import argparse
import hashlib
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import lists  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Hung, Place  # noqa: E402
from tap import PATIENCE, Skip, Tap, same  # noqa: E402

LONG = bool(os.environ.get("NACRE_LONG"))
SENT = hashlib.shake_256(b"what we send").digest(1 << 20)
BACK = hashlib.shake_256(b"what comes back").digest(1 << 20)   # of both nothing is left out by compression: each limit to rekey at is met
TERMINAL = "test -t 0 && test -t 1 && stty size; exit 5"
KEY_OF = {"ssh-ed25519": "ed25519", "ecdsa-sha2-nistp256": "ecdsa256", "ecdsa-sha2-nistp384": "ecdsa384",
          "ecdsa-sha2-nistp521": "ecdsa521", "rsa-sha2-256": "rsa", "rsa-sha2-512": "rsa"}
# What Nacre has: a row for each that the peer has too.
OURS = {
    "kex": ["mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com", "curve25519-sha256",
            "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521",
            "mlkem768nistp256-sha256", "mlkem1024nistp384-sha384", "diffie-hellman-group-exchange-sha256",
            "diffie-hellman-group14-sha256", "diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512"],
    "cipher": ["chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr",
               "aes256-ctr", "3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc"],
    "mac": [mac + etm for mac, end in (("umac-64", "@openssh.com"), ("umac-128", "@openssh.com"), ("hmac-sha2-256", ""),
                                       ("hmac-sha2-512", ""), ("hmac-sha1", "")) for etm in ("-etm@openssh.com", end)],
    "hostkey": list(KEY_OF),
    "userkey": list(KEY_OF),
}
# What our side is told, so that a row can pass with nothing but its algorithm.
OPTION = {"kex": ["KexAlgorithms %s"], "cipher": ["Ciphers %s"], "mac": ["Ciphers aes128-ctr", "MACs %s"],
          "hostkey": ["HostKeyAlgorithms %s"], "userkey": ["PubkeyAcceptedAlgorithms %s"]}
EVERY = ["KexAlgorithms", "Ciphers", "MACs", "HostKeyAlgorithms", "PubkeyAcceptedAlgorithms"]
REKEY = ["RekeyLimit 256K"]
NO_REKEY = ["RekeyLimit 16G"]
KINDS = ["kex", "cipher", "mac", "hostkey", "userkey"]


def option_lines(kind, algorithm):
    return [line.replace("%s", algorithm) for line in OPTION.get(kind, [])]


def debian_ssh():
    return programs.foreign("ssh")


def debian_sshd(place):
    """Debian's sshd with everything on that it has."""
    have = lists.of_openssh(debian_ssh())
    values = [have["kex"], have["cipher"], have["mac"], have["hostkey"], have["userkey"]]
    options = [f"{option} {','.join(names)}" for option, names in zip(EVERY, values)]
    return servers.sshd(place, programs.foreign("sshd"), options, servers.USER_KEYS, log="debian-sshd.log")


def openssh_client(place, server, command, kind, algorithm, key, **kw):
    options = option_lines(kind, algorithm)
    return clients.ssh(place, debian_ssh(), server, command, options, key, **kw)


def dbclient(place, server, command, kind, algorithm, key, **kw):
    return clients.dbclient(place, server, command, key=key, **kw)


def plink(place, server, command, kind, algorithm, key, **kw):
    return clients.plink(place, server, command, key=key, **kw)


def python_client(name):
    def run(place, server, command, kind, algorithm, key, pty=False, **kw):
        only = [f"{kind}={algorithm}"] if kind in OURS else []
        return clients.python_client(place, server, name, command, key, [*only, *(["cipher=aes128-ctr"] if kind == "mac" else [])],
                                     pty, **kw)
    return run


# peer: (its server, its own list)
SERVERS = {
    "openssh": (debian_sshd, lambda server: lists.of_openssh(debian_ssh())),
    "dropbear": (servers.dropbear, lists.of_server),
    "tinysshd": (servers.tinysshd, lists.of_server),
    "asyncssh": (lambda place: servers.python_server(place, "asyncssh"), lambda server: lists.of_python("asyncssh")),
    "paramiko": (lambda place: servers.python_server(place, "paramiko"), lambda server: lists.of_python("paramiko")),
}
CLIENTS = {
    "openssh": (openssh_client, lambda: lists.of_openssh(debian_ssh())),
    "dbclient": (dbclient, lambda: lists.of_client(
        lambda port: [programs.foreign("dbclient"), "-y", "-y", "-p", str(port), "127.0.0.1", "true"])),
    "plink": (plink, lambda: lists.of_client(
        lambda port: [programs.foreign("plink"), "-batch", "-ssh", "-noagent", "-P", str(port), "127.0.0.1", "true"])),
    "asyncssh": (python_client("asyncssh"), lambda: lists.of_python("asyncssh")),
    "paramiko": (python_client("paramiko"), lambda: lists.of_python("paramiko")),
}


def deeds(direction, peer):
    """Besides the algorithms. asyncssh 2.10 sends data amid a key exchange, dbclient and plink want a terminal of their own."""
    return ["pty", "bulk"] + ([] if peer == "asyncssh" else ["rekey"])


def deed_options(peer, deed):
    if deed == "bulk" and peer == "asyncssh":
        return NO_REKEY
    return REKEY if deed == "rekey" else []


def peer_lists():
    """(direction, peer, kind, names) from the peers installed here, asked now."""
    with Place() as place:
        for peer, (start, own) in SERVERS.items():
            have = own(start(place))
            yield from (("to", peer, kind, have[kind]) for kind in KINDS)
    for peer, (_, own) in CLIENTS.items():
        have = own()
        yield from (("from", peer, kind, have[kind]) for kind in KINDS)


def rows_now():
    rows, seen = [], set()
    for direction, peer, kind, names in peer_lists():
        if kind == "mac" and peer == "tinysshd":
            continue  # it lists one, but no cipher to go with it
        rows += [f"{direction} {peer} {kind} {name}" for name in OURS[kind] if name in names]
        if (direction, peer) not in seen:
            seen.add((direction, peer))
            rows += [f"{direction} {peer} does {deed}" for deed in deeds(direction, peer)]
    return sorted(rows)


def pinned():
    with open(f"{HERE}/table", encoding="ascii") as f:
        return [line.strip() for line in f if line.strip() and not line.startswith("#")]


def exchange(place, run, **kw):
    """1 MB there, with its hash made there; 1 MB back; the exit status."""
    if not os.path.exists(place.path("back")):
        os.chmod(place.write("back", BACK), 0o644)
    done = run(f"sha256sum | cut -c1-64 >&2; cat {place.path('back')}; exit 7", stdin=SENT, **kw)
    errors = done.stderr.decode(errors="replace")
    same(done.returncode, 7, f"exit status; standard error:\n{errors[-1500:]}\n")
    digests = re.findall(r"^[0-9a-f]{64}$", errors, re.M)
    same(digests[-1:], [hashlib.sha256(SENT).hexdigest()], "hash of what arrived")
    same(hashlib.sha256(done.stdout).hexdigest(), hashlib.sha256(BACK).hexdigest(), f"hash of {len(done.stdout)} bytes received")
    return done


def check_terminal(done, size):
    out = done.stdout.decode(errors="replace")
    same(done.returncode, 5, f"exit status; on the screen:\n{out[-1500:]}\n")
    if size not in out:
        raise AssertionError(f"no terminal of size {size}: {out!r}")


def write_pattern(path, size):
    """A file of `size` bytes in which no two blocks are alike; the SHA-256 of it."""
    block, digest = bytearray(hashlib.shake_256(b"bulk").digest(1 << 20)), hashlib.sha256()
    with open(path, "wb") as f:
        for i in range(size >> 20):
            at = i * 4099 % (1 << 19)  # the number wanders through the block
            block[at:at + 8] = i.to_bytes(8, "big")
            f.write(block)
            digest.update(block)
    os.chmod(path, 0o644)
    return digest.hexdigest()


def bulk(place, run):
    """1 GB there, hashed there, and 1 GB back, from and to files, in --long; 8 MB else. A bit more than 1 GB, as paramiko asks for
    a key exchange each 512 MB, and its one thread that could answer ours waits for itself if CLOSE comes amid that."""
    size, source, sink = (1 << 30) + (32 << 20) if LONG else 8 << 20, place.path("bulk"), place.path("bulk-back")
    want = write_pattern(source, size) if not os.path.exists(source) else file_hash(source)
    done = run(f"sha256sum | cut -c1-64 >&2; cat {source}; exit 7", files=(source, sink), timeout=7200 if LONG else 600)
    errors = done.stderr.decode(errors="replace")
    same(done.returncode, 7, f"exit status; standard error:\n{errors[-1500:]}\n")
    same(re.findall(r"^[0-9a-f]{64}$", errors, re.M)[-1:], [want], "hash of what arrived")
    same((os.path.getsize(sink), file_hash(sink)), (size, want), "size and hash of what came back")
    os.unlink(sink)


def file_hash(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


class ToServers:
    """Our client; one server a peer, kept for its rows."""

    def __init__(self, place):
        self.place, self.running = place, {}

    def run(self, peer, kind, algorithm):
        if peer not in self.running:
            self.running[peer] = SERVERS[peer][0](self.place)
        server, program = self.running[peer], programs.ours("ssh")
        options = option_lines(kind, algorithm) + deed_options(peer, algorithm)
        key = KEY_OF[algorithm] if kind == "userkey" else "ed25519"

        def run(command, **kw):
            return clients.ssh(self.place, program, server, command, options, key, **kw)

        if algorithm == "pty":
            argv = clients.ssh_argv(self.place, program, server)
            size = "37 91" if peer not in ("asyncssh", "paramiko") else ""  # their script(1) has a size of its own
            check_terminal(self.place.run_terminal([*argv, "-t", "127.0.0.1", TERMINAL]), size)
        elif algorithm == "bulk":
            bulk(self.place, run)
        elif algorithm == "rekey":
            done = exchange(self.place, run, args=["-v", "-v"])
            check_rekeyed(done.stderr.decode(errors="replace"))
        else:
            exchange(self.place, run)

    def log(self, peer):
        return self.place.read(self.running[peer].log)[-1500:].decode(errors="replace") if peer in self.running else ""


class FromClients:
    """Our server, started anew for each row, so that it offers the row's algorithm and no other."""

    def __init__(self, place):
        self.place = place

    def run(self, peer, kind, algorithm):
        options = option_lines(kind, algorithm) + deed_options(peer, algorithm)
        host_key = KEY_OF[algorithm] if kind == "hostkey" else "ed25519"
        self.place.write("sshd.log", b"")
        server = servers.sshd(self.place, programs.ours("sshd"), [*options, "LogLevel DEBUG2"], [host_key])
        try:
            self.talk(server, peer, kind, algorithm)
        finally:
            self.place.stop(server.process)

    def talk(self, server, peer, kind, algorithm):
        key = KEY_OF[algorithm] if kind == "userkey" else "ed25519"

        def run(command, **kw):
            return CLIENTS[peer][0](self.place, server, command, kind, algorithm, key, **kw)

        if algorithm == "pty":
            check_terminal(*self.terminal(server, peer))
        elif algorithm == "bulk":
            bulk(self.place, run)
        else:
            exchange(self.place, run)
        if algorithm == "rekey":
            self.await_rekeys(peer)

    def await_rekeys(self, peer):
        """The face's debug lines reach the log by way of the warden, maybe after the client has ended."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not rekeyed(self.log(peer, -1)):
            time.sleep(0.05)
        check_rekeyed(self.log(peer, -1))

    def terminal(self, server, peer):
        if peer in ("asyncssh", "paramiko"):
            return clients.python_client(self.place, server, peer, TERMINAL, pty=True), "37 91"
        program = {"openssh": clients.ssh, "dbclient": clients.dbclient, "plink": clients.plink}[peer]
        args = [self.place, debian_ssh(), server] if peer == "openssh" else [self.place, server]
        done = program(*args, TERMINAL, args=["-t"], on_terminal=True)
        return done, "37 91"

    def log(self, _peer, size=1500):
        return self.place.read("sshd.log")[-size if size > 0 else 0:].decode(errors="replace")


def rekeyed(log):
    """1 MB each way at a limit of 256 KB: at least one whole key exchange after the first, counted in our own debug lines. How many more
    is a matter of chance: a peer may have sent all of its megabyte when it hears of the first, and plink may close its channel amid the last
    one, which ends the connection then and there (trust rule 33)."""
    return log.count("NEWKEYS received") >= 2


def check_rekeyed(log):
    if not rekeyed(log):
        raise AssertionError(f"{log.count('NEWKEYS received')} NEWKEYS received, expected 2 or more:\n{log[-1500:]}")


def told(error):
    """What a program that did not end had said on its standard error."""
    said = getattr(error, "stderr", None) or b""
    return f"its errors:\n{said[-1500:].decode(errors='replace')}\n" if said else ""


def run_rows(tap, rows):
    hung = {}
    with Place() as place:
        side = {"to": ToServers(place), "from": FromClients(place)}
        for row in rows:
            direction, peer, kind, algorithm = row.split()
            with tap.case(row):
                if peer in ("dropbear", "tinysshd") and not room.inside():
                    raise Skip("needs a mount namespace to give the user a home")
                if direction == "to" and algorithm == "pty" and peer in ("openssh", "dropbear") and not room.foreign_terminals():
                    raise Skip("this server gives no terminals in a user's own namespace")
                if hung.get(peer, 0) >= 2:
                    raise AssertionError("not run: two rows of this peer hung before it")
                try:
                    side[direction].run(peer, kind, algorithm)
                except Exception as error:
                    hung[peer] = hung.get(peer, 0) + isinstance(error, (Hung, subprocess.TimeoutExpired))
                    raise AssertionError(f"{error}\n{told(error)}server's log:\n{side[direction].log(peer)}") from None


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("direction", nargs="?", choices=["to", "from"])
    parser.add_argument("--peer", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--pin", action="store_true")
    args = parser.parse_args()
    room.enter()
    if args.pin:
        print("# SPDX-License-Identifier: ISC\n# Made by `interop.py --pin` from the peers of Debian 12: direction, peer, kind, algorithm.")
        print("\n".join(rows_now()))
        return
    rows = [row for row in pinned() if row.startswith(args.direction or "") and args.peer in row.split()[1] and args.only in row]
    if args.sample:
        rows = list({tuple(row.split()[:2]): row for row in reversed(rows) if " kex " in row}.values())
    tap = Tap()
    run_rows(tap, rows)
    if not (args.direction or args.peer or args.only or args.sample) or args.direction == "to" and not args.peer:
        with tap.case("the table holds every row of the peers' own lists"):
            same([row for row in rows_now() if row not in pinned()], [], "rows of the peers not in the table")
    tap.end()


main()
