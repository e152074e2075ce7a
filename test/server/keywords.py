#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What single keywords of sshd_config do."""
import os
import re
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
import tos  # noqa: E402
from place import Place, free_port  # noqa: E402
from servers import log_of  # noqa: E402
from tap import Tap, same, wait_for  # noqa: E402


def paths(tap, place):
    with tap.case("relative names start where sshd was started, as OpenSSH has it"):
        key = os.path.basename(place.key("ed25519", "host-relative"))
        place.write("relative", f"HostKey {key}\nBanner here/banner\nModuliFile moduli\nAuthorizedKeysFile .ssh/keys\nXAuthLocation none\n")
        shown = []
        for program in programs.ours("sshd"), programs.foreign("sshd"):
            out = place.run([program, "-T", "-f", "relative"], check=True, cwd=place.folder).stdout.decode()
            shown.append(sorted(line for line in out.splitlines() if line.split(" ")[0] in ("hostkey", "banner", "modulifile", "authorizedkeysfile")))
        same(shown[0], shown[1], "dump")
        same(f"banner {place.folder}/here/banner" in shown[0], True, "the banner's place")


def usage(tap, place):
    with tap.case("sshd -Q: usage, and no daemon"):
        done = place.run([programs.ours("sshd"), "-Q"])
        same((done.returncode, b"usage: sshd" in done.stderr), (1, True), f"status, {done.stderr}")


def fingerprints(tap, place):
    with tap.case("FingerprintHash md5 in the log"):
        server = servers.own(place, "FingerprintHash md5")
        same(clients.ssh(place, programs.foreign("ssh"), server, "echo in").stdout, b"in\n", "login")
        shown = place.run([programs.foreign("ssh-keygen"), "-l", "-E", "md5", "-f", place.key()], check=True).stdout.decode().split()[1]
        wait_for("line", lambda: f"ssh2: ED25519 {shown}" in log_of(place, server))
        same("SHA256:" in log_of(place, server).split("Accepted")[1], False, "a SHA256 fingerprint")


def debian(place, server, command, *args, options=(), **kw):
    return clients.ssh(place, programs.foreign("ssh"), server, command, options, args=args, timeout=90, **kw)


def through(place, server, *args):
    """A connection through -L to a listener that says nothing, and the client that carries it."""
    target, port = socket.create_server(("127.0.0.1", 0)), free_port()
    argv = clients.ssh_argv(place, programs.foreign("ssh"), server)
    process = place.start([*argv, "-N", "-L", f"127.0.0.1:{port}:127.0.0.1:{target.getsockname()[1]}", *args, "127.0.0.1"], "through.log")
    place.wait_port(port, process, "through.log")
    c = socket.create_connection(("127.0.0.1", port))
    c.settimeout(60)
    return target, process, c


def channel_timeouts(tap, place):
    user = f"Match User {place.user}"
    for value, command, status in (("session:command=1", "sleep 300; exit 23", 255), ("session:*=1", "sleep 300; exit 23", 255),
                                   ("session=1", "sleep 300; exit 23", 255), ("global=1", "sleep 300; exit 23", 255),
                                   ("session:shell=1", "sleep 2; exit 23", 23), ("*=0 session:*=1", "sleep 2; exit 23", 23),
                                   ("g*=1", "sleep 2; exit 23", 23),
                                   ("session:command=5", "for i in 1 2 3 4 5 6 7 8; do sleep 1; echo $i; done; exit 23", 23)):
        with tap.case(f"ChannelTimeout {value}: status {status}"):
            server = servers.own(place, match=[user, f"ChannelTimeout {value}"])
            same(debian(place, server, command).returncode, status, "status")
            place.stop(server.process)
    with tap.case("ChannelTimeout direct-tcpip closes a silent forward and its socket, the connection stays"):
        server = servers.own(place, match=[user, "ChannelTimeout direct-tcpip=1"])
        target, process, c = through(place, server)
        for _ in range(2):
            far, _ = target.accept()        # also the one that only asked whether the port is there
            far.settimeout(60)
            same(far.recv(9), b"", "the target's end")
        same((c.recv(9), process.poll()), (b"", None), "our end, the client")
        c2 = socket.create_connection(c.getpeername())
        c2.sendall(b"again")
        same(target.accept()[0].recv(9), b"again", "a new one")
        place.stop(process)
    with tap.case("a terminal that is silent for too long is hung up"):
        server = servers.own(place, match=[user, "ChannelTimeout session:command=1"])
        mark = f"{place.home}/hung-up"
        same(debian(place, server, f"trap 'echo up >{mark}' HUP; sleep 300 & wait", "-tt").returncode, 255, "status")
        wait_for("hang-up", lambda: os.path.exists(mark))


