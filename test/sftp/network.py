#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""sftp through ssh: our sftp and OpenSSH's, our ssh and OpenSSH's, on our server and foreign ones; a tree goes there and comes back the same."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
import trees  # noqa: E402
from place import Place  # noqa: E402
from tap import Skip, Tap, same  # noqa: E402

SERVER = "/usr/lib/openssh/sftp-server"


def batch(place, server, sftp, ssh, lines, *options):
    """One batch by `sftp` through `ssh`."""
    os.makedirs(place.path("here"), exist_ok=True)
    config = clients.ssh_argv(place, ssh, server)[1:]
    name = place.write("batch", "\n".join(lines) + "\n")
    return place.run([sftp, "-S", ssh, *config, *options, "-b", name, "127.0.0.1"], cwd=place.path("here"))


def there_and_back(place, server, sftp, ssh, *options):
    tree, near, far = place.path("tree"), place.path("here/near"), f"{place.home}/far"
    trees.make(tree)
    os.remove(f"{tree}/l"), os.remove(f"{tree}/ld"), os.remove(f"{tree}/dangling")      # links are told and left out
    done = batch(place, server, sftp, ssh, [f"put -pr {tree} {far}", f"get -pr {far} near", f"ls -l {far}"], *options)
    same(done.returncode, 0, f"status; it said {done.stdout[-1000:]!r} {done.stderr[-1000:]!r}")
    want = trees.facts(tree)
    same(trees.facts(far), want, "the tree there")
    same(trees.facts(near), want, "the tree that came back")
    batch(place, server, sftp, ssh, [f"!rm -rf {far} near"])


def pairs():
    """(name, sftp, ssh)"""
    yield "our sftp, our ssh", programs.ours("sftp"), programs.ours("ssh")
    yield "our sftp, OpenSSH's ssh", programs.ours("sftp"), programs.foreign("ssh")
    yield "OpenSSH's sftp, our ssh", programs.foreign("sftp"), programs.ours("ssh")


def with_server(tap, place, name, start, options=(), which=slice(None)):
    server = None
    for pair, sftp, ssh in list(pairs())[which]:
        with tap.case(f"{name}: {pair}"):
            server = server or start()
            there_and_back(place, server, sftp, ssh, *options)
    return server


def scp_there_and_back(place, server, status, *options):
    """By our scp."""
    tree, near, far = place.path("tree"), place.path("here/near"), f"{place.home}/far"
    trees.make(tree)
    for name in "l", "ld", "dangling", *["u/esc\033[1m\nape"] * ("-O" in options):     # links are followed, and rcp has lines
        os.remove(f"{tree}/{name}")
    os.utime(f"{tree}/u", (trees.OLD + 32, trees.OLD + 32))
    argv = [programs.ours("scp"), "-S", programs.ours("ssh"), *clients.ssh_argv(place, programs.ours("ssh"), server)[1:], "-rp", *options]
    try:
        for ends in (tree, f"127.0.0.1:{far}"), (f"127.0.0.1:{far}", near):
            done = place.run([*argv, *ends])
            same(done.returncode, status, f"status; it said {done.stdout[-1000:]!r} {done.stderr[-1000:]!r}")
        want = trees.facts(tree)
        same(trees.facts(far), want, "the tree there")
        same(trees.facts(near), want, "the tree that came back")
    finally:
        place.run(["rm", "-rf", far, near])


def scp_with(tap, place, name, server, modes):
    """modes: its exit status by its options."""
    for mode, status in modes.items():
        with tap.case(f"{name}: our scp {mode}"):
            scp_there_and_back(place, server, status, *mode.split())


def failures(tap, place, server):
    ours = programs.ours("sftp"), programs.ours("ssh")
    with tap.case("nobody listens: 255"):
        gone = servers.Server("none", 1, "none.log")
        done = batch(place, gone, *ours, ["pwd"])
        same((done.returncode, b"Connection closed" in done.stderr), (255, True), f"status, words: {done.stderr!r}")
    with tap.case("no such subsystem: 255"):
        done = batch(place, server, *ours, ["pwd"], "-s", "nosuch")
        same(done.returncode, 255, f"status; {done.stderr!r}")
    with tap.case("a shell that chatters is no server: 255"):
        done = batch(place, server, *ours, ["pwd"], "-s", "/bin/echo Welcome, dear user")
        same((done.returncode, b"produces no output" in done.stderr), (255, True), f"status, words: {done.stderr!r}")


def main():
    room.enter()
    tap = Tap()
    with Place() as place:
        ours = with_server(tap, place, "our server", lambda: servers.sshd(place, programs.ours("sshd"), ["Subsystem sftp internal-sftp"], log="ours.log"))
        with_server(tap, place, "OpenSSH's server",
                    lambda: servers.sshd(place, programs.foreign("sshd"), ["Subsystem sftp internal-sftp"], log="theirs.log"), which=slice(2))
        dropbear = with_server(tap, place, "Dropbear's, a server by its path", lambda: servers.dropbear(place), ("-s", SERVER), which=slice(1))
        if dropbear:
            scp_with(tap, place, "Dropbear's", dropbear, {"-O": 0})
        asyncssh = with_server(tap, place, "asyncssh's server", lambda: servers.python_server(place, "asyncssh"), which=slice(1))
        if asyncssh:
            scp_with(tap, place, "asyncssh's", asyncssh, {"": 1, "-O": 0})      # 2.10 ends SFTP without an exit status, for OpenSSH's scp, too
        if ours:
            with_server(tap, place, "our server, a server by its path", lambda: ours, ("-s", SERVER), which=slice(1))
            failures(tap, place, ours)
        else:
            tap.skip("failures", str(Skip("no server")))
    tap.end()


main()
