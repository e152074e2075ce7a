#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The agent of a client, at our server: its socket, who may have it, and that it goes with the connection (TRUST T27)."""
import glob
import hashlib
import os
import re
import signal
import socket
import stat
import string
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Place  # noqa: E402
from tap import Tap, same, wait_for  # noqa: E402


def start(place, *options, **how):
    return servers.own(place, *options, level="DEBUG1", **how)


class Agent:
    """Debian's, with the test's key in it."""

    def __init__(self, place):
        self.path = place.path("agent.sock")
        process = place.start([programs.foreign("ssh-agent"), "-D", "-a", self.path], "agent.log")
        wait_for("agent", lambda: os.path.exists(self.path) or process.poll() is not None)
        place.env["SSH_AUTH_SOCK"] = self.path
        place.run([programs.foreign("ssh-add"), "-q", place.key()], check=True)
        self.listing = place.run([programs.foreign("ssh-add"), "-l"], check=True).stdout


def debian(place, server, command, *args, options=()):
    return clients.ssh(place, programs.foreign("ssh"), server, command, options=["IdentityAgent SSH_AUTH_SOCK", *options], args=args)


def sockets(place):
    return glob.glob(f"{place.home}/.ssh/agent/*")


def host_letters():
    """OpenSSH 10.1's: of a SHA-512 over the machine's name."""
    letters = string.ascii_lowercase + string.ascii_uppercase + string.digits
    return "".join(letters[byte % len(letters)] for byte in hashlib.sha512(os.uname().nodename.encode()).digest()[:10])


def forwarded(tap, place, agent):
    server = start(place)
    with tap.case("ssh -A: the client's keys are seen by programs of the session"):
        same(debian(place, server, "ssh-add -l", "-A").stdout, agent.listing, "keys")
    with tap.case("the socket lies in ~/.ssh/agent, a folder of the user only"):
        path = debian(place, server, "echo $SSH_AUTH_SOCK; stat -c '%a %U' $SSH_AUTH_SOCK ~/.ssh/agent", "-A").stdout.decode().split()
        same(path[0].rsplit("/", 1)[0], f"{place.home}/.ssh/agent", "folder")
        same(path[1:], ["600", place.user, "700", place.user], "modes, owners")
    with tap.case("it goes with the connection"):
        wait_for("removal", lambda: not sockets(place))
    with tap.case("without -A there is none"):
        same(debian(place, server, "echo ${SSH_AUTH_SOCK-none}").stdout, b"none\n", "variable")
    with tap.case("with a terminal, too"):
        same(agent.listing.strip() in debian(place, server, "ssh-add -l", "-A", "-tt").stdout, True, "keys")
    with tap.case("forwarded once more: two hops"):
        port, home = server.port, place.home
        known = f"{home}/known"
        inner = f"ssh -A -F /dev/null -o IdentityFile=none -o UserKnownHostsFile={known} -p {port} 127.0.0.1 ssh-add -l"
        with open(known, "w", encoding="ascii") as f:
            f.write(server.known_hosts())
        os.chmod(known, 0o644)
        same(debian(place, server, inner, "-A").stdout, agent.listing, "keys")
    with tap.case("many questions at once"):
        many = "for i in 1 2 3 4 5 6 7 8; do ssh-add -l & done; wait"
        same(debian(place, server, many, "-A").stdout, agent.listing * 8, "keys")
    with tap.case("what a crash leaves is of this machine to ssh-agent -u, an hour later, and OpenSSH's names are the same"):
        folder = f"{place.home}/.ssh/agent"
        argv = clients.ssh_argv(place, programs.foreign("ssh"), server, ["IdentityAgent SSH_AUTH_SOCK"])
        client = place.start([*argv, "-A", "127.0.0.1", "echo up; exec sleep 300"], "crashed.log")
        wait_for("session", lambda: place.read("crashed.log").endswith(b"\n"))
        path, = sockets(place)
        same(re.fullmatch(r"s\.([a-zA-Z0-9]{10})\.sshd\.[a-zA-Z0-9]{10}", os.path.basename(path))[1], host_letters(), "the machine's letters")
        left = f"{path[:-1]}-"
        with socket.socket(socket.AF_UNIX) as s:    # as one whose process was killed: bound, and nobody listens
            s.bind(left)
        for name in path, left:
            os.chown(name, room.TESTER_ID, room.TESTER_ID)
            os.utime(name, (0, 0))
        become = ["setpriv", f"--reuid={room.TESTER_ID}", f"--regid={room.TESTER_ID}", "--clear-groups"]
        place.run([*become, programs.ours("ssh-agent"), "-u"], env={**place.env, "HOME": place.home}, check=True)
        same(os.listdir(folder), [os.path.basename(path)], "sockets that stay")
        place.stop(client)
        wait_for("removal", lambda: not sockets(place))
    with tap.case("a warden that is killed leaves no socket behind"):
        argv = clients.ssh_argv(place, programs.foreign("ssh"), server, ["IdentityAgent SSH_AUTH_SOCK"])
        client = place.start([*argv, "-A", "127.0.0.1", "echo $PPID; exec sleep 300"], "killed.log")
        wait_for("session", lambda: place.read("killed.log").endswith(b"\n"))
        same(len(sockets(place)), 1, "sockets")
        os.kill(int(place.read("killed.log")), signal.SIGKILL)
        wait_for("removal", lambda: not sockets(place))
        same(client.wait() != 0, True, "status")
    place.stop(server.process)


