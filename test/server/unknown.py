#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Who may not come in learns nothing about who exists: the same answers, the same questions to the same helpers and the same work on
a password, whoever is named (TRUST 24, T09). With NACRE_LONG the times, too: those of many names that exist against many that do not."""
import contextlib
import itertools
import os
import random
import re
import socket
import statistics
import sys
import time

import paramiko

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import failing  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Place  # noqa: E402
from tap import PATIENCE, Tap, same  # noqa: E402

METHODS = ["publickey", "password", "keyboard-interactive"]
LOCKED, DENIED, EXPIRED, KEYLESS, UNKNOWN = "nacrelocked", "nacredenied", "nacreexpired", "nacrekeyless", "nacrenobody"
OTHERS = [LOCKED, DENIED, EXPIRED, KEYLESS]
QUESTIONS = {"socketpair", "fork", "clone", "sendmsg", "waitpid", "setresuid", "sys_execveat"}     # between processes; the files read differ
LONG = bool(os.environ.get("NACRE_LONG"))
SEED = int(os.environ.get("NACRE_SEED") or time.time())
NAMES, SAMPLES = 40, int(os.environ.get("NACRE_SAMPLES") or 25)      # of each kind; connections for each name
PERMUTATIONS, SUSPICIOUS = 10000, 0.001


def furnish(names):
    """Users in the room's copy of /etc, all with the tester's hash, and nobody else's hash beside it."""
    with open("/etc/shadow", encoding="utf-8") as f:
        lines = [line.rstrip("\n").split(":") for line in f]
    crypted = next(fields[1] for fields in lines if fields[0] == room.TESTER)
    for fields in lines:
        if fields[0] != room.TESTER and fields[1].startswith("$"):
            fields[1] = "*"
    lines += [[name, "!" * (name == LOCKED) + crypted, "19000", "0", "99999", "7", "", "1" if name == EXPIRED else "", ""] for name in names]
    with open("/etc/shadow", "w", encoding="utf-8") as f:
        f.writelines(":".join(fields) + "\n" for fields in lines)
    with open("/etc/passwd", "a", encoding="utf-8") as f:
        for i, name in enumerate(names):
            home = f"{room.FOLDER}/home/{name}"
            os.makedirs(f"{home}/.ssh", 0o700)
            for path in home, f"{home}/.ssh":
                os.chown(path, 5000 + i, 5000 + i)
            f.write(f"{name}:x:{5000 + i}:{5000 + i}::{home}:/bin/sh\n")


class Attempts:
    def __init__(self, place, module, *options, key="key-stranger", log="sshd.log"):
        self.place, self.module, self.key = place, module, key
        self.server = servers.sshd(place, programs.ours("sshd"), [f"DenyUsers {DENIED}", "MaxAuthTries 20", *options], log=log)
        place.key("ed25519", key)

    def attempt(self, method, user):
        """What a client that may not come in is told, and what the server did about it."""
        options = [f"PreferredAuthentications {method}", "NumberOfPasswordPrompts 1", f"BatchMode {'yes' if method == 'publickey' else 'no'}",
                   "LogLevel DEBUG2"]
        argv = clients.ssh_argv(self.place, programs.foreign("ssh"), self.server, options)
        name = os.path.basename(argv[2])
        self.place.write(name, self.place.read(name).decode().replace("key-ed25519", self.key))
        sshpass = [] if method == "publickey" else [programs.foreign("sshpass"), "-p", "wrong"]
        self.module.arm()
        done = self.place.run([*sshpass, *argv, f"{user}@127.0.0.1", "true"])
        told = [line for line in done.stderr.decode().replace(user, "USER").splitlines()
                if re.search(r"Authentications that can continue|Permission denied|userauth|Next auth|Received", line)]
        self.module.disarm()
        work = {p + str(d): [call for call in self.module.calls(p, d) if call in QUESTIONS] for p, d in (("sshd", 1), ("sshd", 2), ("sshd-auth", 0))}
        kind = self.module.control.setting.decode().split("$")[1:-2]   # without salt and digest: crypt(5)
        return told, work, self.module.control.crypts, kind


    def check(self, method, user, known):
        """As the tester, whose account is in order: told the same, helpers asked the same, the password worked on the same."""
        other = self.attempt(method, user)
        for what, one, two in zip(("answers", "questions and helpers", "passwords hashed", "cost of the hash"), known, other):
            same(two, one, f"{method} for {user}: {what}")
        if known[2] != (method != "publickey"):
            raise AssertionError(f"{method}: {known[2]} passwords hashed")


# ---- certificates, and programs that are asked for keys and principals ----

def certified(place, name, *principals):
    key = place.key("ed25519", name)
    place.run([programs.foreign("ssh-keygen"), "-q", "-s", place.key("ed25519", "user-ca"), "-I", "id", "-n", ",".join(principals), f"{key}.pub"], check=True)
    return name


