#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Keys on a SoftHSM token at work: logins through -I and through the agent, ssh-add, ssh-keygen, a CA on a token, bad modules, path tricks."""
import itertools
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import programs  # noqa: E402
import servers  # noqa: E402
from place import Place  # noqa: E402
from tap import Tap, same, wait_for  # noqa: E402
from tokens import KINDS, PIN, Token, softhsm  # noqa: E402

BAD_MODULE = f"{programs.build_folder()}/test/pkcs11/badmodule.so"


class Agent:
    """ssh-agent -D that may load modules of the token's folder and of this place."""

    numbers = itertools.count()

    def __init__(self, place, *options, program=None, allow=None, **env):
        self.place, self.socket = place, place.path(f"agent-{next(self.numbers)}")
        allow = allow or f"{os.path.dirname(os.path.realpath(softhsm()))}/*,{os.path.realpath(place.folder)}/allowed/*"
        self.process = place.start([program or programs.ours("ssh-agent"), "-D", "-a", self.socket, "-P", allow, *options], "agent.log",
                                   env=place.env | {"SSH_ASKPASS": "/bin/false"} | env)
        self.env = place.env | {"SSH_AUTH_SOCK": self.socket}
        wait_for("the agent's socket", lambda: os.path.exists(self.socket))

    def add(self, *args, pin=PIN, program=None):
        """ssh-add without a terminal: it reads the PIN from its standard input."""
        done = self.place.run([program or programs.ours("ssh-add"), *args], stdin=f"{pin}\n".encode(), env=self.env, start_new_session=True)
        return done.returncode, (done.stdout + done.stderr).decode()

    def sockets(self):
        """Its listener and its clients."""
        with open("/proc/net/unix", encoding="utf-8") as f:
            return sum(line.rstrip().endswith(self.socket) for line in f)

    def keys(self):
        return {line.split(maxsplit=2)[2]: " ".join(line.split()[:2]) for line in self.add("-L")[1].splitlines() if line.startswith(("ssh-", "ecdsa-"))}


def login(place, server, env=None, options=(), args=()):
    """Only by keys of an agent or a token; True if it worked."""
    known = place.write(f"known-{server.port}", server.known_hosts())
    config = place.write("ssh_config", "\n".join([
        *options, f"User {place.user}", f"Port {server.port}", f"UserKnownHostsFile {known}", "GlobalKnownHostsFile /dev/null", "IdentityFile none",
        "PreferredAuthentications publickey", "StrictHostKeyChecking yes", "LogLevel ERROR"]) + "\n")
    done = place.run([programs.ours("ssh"), "-F", config, *args, "127.0.0.1", "echo in"], env=env or place.env)
    return done.returncode == 0 and done.stdout == b"in\n", done.stderr.decode()


def publish(place, name, public):
    """Makes `public` the one authorized key."""
    place.write("authorized_keys", f"{public} {name}\n", 0o644)


def askpass(place, name, *answers):
    """A program that gives these answers, one a call, then fails; each call leaves its prompt in NAME.asked."""
    body = "".join(f'{n}) echo "{answer}" ;;\n' for n, answer in enumerate(answers, 1))
    return place.write(name, f'#!/bin/sh\necho "$1" >>{place.path(name)}.asked\ncase $(wc -l <{place.path(name)}.asked) in\n{body}*) exit 1 ;;\nesac\n', 0o755)


def asked(place, name):
    return place.read(f"{name}.asked").decode().splitlines() if os.path.exists(place.path(f"{name}.asked")) else []


