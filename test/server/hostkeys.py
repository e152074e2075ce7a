#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Host certificates, and host keys that only an agent has."""
import os
import re
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Place  # noqa: E402
from servers import log_of  # noqa: E402
from tap import Tap, same, wait_for  # noqa: E402


def start(place, *options, **how):
    return servers.own(place, *options, level="DEBUG1", **how)


def certify(place, ca, key, *options, principals="127.0.0.1"):
    place.run([programs.foreign("ssh-keygen"), "-q", "-s", ca, "-I", "host", "-h", "-n", principals, *options, key + ".pub"], check=True)
    return key + "-cert.pub"


def believing(place, server, line, *options, command="echo in", args=()):
    """Debian's ssh, whose known_hosts is that line."""
    argv = clients.ssh_argv(place, programs.foreign("ssh"), server, options)
    place.write(f"known_hosts-{server.port}", line)
    return place.run([*argv, *args, "127.0.0.1", command])


def certificates(tap, place):
    ca = place.key("ed25519", "host-ca")
    trust = f"@cert-authority * {place.public(ca)}\n"
    for kind in "ed25519", "ecdsa256", "rsa":
        with tap.case(f"a certificate for an {kind} host key, by @cert-authority"):
            server = start(place, "HostCertificate " + certify(place, ca, place.key(kind, f"host-{kind}")), host_keys=[kind])
            done = believing(place, server, trust, "LogLevel DEBUG1")
            same(done.stdout, b"in\n", f"output; {done.stderr}")
            same(b"Server host certificate: " in done.stderr, True, "the certificate was shown")
            place.stop(server.process)
    cert = certify(place, ca, place.key("ed25519", "host-ed25519"))
    with tap.case("HostKeyAlgorithms that name nothing but certificates"):
        server = start(place, f"HostCertificate {cert}", "HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com")
        same(believing(place, server, trust).stdout, b"in\n", "output")
        place.stop(server.process)
    with tap.case("who asks for the key itself is shown that"):
        server = start(place, f"HostCertificate {cert}")
        done = clients.ssh(place, programs.foreign("ssh"), server, "echo in", options=["LogLevel DEBUG1", "HostKeyAlgorithms ssh-ed25519"])
        same((done.stdout, b"Server host certificate: " in done.stderr), (b"in\n", False), "output, certificate")
    with tap.case("rekeying with a certificate"):
        done = believing(place, server, trust, "RekeyLimit 1M", command="head -c 4000000 /dev/zero | cksum; head -c 4000000 /dev/zero")
        same((done.returncode, len(done.stdout) > 4000000), (0, True), done.stderr)
    with tap.case("hostbound: the login's signature covers the certificate"):
        same(b"publickey-hostbound-v00@openssh.com" in believing(place, server, trust, "LogLevel DEBUG3").stderr, True, "method")
    with tap.case("plain keys only are announced after login"):
        known = place.write("rotating", trust)
        done = believing(place, server, trust, "UpdateHostKeys yes", f"UserKnownHostsFile {known}", "LogLevel DEBUG3")
        same((done.stdout, b"cert" in b"".join(line for line in done.stderr.splitlines() if b"hostkeys_00" in line)), (b"in\n", False), "lines")
    place.stop(server.process)
    for name, path, line in (
            ("a plain key as HostCertificate", place.key("ed25519", "host-ed25519") + ".pub", "is not a certificate"),
            ("a certificate of no host key", certify(place, ca, place.key("ed25519", "stray")), "No matching private key"),
            ("a file that is not there", "/nonexistent", "No such file")):
        with tap.case(f"{name}: a line in the log, and a server without it"):
            server = start(place, f"HostCertificate {path}")
            same(clients.ssh(place, programs.foreign("ssh"), server, "echo in").stdout, b"in\n", "output")
            same(re.search(f'Could not load host certificate "{re.escape(path)}": .*{line}', log_of(place, server)) is not None, True, log_of(place, server))
            place.stop(server.process)
    with tap.case("a host key that cannot be loaded before one that can"):
        bad = place.write("host-bad", "nonsense\n")
        server = start(place, f"HostKey {bad}")
        same(clients.ssh(place, programs.foreign("ssh"), server, "echo in").stdout, b"in\n", "output")
        place.stop(server.process)
    with tap.case("twelve host keys"):
        more = [f"HostKey {place.key('ed25519', f'host-more{i}')}" for i in range(11)]
        server = start(place, *more)
        server.publics = [place.public(place.path("host-more0"))]
        same(clients.ssh(place, programs.foreign("ssh"), server, "echo in").stdout, b"in\n", "output")
        place.stop(server.process)


