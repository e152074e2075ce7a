#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ssh-add beside OpenSSH's, the same commands to two agents of each kind: words, statuses and what the agents hold afterwards."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
from agents import Agent
from place import Place
from tap import Tap, same

# Each line a command; | typed text before it is standard input.
STORIES = {
    "add, list and remove": ["-l", "a", "-l", "-L", "-l -E md5", "a b c", "-l", "-d b", "-l", "-d a.pub", "-d a.pub", "-l", "-D", "-l", "-D"],
    "certificates": ["d", "-l", "-L", "-d d", "-l", "-k d", "-l", "-d d", "-k -d d", "d", "-d d-cert.pub", "-l", "wrong"],
    "lifetime and confirm": ["-t 1h a", "-t 90 -c b", "-c c", "-t 5x a", "-l"],
    "quiet": ["-q a", "-q -d a", "-q -D", "-q none", "-q -d none"],
    "files that are none": ["none", "-d none", "folder", "-d text", "open", "a none b", "-l", "-T none", "-T a.pub none"],
    "passphrases": ["secret|locked", "wrong\nsecret|locked", "|locked", "secret|locked locked2", "-l", "a locked"],
    "standard input": ["@a|-", "-l", "@a.pub|-d -", "@a.pub|-d -", "@text|-d -", "@locked|-"],
    "trying keys": ["a b c", "-T a.pub", "-T a.pub b.pub c.pub", "-T d.pub", "-T", "-d b", "-T a.pub b.pub c.pub"],
    "the lock": ["a", "pw\npw|-x", "-l", "b", "-d a", "-D", "pw\npw|-x", "no|-X", "pw|-X", "pw|-X", "-l", "pw\nno|-x", "-T a.pub"],
    "wrong usage": ["-Z", "-t", "-E sha7 -l", "-l -D", "-h nowhere a", "-h >a a", "-h x>y@ a"],
}
SAME_ONLY_STATUS = {"-Z", "-t", "-t 5x a", "-d text"}       # the usage lists options of another version; ours says what is wrong


def make_files(place):
    keygen = programs.any_keygen()
    for name, kind in {"a": "ed25519", "b": "rsa", "c": "ecdsa", "d": "ed25519", "wrong": "ed25519", "ca": "ed25519"}.items():
        bits = ["-b", "2048"] if kind == "rsa" else []
        place.run([keygen, "-q", "-t", kind, *bits, "-N", "", "-C", f"comment of {name}", "-f", place.path(name)], check=True)
    for name in "locked", "locked2":
        place.run([keygen, "-q", "-t", "ed25519", "-N", "secret", "-C", f"comment of {name}", "-f", place.path(name)], check=True)
    place.run([keygen, "-q", "-s", place.path("ca"), "-I", "an id", "-n", "root", place.path("d.pub")], check=True)
    os.link(place.path("d-cert.pub"), place.path("wrong-cert.pub"))
    os.mkdir(place.path("folder"), 0o700)
    place.write("text", "this is no key\n")
    with open(place.path("a"), "rb") as f:
        place.write("open", f.read(), 0o644)


def run(agent, program, line):
    typed, _, words = line.rpartition("|")
    stdin = typed.encode()
    if typed.startswith("@"):
        stdin = agent.place.read(typed[1:])
    elif typed:
        stdin += b"\n"
    done = agent.add(*words.split(" "), program=program, stdin=stdin)
    if words in SAME_ONLY_STATUS:
        return (done.returncode,)
    return done.returncode, done.stdout.decode(), done.stderr.decode().replace("\r\n", "\n")


def held(agent):
    with agent.connect() as link:
        return link.list()


def main():
    tap = Tap()
    with Place() as place:
        make_files(place)
        ours, theirs = programs.ours("ssh-add"), programs.foreign("ssh-add")
        for number, (story, lines) in enumerate(STORIES.items()):
            for whose, agent in ("ours", programs.ours("ssh-agent")), ("OpenSSH's", programs.foreign("ssh-agent")):
                with tap.case(f"{story}, with {whose} agent"):
                    one, two = Agent(place, agent, name=f"one{number}{whose[0]}"), Agent(place, agent, name=f"two{number}{whose[0]}")
                    for line in lines:
                        same(run(one, ours, line), run(two, theirs, line), line)
                        same(held(one), held(two), f"keys after {line}")
    tap.end()


main()
