#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""AuthorizedKeysCommand and AuthorizedPrincipalsCommand: who runs them, what they are told, and what programs gain that misbehave
(CVE-2021-41617)."""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Place  # noqa: E402
from servers import log_of  # noqa: E402
from tap import Tap, same, wait_for  # noqa: E402

RUNNER, RUNNER_ID, GROUP_ID = "nacrerunner", 5100, 5101
PROGRAM = "/etc/nacre-keys"     # the room's own copy of /etc: root's, up to the top


def furnish():
    """Who runs the programs, with a group of its own beside the first."""
    with open("/etc/passwd", "a", encoding="utf-8") as f:
        f.write(f"{RUNNER}:x:{RUNNER_ID}:{RUNNER_ID}::/nonexistent:/bin/false\n")
    with open("/etc/group", "a", encoding="utf-8") as f:
        f.write(f"{RUNNER}:x:{RUNNER_ID}:\nnacrekeys:x:{GROUP_ID}:{RUNNER}\n")


def program(text, mode=0o755, path=PROGRAM):
    with open(path, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, mode)


def start(place, *options):
    return servers.own(place, *options, user_keys=[])


def keys_by(*args, user=RUNNER):
    return [f"AuthorizedKeysCommand {' '.join([PROGRAM, *args])}", f"AuthorizedKeysCommandUser {user}"]


def login(place, server, *options, command="echo in"):
    return clients.ssh(place, programs.foreign("ssh"), server, command, options=options).stdout


def told(place):
    with open(f"{place.home}/told", encoding="utf-8") as f:
        return f.read().splitlines()


def commands(tap, place):
    public, note = place.public(place.key()), f"{place.home}/told"
    os.chmod(place.home, 0o777)     # where the programs leave a word
    server = start(place, *keys_by("%u", "%U", "%h", "%t", "%f", "%k", "%C", "%%", "'two words'"))
    with tap.case("a key that the program prints; its arguments"):
        program(f'rm -f {note}; for a; do echo "$a" >>{note}; done; chmod 666 {note}; echo "# no key"; echo "{public}"\n')
        same(login(place, server), b"in\n", "output")
        shown = place.run([programs.foreign("ssh-keygen"), "-l", "-f", place.key()], check=True).stdout.decode().split()[1]
        lines = told(place)
        same(lines[:6], [place.user, str(room.TESTER_ID), place.home, "ssh-ed25519", shown, public.split()[1]], "arguments")
        same(re.fullmatch(rf"127\.0\.0\.1 \d+ 127\.0\.0\.1 {server.port}", lines[6]) is not None, True, lines[6])
        same(lines[7:], ["%", "two words"], "the others")
    with tap.case("it runs as its user, with that user's groups and no others, and nothing else"):
        program(f"rm -f {note}; {{ id -u; id -g; id -G; env | sort; ls /proc/self/fd | wc -l; ulimit -f; ulimit -c; }} >{note} 2>&1\n"
                f"chmod 666 {note}; echo '{public}'\n")
        same(login(place, server), b"in\n", "output")
        lines = told(place)
        same((lines[0], lines[1], sorted(lines[2].split())), (str(RUNNER_ID), str(RUNNER_ID), sorted([str(RUNNER_ID), str(GROUP_ID)])), "ids")
        names = {line.split("=")[0] for line in lines[3:] if "=" in line}
        same(names - {"PWD", "SHLVL", "_", "OLDPWD"}, {"PATH", "USER", "LOGNAME", "HOME"}, "environment")
        same("unlimited" in lines, True, f"file sizes: {lines}")
    with tap.case("options in its lines bind"):
        program(f"echo 'command=\"echo bound\" {public}'\n")
        same(login(place, server), b"bound\n", "output")
    place.stop(server.process)
    with tap.case("without arguments: the name of the user"):
        server = start(place, *keys_by())
        program(f'rm -f {note}; echo "$# $1" >{note}; chmod 666 {note}; echo "{public}"\n')
        same((login(place, server), told(place)), (b"in\n", [f"1 {place.user}"]), "output, arguments")
    with tap.case("not run when a file has the key"):
        with open(f"{place.home}/.ssh/authorized_keys", "w", encoding="ascii") as f:
            f.write(public + "\n")
        os.chmod(place.home, 0o755)
        program(f"touch {place.home}/ran; exit 1\n")
        same((login(place, server), os.path.exists(f"{place.home}/ran")), (b"in\n", False), "output, ran")
        with open(f"{place.home}/.ssh/authorized_keys", "w", encoding="ascii"):
            pass
    with tap.case("for a name that does not exist it runs, too, but is told nothing of the stranger's"):
        os.chmod(place.home, 0o777)
        program(f"echo $1 >{note}; chmod 666 {note}; echo '{public}'\n")
        same(login(place, server, "User no-such-user"), b"", "output")
        same(told(place), ["nobody"], "arguments")
        os.chmod(place.home, 0o755)
    place.stop(server.process)


def misbehaving(tap, place):
    public = place.public(place.key())
    good = f"echo '{public}'\n"
    server = start(place, "LoginGraceTime 8", *keys_by("%u"))
    for name, text, line in (("ends with 3 although it printed the key", good + "exit 3\n", "failed, status 3"),
                             ("dies of a signal", good + "kill -9 $$\n", "exited on signal 9"),
                             ("prints nothing", "exit 0\n", None), ("prints no text", "head -c 300000 /dev/urandom\n", None),
                             ("prints one endless line", "head -c 90000000 /dev/zero | tr '\\0' x\n", "says too much|failed, status|exited on signal")):
        with tap.case(f"a program that {name}: refused"):
            program(text)
            same(login(place, server), b"", "output")
            if line:
                wait_for(line, lambda want=line: re.search(want, log_of(place, server)))
    with tap.case("a program that never ends is ended, with all it started"):
        program("sleep 4242 & sleep 4242\n")
        same(login(place, server), b"", "output")

        def gone():
            return not any(b"4242" in place.run(["cat", f"/proc/{pid}/cmdline"]).stdout for pid in os.listdir("/proc") if pid.isdigit())
        wait_for("its end", gone)
    with tap.case("and the next one is asked as before"):
        program(good)
        same(login(place, server), b"in\n", "output")
    for name, mode in (("others may write to", 0o757), ("its group may write to", 0o775)):
        with tap.case(f"a program that {name} is not run"):
            program(good, mode)
            same(login(place, server), b"", "output")
            wait_for("line", lambda: f'Unsafe AuthorizedKeysCommand "{PROGRAM}": bad ownership or modes for file' in log_of(place, server))
    with tap.case("nor one that is not executable"):
        program(good, 0o644)
        same(login(place, server), b"", "output")
    with tap.case("nor one that is its user's own"):
        program(good)
        os.chown(PROGRAM, RUNNER_ID, RUNNER_ID)
        same(login(place, server), b"", "output")
        os.chown(PROGRAM, 0, 0)
    place.stop(server.process)
    with tap.case("nor one below a folder that others may write to"):
        os.makedirs("/etc/nacre-open", exist_ok=True)
        program(good, path="/etc/nacre-open/keys")
        os.chmod("/etc/nacre-open", 0o777)
        server = start(place, "AuthorizedKeysCommand /etc/nacre-open/keys", f"AuthorizedKeysCommandUser {RUNNER}")
        same(login(place, server), b"", "output")
        wait_for("line", lambda: "bad ownership or modes for directory /etc/nacre-open" in log_of(place, server))
        place.stop(server.process)
    with tap.case("a user that does not exist: refused, said, and the server stays"):
        program(good)
        server = start(place, *keys_by(user="no-such-user"))
        same(login(place, server), b"", "output")
        wait_for("line", lambda: 'AuthorizedKeysCommandUser "no-such-user" not found' in log_of(place, server))
        place.stop(server.process)
    with tap.case("a command without its user: the server does not start"):
        host = place.key("ed25519", "host-ed25519")
        config = place.write("half", f"HostKey {host}\nAuthorizedKeysCommand {PROGRAM}\n")
        done = place.run([programs.ours("sshd"), "-t", "-f", config])
        same((done.returncode, b"AuthorizedKeysCommand set without AuthorizedKeysCommandUser" in done.stderr), (255, True), f"status, {done.stderr}")


def principals(tap, place):
    keygen, note = programs.foreign("ssh-keygen"), f"{place.home}/told"
    ca, key = place.key("ed25519", "ca"), place.key("ed25519", "certified")
    place.write("cas", place.public(ca) + "\n", 0o644)
    place.run([keygen, "-q", "-s", ca, "-I", "an id; $(x)", "-z", "42", "-n", "alice", key + ".pub"], check=True)
    server = start(place, f"TrustedUserCAKeys {place.path('cas')}", f"AuthorizedPrincipalsCommandUser {RUNNER}",
                   f"AuthorizedPrincipalsCommand {PROGRAM} %u %i %s %t %T %f %F %k %K")
    cert = [f"CertificateFile {key}-cert.pub", f"IdentityFile {key}"]
    os.chmod(place.home, 0o777)
    with tap.case("AuthorizedPrincipalsCommand: its answer, its arguments"):
        program(f'rm -f {note}; for a; do echo "$a" >>{note}; done; chmod 666 {note}; echo alice\n')
        same(login(place, server, *cert), b"in\n", "output")
        prints = [place.run([keygen, "-l", "-f", path], check=True).stdout.decode().split()[1] for path in (key, ca)]
        body = place.read("certified-cert.pub").decode().split()[1]
        same(told(place), [place.user, "an id; $(x)", "42", "ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519", *prints, body, place.public(ca).split()[1]],
             "arguments")
    os.chmod(place.home, 0o755)
    for name, text, want in (("another name", "echo bob\n", b""), ("options that bind", "echo 'command=\"echo bound\" alice'\n", b"bound\n"),
                             ("a failure", "echo alice; exit 1\n", b""), ("nothing", "exit 0\n", b"")):
        with tap.case(f"AuthorizedPrincipalsCommand: {name}"):
            program(text)
            same(login(place, server, *cert), want, "output")
    place.stop(server.process)
    both(tap, place, cert)


def both(tap, place, cert):
    """File and command set: the command is asked where no line of the file has a name of the certificate, and only there."""
    lines = {"another name": (b"bob\n", b"in\n"), "a name whose conditions do not hold": (b'from="10.1.1.1" alice\n', b""),
             "a name whose options nobody knows": (b"nonsense alice\n", b"in\n"), "the name": (b'command="echo bound" alice\n', b"bound\n")}
    program("echo alice\n")
    for who, path in {"ours": programs.ours("sshd"), "Debian's": programs.foreign("sshd")}.items():
        server = servers.sshd(place, path, [f"TrustedUserCAKeys {place.path('cas')}", f"AuthorizedPrincipalsFile {place.path('names')}",
                                            f"AuthorizedPrincipalsCommandUser {RUNNER}", f"AuthorizedPrincipalsCommand {PROGRAM}"],
                              user_keys=[], log=f"both-{who}.log")
        for what, (text, want) in lines.items():
            with tap.case(f"AuthorizedPrincipalsCommand beside a file with {what}, {who}"):
                place.write("names", text, 0o644)
                same(login(place, server, *cert), want, "output")
        place.stop(server.process)


def main():
    tap = Tap()
    room.enter_as_root(tap, "commands that list keys")
    furnish()
    with Place() as place:
        commands(tap, place)
        misbehaving(tap, place)
        principals(tap, place)
    tap.end()


main()
