#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Our sshd on a free loopback port with throw-away keys, and a shell on it through our ssh; without a terminal, a few commands.

usage: tools/run.py [SSH-ARGUMENT...]
"""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{TOP}/test/lib")
import clients  # noqa: E402
import programs  # noqa: E402
import servers  # noqa: E402
from place import Place  # noqa: E402

# label: a debug line of `ssh -v`
FACTS = {"key exchange": r"kex: algorithm: (\S+)", "host key": r"Server host key: (\S+ \S+)",
         "cipher to the client": r"kex: server->client cipher: (.*)", "cipher to the server": r"kex: client->server cipher: (.*)"}
COMMANDS = [("id -un; uname -sr", b""), ("tr a-z A-Z; echo 'and on standard error' >&2", b"standard input goes through\n"),
            ("kill -TERM $$", b""), ("exit 42", b"")]


def state_folder():
    """For the throw-away keys: the user's state folder, or build/state where that cannot be written."""
    home = os.environ.get("HOME", "")
    state = os.environ.get("XDG_STATE_HOME") or (f"{home}/.local/state" if home else "")
    for folder in [f"{state}/nacre"] * bool(state) + [f"{TOP}/build/state"]:
        try:
            os.makedirs(folder, 0o700, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    sys.exit("no folder for the keys can be written")


def show_negotiated(argv):
    done = subprocess.run([*argv, "-v", "127.0.0.1", "true"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60,
                          check=False)
    if done.returncode:
        sys.exit(f"the first login failed with {done.returncode}:\n{done.stderr}")
    for label, pattern in FACTS.items():
        found = re.search(pattern, done.stderr)
        print(f"{label + ':':22}{found[1].strip() if found else '(not said)'}")
    print(flush=True)


def show_commands(argv):
    for command, data in COMMANDS:
        print(f"$ ssh 127.0.0.1 {command!r}", flush=True)
        done = subprocess.run([*argv, "127.0.0.1", command], input=data, stderr=subprocess.STDOUT, timeout=60, check=False)
        print(f"exit status {done.returncode}\n", flush=True)


def main():
    with Place(state_folder()) as place:
        server = servers.sshd(place, programs.ours("sshd"), user_keys=["ed25519"])
        print(f"sshd (pid {server.process.pid}) listens on 127.0.0.1 port {server.port}; keys and log in {place.folder}, until the end")
        argv = clients.ssh_argv(place, programs.ours("ssh"), server)
        show_negotiated(argv)
        if sys.argv[1:] or sys.stdin.isatty():
            return subprocess.run([*argv, "127.0.0.1", *sys.argv[1:]], check=False).returncode
        show_commands(argv)
        return 0


sys.exit(main())