def check_keygen(tap, place, token):
    with tap.case("ssh-keygen -D lists the keys, -l -D their fingerprints"):
        lines = place.run([programs.ours("ssh-keygen"), "-D", token.module], check=True).stdout.decode().splitlines()
        keys = {line.split()[2]: " ".join(line.split()[:2]) for line in lines}
        same(set(keys), {*KINDS, "cert"}, "labels")
        shown = place.run([programs.ours("ssh-keygen"), "-l", "-D", token.module], check=True).stdout.decode()
        same(shown.count("(PKCS11 key)"), len(keys), f"fingerprints in {shown}")
    with tap.case("ssh-keygen -D with what is no module: status 255, one line"):
        done = place.run([programs.ours("ssh-keygen"), "-D", "/etc/passwd"])
        same((done.returncode, done.stderr.count(b"\n"), b"is not a PKCS#11 library" in done.stderr), (255, 1, True), f"status, lines, words of {done.stderr}")
    for kind in "ed25519", "ecdsa256", "rsa":
        with tap.case(f"an {kind} key on a token as CA"):
            ca, user = place.write(f"ca-{kind}.pub", keys[kind] + "\n"), place.key("ed25519", f"user-{kind}")
            program = askpass(place, f"ask-{kind}", PIN)
            done = place.run([programs.ours("ssh-keygen"), "-q", "-s", ca, "-D", token.module, "-I", "id", "-n", place.user, f"{user}.pub"],
                             env=place.env | {"SSH_ASKPASS": program, "SSH_ASKPASS_REQUIRE": "force"}, start_new_session=True)
            same((done.returncode, asked(place, f"ask-{kind}")), (0, ["Enter PIN for 'shelf': "]), f"status, questions; {done.stderr}")
            shown = place.run([programs.foreign("ssh-keygen"), "-L", "-f", f"{user}-cert.pub"], check=True).stdout.decode()
            same("Type: ssh-ed25519-cert-v01@openssh.com user certificate" in shown, True, f"in {shown}")
    return keys


def check_direct(tap, place, both, token, keys):
    for server_name, server in both.items():
        for name, public in keys.items():
            if server_name == "foreign" and name not in ("rsa", "ed25519") and not os.environ.get("NACRE_LONG"):
                continue
            with tap.case(f"logs in by -I: {name}, {server_name} server"):
                publish(place, name, public)
                ask = f"ask-{server_name}-{name}"
                env = place.env | {"SSH_ASKPASS": askpass(place, ask, "9999", PIN), "SSH_ASKPASS_REQUIRE": "force"}
                same(login(place, server, env, args=["-I", token.module]), (True, ""), "login, words")
                same(asked(place, ask), ["Enter PIN for 'shelf': "] * 2, "questions")
    with tap.case("no PIN, three wrong ones, and BatchMode: no login, and the token is not locked"):
        server = both["our"]
        for number, answers in enumerate([[], [""], ["1", "2", "3", PIN]]):
            env = place.env | {"SSH_ASKPASS": askpass(place, f"wrong-{number}", *answers), "SSH_ASKPASS_REQUIRE": "force"}
            same(login(place, server, env, args=["-I", token.module])[0], False, f"login with {answers}")
        env = place.env | {"SSH_ASKPASS": askpass(place, "batch", PIN), "SSH_ASKPASS_REQUIRE": "force"}
        same(login(place, server, env, ["BatchMode yes", f"PKCS11Provider {token.module}"])[0], False, "login in BatchMode")
        same(asked(place, "batch"), [], "questions in BatchMode")
        env = place.env | {"SSH_ASKPASS": askpass(place, "right", PIN), "SSH_ASKPASS_REQUIRE": "force"}
        same(login(place, server, env, [f"PKCS11Provider {token.module}"])[0], True, "login with the PIN")
    with tap.case("a provider that is none, crashes or is missing is named, and other keys go on"):
        publish(place, "file", place.public(place.key("ed25519")))
        for module, fault in {"/etc/passwd": "", BAD_MODULE: "crash", "/nonexistent": ""}.items():
            env = place.env | {"MODULE_FAULT": fault, "MODULE_AT": "search"}
            worked, words = login(place, server, env, args=["-I", module, "-i", place.key("ed25519")])
            same((worked, f"PKCS#11 provider {module}: " in words), (True, True), f"login, words {words!r}")


