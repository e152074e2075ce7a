#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Keys under destination constraints (PROTOCOL.agent) beside a model of them: what each connection may list, sign, remove and replace, over
paths of up to three hops that the test itself binds, with true and false proofs, locked or not (TRUST T26)."""
import itertools
import os
import random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
from agents import EXTENSION_FAILURE, FAILURE, SUCCESS, Agent, Key, login, string
from place import Place
from tap import Tap, same

SEED = int(os.environ.get("NACRE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
ROUNDS = 400 if os.environ.get("NACRE_LONG") else 40
HOSTS = "abc"
USERS = ["root", "bob", ""]


SIGNED = [0] * 4        # signatures by restricted keys, by the length of the path


# ---- messages ----

def hop(user, host, keys):
    return string(string(user) + string(host) + string("") + b"".join(string(k.blob) + b"\0" for k in keys))


def constraint(dest, hosts):
    source, user, target = dest
    begin = hop("", source or "", [hosts[source]] if source else [])
    return string(begin + hop(user, target, [hosts[target]]) + string(""))


def add(link, key, dests, hosts):
    body = key.private() + string("a key")
    if dests:
        body += b"\xff" + string("restrict-destination-v00@openssh.com") + string(b"".join(constraint(d, hosts) for d in dests))
    return link.ask(25 if dests else 17, body)[0]


# ---- the model ----

class Model:
    """What PROTOCOL.agent lets a connection do with a key; dests: (source or None, user or "", target)."""

    def __init__(self):
        self.bound, self.tried = [], False      # [(host, session, forwarding)]

    def bind(self, host, session, forwarding, good):
        self.tried = True
        if not good or any(not f for _, _, f in self.bound):
            return False
        for h, s, _ in self.bound:
            if s == session:
                return h == host
        self.bound.append((host, session, forwarding))
        return True

    def path(self, dests, user=None):
        source = None
        for i, (host, _, forwarding) in enumerate(self.bound):
            last = i + 1 == len(self.bound)
            if (last and user is not None and forwarding) or (not last and not forwarding):
                return False
            if not any(s == source and t == host and (not last or user is None or u in ("", user)) for s, u, t in dests):
                return False
            source = host
        return True

    def sees(self, dests):
        if not dests:
            return True
        if not self.bound:
            return not self.tried
        host, _, forwarding = self.bound[-1]
        return self.path(dests) and (not forwarding or any(s == host for s, _, _ in dests))

    def signs(self, dests, session, user, host):
        if not dests:
            return True
        if not self.bound or session != self.bound[-1][1] or (host and host != self.bound[-1][0]):
            return False
        return (host is not None or len(self.bound) == 1) and self.path(dests, user)


# ---- the walk ----

def random_dests(rng):
    return [(rng.choice([None, None, *HOSTS]), rng.choice(["", "", "root"]), rng.choice(HOSTS)) for _ in range(rng.choice([0, 1, 2, 6, 9]))]


class Walk:
    def __init__(self, agent, rng, path=None):
        self.agent, self.rng, self.fixed = agent, rng, path
        self.hosts = {h: Key() for h in HOSTS}
        self.keys = [(Key(), random_dests(rng)) for _ in range(4)]
        if path:        # and one for just this way
            self.keys.append((Key(), list(zip([None, *path], ["", "", "root"], path))))
        self.log = []

    def connection(self, locked):
        """A connection bound to some hosts, and its model."""
        link, model = self.agent.connect(), Model()
        hops = len(self.fixed) if self.fixed else self.rng.randrange(4)
        for i in range(hops):
            host, session = self.fixed[i] if self.fixed else self.rng.choice(HOSTS), self.rng.randbytes(32)
            forwarding, good = i + 1 < hops, True
            if not self.fixed:
                forwarding, good = forwarding != (self.rng.random() < 0.1), self.rng.random() < 0.95
            if model.bound and not self.fixed and self.rng.random() < 0.1:
                session = model.bound[-1][1]
            got = link.bind(self.hosts[host], session, forwarding, None if good else Key())
            self.log.append(("bind", host, session[:2].hex(), forwarding, good, locked, got))
            self.same(got, SUCCESS if model.bind(host, session, forwarding, good) else EXTENSION_FAILURE, "bind")
        return link, model

    def same(self, got, want, what):
        same(got, want, f"seed {SEED}: {what}, after {self.log}, keys {[d for _, d in self.keys]}")

    def check_list(self, link, model):
        want = {key.blob for key, dests in self.keys if model.sees(dests)}
        self.same({blob for blob, _ in link.list()} & {k.blob for k, _ in self.keys}, want, "list")

    def check_signs(self, link, model):
        bound = model.bound[-1] if model.bound else ("a", b"x" * 32, False)
        for (key, dests), user, named, session in itertools.product(self.keys, USERS, [None, *HOSTS], [bound[1], b"other"]):
            text = login(session, user, key.blob, self.hosts[named] if named else None)
            got = link.sign(key.blob, text) is not None
            SIGNED[len(model.bound)] += got and bool(dests)
            self.same(got, model.signs(dests, session, user, named), f"sign for {user!r} with {dests}, host in the text {named}")
        for key, dests in self.keys:
            self.same(link.sign(key.blob, b"data") is not None, not dests, f"other data with {dests}")

    def check_changes(self, link, model):
        for key, dests in self.keys:
            may = SUCCESS if model.sees(dests) else FAILURE
            self.same(add(link, key, dests, self.hosts), may, f"replace {dests}")
            self.same(link.ask(18, string(key.blob))[0], may, f"remove {dests}")
            if may == SUCCESS:
                with self.agent.connect() as fresh:
                    self.same(add(fresh, key, dests, self.hosts), SUCCESS, "put back")

    def run(self):
        with self.agent.connect() as first:
            first.ask(19)
            for key, dests in self.keys:
                self.same(add(first, key, dests, self.hosts), SUCCESS, f"add {dests}")
            locked = self.rng.random() < 0.3
            if locked:
                self.same(first.ask(22, string("pw"))[0], SUCCESS, "lock")
            link, model = self.connection(locked)
            if locked:
                self.same(link.list(), [], "list of a locked agent")
                self.same(link.sign(self.keys[0][0].blob, b"data"), None, "signature of a locked agent")
                self.same(first.ask(23, string("pw"))[0], SUCCESS, "unlock")
        with link:
            self.check_list(link, model)
            self.check_signs(link, model)
            self.check_changes(link, model)


def malformed(tap, agent):
    """What is no constraint that we know must leave no key behind."""
    with tap.case("a constraint that is unknown, doubled, empty or malformed adds no key"), agent.connect() as link:
        key, other = Key(), Key()
        restrict = b"\xff" + string("restrict-destination-v00@openssh.com")
        good = constraint((None, "", "a"), {"a": other})
        bad = [b"\x00", b"\x03" + struct.pack(">I", 1), b"\x02\x02", b"\x01\0\0\0\1" * 2, b"\xff" + string("x@y"), b"\xff" + string("x@y") + string(""),
               restrict, restrict + string(""), restrict + string(good + b"x"), restrict + string(good) + restrict + string(good),
               restrict + string(good[:-1]), restrict + string(string(hop("u", "", []) + hop("", "a", [other]) + string(""))),
               restrict + string(string(hop("", "", []) + hop("", "a", []) + string(""))),
               restrict + string(string(hop("", "", []) + hop("", "", [other]) + string(""))),
               restrict + string(string(hop("", "a", []) + hop("", "a", [other]) + string(""))),
               restrict + string(string(hop("", "", []) + hop("", "a", [other]) + string("reserved"))),
               b"\xff" + string("sk-provider@openssh.com") + string("/usr/lib/x.so"),
               b"\xff" + string("associated-certs-v00@openssh.com") + b"\0" + string("")]
        for constraints in bad:
            for before in b"", b"\x02", b"\x01\0\0\1\0":
                same(link.ask(25, key.private() + string("c") + before + constraints)[0], FAILURE, f"{before!r} {constraints!r}")
        same(link.ask(17, key.private() + string("c") + b"\x02")[0], FAILURE, "a constraint on the message without")
        same([blob for blob, _ in link.list() if blob == key.blob], [], "keys")


def main():
    tap = Tap()
    tap.note(f"NACRE_SEED={SEED}")
    with Place() as place:
        agent = Agent(place, programs.ours("ssh-agent"))
        rng = random.Random(SEED)
        with tap.case(f"{ROUNDS} rings of keys over random paths equal the model"):
            for path in "a", "ab", "abc":
                Walk(agent, rng, path).run()
            same(min(SIGNED[1:]) > 0, True, f"restricted keys that signed over 1, 2 and 3 hops: {SIGNED}")
            for _ in range(ROUNDS):
                Walk(agent, rng).run()
            tap.note(f"signatures by restricted keys over 0, 1, 2, 3 hops: {SIGNED}")
            same(SIGNED[0], 0, "signatures by restricted keys for nobody in particular")
        malformed(tap, agent)
    tap.end()


main()
