# SPDX-License-Identifier: ISC
"""A mount namespace in which servers find a test user instead of the machine's own.

enter(), called first in a test's main, starts the program again in it: /mnt is an empty tmpfs, and in /etc/passwd the home folders
of root and of the user who runs the test are below it, so that no ~/.ssh of the machine is read or written. Run by root, there
is a further user, TESTER, with PASSWORD. Where the kernel grants no such namespace enter() returns False, and a test does
without those cases that need it.
"""
import os
import pwd
import subprocess
import sys

FOLDER = "/mnt"
TESTER = "nacretest"
TESTER_ID = 4343
PASSWORD = "only-In-this-r00m"


def inside():
    return os.environ.get("NACRE_ROOM") == "yes"


def foreign_terminals():
    """Whether another's server can open a terminal here: it gives it to the group tty, which is not in a user's own namespace."""
    return os.geteuid() == 0 or not inside()


def user():
    """Who logs in: TESTER where that is possible and nobody asked for himself, else whoever runs the test."""
    other = inside() and os.geteuid() == 0 and "NACRE_ROOM_SELF" not in os.environ
    return TESTER if other else pwd.getpwuid(os.geteuid()).pw_name


def enter(as_self=False):
    if as_self:
        os.environ["NACRE_ROOM_SELF"] = "yes"
    stage = os.environ.get("NACRE_ROOM")
    if stage == "no":
        return False
    if stage == "made":
        furnish()
        os.environ["NACRE_ROOM"] = "yes"
        drop = [] if os.geteuid() == 0 else ["setpriv", "--ambient-caps", "-all", "--inh-caps", "-all"]
        restart(drop)
    if stage != "yes":
        unshare = ["unshare", "--mount", "--propagation", "private"]
        if os.geteuid() != 0:
            unshare += ["--user", "--map-current-user", "--keep-caps"]
        trial = subprocess.run([*unshare, "mount", "-t", "tmpfs", "tmpfs", FOLDER], capture_output=True, check=False)
        os.environ["NACRE_ROOM"] = "no" if trial.returncode else "made"
        restart([] if trial.returncode else unshare)
    return True


def enter_as_root(tap, what):
    """enter(); where that is impossible, or nobody is root, all of the test is skipped and it ends."""
    if not enter() or os.geteuid() != 0:
        tap.skip(what, "needs root and a mount namespace")
        tap.end()


def restart(prefix):
    sys.stdout.flush()
    command = [*prefix, sys.executable, *sys.argv]
    os.execvp(command[0], command)


def mount(*args):
    subprocess.run(["mount", *args], check=True)


def furnish():
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", FOLDER)
    me = pwd.getpwuid(os.geteuid()).pw_name
    homes = {name: f"{FOLDER}/home/{name}" for name in ({"root", TESTER} if os.geteuid() == 0 else {me})}
    with open("/etc/passwd", encoding="utf-8") as f:
        lines = [rehome(line, homes) for line in f]
    if os.geteuid() == 0:
        lines.append(f"{TESTER}:x:{TESTER_ID}:{TESTER_ID}:Test User:{homes[TESTER]}:/bin/sh\n")
    for name, home in homes.items():
        os.makedirs(f"{home}/.ssh", 0o700)
        if name == TESTER:
            for path in home, f"{home}/.ssh":
                os.chown(path, TESTER_ID, TESTER_ID)
    if os.geteuid() == 0:
        furnish_etc(lines)
    else:
        bind("/etc/passwd", "".join(lines))


def rehome(line, homes):
    fields = line.split(":")
    if fields[0] in homes:
        fields[5] = homes[fields[0]]
    return ":".join(fields)


def bind(path, text):
    copy = f"{FOLDER}/{os.path.basename(path)}"
    with open(copy, "w", encoding="utf-8") as f:
        f.write(text)
    mount("--bind", copy, path)


def furnish_etc(passwd_lines):
    """Root's: the whole of /etc is a copy, since a bound file comes off when someone outside replaces the real one."""
    etc = f"{FOLDER}/etc"
    subprocess.run(["cp", "-a", "/etc", etc], check=True)
    crypted = subprocess.run(["openssl", "passwd", "-6", PASSWORD], capture_output=True, text=True, check=True).stdout.strip()
    with open(f"{etc}/passwd", "w", encoding="utf-8") as f:
        f.writelines(passwd_lines)
    for name, line in {"group": f"{TESTER}:x:{TESTER_ID}:", "shadow": f"{TESTER}:{crypted}:19000:0:99999:7:::"}.items():
        with open(f"{etc}/{name}", "a", encoding="utf-8") as f:
            f.write(line + "\n")
    mount("--bind", etc, "/etc")
    os.makedirs("/run/sshd", 0o755, exist_ok=True)  # Debian's sshd wants it; its own unit would make it