def unused(tap, place):
    with tap.case("UnusedConnectionTimeout ends a connection without channels, and no other"):
        server = servers.own(place, match=[f"Match User {place.user}", "UnusedConnectionTimeout 1"])
        same(debian(place, server, "sleep 3; echo in").stdout, b"in\n", "a session")
        same(debian(place, server, None, "-N").returncode, 255, "status")
        wait_for("line", lambda: re.search(rf"terminating inactive connection from user {place.user} 127\.0\.0\.1 port", log_of(place, server)))


def rekeys(tap, place):
    with tap.case("RekeyLimit of a Match block counts after login"):
        server = servers.own(place, "RekeyLimit 1G", match=[f"Match User {place.user}", "RekeyLimit 1M"])
        done = debian(place, server, "head -c 5000000 /dev/zero", options=["LogLevel DEBUG1"])
        same((done.returncode, len(done.stdout)), (0, 5000000), "output")
        same(done.stderr.count(b"SSH2_MSG_NEWKEYS received") >= 4, True, f"key exchanges: {done.stderr.count(b'SSH2_MSG_NEWKEYS received')}")


def qos(tap, place):
    with tap.case("IPQoS: the one value with a terminal, the other without, both of a Match block"):
        server = servers.own(place, "IPQoS af11", match=[f"Match User {place.user}", "IPQoS af21 cs1"])
        for args, want, other in ((), 0x20, 0x48), (("-tt",), 0x48, None):
            with tos.Watch(server.port) as w:
                same(debian(place, server, "echo in; sleep 0.3; echo in", *args).returncode, 0, "status")
            same((want in w.sent_from_port, other in w.sent_from_port, 0x28 in w.sent_from_port), (True, False, False), f"seen: {w.sent_from_port}")


def accepted(tap, place):
    options = [f"Match User {place.user}", "PubkeyAcceptedAlgorithms rsa-sha2-512"]
    with tap.case("PubkeyAcceptedAlgorithms of a Match block may allow what the global one does not"):
        server = servers.own(place, "PubkeyAcceptedAlgorithms ssh-ed25519", match=options)
        for key, status in ("rsa", 0), ("ed25519", 255):
            same(clients.ssh(place, programs.ours("ssh"), server, "true", key=key).returncode, status, key)
    with tap.case("PubkeyAcceptedAlgorithms without Match blocks: what is not accepted is not named"):
        server = servers.own(place, "PubkeyAcceptedAlgorithms ssh-ed25519")
        done = clients.ssh(place, programs.ours("ssh"), server, "true", key="rsa", args=["-v"])
        same((done.returncode, b"no mutual signature algorithm" in done.stderr), (255, True), "status and reason")


def refused(tap, place):
    for name, match, status in (("for this user", [f"Match User {room.TESTER}"], 255), ("for this address", ["Match Address 127.0.0.1"], 255),
                                ("for another user", ["Match User nobody"], 0), ("for everybody", [], 255)):
        with tap.case(f"RefuseConnection {name}: {'refused' if status else 'in'}"):
            server = servers.own(place, "PerSourcePenalties yes", "PerSourcePenalties refuseconnection:30 noauth:0", match=[*match, "RefuseConnection yes"])
            same(clients.ssh(place, programs.ours("ssh"), server, "true").returncode, status, "status")
            if status:
                wait_for("line", lambda: re.search(r"srclimit_penalise: .*connection refused by configuration", log_of(place, server)))


def main():
    tap = Tap()
    with Place() as place:
        for part in paths, usage, fingerprints, channel_timeouts, unused, rekeys, qos, accepted, refused:
            part(tap, place)
    tap.end()


if __name__ == "__main__":
    room.enter()
    main()