def agent_start(place, path, *keys):
    process = place.start([programs.foreign("ssh-agent"), "-D", "-a", path], "hostagent.log")
    wait_for("agent", lambda: os.path.exists(path) or process.poll() is not None)
    for key in keys:
        place.run([programs.foreign("ssh-add"), "-q", key], check=True, env={**place.env, "SSH_AUTH_SOCK": path})
    return process


def agents(tap, place):
    path, keys = place.path("hostagent.sock"), []
    for kind in "ed25519", "ecdsa256", "rsa":
        keys.append(place.key(kind, f"agent-{kind}"))
        place.write(f"agent-{kind}.kept", place.read(f"agent-{kind}"))
    kept = [f"{key}.kept" for key in keys]
    agent = agent_start(place, path, *keys)
    ca = place.key("ed25519", "host-ca")
    for key in keys:
        os.unlink(key)
    for key, kind in zip(keys, ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512")):
        for name in key, f"{key}.pub":
            with tap.case(f"HostKeyAgent: {kind}, HostKey {os.path.basename(name)} without a private half"):
                server = servers.sshd(place, programs.ours("sshd"), [f"HostKeyAgent {path}", f"HostKey {name}"], host_keys=[], log="hka.log")
                server.publics = [place.public(key)]
                same(clients.ssh(place, programs.foreign("ssh"), server, "echo in", options=[f"HostKeyAlgorithms {kind}"]).stdout, b"in\n", "output")
                place.stop(server.process)
    server = servers.sshd(place, programs.ours("sshd"), [f"HostKeyAgent {path}", f"HostKey {keys[0]}", f"HostKey {keys[2]}",
                                                         "HostCertificate " + certify(place, ca, keys[0])], host_keys=[], log="hka.log")
    server.publics = [place.public(keys[0])]
    with tap.case("a certificate for an agent's key"):
        same(believing(place, server, f"@cert-authority * {place.public(ca)}\n").stdout, b"in\n", "output")
    with tap.case("an agent's keys are proved to who wants to update known_hosts"):
        known = place.write("agent-known", f"[127.0.0.1]:{server.port} {place.public(keys[0])}\n")
        argv = clients.ssh_argv(place, programs.foreign("ssh"), server, [f"UserKnownHostsFile {known}", "UpdateHostKeys yes"])
        place.run([*argv, "127.0.0.1", "sleep 1; echo in"], check=True)
        wait_for("new key", lambda: place.public(keys[2]).split()[1] in place.read("agent-known").decode())
    with tap.case("an agent that refuses: no login, and the server stays"):
        place.run([programs.foreign("ssh-add"), "-D"], check=True, env={**place.env, "SSH_AUTH_SOCK": path})
        same(clients.ssh(place, programs.foreign("ssh"), server, "echo in").returncode, 255, "status")
        for key in kept[0], kept[2]:
            place.run([programs.foreign("ssh-add"), "-q", key], check=True, env={**place.env, "SSH_AUTH_SOCK": path})
        same(clients.ssh(place, programs.foreign("ssh"), server, "echo in").stdout, b"in\n", "output")
    with tap.case("an agent that is started anew is found again"):
        agent.send_signal(signal.SIGTERM)
        agent.wait()
        agent_start(place, path, kept[0], kept[2])

        def works():
            return clients.ssh(place, programs.foreign("ssh"), server, "echo in").stdout == b"in\n"
        wait_for("login", works)
    place.stop(server.process)


def device_process(server):
    """The process that starts ssh-sk-helper: sshd-keys without a jail."""
    def status(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return dict(line.split(":", 1) for line in f)
    keys = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            keys[int(pid)] = status(pid)
        except OSError:
            continue
    ours = {pid for pid, s in keys.items() if s["Name"].strip() == "sshd-keys" and int(s["PPid"]) == server.process.pid}
    beside = [pid for pid, s in keys.items() if int(s["PPid"]) in ours]
    return [(keys[pid]["Seccomp"].strip(), keys[jailed]["Seccomp"].strip()) for pid in beside for jailed in ours], beside


def authenticators(tap, place):
    """OpenSSH's sshd signs with host keys on authenticators, and does not wait for a touch; so does ours, from beside the jail."""
    library = f"{programs.build_folder()}/test/sk/soft-sk.so"
    ca = place.key("ed25519", "host-ca")
    for kind, name in ("ed25519-sk", "sk-ssh-ed25519@openssh.com"), ("ecdsa-sk", "sk-ecdsa-sha2-nistp256@openssh.com"):
        key = place.path(f"host-{kind}")
        place.run([programs.foreign("ssh-keygen"), "-q", "-t", kind, "-w", library, "-N", "", "-f", key], check=True)
        with tap.case(f"an {kind} host key, by SecurityKeyProvider, beside others; with a certificate; at a rekey"):
            server = start(place, f"HostKey {key}", f"SecurityKeyProvider {library}", "HostCertificate " + certify(place, ca, key))
            server.publics = [place.public(key)]
            for whose in programs.foreign, programs.ours:
                done = clients.ssh(place, whose("ssh"), server, "echo in", options=[f"HostKeyAlgorithms {name}"])
                same((done.returncode, done.stdout), (0, b"in\n"), f"login; {done.stderr}")
            done = believing(place, server, f"@cert-authority * {place.public(ca)}\n", f"HostKeyAlgorithms {name.replace('@', '-cert-v01@')}",
                             "RekeyLimit 1M", command="head -c 4000000 /dev/zero | cksum; head -c 4000000 /dev/zero")
            same((done.returncode, len(done.stdout) > 4000000), (0, True), done.stderr)
            server.publics = [place.public(place.key("ed25519", "host-ed25519"))]
            done = clients.ssh(place, programs.foreign("ssh"), server, "echo in", options=["HostKeyAlgorithms ssh-ed25519"])
            same(done.stdout, b"in\n", "the other key")
        with tap.case(f"{kind}: proved to who wants to update known_hosts"):
            known = place.write(f"known-{kind}", server.known_hosts())
            options = [f"UserKnownHostsFile {known}", "UpdateHostKeys yes", "HostKeyAlgorithms ^ssh-ed25519"]
            argv = clients.ssh_argv(place, programs.ours("ssh"), server, options)
            done = place.run([*argv, "127.0.0.1", "echo in"])
            same(done.stdout, b"in\n", f"output; {done.stderr}")
            same(place.public(key).split()[1] in place.read(f"known-{kind}").decode(), True, "the key was learned")
        if kind == "ed25519-sk":
            with tap.case("who starts the helper is a process beside the jail, and another comes when it ends"):
                jails, beside = device_process(server)
                same(jails, [("0", "2")], "filters of both")
                os.kill(beside[0], signal.SIGKILL)
                server.publics = [place.public(key)]
                wait_for("login", lambda: clients.ssh(place, programs.foreign("ssh"), server, "echo in",
                                                      options=[f"HostKeyAlgorithms {name}"]).stdout == b"in\n")
                same(len(device_process(server)[1]), 1, "processes beside the jail")
        place.stop(server.process)
    with tap.case("without a provider's library there is no login by that key, and the server stays"):
        server = start(place, f"HostKey {key}", "SecurityKeyProvider /nonexistent.so")
        same(clients.ssh(place, programs.foreign("ssh"), server, "echo in", options=[f"HostKeyAlgorithms {name}"]).returncode, 255, "status")
        same(clients.ssh(place, programs.foreign("ssh"), server, "echo in", options=["HostKeyAlgorithms ssh-ed25519"]).stdout, b"in\n", "the other key")
    place.stop(server.process)


def main():
    tap = Tap()
    room.enter()
    with Place() as place:
        certificates(tap, place)
        agents(tap, place)
        authenticators(tap, place)
    tap.end()


main()