def check_agent(tap, place, both, token, keys):
    agent = Agent(place)
    with tap.case("ssh-add -s with a wrong PIN, with none, then with the right one"):
        for pin in "9999", "":
            status, said = agent.add("-s", token.module, pin=pin)
            same((status, "Could not add card" in said), (1, True), f"status, words {said!r} for {pin!r}")
        same(agent.keys(), {}, "keys")
        status, said = agent.add("-s", token.module)
        same((status, said.endswith(f"Card added: {token.module}\n")), (0, True), f"status, words {said!r}")
        same(agent.keys(), keys, "keys")
    for name, public in keys.items():
        with tap.case(f"logs in through the agent: {name}"):
            publish(place, name, public)
            same([login(place, server, agent.env) for server in both.values()], [(True, "")] * 2, "logins")
    with tap.case("ssh-add -T tests them; many at once; Debian's ssh-add lists the same"):
        public = place.write("test.pub", keys["rsa"] + "\n")
        tests = [place.start([programs.ours("ssh-add"), "-T", public], "test.log", env=agent.env) for _ in range(30)]
        same([test.wait(120) for test in tests], [0] * 30, "status")
        same(agent.add("-L", program=programs.foreign("ssh-add"))[1].count("\n"), len(keys), "lines of Debian's")
    with tap.case("ssh-add -e forgets them, and what was not there cannot be forgotten"):
        same(agent.add("-e", token.module), (0, f"Card removed: {token.module}\n"), "status, words")
        same((agent.keys(), agent.add("-e", token.module)[0]), ({}, 1), "keys, status of another time")
    with tap.case("Debian's ssh-add with our agent, and ours with Debian's"):
        same(agent.add("-s", token.module, program=programs.foreign("ssh-add"))[0], 0, "status")
        same(agent.keys(), keys, "keys")
        agent.add("-D")
        theirs = Agent(place, program=programs.foreign("ssh-agent"), SSH_PKCS11_HELPER="/usr/lib/openssh/ssh-pkcs11-helper")
        same(theirs.add("-s", token.module)[0], 0, "status")
        same(len(theirs.keys()) >= 4, True, "keys that Debian's knows")
    with tap.case("a helper that is gone costs its signatures, not the agent, and -s brings it back"):
        agent.add("-s", token.module)
        children = f"/proc/{agent.process.pid}/task/{agent.process.pid}/children"
        with open(children, encoding="ascii") as f:
            helper = int(f.read().split()[0])
        os.kill(helper, 9)
        public = place.write("test.pub", keys["ed25519"] + "\n")
        same(agent.add("-T", public)[0] != 0, True, "a signature fails")
        same((agent.keys(), agent.add("-s", token.module)[0], agent.add("-T", public)[0]), (keys, 0, 0), "keys, added again, a signature")
    with tap.case("no helper is left when the keys are gone"):
        agent.add("-D")
        wait_for("the helper's end", lambda: open(children, encoding="ascii").read() == "")
    place.stop(agent.process)