def with_authorities(tap, place, module):
    ca = place.write("ca.pub", place.public(place.key("ed25519", "user-ca")) + "\n", 0o644)
    folder = f"{room.FOLDER}/programs"
    os.mkdir(folder, 0o755)
    scripts = {}
    for name, text in {"none": ":", "other": f"echo {place.public(place.key('ed25519', 'key-nobodys'))}", "fails": "exit 3", "names": "echo somebody"}.items():
        scripts[name] = f"{folder}/{name}"
        with open(scripts[name], "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\n{text}\n")
        os.chmod(scripts[name], 0o755)
    of_another, of_all = certified(place, "key-anothers", "somebody"), certified(place, "key-of-all", UNKNOWN, room.TESTER, *OTHERS)
    trust, closed = f"TrustedUserCAKeys {ca}", [UNKNOWN, LOCKED, DENIED, EXPIRED]
    rows = [("a certificate for another", [trust], of_another, None), ("a certificate for them all", [trust], of_all, closed),
            ("a certificate of an authority that nobody trusts", [], of_all, None),
            ("principals by file", [trust, "AuthorizedPrincipalsFile .ssh/principals"], of_all, None)]
    for name in "names", "fails":
        command = [f"AuthorizedPrincipalsCommand {scripts[name]} %u %i", "AuthorizedPrincipalsCommandUser nobody"]
        rows.append((f"principals by a program ({name})", [trust, *command], of_all, None))
    for name in "none", "other":
        rows.append((f"keys by a program ({name})", [f"AuthorizedKeysCommand {scripts[name]} %u %k", "AuthorizedKeysCommandUser nobody"], "key-stranger", None))
    for number, (what, options, key, users) in enumerate(rows):
        with tap.case(f"{what}: the same is said and done whoever is named"):
            users = users or [room.TESTER, UNKNOWN, *OTHERS]
            if not LONG:
                users = [users[0], UNKNOWN if users[0] != UNKNOWN else LOCKED, users[2 + number % (len(users) - 2)]]
            a = Attempts(place, module, *options, key=key, log=f"sshd-{number}.log")
            a.attempt("publickey", UNKNOWN)
            known = a.attempt("publickey", users[0])
            for user in users[1:]:
                a.check("publickey", user, known)
            place.stop(a.server.process)


# ---- times ----

def sample(server, user, key):
    """Microseconds until each method is refused, on a connection of their own."""
    took = {}
    link = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.closing(paramiko.Transport(link)) as t:
        t.start_client(timeout=PATIENCE)
        for name, attempt in (("none", lambda: t.auth_none(user)), ("publickey", lambda: t.auth_publickey(user, key)),
                              ("password", lambda: t.auth_password(user, "wrong"))):
            begin = time.perf_counter()
            with contextlib.suppress(paramiko.AuthenticationException):
                attempt()
            took[name] = (time.perf_counter() - begin) * 1e6
    return took


def distance(one, two):
    """Kolmogorov's and Smirnov's: the largest gap between two cumulative distributions."""
    both = sorted([(x, 1 / len(one)) for x in one] + [(x, -1 / len(two)) for x in two])
    return max(abs(sum_) for sum_ in itertools.accumulate(step for _, step in both))


def likelihood(one, two, rng):
    """How often a random division of all the values into two such groups is as uneven as this one."""
    seen, pool, hits = distance(one, two), one + two, 0
    for _ in range(PERMUTATIONS):
        rng.shuffle(pool)
        hits += distance(pool[:len(one)], pool[len(one):]) >= seen - 1e-9
    return (hits + 1) / (PERMUTATIONS + 1)


def check_times(tap, place, known):
    """The answer to a refusal is held back for a time that hangs on the name, so that single names differ anyway: many are compared."""
    rng = random.Random(SEED)
    names = [(name, True) for name in known] + [(f"nobody{i:03}", False) for i in range(len(known))]
    server = servers.sshd(place, programs.ours("sshd"), ["MaxStartups 1000"], log="times.log")
    key = paramiko.ECDSAKey.generate()
    took = {}
    for _ in range(SAMPLES):
        rng.shuffle(names)
        for name, _exists in names:
            for method, us in sample(server, name, key).items():
                took.setdefault((method, name), []).append(us)
    for method in "none", "publickey", "password":
        with tap.case(f"{method}: the times of {len(known)} users and of as many that do not exist come from one distribution"):
            groups = [[statistics.median(took[method, name]) for name, exists in sorted(names) if exists == want] for want in (True, False)]
            p = likelihood(*groups, rng)
            tap.note(f"medians {statistics.median(groups[0]):.0f} and {statistics.median(groups[1]):.0f} us, p = {p:.4f}")
            if p < SUSPICIOUS:
                raise AssertionError(f"p = {p:.5f}, seed {SEED}:\nknown   {sorted(map(round, groups[0]))}\nunknown {sorted(map(round, groups[1]))}")


def main():
    tap = Tap()
    if not room.enter() or os.geteuid() != 0 or not os.path.exists(failing.MODULE):
        tap.skip("what is done for unknown users", "needs root, a mount namespace and the module that NACRE_FAIL names")
        tap.end()
    known = [f"user{i:03}" for i in range(NAMES if LONG else 0)]
    furnish([*OTHERS, *known])
    with Place() as place:
        if LONG:
            tap.note(f"NACRE_SEED={SEED}")
            check_times(tap, place, known)
        module = failing.Module(place)
        a = Attempts(place, module)
        for method in METHODS:
            a.attempt(method, UNKNOWN)      # what a server does once only is behind it
            with tap.case(f"{method}: the same is said and done for names unknown, locked, denied and expired"):
                known = a.attempt(method, room.TESTER)
                for user in UNKNOWN, *OTHERS:
                    a.check(method, user, known)
        place.stop(a.server.process)
        with_authorities(tap, place, module)
    tap.end()


main()
