#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ssh-copy-id with our programs and Debian's, to our server and Debian's, in each shell that is there."""
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Place  # noqa: E402
from tap import Skip, Tap, same  # noqa: E402

SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}


class Bench:
    """One server, one folder of clients on PATH, one shell."""

    def __init__(self, place, server, clients, shell):
        self.place, self.server, self.shell = place, server, [programs.foreign(SHELLS[shell][0]), *SHELLS[shell][1:]]
        self.home = place.path("home")
        os.makedirs(f"{self.home}/.ssh", 0o700, exist_ok=True)
        self.env = place.env | {"HOME": self.home, "PATH": f"{clients}:{programs.PATH}" if clients else programs.PATH}
        self.config = place.write("config", "\n".join([
            f"User {place.user}", f"Port {server.port}", f"UserKnownHostsFile {place.write('known_hosts', server.known_hosts())}",
            "GlobalKnownHostsFile /dev/null", f"IdentityFile {place.key('ed25519')}", "IdentitiesOnly yes", "StrictHostKeyChecking yes",
            "LogLevel ERROR"]) + "\n")
        self.file = f"{place.home}/.ssh/authorized_keys"
        self.known = place.public(place.key("ed25519")) + " ed25519\n"
        self.key = place.key("rsa", "new")
        self.line = place.public(self.key) + " test\n"

    def reset(self, text=None):
        """The server's authorized_keys: only the key that the configuration names, so that a new one can be added by it."""
        shutil.rmtree(f"{self.place.home}/.other", ignore_errors=True)
        with open(self.file, "w", encoding="ascii") as f:
            f.write(self.known if text is None else text)
        self.give(self.file)

    def give(self, path):
        if self.place.user != "root":
            shutil.chown(path, self.place.user)

    def authorized(self, path=None):
        with open(path or self.file, encoding="ascii") as f:
            return f.read()

    def run(self, *args, host="127.0.0.1", status=0):
        done = self.place.run([*self.shell, programs.ours("ssh-copy-id"), "-F", self.config, *args, host], env=self.env)
        same(done.returncode, status, f"status of {args}; it said:\n{done.stdout.decode()}{done.stderr.decode()}\n")
        return done.stdout.decode(), done.stderr.decode()


def check(tap, b, name, how):
    with tap.case(f"{name}: adds a key, once"):
        b.reset()
        out, err = b.run("-i", b.key, *how)
        same(b.authorized(), b.known + b.line, "authorized_keys")
        same("Number of key(s) added: 1" in out and "1 key(s) remain" in err, True, f"in {out}{err}")
        out, err = b.run("-i", f"{b.key}.pub", *how)
        same(b.authorized(), b.known + b.line, "authorized_keys, again")
        same("All keys were skipped" in err, True, f"in {err}")
    with tap.case(f"{name}: a last line without newline stays a line of its own; -f adds a second copy; -n none"):
        b.reset(b.known[:-1])
        b.run("-f", "-i", b.key, *how)
        b.run("-fi", b.key, *how)
        same(b.authorized(), b.known + b.line * 2, "authorized_keys")
        b.reset()
        out, _ = b.run("-n", "-i", b.key, *how)
        same((b.authorized(), b.line in out), (b.known, True), f"authorized_keys, key in {out}")
    with tap.case(f"{name}: -t, and a folder that is not there yet"):
        b.reset()
        b.run("-i", b.key, "-t", ".other/a 'b' $c", *how)
        same((b.authorized(f"{b.place.home}/.other/a 'b' $c"), b.authorized()), (b.line, b.known), "files")


def combinations():
    """(client, server, shell, ways of ssh-copy-id): all in --long, else each client, server and shell at least once."""
    every = [("ours", "ours", shell, ([], ["-s"])) for shell in SHELLS] + [
        (client, server, "dash", ([], ["-s"])) for client, server in (("Debian's", "ours"), ("ours", "Debian's"), ("Debian's", "Debian's"))]
    share = [("ours", "ours", "dash", ([], ["-s"])), ("ours", "ours", "busybox", (["-s"],)), ("Debian's", "Debian's", "bash", ([],))]
    return every if os.environ.get("NACRE_LONG") else share


