# SPDX-License-Identifier: ISC
"""Servers on free loopback ports, ours and foreign, each with throw-away host keys and one file of authorized keys."""
import itertools
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field

import programs
import room
from place import free_port

HERE = os.path.dirname(os.path.abspath(__file__))
USER_KEYS = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa"]
HOST_KEYS = ["ed25519"]
NUMBERS = itertools.count()


@dataclass
class Server:
    name: str
    port: int
    log: str                 # name of a file in the place
    publics: list = field(default_factory=list)   # `type base64`, one a host key
    process: object = None

    def known_hosts(self):
        return "".join(f"[127.0.0.1]:{self.port} {public}\n" for public in self.publics)


def authorize(place, kinds=USER_KEYS):
    """Write the authorized_keys with a public key of each kind; returns its path, the user's own one inside the room."""
    text = "".join(f"{place.public(place.key(kind))} {kind}\n" for kind in kinds)
    if not room.inside():
        return place.write("authorized_keys", text, 0o644)
    path = f"{place.home}/.ssh/authorized_keys"
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


def sshd(place, program, options=(), host_keys=HOST_KEYS, user_keys=USER_KEYS, log="sshd.log", extra=()):
    """An OpenSSH-like sshd (PROGRAM is a path) with config lines `options`, which come first and so win."""
    port, keys = free_port(), [place.key(kind, f"host-{kind}") for kind in host_keys]
    if not ours(program) and os.geteuid() == 0:
        os.makedirs("/run/sshd", 0o755, exist_ok=True)  # Debian's wants it; its unit makes it, where one runs
    lines = [*options, f"Port {port}", "ListenAddress 127.0.0.1", *[f"HostKey {key}" for key in keys],
             f"AuthorizedKeysFile {authorize(place, user_keys)}", f"PidFile {place.path('sshd.pid')}",
             "PerSourcePenalties no" if ours(program) else "UsePAM no", "MaxStartups 100"]
    if not room.inside() and not place.is_safe():
        lines.append("StrictModes no")  # the throw-away folder is below a /tmp that anyone can write to
    config = place.write(f"sshd_config-{port}", "\n".join(lines) + "\n")
    process = place.start([program, "-D", "-e", "-f", config, *extra], log)
    place.wait_port(port, process, log)
    return Server("sshd", port, log, [place.public(key) for key in keys], process)


def own(place, *options, match=(), level="VERBOSE", **how):
    """Our sshd, with a log of its own. match: lines of a Match block, which must not swallow the settings behind it."""
    number = next(NUMBERS)
    if match:
        options = [*options, "Include " + place.write(f"match-{number}", "\n".join(match) + "\n")]
    return sshd(place, programs.ours("sshd"), [f"LogLevel {level}", *options], log=f"own-{number}.log", **how)


def log_of(place, server):
    return place.read(server.log).decode(errors="replace")


def ours(program):
    return not program.startswith("/usr/")


def dropbear(place):
    program, port = programs.foreign("dropbear"), free_port()
    kinds, args, publics = ["ed25519", "ecdsa256", "rsa"], [], []
    for kind in kinds:
        openssh = place.key(kind, f"dropbear-{kind}")
        pem = place.write(f"{openssh.rpartition('/')[2]}.pem", place.read(f"dropbear-{kind}"))
        place.run([programs.foreign("ssh-keygen"), "-q", "-p", "-N", "", "-m", "PEM", "-f", pem], check=True)
        place.run([programs.foreign("dropbearconvert"), "openssh", "dropbear", pem, f"{openssh}.db"], check=True)
        args += ["-r", f"{openssh}.db"]
        publics.append(place.public(openssh))
    authorize(place)
    process = place.start([program, "-F", "-E", "-p", f"127.0.0.1:{port}", "-P", place.path("dropbear.pid"), *args], "dropbear.log")
    place.wait_port(port, process, "dropbear.log")
    return Server("dropbear", port, "dropbear.log", publics, process)


def tinysshd(place):
    """tinysshd speaks on its standard input, so that we listen for it."""
    program, keys = programs.foreign("tinysshd"), place.path("tinyssh-keys")
    place.run([programs.foreign("tinysshd-makekey"), keys], check=True)
    public = place.run([programs.foreign("tinysshd-printkey"), keys], check=True).stdout.decode()
    authorize(place, ["ed25519"])
    return inetd(place, "tinysshd", [program, "-v", keys], [" ".join(public.split()[:2])])


def inetd(place, name, argv, publics):
    """A thread that takes connections and gives each to a process of its own."""
    listener, log = socket.create_server(("127.0.0.1", 0)), f"{name}.log"
    place.write(log, b"")

    def serve():
        while True:
            connection, _ = listener.accept()
            with connection, open(place.path(log), "ab") as err:
                place.processes.append(subprocess.Popen(argv, stdin=connection, stdout=connection, stderr=err, env=place.env,
                                                        start_new_session=True))
    threading.Thread(target=serve, daemon=True).start()
    return Server(name, listener.getsockname()[1], log, publics)


def python_server(place, name, host_keys=USER_KEYS, authority=None):
    """A server written with a Python library: peer_asyncssh.py or peer_paramiko.py beside this file. authority: a public key whose certificates
    log in, too."""
    port, keys = free_port(), [place.key(kind, f"host-{kind}") for kind in host_keys]
    log, authorized = f"{name}.log", authorize(place)
    if authority:
        with open(authorized, "a", encoding="ascii") as f:
            f.write(f"cert-authority {authority}\n")
    process = place.start([sys.executable, f"{HERE}/peer_{name}.py", "server", str(port), authorized, *keys], log)
    place.wait_port(port, process, log)
    return Server(name, port, log, [place.public(key) for key in keys], process)