def multiplexed(tap, place, agent):
    server = start(place)
    with tap.case("sessions of one connection share it, as soon as one asks for it"):
        control = place.path("control")
        argv = clients.ssh_argv(place, programs.foreign("ssh"), server, ["IdentityAgent SSH_AUTH_SOCK", f"ControlPath {control}"])
        master = place.start([*argv, "-A", "-M", "-N", "127.0.0.1"], "master.log")
        wait_for("master", lambda: os.path.exists(control) or master.poll() is not None)
        outs = [place.run([*argv, "-A", "127.0.0.1", "ssh-add -l; echo $SSH_AUTH_SOCK"]).stdout.decode().rsplit("\n", 2) for _ in range(3)]
        same([out[0] + "\n" for out in outs], [agent.listing.decode()] * 3, "keys")
        same(len({out[1] for out in outs}), 1, "sockets")
        place.run([*argv, "-O", "exit", "127.0.0.1"])
        wait_for("removal", lambda: not sockets(place))
    place.stop(server.process)


def denied(tap, place):
    keys = f"{place.home}/.ssh/authorized_keys"
    for name, options, line in (("AllowAgentForwarding no", ["AllowAgentForwarding no"], ""), ("DisableForwarding yes", ["DisableForwarding yes"], ""),
                                ("no-agent-forwarding", [], "no-agent-forwarding "), ("restrict", [], "restrict ")):
        with tap.case(f"{name}: no agent"):
            server = start(place, *options)
            with open(keys, "w", encoding="ascii") as f:
                f.write(f"{line}{place.public(place.key())}\n")
            same(debian(place, server, "echo ${SSH_AUTH_SOCK-none}", "-A").stdout, b"none\n", "variable")
            place.stop(server.process)
    with tap.case("restrict,agent-forwarding: the agent and nothing else"):
        server = start(place)
        with open(keys, "w", encoding="ascii") as f:
            f.write(f"restrict,agent-forwarding {place.public(place.key())}\n")
        same(debian(place, server, "ssh-add -l >/dev/null && echo in", "-A").stdout, b"in\n", "output")
        place.stop(server.process)


def ours(place, server, command, *args, options=()):
    return clients.ssh(place, programs.ours("ssh"), server, command, options=["LogLevel DEBUG1", "IdentityAgent SSH_AUTH_SOCK", *options], args=args)