def check_words(tap, b):
    with tap.case("-i without a file takes the newest id*.pub that is no certificate; -i host is no file"):
        for number, kind in enumerate(["id_old", "id_new", "id_cert-cert"]):
            path = b.place.key("ecdsa256", kind)
            shutil.copy(f"{path}.pub", f"{b.home}/.ssh/{kind}.pub")
            os.utime(f"{b.home}/.ssh/{kind}.pub", (1000 + number, 1000 + number))
        for args in ["-i"], ["-i", "-f"], ["-fi"]:
            b.reset()
            b.run(*args)
            same(b.authorized(), b.known + b.place.public(b.place.path("id_new")) + " test\n", f"authorized_keys after {args}")
    with tap.case("several keys of a file, options and comments in it"):
        text = "".join(f"{b.place.public(b.place.path(kind))} {kind}\n" for kind in ("id_old", "id_new"))
        many = b.place.write("many.pub", "# mine\n\n  \nno-pty " + text.rstrip("\n"))
        b.reset()
        b.run("-f", "-i", many)
        same(b.authorized(), b.known + "no-pty " + text, "authorized_keys")
    with tap.case("mistakes: status 1 and a line"):
        for args, why in {("-i", "/nonexistent"): "failed to open ID file '/nonexistent.pub': No such file", ("-Q",): "Illegal option -Q",
                          ("-i", b.key, "other"): "Too many arguments", ("-i", b.key, "-i", b.key): "more than once", ("-h",): "Usage: "}.items():
            same(why in b.run(*args, status=1)[1], True, f"{why!r} for {args}")
        b.place.write("oops.pub", b.place.read("new"))
        same("holds a private key" in b.run("-i", b.place.path("oops.pub"), status=1)[1], True, "private key")
        same("invalid hostname" in b.run("-i", b.key, "--", host="-oProxyCommand=touch x", status=1)[1], True, "host")
    with tap.case("an unreachable host is an error, and nothing is said to be added"):
        out, _ = b.run("-i", b.key, "-p", "1", status=1)
        same(out, "", "output")
    with tap.case("-s does not replace a file that it cannot read"):
        path = f"{b.place.home}/closed"
        with open(path, "w", encoding="ascii") as f:
            f.write("precious\n")
        os.chmod(path, 0)
        b.give(path)
        b.reset()
        out, _ = b.run("-f", "-s", "-i", b.key, "-t", "closed", status=1)
        os.chmod(path, 0o600)
        same((b.authorized(path), out, os.path.exists(f"{path}.ssh-copy-id")), ("precious\n", "", False), "file, output, leftover")


def main():
    inside = room.enter()
    tap = Tap()
    with Place() as place:
        if not inside:
            raise SystemExit("1..0 # SKIP no mount namespace")
        ours = programs.gather(programs.build_folder())
        for server_name, program in {"ours": programs.ours("sshd"), "Debian's": programs.foreign("sshd")}.items():
            sftp = programs.ours("sftp-server") if server_name == "ours" else "/usr/lib/openssh/sftp-server"
            server = servers.sshd(place, program, [f"Subsystem sftp {sftp}"], user_keys=["ed25519"], log=f"{server_name}.log")
            for clients_name, _, shell, ways in (row for row in combinations() if row[1] == server_name):
                name = f"{clients_name} client, {server_name} server, {shell}"
                try:
                    bench = Bench(place, server, ours if clients_name == "ours" else None, shell)
                except Skip as why:
                    tap.skip(name, why)
                    continue
                for way in ways:
                    check(tap, bench, " ".join([name, *way]), way)
            place.stop(server.process)
        server = servers.sshd(place, programs.ours("sshd"), user_keys=["ed25519"], log="words.log")
        check_words(tap, Bench(place, server, ours, "dash"))
    tap.end()


main()
