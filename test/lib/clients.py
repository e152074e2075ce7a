# SPDX-License-Identifier: ISC
"""Clients, ours and foreign: each takes (place, server, command) and returns the CompletedProcess with the remote's output and status."""
import os
import sys

import programs

HERE = os.path.dirname(os.path.abspath(__file__))


def ssh_argv(place, program, server, options=(), key="ed25519"):
    """An OpenSSH-like ssh to `server` that reads no file of the machine; add options and the command."""
    known = place.write(f"known_hosts-{server.port}", server.known_hosts())
    config = place.write(f"ssh_config-{server.port}", "\n".join([
        *options, f"User {place.user}", f"Port {server.port}", f"UserKnownHostsFile {known}", "GlobalKnownHostsFile /dev/null",
        f"IdentityFile {place.key(key)}", "IdentitiesOnly yes", "IdentityAgent none", "BatchMode yes", "StrictHostKeyChecking yes",
        "UpdateHostKeys no", "LogLevel ERROR"]) + "\n")
    return [program, "-F", config]


def launch(place, argv, on_terminal=False, files=None, **kw):
    """files: (standard input, standard output), where they are too large for memory."""
    if files:
        return place.run_files(argv, *files, **kw)
    return place.run_terminal(argv) if on_terminal else place.run(argv, **kw)


def ssh(place, program, server, command, options=(), key="ed25519", args=(), **kw):
    argv = ssh_argv(place, program, server, options, key)
    return launch(place, [*argv, *args, "127.0.0.1", *([command] if command else [])], **kw)


def dbclient(place, server, command, args=(), key="ed25519", **kw):
    """Dropbear 2022.83's client hangs for hours, with any server, when the channel's CLOSE finds it with output that its pipe has no
    room for: once that is written it sends its own CLOSE, and sleeps without a look at how many channels are left. So it gets files,
    and on a terminal the few lines that always have room."""
    pem, own = place.path(f"db-{key}.pem"), place.path(f"db-{key}")
    if not os.path.exists(own):
        place.write(f"db-{key}.pem", place.read(os.path.basename(place.key(key))))
        place.run([programs.foreign("ssh-keygen"), "-q", "-p", "-N", "", "-m", "PEM", "-f", pem], check=True)
        place.run([programs.foreign("dropbearconvert"), "openssh", "dropbear", pem, own], check=True)
    # dbclient's known_hosts is in the home of HOME; -y takes the key the first time, which is then written there
    argv = [programs.foreign("dbclient"), "-y", "-i", own, "-p", str(server.port), "-l", place.user, *args, "127.0.0.1", command]
    return launch(place, argv, **kw) if {"on_terminal", "files"} & set(kw) else place.run_spooled(argv, **kw)


def plink(place, server, command, args=(), key="ed25519", **kw):
    own = place.path(f"{key}.ppk")
    if not os.path.exists(own):
        place.run([programs.foreign("puttygen"), place.key(key), "-O", "private", "-o", own], check=True)
    trust = [arg for public in server.publics for arg in ("-hostkey", fingerprint(place, public))]
    return launch(place, [programs.foreign("plink"), "-batch", "-ssh", "-noagent", "-no-antispoof", "-i", own, *trust,
                      "-P", str(server.port), "-l", place.user, *args, "127.0.0.1", command], **kw)


def fingerprint(place, public):
    out = place.run([programs.any_keygen(), "-l", "-f", place.write("public", public + "\n")], check=True).stdout
    return out.decode().split()[1]


def python_client(place, server, name, command, key="ed25519", only=(), pty=False, **kw):
    """Through peer_asyncssh.py or peer_paramiko.py; only: `kind=algorithm` words to offer nothing else of that kind."""
    known = place.write(f"known_hosts-{server.port}", server.known_hosts())
    return launch(place, [sys.executable, f"{HERE}/peer_{name}.py", "client", str(server.port), place.user, place.key(key), known,
                      "pty" if pty else "exec", command, *only], **kw)