def named(place, server, client):
    """By which names a session's agent was asked for (the server's log), and its connections opened (our client's)."""
    asked = re.findall(rb"channel \d+ request (\S*agent\S*) ", place.read(server.log))
    return {name.decode() for name in asked}, {name.decode() for name in re.findall(rb"open: ctype (\S*agent\S*)", client)}


def names(tap, place, agent):
    """RFC 9987's names between our own ends, OpenSSH's old ones with OpenSSH, whichever end is whose; where a Match block may change what is
    allowed, the names are announced once the user is known."""
    old, new = ({"auth-agent-req@openssh.com"}, {"auth-agent@openssh.com"}), ({"agent-req"}, {"agent-connect"})
    with tap.case("our ssh at our sshd: RFC 9987's names"):
        server = start(place)
        done = ours(place, server, "ssh-add -l", "-A")
        same((done.stdout, named(place, server, done.stderr)), (agent.listing, new), "keys, names")
        place.stop(server.process)
    with tap.case("OpenSSH's ssh at our sshd: its own names"):
        server = start(place)
        same(debian(place, server, "ssh-add -l", "-A").stdout, agent.listing, "keys")
        same(named(place, server, b"")[0], old[0], "name of the request")
        place.stop(server.process)
    with tap.case("our ssh at OpenSSH's sshd: its names"):
        server = servers.sshd(place, programs.foreign("sshd"), ["LogLevel DEBUG1"], log="agent-foreign.log")
        done = ours(place, server, "ssh-add -l", "-A")
        same((done.stdout, named(place, server, done.stderr)), (agent.listing, old), "keys, names")
        place.stop(server.process)
    for name, default, mine, there in (("refused to this user", [], "AllowAgentForwarding no", False),
                                       ("disabled for this user", [], "DisableForwarding yes", False),
                                       ("allowed to this user only", ["AllowAgentForwarding no"], "AllowAgentForwarding yes", True)):
        with tap.case(f"Match: {name}"):
            server = start(place, *default, match=[f"Match User {place.user}", mine])
            done = ours(place, server, "echo ${SSH_AUTH_SOCK-none}; ssh-add -l", "-A")
            same((done.stdout == b"none\n", agent.listing in done.stdout), (not there, there), f"agent; {done.stdout}")
            same(named(place, server, done.stderr), new if there else (old[0], set()), "names")
            same(debian(place, server, "ssh-add -l >/dev/null && echo in", "-A").stdout, b"in\n" if there else b"", "OpenSSH's client")
            place.stop(server.process)


def hostile_home(tap, place):
    """What lies where the socket should go is the user's doing, and only the user's loss."""
    folder = f"{place.home}/.ssh/agent"
    server = start(place)
    for name, make in (("a link", lambda: os.symlink("/tmp", folder)), ("a file", lambda: open(folder, "w", encoding="ascii").close())):
        with tap.case(f"~/.ssh/agent is {name}: the session begins without an agent"):
            if os.path.isdir(folder):
                os.rmdir(folder)
            make()
            same(debian(place, server, "echo ${SSH_AUTH_SOCK-none}", "-A").stdout, b"none\n", "variable")
            os.unlink(folder)
    with tap.case("a folder that others could look into is closed first"):
        os.makedirs(folder, exist_ok=True)
        os.chown(folder, room.TESTER_ID, room.TESTER_ID)
        os.chmod(folder, 0o777)
        same(debian(place, server, "ssh-add -l >/dev/null && echo in", "-A").stdout, b"in\n", "output")
        same(stat.S_IMODE(os.stat(folder).st_mode), 0o700, "mode")
    place.stop(server.process)


def main():
    tap = Tap()
    room.enter_as_root(tap, "agent forwarding")
    with Place() as place:
        agent = Agent(place)
        forwarded(tap, place, agent)
        multiplexed(tap, place, agent)
        names(tap, place, agent)
        denied(tap, place)
        hostile_home(tap, place)
    tap.end()


main()
