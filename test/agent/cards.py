#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Keys on PKCS#11 tokens in the agent, and what paths and callers it takes for a module (CVE-2016-10009, CVE-2023-38408)."""
import os
import shutil
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "pkcs11")]
import programs  # noqa: E402
from agents import FAILURE, SIGNED, SUCCESS, Agent, Key, string  # noqa: E402
from place import Place  # noqa: E402
from tap import Skip, Tap, same, wait_for  # noqa: E402
from tokens import KINDS, PIN, Token  # noqa: E402


def helpers(agent):
    done = agent.place.run(["pgrep", "-P", str(agent.process.pid)])
    return done.stdout.split()


def add_and_use(tap, agent, token, name, program):
    with tap.case(f"{name} -s adds the keys of a token, which sign; -e takes them away with their helper"):
        done = agent.add("-s", token.module, program=program, stdin=f"{PIN}\n".encode())
        same((done.returncode, done.stderr.decode().replace("Enter passphrase for PKCS#11: ", "")), (0, f"Card added: {token.module}\n"), "add")
        listed = agent.add("-L").stdout.decode().splitlines()
        same(len(listed), len(KINDS) + 1, f"keys {listed}")
        for number, line in enumerate(listed):
            path = agent.place.write(f"card{number}.pub", line + "\n")
            done = agent.add("-T", path)
            same(done.returncode, 0, done.stderr)
        done = agent.add("-e", token.module, program=program, stdin=f"{PIN}\n".encode())
        same((done.returncode, b"Card removed" in done.stderr), (0, True), done.stderr)
        same(agent.add("-l").returncode, 1, "list")
        wait_for("end of the helper", lambda: not helpers(agent))


def together(tap, agent, token):
    with tap.case("twenty clients sign with one token at once, while others are served"):
        same(agent.add("-q", "-t", "1h", "-s", token.module, stdin=f"{PIN}\n".encode()).returncode, 0, "add")
        links = [agent.connect() for _ in range(20)]
        blob = next(b for b, _ in links[0].list() if b"nistp256" in b[:30])
        for i, link in enumerate(links):
            link.send(13, string(blob) + string(f"text {i}") + struct.pack(">I", 0))
        with agent.connect() as other:
            same(len(other.list()), len(KINDS) + 1, "keys for another")
        same([link.take()[0] for link in links], [SIGNED] * 20, "answers")
        for link in links:
            link.s.close()
    with tap.case("a client that goes amid a signature does not keep the token"):
        link = agent.connect()
        link.send(13, string(blob) + string("x") + struct.pack(">I", 0))
        link.s.close()
        with agent.connect() as other:
            same(other.sign(blob, b"y") is not None, True, "signature")
        same(agent.add("-D").returncode, 0, "remove all")
        wait_for("end of the helper", lambda: not helpers(agent))


def refused(tap, place, agent, token):
    def load(path, link, kind=20, tail=b""):
        return link.ask(kind, string(path) + string(PIN) + tail)[0]

    outside = place.path("p11.so")
    shutil.copy(os.path.realpath(token.module), outside)
    os.symlink(outside, place.path("link.so"))
    with tap.case("a module outside the allowed paths is refused, whatever its name looks like"), agent.connect() as link:
        deep = f"/usr/lib/{'../' * 10}{outside[1:]}"
        for path in outside, deep, place.path("link.so"), "p11.so", "", "/usr/lib/none.so", f"{token.module}\0{outside}", "/usr/lib", "/dev/null":
            same(load(path, link), FAILURE, path)
        same(load(token.module, link, 26, b"\xff" + string("unknown@x") + string("")), FAILURE, "with a constraint that is not known")
        same((link.list(), helpers(agent)), ([], []), "keys, helpers")
    with tap.case("a wrong PIN adds nothing"), agent.connect() as link:
        same(link.ask(20, string(token.module) + string("0000"))[0], FAILURE, "answer")
        same(link.list(), [], "keys")
    with tap.case("a link inside that leads to an allowed module is taken, under its true path"), agent.connect() as link:
        os.symlink(token.module, place.path("good.so"))
        same(load(place.path("good.so"), link), SUCCESS, "add")
        same(link.ask(21, string(token.module) + string(""))[0], SUCCESS, "remove by the other name")


def far_away(place, token):
    for options, want in ([], FAILURE), (["-O", "allow-remote-pkcs11"], SUCCESS):
        agent = Agent(place, programs.ours("ssh-agent"), *options, name=f"far{want}")
        for signer in None, Key():
            with agent.connect() as link:
                link.bind(Key(), b"s" * 32, True, signer)
                same(link.ask(20, string(token.module) + string(PIN))[0], want, f"with {options}")


def main():
    tap = Tap()
    with Place() as place:
        try:
            token = Token(place)
        except Skip as why:
            tap.skip("keys on tokens", str(why))
            tap.end()
        agent = Agent(place, programs.ours("ssh-agent"))
        add_and_use(tap, agent, token, "our ssh-add", programs.ours("ssh-add"))
        with tap.case("OpenSSH's ssh-add is there"):
            programs.foreign("ssh-add")
            add_and_use(tap, agent, token, "OpenSSH's ssh-add", programs.foreign("ssh-add"))
        together(tap, agent, token)
        refused(tap, place, agent, token)
        with tap.case("who comes from a session names no module, with a true or a false proof, unless it is allowed"):
            far_away(place, token)
    tap.end()


main()