def check_bad_modules(tap, place):
    os.mkdir(place.path("allowed"))
    module = place.path("allowed/bad.so")
    with open(BAD_MODULE, "rb") as f:
        place.write("allowed/bad.so", f.read(), 0o755)
    for fault in "crash", "lie":
        with tap.case(f"the agent with a module that does this: {fault}"):
            agent = Agent(place, MODULE_FAULT=fault, MODULE_AT="sign")
            same(agent.add("-s", module)[0], 0, "status")
            public = place.write("bad.pub", next(iter(agent.keys().values())) + "\n")
            same((agent.add("-T", public)[0] != 0, len(agent.keys())), (True, 1), "no signature, keys")
            place.stop(agent.process)
    with tap.case("the agent with a module that hangs serves others meanwhile, and who gives up frees it"):
        agent = Agent(place, MODULE_FAULT="hang", MODULE_AT="sign")
        same(agent.add("-s", module)[0], 0, "status")
        public = place.write("bad.pub", next(iter(agent.keys().values())) + "\n")
        waiting = [place.start([programs.ours("ssh-add"), "-T", public], "hang.log", env=agent.env) for _ in range(3)]
        same(agent.add(place.key("ed25519"))[0], 0, "another key is added")
        same(agent.add("-T", f"{place.key('ed25519')}.pub")[0], 0, "and signs")
        same([test.poll() for test in waiting], [None] * 3, "those that wait")
        same(agent.add("-e", module)[0], 0, "its keys are removed")
        same([test.wait(120) != 0 for test in waiting], [True] * 3, "those that waited end")
        place.stop(agent.process)
    with tap.case("a client that goes while its signature is made leaves the module to the next"):
        agent = Agent(place, MODULE_FAULT="wait", MODULE_AT="sign", MODULE_UNTIL=place.path("until"))
        agent.add("-s", module)
        public = place.write("bad.pub", next(iter(agent.keys().values())) + "\n")
        gone, stays = [place.start([programs.ours("ssh-add"), "-T", public], "gone.log", env=agent.env) for _ in range(2)]
        wait_for("both wait", lambda: agent.sockets() >= 3)
        place.stop(gone)
        place.write("until", "")
        same(stays.wait(120), 1, "status: the module's signature is none, but it was asked")
        same(b"CKR_FUNCTION_FAILED" in place.read("agent.log"), True, "what the module said is in the log")
        place.stop(agent.process)
    with tap.case("several who add one provider at once share its helper; with another PIN it is asked again"):
        agent = Agent(place, MODULE_FAULT="wait", MODULE_AT="initialize", MODULE_UNTIL=place.path("loaded"))
        children = f"/proc/{agent.process.pid}/task/{agent.process.pid}/children"
        loading = []
        for pin in PIN, PIN, PIN, "1":
            loading.append(place.start([programs.ours("ssh-add"), "-s", module], "loads.log", env=agent.env, stdin=subprocess.PIPE))
            loading[-1].stdin.write(f"{pin}\n".encode())
            loading[-1].stdin.close()
        wait_for("all of them", lambda: agent.sockets() >= 1 + len(loading))
        wait_for("a helper", lambda: open(children, encoding="ascii").read())
        helpers = open(children, encoding="ascii").read().split()
        place.write("loaded", "")
        same([one.wait(120) for one in loading], [0] * 4, "status")
        same((len(helpers), len(agent.keys()), len(open(children, encoding="ascii").read().split())), (1, 1, 1), "helpers, keys, helpers at the end")
        place.stop(agent.process)
    with tap.case("a module that hangs while it is loaded holds up nobody"):
        agent = Agent(place, MODULE_FAULT="hang", MODULE_AT="initialize")
        loading = place.start([programs.ours("ssh-add"), "-s", module], "load.log", env=agent.env, stdin=subprocess.PIPE)
        loading.stdin.write(b"1\n")
        loading.stdin.close()
        children = f"/proc/{agent.process.pid}/task/{agent.process.pid}/children"
        wait_for("a helper", lambda: open(children, encoding="ascii").read())
        same((agent.add(place.key("ed25519"))[0], loading.poll()), (0, None), "another key, the one that waits")
        place.stop(agent.process)


def check_paths(tap, place, token):
    agent = Agent(place)
    allowed, elsewhere = place.path("allowed/bad.so"), place.write("elsewhere.so", place.read("allowed/bad.so"), 0o755)
    os.symlink(elsewhere, place.path("allowed/link.so"))
    os.symlink(allowed, place.path("link-in.so"))
    with tap.case("what counts is where a path leads: links out of the allowed folder, .., names like it"):
        fine = [allowed, place.path("link-in.so"), place.path("allowed/../allowed/bad.so"), "/proc/self/root" + allowed]
        others = [elsewhere, *map(place.path, ["allowed/link.so", "allowed/../elsewhere.so", "allowed", "allowed/none.so"]), "bad.so", ""]
        for path in fine + others:
            same((path, agent.add("-s", path)[0]), (path, 0 if path in fine else 1), "path, status")
            agent.add("-D")
    with tap.case("a relative path means the folder of who asks"):
        done = place.run([programs.ours("ssh-add"), "-s", "./allowed/bad.so"], stdin=b"1\n", env=agent.env, cwd=place.folder, start_new_session=True)
        same(done.returncode, 0, f"status; {done.stderr}")
        agent.add("-D")
    place.stop(agent.process)
    with tap.case("without -P only the system's folders"):
        agent = Agent(place, allow="/usr/lib/*,/usr/local/lib/*")
        same((agent.add("-s", elsewhere)[0], agent.add("-s", token.module)[0]), (1, 0), "status")
        place.stop(agent.process)


def main():
    tap = Tap()
    with Place() as place:
        with tap.case("a token with keys of all kinds"):
            token = None
            token = Token(place)
        if not token:
            tap.end()
        keys = check_keygen(tap, place, token)
        both = {"our": servers.sshd(place, programs.ours("sshd"), log="ours.log"),
                "foreign": servers.sshd(place, programs.foreign("sshd"), log="debian.log")}
        check_direct(tap, place, both, token, keys)
        check_agent(tap, place, both, token, keys)
        check_bad_modules(tap, place)
        check_paths(tap, place, token)
    tap.end()


main()
