#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Our agent with other people's clients, our clients with other people's agents: logins, adding, listing, signing."""
import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients
import programs
import room
import servers
from agents import Agent
from place import Place
from tap import Skip, Tap, same, wait_for

KINDS = ["ed25519", "rsa", "ecdsa256", "ecdsa384", "ecdsa521"]


def login(tap, place, server, name, ssh, agent, ssh_add):
    """One key that only the agent has, for each kind; and under a constraint to this server."""
    for kind in KINDS:
        with tap.case(f"{name}: login with a key of the agent, {kind}"):
            path = place.key(kind)
            same(agent.add("-D").returncode, 0, "empty")
            same(agent.add(path, program=ssh_add).returncode, 0, "add")
            same(command(place, server, ssh, agent, kind).stdout, b"in\n", "output")
    known = place.write("known", server.known_hosts())
    for host, good in (f"[127.0.0.1]:{server.port}", True), ("elsewhere", False):
        with tap.case(f"{name}: a key restricted to {'this' if good else 'another'} host logs in{'' if good else ' not'}"):
            place.write("known", server.known_hosts() + f"elsewhere {place.public(place.key(name='elsewhere'))}\n")
            same(agent.add("-D").returncode, 0, "empty")
            done = agent.add("-H", known, "-h", host, place.key(), program=ssh_add)
            same(done.returncode, 0, done.stderr)
            same(command(place, server, ssh, agent, "ed25519").returncode, 0 if good else 255, "status")


def command(place, server, ssh, agent, kind):
    """The private key file is out of the way: only its public half names it."""
    path = place.key(kind)
    argv = clients.ssh_argv(place, ssh, server, [f"IdentityAgent {agent.sock}", f"IdentityFile {path}.pub"], kind)
    os.rename(path, f"{path}.away")
    try:
        return place.run([*argv, "127.0.0.1", "echo in"])
    finally:
        os.rename(f"{path}.away", path)


def paramiko_client(tap, place, agent):
    with tap.case("paramiko lists our keys and signs with them"):
        try:
            import paramiko
        except ImportError:
            raise Skip("paramiko is not installed") from None
        same(agent.add("-D").returncode, 0, "empty")
        same(agent.add(*[place.key(k) for k in KINDS]).returncode, 0, "add")
        os.environ["SSH_AUTH_SOCK"] = agent.sock
        theirs = paramiko.Agent()
        keys = theirs.get_keys()
        same(sorted(k.get_name() for k in keys), sorted(place.public(place.key(k)).split()[0] for k in KINDS), "types")
        for key in keys:
            kind = {"ssh-rsa": paramiko.RSAKey, "ssh-ed25519": paramiko.Ed25519Key}.get(key.get_name(), paramiko.ECDSAKey)
            sig = paramiko.Message(key.sign_ssh_data(b"data"))
            same(kind(data=key.asbytes()).verify_ssh_sig(b"data", sig), True, key.get_name())
        theirs.close()


def asyncssh_client(tap, place, agent):
    with tap.case("asyncssh adds keys and a certificate under constraints, lists, signs, locks and removes"):
        try:
            import asyncssh
        except ImportError:
            raise Skip("asyncssh is not installed") from None

        async def talk():
            same(agent.add("-D").returncode, 0, "empty")
            async with asyncssh.connect_agent(agent.sock) as theirs:
                pairs = []
                for kind in KINDS:
                    key = asyncssh.read_private_key(place.key(kind))
                    await theirs.add_keys([key], lifetime=1000)
                    pairs.append(key)
                ca = asyncssh.generate_private_key("ssh-ed25519")
                cert = ca.generate_user_certificate(pairs[0], "id", principals=["root"])
                await theirs.add_keys([(pairs[0], cert)])
                held = await theirs.get_keys()
                same(len(held), len(KINDS) + 1, "keys")
                for pair in held:
                    pair.set_sig_algorithm(pair.sig_algorithms[0])
                    sig = await pair.sign_async(b"data") if hasattr(pair, "sign_async") else await asyncio.wait_for(pair.sign(b"data"), 60)
                    same(len(sig) > 60, True, "signature")
                await theirs.lock("pass")
                same(list(await theirs.get_keys()), [], "keys of a locked agent")
                await theirs.unlock("pass")
                await theirs.remove_keys(list(await theirs.get_keys())[:1])
                same(len(await theirs.get_keys()), len(KINDS), "keys after one was removed")
                await theirs.remove_all()
                same(list(await theirs.get_keys()), [], "keys in the end")
        asyncio.run(asyncio.wait_for(talk(), 120))


def gpg_agent(tap, place):
    with tap.case("our ssh-add with gpg's agent: list, query, try"):
        home = place.path("gnupg")
        os.mkdir(home, 0o700)
        program = programs.foreign("gpg-agent")
        env = place.env | {"GNUPGHOME": home}
        place.write("gnupg/gpg-agent.conf", "allow-loopback-pinentry\n")
        place.start([program, "--homedir", home, "--enable-ssh-support", "--daemon", "--no-detach"], "gpg.log", env=env)
        agent = Agent.__new__(Agent)
        agent.place, agent.sock = place, f"{home}/S.gpg-agent.ssh"
        wait_for("socket", lambda: os.path.exists(agent.sock))
        done = agent.add("-l")
        same((done.returncode, done.stdout), (1, b"The agent has no identities.\n"), "list")
        done = agent.add("-Q")
        same((done.returncode, done.stdout), (1, b""), "query")
        same(agent.add("-T", f"{place.key()}.pub").returncode, 1, "try what is not there")


def main():
    room.enter()
    tap = Tap()
    with Place() as place:
        server = servers.sshd(place, programs.ours("sshd"))
        ours, theirs = Agent(place, programs.ours("ssh-agent"), name="ours"), None
        with tap.case("OpenSSH's programs are there"):
            theirs = Agent(place, programs.foreign("ssh-agent"), name="theirs")
        login(tap, place, server, "OpenSSH's ssh and ssh-add, our agent", programs.foreign("ssh"), ours, programs.foreign("ssh-add"))
        if theirs:
            login(tap, place, server, "our ssh and ssh-add, OpenSSH's agent", programs.ours("ssh"), theirs, programs.ours("ssh-add"))
        login(tap, place, server, "all ours", programs.ours("ssh"), ours, programs.ours("ssh-add"))
        paramiko_client(tap, place, ours)
        asyncssh_client(tap, place, ours)
        gpg_agent(tap, place)
    tap.end()


main()
