#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Keys on FIDO authenticators: a software one behind the provider interface, loaded by OpenSSH's ssh-sk-helper and ours in turn."""
import base64
import itertools
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Place  # noqa: E402
from tap import Tap, same, wait_for  # noqa: E402

KINDS = {"ed25519-sk": "sk-ssh-ed25519@openssh.com", "ecdsa-sk": "sk-ecdsa-sha2-nistp256@openssh.com"}
PIN = "4321"
TOUCH = "You may need to touch your authenticator to authorize key generation."


def library():
    return f"{programs.build_folder()}/test/sk/soft-sk.so"


def keygen(whose):
    return programs.ours("ssh-keygen") if whose == "ours" else programs.foreign("ssh-keygen")


def asking(place, *answers):
    """An environment in which SSH_ASKPASS gives these answers in turn, then fails, and keeps the questions."""
    for old in "asked", "answers":
        if os.path.exists(place.path(old)):
            os.unlink(place.path(old))
    place.write("answers", "".join(f"{answer}\n" for answer in answers))
    script = place.write("askpass", f"#!/bin/sh\n[ \"$SSH_ASKPASS_PROMPT\" = none ] && exit 0\nprintf '%s\\n' \"$1\" >>{place.folder}/asked\n"
                         f"head -n 1 {place.folder}/answers | grep . || exit 1\nsed -i 1d {place.folder}/answers\n", 0o755)
    return {"SSH_ASKPASS": script, "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}


def asked(place):
    return place.read("asked").decode().splitlines() if os.path.exists(place.path("asked")) else []


def run(place, whose, *args, stdin=b"", **env):
    return place.run([keygen(whose), *args], stdin=stdin, env=place.env | env, cwd=place.folder)


def enroll(place, whose, kind, name, *args, **env):
    """The path of a new key."""
    done = run(place, whose, "-q", "-t", kind, "-w", library(), "-N", "", "-C", "made", "-f", name, *args, **env)
    same((done.returncode, done.stderr), (0, b""), f"{whose} {kind}")
    return place.path(name)


# ---- ssh-keygen ----

def check_files(tap, place):
    for kind, whose in itertools.product(KINDS, ("ours", "Debian's")):
        with tap.case(f"{kind} of {whose} ssh-keygen reads the same in both"):
            path = enroll(place, whose, kind, f"{kind}-{whose[:4]}")
            same(place.public(path).split()[0], KINDS[kind], "type")
            for args in ("-y",), ("-l",), ("-l", "-v", "-E", "md5"):
                answers = {who: run(place, who, *args, "-f", path).stdout for who in ("ours", "Debian's")}
                same(answers["ours"], answers["Debian's"], f"{args}")
            same(run(place, "ours", "-y", "-f", path).stdout.decode().split()[:2], place.public(path).split(), "public key")
    with tap.case("the words are OpenSSH's"):
        words = [run(place, whose, "-t", "ed25519-sk", "-w", library(), "-N", "", "-f", f"words-{whose[:4]}") for whose in ("ours", "Debian's")]
        shown = [w.stdout.decode().replace("Debi", "ours").splitlines()[:5] for w in words]
        same(shown[0], shown[1], "lines")
        same(shown[0][1], TOUCH, "line")
    with tap.case("a passphrase protects the file, in either program"):
        path = enroll(place, "ours", "ed25519-sk", "locked")
        for whose, old, new in ("ours", "", "first"), ("Debian's", "first", "second"), ("ours", "second", ""):
            same(run(place, whose, "-q", "-p", "-P", old, "-N", new, "-f", path).returncode, 0, whose)
        same(run(place, "Debian's", "-y", "-P", "", "-f", path).stdout.decode().split()[:2], place.public(path).split(), "public key")


def check_attestation(tap, place):
    with tap.case("an attestation has the same bytes in both"):
        place.write("challenge", "a challenge\n")
        blobs = []
        for whose in "ours", "Debian's":
            name = f"attested-{whose[:4]}"
            enroll(place, whose, "ecdsa-sk", name, "-O", f"challenge={place.path('challenge')}", "-O", f"write-attestation={place.path(name)}.att")
            blobs.append(place.read(f"{name}.att"))
        same(blobs[0], blobs[1], "attestation")
        parts = [b"ssh-sk-attest-v01", b"certificate", b"a challenge\n", b"authdata"]
        same(blobs[0], b"".join(struct.pack(">I", len(p)) + p for p in parts) + bytes(8), "fields")
    with tap.case("options are checked as OpenSSH's"):
        for options in ["application=web:"], ["sideways"], ["challenge=/nonexistent"], ["user"]:
            said = [run(place, whose, "-t", "ed25519-sk", "-w", library(), "-N", "", "-f", "never", "-O", options[0]) for whose in ("ours", "Debian's")]
            same([d.returncode for d in said], [255, 255], f"{options}")
            same(said[0].stderr, said[1].stderr, f"{options}")
        same(os.path.exists(place.path("never")), False, "file")


def flags_of(place, path):
    """The flags byte of an unencrypted key file."""
    data = base64.b64decode("".join(place.read(os.path.basename(path)).decode().split("\n")[1:-2]))
    at = data.rindex(b"ssh:") + 4
    return data[at]


def check_flags(tap, place):
    with tap.case("what is asked of the authenticator stands in the file, and -p -O changes it"):
        path = enroll(place, "ours", "ed25519-sk", "flags", "-O", "no-touch-required")
        same(flags_of(place, path), 0, "without touch")
        for option, flags in ("touch-required", 1), ("verify-required", 5), ("no-touch-required", 4), ("no-verify-required", 0):
            same(run(place, "ours", "-q", "-p", "-P", "", "-N", "", "-O", option, "-f", path).returncode, 0, option)
            same(flags_of(place, path), flags, option)
        plain = place.key("ed25519", "plain")
        for key, option in (path, "sideways"), (plain, "touch-required"):
            same(run(place, "ours", "-p", "-P", "", "-N", "", "-O", option, "-f", key).returncode, 255, option)


def check_residents(tap, place):
    store = place.path("store-resident")
    os.mkdir(store)
    env = {"SOFT_SK_STORE": store, "SOFT_SK_PIN": PIN}
    wanted = {"id_ed25519_sk_rk": [], "id_ecdsa_sk_rk_work": ["-O", "application=ssh:work"], "id_ed25519_sk_rk_me": ["-O", "user=me"],
              "id_ed25519_sk_rk_h.example_you": ["-O", "application=ssh://h.example", "-O", "user=you"],
              "id_ed25519_sk_rk_2f": ["-O", "user=/"]}
    with tap.case("resident keys are made by either program"):
        publics = {}
        for (name, options), whose in zip(wanted.items(), itertools.cycle(("ours", "Debian's"))):
            path = enroll(place, whose, "ecdsa-sk" if "ecdsa" in name else "ed25519-sk", f"made-{name}", "-O", "resident", *options, **env)
            publics[name] = place.public(path)
    with tap.case("-K brings them all, under the names and in the words of OpenSSH's"):
        found = {}
        for whose in "ours", "Debian's":
            folder = place.path(f"download-{whose[:4]}")
            os.mkdir(folder)
            done = place.run([keygen(whose), "-K", "-w", library(), "-N", ""], env=place.env | env | asking(place, PIN), cwd=folder)
            same((done.returncode, asked(place)), (0, ["Enter PIN for authenticator: "]), f"{whose}: status, prompts")
            found[whose] = (sorted(os.listdir(folder)), sorted(done.stdout.splitlines()), done.stderr)
            for name, public in publics.items():
                with open(f"{folder}/{name}.pub", encoding="ascii") as f:
                    same(" ".join(f.read().split()[:2]), public, f"{whose} {name}")
        same(found["ours"], found["Debian's"], "files, words")
        same(sorted(set(wanted) | {f"{n}.pub" for n in wanted}), found["ours"][0], "files")
    with tap.case("what exists already is overwritten only if the person says so"):
        args = ["-q", "-t", "ed25519-sk", "-w", library(), "-N", "", "-O", "resident", "-f", "again"]
        done = run(place, "ours", *args, stdin=b"n\n", **env)
        same((done.returncode, b"'ssh:' with user id 'null' already exists" in done.stdout, os.path.exists(place.path("again"))), (1, True, False), "no")
        same(run(place, "ours", *args, stdin=b"y\n", **env).returncode, 0, "yes")
        same(flags_of(place, place.path("again")), 0x21, "flags")
    with tap.case("a wrong PIN, and none, bring nothing"):
        os.mkdir(place.path("empty"))
        for answers in ["9999", "9998", "9997", "9996", PIN], []:
            done = place.run([keygen("ours"), "-K", "-w", library(), "-N", ""], env=place.env | env | asking(place, *answers), cwd=place.path("empty"))
            same((done.returncode != 0, os.listdir(place.path("empty"))), (True, []), f"{answers}")
            same(len(asked(place)) <= 4, True, "prompts")
    with tap.case("an authenticator without keys is no error"):
        os.mkdir(place.path("none"))
        none = {"SOFT_SK_PIN": PIN, "SOFT_SK_STORE": place.path("none")}
        done = place.run([keygen("ours"), "-K", "-w", library()], env=place.env | asking(place, PIN) | none)
        same((done.returncode, done.stderr), (0, b"No keys to download\r\n"), "words")


def check_trouble(tap, place):
    made = ["-t", "ed25519-sk", "-N", "", "-f", "never"]
    with tap.case("a provider that crashes, lies, refuses or is not there makes no key, and one line says why"):
        for trouble, words in {"crash": b"ssh-sk-helper ended without an answer", "junk": b"", "refuse": b"the authenticator refused (-1)",
                               "gone": b"device not found"}.items():
            done = run(place, "ours", *made, "-w", library(), SOFT_SK_TROUBLE=trouble)
            same((done.returncode, done.stderr.count(b"\n"), words in done.stderr), (255, 1, True), f"{trouble}: {done.stderr}")
        same(run(place, "ours", *made, "-w", library(), SSH_SK_HELPER="/nonexistent").stderr.count(b"no such program"), 1, "no helper")
    with tap.case("what a provider does at exit is not begun: the answer is out, and who asked ends the helper at any moment"):
        for n in range(5):
            enroll(place, "ours", "ed25519-sk", f"linger-{n}", SOFT_SK_TROUBLE="linger")
    with tap.case("only a library of the right kind is loaded"):
        os.mkfifo(place.path("fifo"))
        bad = {place.path("nothing"): b"No such file", place.path("fifo"): b"is not an OpenSSH FIDO library", place.folder: b"is not",
               place.write("text", "sk_api_version\0"): b"is not", "/proc/self/exe": b"is not", programs.ours("ssh-keygen"): b"is not",
               "libnothing-at-all.so": b"dlopen failed"}
        for provider, words in bad.items():
            done = run(place, "ours", *made, "-w", provider)
            same((done.returncode, words in done.stderr), (255, True), f"{provider}: {done.stderr}")
    with tap.case("without a provider it is USB, where nothing is plugged in"):
        done = run(place, "ours", *made)
        same((done.returncode, b"device not found" in done.stderr), (255, True), f"{done.stderr}")
    same(os.path.exists(place.path("never")), False, "file")
    with tap.case("a signature that is not good does not leave"):
        enroll(place, "ours", "ed25519-sk", "liar")
        place.write("text", "text")
        for trouble in "lie", "junk", "crash":
            done = run(place, "ours", "-Y", "sign", "-n", "x", "-f", "liar", "text", SSH_SK_PROVIDER=library(), SOFT_SK_TROUBLE=trouble)
            same((done.returncode != 0, os.path.exists(place.path("text.sig"))), (True, False), trouble)
    with tap.case("a signature of ours is good to OpenSSH's, and the reverse"):
        for kind, (signer, checker) in itertools.product(KINDS, (("ours", "Debian's"), ("Debian's", "ours"))):
            name = enroll(place, "ours", kind, f"sig-{kind}-{signer[:4]}")
            done = run(place, signer, "-Y", "sign", "-n", "x", "-f", name, stdin=b"text", SSH_SK_PROVIDER=library())
            same(done.returncode, 0, f"{signer}: {done.stderr}")
            place.write("signature", done.stdout)
            same(run(place, checker, "-Y", "check-novalidate", "-n", "x", "-s", "signature", stdin=b"text").returncode, 0, checker)


# ---- logging in ----

def authorize(server, lines):
    path = next(line.split()[1] for line in open(server.config, encoding="ascii") if line.startswith("AuthorizedKeysFile"))
    with open(path, "w", encoding="ascii") as f:
        f.write("".join(f"{line}\n" for line in lines))


def serve(place, whose, *options):
    program = programs.ours("sshd") if whose == "ours" else programs.foreign("sshd")
    server = servers.sshd(place, program, options, user_keys=["ed25519"], log=f"sshd-{whose[:4]}-{len(options)}.log")
    server.config = place.path(f"sshd_config-{server.port}")
    return server


def login(place, client, server, key, batch="yes", **env):
    """Status and output of `echo in` with this key and no other."""
    program = programs.ours("ssh") if client == "ours" else programs.foreign("ssh")
    options = [f"IdentityFile {key}", f"SecurityKeyProvider {library()}", f"BatchMode {batch}", "PreferredAuthentications publickey"]
    argv = clients.ssh_argv(place, program, server, options)
    config = place.path(f"ssh_config-{server.port}")
    lines = [line for line in place.read(os.path.basename(config)).decode().splitlines() if place.key("ed25519") not in line]
    place.write(os.path.basename(config), "\n".join(lines) + "\n")
    done = place.run([*argv, "127.0.0.1", "echo in"], env=place.env | env)
    return done.returncode, done.stdout.decode().strip()


def check_logins(tap, place):
    keys = {name: place.path(name) for kind in KINDS for name in (f"{kind}-ours", f"{kind}-Debi")}
    for where in "ours", "Debian's":
        server = serve(place, where)
        authorize(server, [place.public(key) for key in keys.values()])
        for client, (name, key) in itertools.product(("ours", "Debian's"), keys.items()):
            with tap.case(f"{client} ssh logs in to {where} sshd with {name[:-5]} made by {'ours' if name.endswith('ours') else 'OpenSSH'}"):
                same(login(place, client, server, key), (0, "in"), "login")
        with tap.case(f"{where} sshd turns away a key that is not authorized, and ssh says nothing wrong"):
            authorize(server, [place.public(keys["ecdsa-sk-ours"])])
            same(login(place, "ours", server, keys["ed25519-sk-ours"])[0], 255, "login")
        place.stop(server.process)


def check_requirements(tap, place):
    """Touch and PIN: what the key's file asks of the authenticator, and what the server demands."""
    pinned = {"SOFT_SK_PIN": PIN}
    made = {"touch": [], "untouched": ["no-touch-required"], "PIN": ["verify-required"], "PIN-only": ["verify-required", "no-touch-required"]}
    keys = {name: enroll(place, "ours", "ed25519-sk", f"req-{name}", *[a for o in options for a in ("-O", o)], **(pinned | asking(place, PIN)))
            for name, options in made.items()}
    rows = [("", [], {"touch", "PIN"}), ("no-touch-required", [], set(made)), ("verify-required", [], {"PIN"}),
            ("verify-required,no-touch-required", [], {"PIN", "PIN-only"}), ("", ["PubkeyAuthOptions touch-required"], {"touch", "PIN"}),
            ("", ["PubkeyAuthOptions verify-required"], {"PIN"}), ("no-touch-required", ["PubkeyAuthOptions touch-required"], {"touch", "PIN"})]
    for where in "ours", "Debian's":
        for option, config, want in rows:
            with tap.case(f"{where} sshd, line \"{option}\", {' '.join(config) or 'no PubkeyAuthOptions'}"):
                server = serve(place, where, *config)
                authorize(server, [f"{option} {place.public(key)}".strip() for key in keys.values()])
                got = {name for name, key in keys.items()
                       if login(place, "ours", server, key, "no", **(pinned | asking(place, PIN))) == (0, "in")}
                place.stop(server.process)
                same(got, want, "keys that get in")


def check_pins(tap, place):
    pinned = {"SOFT_SK_PIN": PIN}
    server = serve(place, "Debian's")
    key = enroll(place, "ours", "ed25519-sk", "pinned", "-O", "verify-required", **(pinned | asking(place, PIN)))
    authorize(server, [place.public(key)])
    prompt = f"Enter PIN for ED25519-SK key {key}: "
    for answers, status, prompts in ([PIN], 0, 1), (["9999", PIN], 0, 2), (["9999", "9998", "9997", PIN], 255, 3), ([], 255, 1):
        with tap.case(f"ssh asks for the PIN: {answers or 'no answer'}"):
            same(login(place, "ours", server, key, "no", **(pinned | asking(place, *answers)))[0], status, "status")
            same(asked(place), [prompt] * prompts, "prompts")
    with tap.case("in BatchMode nobody is asked"):
        same(login(place, "ours", server, key, "yes", **(pinned | asking(place, PIN)))[0], 255, "status")
        same(asked(place), [], "prompts")
    place.stop(server.process)


def check_agents(tap, place):
    """A key in an agent, which asks the authenticator: each program with each."""
    key = place.path("ed25519-sk-ours")
    server = serve(place, "Debian's")
    authorize(server, [place.public(key)])
    public = place.write("in-agent.pub", place.public(key) + "\n")[:-4]
    for holder, adder in itertools.product(("ours", "Debian's"), repeat=2):
        with tap.case(f"{adder} ssh-add gives a key to {holder} agent, which signs by the provider"):
            at = place.path(f"agent-{holder[:4]}-{adder[:4]}")
            program = programs.ours if holder == "ours" else programs.foreign
            agent = place.start([program("ssh-agent"), "-D", "-a", at, "-P", library()], "agent.log")
            wait_for("the agent", lambda: os.path.exists(at) or agent.poll() is not None)
            add = (programs.ours if adder == "ours" else programs.foreign)("ssh-add")
            done = place.run([add, "-S", library(), key], env=place.env | {"SSH_AUTH_SOCK": at})
            same(done.returncode, 0, f"ssh-add: {done.stderr}")
            argv = clients.ssh_argv(place, programs.ours("ssh"), server, [f"IdentityAgent {at}", f"IdentityFile {public}"])
            same(place.run([*argv, "127.0.0.1", "echo in"]).stdout, b"in\n", "login")
            place.stop(agent)
    place.stop(server.process)


class Holder:
    """An agent with what it takes to ask for a PIN."""

    number = 0

    def __init__(self, place, whose, **env):
        Holder.number += 1
        self.place, self.at = place, place.path(f"holder-{Holder.number}")
        program = programs.ours if whose == "ours" else programs.foreign
        self.process = place.start([program("ssh-agent"), "-D", "-a", self.at, "-P", library()], "agent.log", env=place.env | env)
        wait_for("the agent", lambda: os.path.exists(self.at) or self.process.poll() is not None)

    def add(self, whose, *args, **env):
        program = (programs.ours if whose == "ours" else programs.foreign)("ssh-add")
        return self.place.run([program, *args], env=self.place.env | {"SSH_AUTH_SOCK": self.at} | env)

    def listing(self):
        return sorted(line.split()[:2] for line in self.add("ours", "-L").stdout.decode().splitlines() if line.startswith("sk-"))

    def login(self, server, public):
        argv = clients.ssh_argv(self.place, programs.ours("ssh"), server, [f"IdentityAgent {self.at}", f"IdentityFile {public}"])
        return self.place.run([*argv, "127.0.0.1", "echo in"]).stdout == b"in\n"


def check_resident_adds(tap, place):
    """ssh-add -K: what an authenticator keeps goes into the agent."""
    store = place.path("store-add")
    os.mkdir(store)
    env = {"SOFT_SK_STORE": store, "SOFT_SK_PIN": PIN}
    keys = [enroll(place, "ours", kind, f"add-{kind}", "-O", "resident", "-O", f"application=ssh:{kind}", **env) for kind in KINDS]
    want = sorted(place.public(key).split() for key in keys)
    server = serve(place, "ours")
    for holder, adder in itertools.product(("ours", "Debian's"), repeat=2):
        with tap.case(f"{adder} ssh-add -K gives {holder} agent the resident keys, which log in"):
            agent = Holder(place, holder, **env)
            done = agent.add(adder, "-K", "-S", library(), **(env | asking(place, PIN)))
            same((done.returncode, asked(place), agent.listing()), (0, ["Enter PIN for authenticator: "], want), f"status, prompts, keys; {done.stderr}")
            lines = sorted(line.split(b" SHA256")[0] for line in done.stderr.splitlines())
            same(lines, [b"Resident identity added: ECDSA-SK", b"Resident identity added: ED25519-SK"], "words")
            for key in keys:
                public = place.write("resident.pub", place.public(key) + "\n")[:-4]
                authorize(server, [place.public(key)])
                same(agent.login(server, public), True, key)
            place.stop(agent.process)
    with tap.case("a wrong PIN, none, and an authenticator without keys: the end is OpenSSH's"):
        agent, empty = Holder(place, "ours", **env), {"SOFT_SK_PIN": PIN, "SOFT_SK_STORE": place.path("none")}
        os.makedirs(empty["SOFT_SK_STORE"], exist_ok=True)
        for answers, how in (["9999"], env), ([], env), ([PIN], empty):
            ends = [agent.add(whose, "-K", "-S", library(), **(how | asking(place, *answers))).returncode for whose in ("ours", "Debian's")]
            same(ends[0], ends[1], f"status with {answers}")
        same(agent.listing(), [], "keys")
        place.stop(agent.process)
    place.stop(server.process)


def check_agent_pins(tap, place):
    """A key that wants its PIN for every use, in the agent: it is asked by askpass, each time."""
    pinned = {"SOFT_SK_PIN": PIN}
    key = enroll(place, "ours", "ed25519-sk", "pinned-agent", "-O", "verify-required", **(pinned | asking(place, PIN)))
    server = serve(place, "ours")
    authorize(server, [f"verify-required {place.public(key)}"])
    public = place.write("pinned-in-agent.pub", place.public(key) + "\n")[:-4]
    for holder in "ours", "Debian's":
        with tap.case(f"{holder} agent asks for the PIN of a key that wants it for every use"):
            agent = Holder(place, holder, **(pinned | asking(place, PIN, PIN)))
            same(agent.add("ours", "-S", library(), key).returncode, 0, "ssh-add")
            same((agent.login(server, public), agent.login(server, public)), (True, True), "logins")
            pins = [line for line in asked(place) if "PIN" in line]
            same((len(pins), all(line.startswith("Enter PIN") for line in pins)), (2, True), f"questions {asked(place)}")
            place.stop(agent.process)
    with tap.case("wrong PINs: our agent asks three times at most, a second time may be right; none is given: no login"):
        for answers, works, questions in (["1", "2", "3", PIN], False, 3), (["1", PIN], True, 2), ([], False, 1):
            agent = Holder(place, "ours", **(pinned | asking(place, *answers)))
            agent.add("ours", "-S", library(), key)
            same((agent.login(server, public), len([line for line in asked(place) if "PIN" in line])), (works, questions), f"login, questions with {answers}")
            place.stop(agent.process)
    place.stop(server.process)


def notifier(place):
    """An environment in which SSH_ASKPASS notes what it is to show and for what, and then is the person who touches the authenticator."""
    for old in "shown", "touched":
        if os.path.exists(place.path(old)):
            os.unlink(place.path(old))
    script = place.write("shows", f"#!/bin/sh\nprintf '%s|%s|%s\\n' \"$SSH_ASKPASS_PROMPT\" \"$1\" $$ >>{place.folder}/shown\n"
                         f"case $1 in *PIN*) rm -f {place.folder}/touched; echo {PIN}; exit ;; esac\n>{place.folder}/touched\nexec sleep 600\n", 0o755)
    return {"SSH_ASKPASS": script, "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0", "SOFT_SK_TOUCH": place.path("touched"), "SOFT_SK_PIN": PIN}


def shown(place):
    """[(hint, text)], and that nobody shows it any more."""
    lines = [line.split("|") for line in place.read("shown").decode().splitlines()]
    wait_for("the end of what was shown", lambda: not any(os.path.exists(f"/proc/{pid}") for *_, pid in lines))
    return [(hint, text) for hint, text, _ in lines]


def check_notices(tap, place):
    """Without a terminal SSH_ASKPASS says that an authenticator waits to be touched, for as long as it does, as OpenSSH's programs have it."""
    server, key = serve(place, "Debian's"), place.path("ed25519-sk-ours")
    pinned = enroll(place, "ours", "ed25519-sk", "notice-pin", "-O", "verify-required", **({"SOFT_SK_PIN": PIN} | asking(place, PIN)))
    authorize(server, [place.public(key), place.public(pinned)])
    for batch in "yes", "no":
        with tap.case(f"ssh without a terminal, BatchMode {batch}: askpass shows what is to be touched"):
            words = {}
            for client in "ours", "Debian's":
                same(login(place, client, server, key, batch, **notifier(place)), (0, "in"), f"{client} ssh")
                words[client] = shown(place)
            same(words["ours"], words["Debian's"], "hint, text")
            same([(hint, text.split(" SHA256")[0]) for hint, text in words["ours"]], [("none", "Confirm user presence for key ED25519-SK")], "hint, text")
    with tap.case("ssh: PIN first, then what is to be touched"):
        same(login(place, "ours", server, pinned, "no", **notifier(place)), (0, "in"), "login")
        same([hint for hint, _ in shown(place)][-2:], ["", "none"], "hints")
    with tap.case("ssh-keygen -Y sign without a terminal: by askpass, and on stderr as OpenSSH 9.2's has it only there"):
        signing = ["-Y", "sign", "-n", "x", "-f", key]
        done = run(place, "ours", *signing, stdin=b"text", **({"SSH_SK_PROVIDER": library()} | notifier(place)))
        (hint, text), = shown(place)
        same((done.returncode, hint, text.encode() in done.stderr), (0, "none", True), f"status, hint; {done.stderr}")
        same(text.encode() in run(place, "Debian's", *signing, stdin=b"text", SSH_SK_PROVIDER=library()).stderr, True, "OpenSSH's words")
    with tap.case("the agent shows it, too, and again after a PIN"):
        agent = Holder(place, "ours", **notifier(place))
        agent.add("ours", "-S", library(), pinned)
        public = place.write("notice-in-agent.pub", place.public(pinned) + "\n")[:-4]
        same(agent.login(server, public), True, "login")
        same([hint for hint, _ in shown(place)][-2:], ["", "none"], "hints")
        place.stop(agent.process)
    place.stop(server.process)


def main():
    room.enter(as_self=True)
    tap = Tap()
    with Place() as place:
        check_files(tap, place)
        check_attestation(tap, place)
        check_flags(tap, place)
        check_residents(tap, place)
        check_trouble(tap, place)
        check_pins(tap, place)
        check_logins(tap, place)
        check_agents(tap, place)
        check_resident_adds(tap, place)
        check_agent_pins(tap, place)
        check_notices(tap, place)
        check_requirements(tap, place)
    tap.end()


main()
