#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""-J and ProxyJump: over one and two hosts of either suite, for ssh, scp and sftp, and in OpenSSH's words when something is wrong."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
import room
import servers
from place import Place, free_port
from tap import Tap, same

room.enter()
OPTIONS = ["LogLevel VERBOSE", "Subsystem sftp internal-sftp"]
# OpenSSH's, where the ssh before it was gone before it wrote its first line: and where it was not.
BROKEN = b"banner exchange: Connection to UNKNOWN port 65535: Broken pipe\r\n"
GONE = b"kex_exchange_identification: Connection closed by remote host\r\nConnection closed by UNKNOWN port 65535\r\n"


class Hosts:
    """Two servers, ours `one` and OpenSSH's `two`; a configuration that knows both by these names. The address of neither is a name's."""

    def __init__(self, place):
        self.place = place
        found = {"one": servers.sshd(place, programs.ours("sshd"), OPTIONS, log="one.log"),
                 "two": servers.sshd(place, programs.foreign("sshd"), OPTIONS, log="two.log")}
        os.mkdir(place.path("a folder"))
        known = place.write("known_hosts", "".join(server.known_hosts() for server in found.values()))
        self.config = place.write("a folder/config", "".join(f"Host {name}\nHostname 127.0.0.1\nPort {server.port}\n" for name, server in found.items())
                                  + f"Host far\nHostname 127.0.0.1\nPort {found['two'].port}\nProxyJump one\n"
                                  f"Host *\nUser {place.user}\nUserKnownHostsFile {known}\nGlobalKnownHostsFile /dev/null\nIdentityFile {place.key()}\n"
                                  "IdentityAgent none\nBatchMode yes\nStrictHostKeyChecking yes\n")
        self.ports = {name: server.port for name, server in found.items()}

    def run(self, name, *args, config=None, **kw):
        return self.place.run([programs.ours(name), "-F", config or self.config, *args], **kw)

    def logins(self, name):
        return self.place.read(f"{name}.log").count(b"Accepted publickey")


def jumps(tap, hosts):
    ask = "echo $SSH_CONNECTION; exit 7"
    for way in ["-J", "one", "two"], ["-J", "two", "one"], ["far"], ["-J", "two,one", "two"], \
            ["-J", f"{hosts.place.user}@127.0.0.1:{hosts.ports['one']}", "two"], ["-J", f"ssh://{hosts.place.user}@one", "two"], \
            ["-oProxyJump=one", "-oProxyCommand=false", "two"]:
        with tap.case(f"ssh {' '.join(way)}".replace(str(hosts.ports["one"]), "PORT").replace(hosts.place.user, "USER")):
            before = [hosts.logins(name) for name in ("one", "two")]
            done = hosts.run("ssh", *way, ask)
            same((done.returncode, done.stderr), (7, b""), f"status and stderr ({done.stdout!r})")
            after = [hosts.logins(name) for name in ("one", "two")]
            same([b - a for a, b in zip(before, after)], [1, 2] if way[:2] == ["-J", "two,one"] else [1, 1], "logins at one, two")
    with tap.case("-J none takes no host that the file names"):
        before = hosts.logins("one")
        same((hosts.run("ssh", "-J", "none", "far", "exit 7").returncode, hosts.logins("one")), (7, before), "status, logins at the host left out")
    with tap.case("much, both ways, over two hosts"):
        data = os.urandom(3 << 20)
        done = hosts.run("ssh", "-J", "one,two", "one", "cat", stdin=data)
        same((done.returncode, done.stdout == data, done.stderr), (0, True, b""), "status, content, stderr")


def copies(tap, hosts):
    data = os.urandom(300000)
    source, to = hosts.place.write("source", data), f"{hosts.place.home}/jumped"
    for name, up, down in (("scp", [source, f"two:{to}"], [f"two:{to}", "{}"]),
                           ("scp", ["-O", source, f"two:{to}"], ["-O", f"two:{to}", "{}"]),
                           ("scp", ["-3", f"one:{to}", f"two:{to}.2"], [f"two:{to}.2", "{}"]),
                           ("sftp", ["two"], ["two"])):
        with tap.case(f"{name} {up[0] if up[0].startswith('-') else ''} -J".replace("  ", " ")):
            before, back = hosts.logins("one"), hosts.place.path("back")
            for args, line in (up, f"put {source} {to}\n"), ([word.format(back) for word in down], f"get {to} {back}\n"):
                done = hosts.run(name, "-J", "one", *(["-q"] if name == "scp" else ["-b", "-"]), *args, stdin=line.encode())
                same((done.returncode, done.stderr), (0, b""), f"status and stderr of {' '.join(args)}")
            with open(back, "rb") as f:
                same(f.read() == data, True, "content")
            os.unlink(back)
            same(hosts.logins("one") - before >= 2, True, "over the host between")


def words(tap, hosts):
    """What both say; each with the words that only one of them has left out."""
    place, none = hosts.place, free_port()
    for what, args in {"two -J": ["-J", "one", "-J", "two", "two"],
                       "with ProxyCommand before": ["-oProxyCommand=false", "-J", "one", "two"],
                       "an option for a host": ["-J", "-oProxyCommand=x", "two"], "an empty one": ["-J", "", "two"],
                       "a bad port": ["-J", "one:99999", "two"], "a loop": ["-J", f"127.0.0.1:{hosts.ports['two']}", "two"],
                       "characters for a shell": ["-J", "a;touch x", "two"],
                       "a host that is not there": ["-J", f"127.0.0.1:{none}", "two"],
                       "a target that is not there": ["-J", "one", "-p", str(none), "127.0.0.1"],
                       "a host that lets nobody in": ["-J", "nobody@two", "one"]}.items():
        with tap.case(what):
            got = [place.run([program, "-F", config, *args, "true"]) for program, config in
                   ((programs.ours("ssh"), hosts.config), (programs.foreign("ssh"), place.write("config", place.read("a folder/config"))))]
            got = [(done.returncode, [line.strip() for line in done.stderr.replace(BROKEN, GONE).splitlines() if not line.startswith(b"parse_jump")])
                   for done in got]
            same(got[0], got[1], "ours and OpenSSH's")
            same(os.path.exists("x"), False, "a file made by a shell")


def main():
    tap = Tap()
    with Place() as place:
        hosts = Hosts(place)
        jumps(tap, hosts)
        copies(tap, hosts)
        words(tap, hosts)
    tap.end()


main()
