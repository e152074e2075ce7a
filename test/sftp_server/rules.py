#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What the server's settings forbid: -R, -P, -p, -u, -d, -l, ChrootDirectory, ForceCommand. The same flags for sftp-server and internal-sftp."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
import wire  # noqa: E402
from place import Place  # noqa: E402
from tap import PATIENCE, Skip, Tap, same, wait_for  # noqa: E402
from wire import F_APPEND, F_CREAT, F_READ, F_TRUNC, F_WRITE, attrs, text, u32, u64  # noqa: E402

W = wire
FOLDER_FLAGS = {"R": "-R", "P": "-P remove,rename,posix-rename,read", "p": "-p open,close,write,stat,realpath", "u": "-u 0027",
                "d": "-d {top}/sub", "l": "-l VERBOSE -f LOCAL7", "bad": "-P wirte"}


class Live:
    """A session with one of two servers, with flags, in a folder of its own."""

    def __init__(self, place, kind, name, server):
        self.place, self.kind, self.top = place, kind, place.path(f"{kind}-{name}")
        os.makedirs(f"{self.top}/sub", exist_ok=True)
        with open(f"{self.top}/file", "w", encoding="ascii") as f:
            f.write("content")
        for path in self.top, f"{self.top}/sub", f"{self.top}/file":
            os.chmod(path, 0o777)
        flags = FOLDER_FLAGS[name].format(top=self.top).split()
        if kind == "sftp-server":
            argv = [programs.ours("sftp-server"), *flags, *(["-e"] if name == "l" else [])]
        else:
            argv = [*clients.ssh_argv(place, programs.foreign("ssh"), server), "-s", "127.0.0.1", name]
        with open(place.path(f"log-{kind}-{name}"), "wb") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0, env=place.env, cwd=self.top)
        place.processes.append(self.process)

    def wire(self):
        return W.Wire(self.process.stdout.fileno(), self.process.stdin.fileno())

    def path(self, name):
        return f"{self.top}/{name}"

    def end(self):
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


def read_only(tap, live):
    w, p = live.wire(), live.path
    with tap.case(f"{live.kind} -R: reading goes on"):
        same(w.read_file(p("file")), b"content", "content")
    for flags in F_WRITE, F_READ | F_WRITE, F_READ | F_CREAT, F_READ | F_TRUNC, F_READ | F_APPEND | F_CREAT, F_CREAT:
        with tap.case(f"{live.kind} -R: open with {flags} is refused, and makes or cuts no file"):   # CVE-2017-15906
            for name in "file", "new":
                same(w.status(W.OPEN, text(p(name)), u32(flags), attrs()), W.DENIED, name)
            same((os.path.exists(p("new")), os.path.getsize(p("file"))), (False, 7), "files")
    h = w.open(p("file"))
    refused = {"write": (W.WRITE, text(h), u64(0), text(b"x")), "setstat": (W.SETSTAT, text(p("file")), attrs(size=0)),
               "fsetstat": (W.FSETSTAT, text(h), attrs(mode=0)), "remove": (W.REMOVE, text(p("file"))), "mkdir": (W.MKDIR, text(p("m")), attrs()),
               "rmdir": (W.RMDIR, text(p("sub"))), "rename": (W.RENAME, text(p("file")), text(p("f2"))),
               "symlink": (W.SYMLINK, text("x"), text(p("l")))}
    for name, args in {"posix-rename@openssh.com": [text(p("file")), text(p("f2"))], "hardlink@openssh.com": [text(p("file")), text(p("f2"))],
                       "fsync@openssh.com": [text(h)], "lsetstat@openssh.com": [text(p("file")), attrs(mode=0)],
                       "copy-data": [text(h), u64(0), u64(0), text(h), u64(0)]}.items():
        refused[name] = (W.EXTENDED, text(name), *args)
    before = W.tree(live.top)
    for name, request in refused.items():
        with tap.case(f"{live.kind} -R: {name} is refused"):
            same(w.status(*request), W.DENIED, "status")
    with tap.case(f"{live.kind} -R: nothing has changed; what is refused is not offered"):
        same(W.tree(live.top), before, "tree")
        same("posix-rename@openssh.com" in w.extensions, False, "offer")
        same(live.end(), 0, "exit status")


def denied(tap, live):
    w, p = live.wire(), live.path
    with tap.case(f"{live.kind} -P: what is listed is refused, all else goes on"):
        same(w.status(W.REMOVE, text(p("file"))), W.DENIED, "remove")
        same(w.status(W.RENAME, text(p("file")), text(p("f2"))), W.DENIED, "rename")
        same(w.status(W.EXTENDED, text("posix-rename@openssh.com"), text(p("file")), text(p("f2"))), W.DENIED, "posix-rename")
        h = w.open(p("file"), F_READ | F_WRITE)
        same(w.status(W.READ, text(h), u64(0), u32(1)), W.DENIED, "read")
        same(w.status(W.WRITE, text(h), u64(0), text(b"C")), W.OK, "write")
        same(w.status(W.MKDIR, text(p("made")), attrs()), W.OK, "mkdir")
        w.close(h)
        h = w.open(p("file"))
        same(w.ask(W.FSTAT, text(h))[0], W.ATTRS, "fstat of what may not be read")
    live.end()


def allowed(tap, live):
    w, p = live.wire(), live.path
    with tap.case(f"{live.kind} -p: nothing but what is listed"):
        h = w.open(p("file"), F_WRITE)
        same(w.status(W.WRITE, text(h), u64(0), text(b"C")), W.OK, "write")
        same(w.status(W.READ, text(h), u64(0), u32(1)), W.DENIED, "read")
        same(w.status(W.FSTAT, text(h)), W.DENIED, "fstat")
        same(w.status(W.LSTAT, text(p("file"))), W.DENIED, "lstat")
        same(w.ask(W.STAT, text(p("file")))[0], W.ATTRS, "stat")
        same(w.status(W.OPENDIR, text(live.top)), W.DENIED, "opendir")
        same(w.extensions, {}, "extensions")
    live.end()


def masked(tap, live):
    w, p = live.wire(), live.path
    with tap.case(f"{live.kind} -u: its mask is on what is made"):
        w.close(w.open(p("new"), F_WRITE | F_CREAT, attrs(mode=0o100666)))
        w.ask(W.MKDIR, text(p("made")), attrs(mode=0o777))
        same((os.stat(p("new")).st_mode & 0o777, os.stat(p("made")).st_mode & 0o777), (0o640, 0o750), "modes")
    live.end()


def started(tap, live):
    w = live.wire()
    with tap.case(f"{live.kind} -d: the session begins there"):
        _, r = w.ask(W.REALPATH, text("."))
        same((r.u32(), r.text()), (1, f"{live.top}/sub".encode()), "realpath")
        _, r = w.extended("expand-path@openssh.com", text("~/x"))
        same((r.u32(), r.text()), (1, f"{live.top}/sub/x".encode()), "~")
    live.end()


def logged(tap, live, log):
    w, p = live.wire(), live.path
    with tap.case(f"{live.kind} -l: a line a step, in OpenSSH's words, names made harmless"):
        h = w.open(p("new"), F_WRITE | F_CREAT | F_TRUNC, attrs(mode=0o100644))
        w.ask(W.WRITE, text(h), u64(0), text(b"12345"))
        w.close(h)
        w.read_file(p("file"))
        w.list(live.top)
        w.status(W.REMOVE, text(p("evil\nsession opened\x1b[2J")))
        w.status(W.SETSTAT, text(p("new")), attrs(size=3, mode=0o600))
        left = w.open(p("file"))
        live.end()
        same(bool(left), True, "handle")
        top = live.top
        user = room.user() if live.kind == "internal-sftp" else "root" if os.geteuid() == 0 else room.user()
        client = "127.0.0.1" if live.kind == "internal-sftp" else "UNKNOWN"
        want = [f"session opened for local user {user} from [{client}]", f'open "{top}/new" flags WRITE,CREATE,TRUNCATE mode 0644',
                f'close "{top}/new" bytes read 0 written 5', f'open "{top}/file" flags READ mode 0666', f'close "{top}/file" bytes read 7 written 0',
                f'opendir "{top}"', f'closedir "{top}"', f'remove name "{top}/evil\\012session opened\\033[2J"', "sent status No such file",
                f'set "{top}/new" size 3', f'set "{top}/new" mode 0600', f'forced close "{top}/file" bytes read 0 written 0',
                f"session closed for local user {user} from [{client}]"]
        lines = wait_for("end of the session in the log", lambda: (found := log().splitlines()) and any(want[-1] in line for line in found) and found)
        at = 0
        for line in want:
            if line not in lines[at:]:
                raise AssertionError(f"not there, or not in its turn: {line}\n" + "\n".join(lines[-60:]))
            at = lines.index(line, at) + 1
    return lines


def mistaken(tap, live):
    with tap.case(f"{live.kind}: a rule that names no request is no session"):
        live.process.stdin.close()
        same((live.process.stdout.read(), live.process.wait(PATIENCE)), (b"", 1), "output and status")


def check_kind(tap, place, kind, server):
    steps = {"R": read_only, "P": denied, "p": allowed, "u": masked, "d": started, "bad": mistaken}
    for name, step in steps.items():
        step(tap, Live(place, kind, name, server))
    live = Live(place, kind, "l", server)
    name = server.log if kind == "internal-sftp" else f"log-{kind}-l"
    logged(tap, live, lambda: place.read(name).decode().replace("\r", ""))


def check_options(tap, place):
    def run(*args):
        return place.run([programs.ours("sftp-server"), *args])
    with tap.case("sftp-server -Q requests names what -P and -p know"):
        done = run("-Q", "requests")
        names = done.stdout.decode().split()
        same((done.returncode, names[:3], len(set(names)) == len(names)), (0, ["open", "close", "read"], True), "names")
        same(run("-P", ",".join(names), "-h").returncode, 1, "all of them denied")
    with tap.case("sftp-server -h, wrong flags and wrong values end with usage or a word, and status 1"):
        for args in [["-h"], ["-x"], ["-u", "9"], ["-u", "01000"], ["-l", "LOUD"], ["-f", "NOWHERE"], ["-P", "a", "-P", "b"], ["-d"]]:
            done = run(*args)
            same((done.returncode, b"usage: sftp-server" in done.stderr), (1, True), args)
        same(run("-Q", "ciphers").returncode, 255, "-Q ciphers")


# ---- shut in ----

def furnish_jail():
    """A folder that is root's from the first component on."""
    top = f"{room.FOLDER}/jail"
    os.makedirs(f"{top}/home/{room.TESTER}")
    os.makedirs(f"{top}/etc")
    os.chown(f"{top}/home/{room.TESTER}", room.TESTER_ID, room.TESTER_ID)
    with open(f"{top}/etc/passwd", "w", encoding="ascii") as f:
        f.write(f"inside:x:{room.TESTER_ID}:{room.TESTER_ID}::/home/{room.TESTER}:/bin/sh\n")
    with open(f"{room.FOLDER}/outside", "w", encoding="ascii") as f:
        f.write("not for you")
    return top


ESCAPES = ["/../outside", "../../../../outside", "/home/../../outside", f"{room.FOLDER}/outside", "/proc/1/root/etc/passwd", "/proc/self/cwd",
           "/out-link", "/up-link/outside", "..", "/.."]


def shut_in(tap, place):
    top = furnish_jail()
    outside = W.tree(f"{room.FOLDER}/home") | {"outside": open(f"{room.FOLDER}/outside", "rb").read()}
    server = servers.sshd(place, programs.ours("sshd"), ["Subsystem sftp internal-sftp -l INFO", f"ChrootDirectory {room.FOLDER}/jail",
                                                         "ForceCommand internal-sftp -l INFO -d /home/%u"], log="jail.log")
    argv = clients.ssh_argv(place, programs.foreign("ssh"), server)
    os.symlink(f"{room.FOLDER}/outside", f"{top}/out-link")
    os.symlink("../../../..", f"{top}/up-link")
    process = subprocess.Popen([*argv, "-s", "127.0.0.1", "sftp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=place.env)
    place.processes.append(process)
    w = W.Wire(process.stdout.fileno(), process.stdin.fileno())
    with tap.case("chroot: / is the folder, and -d is inside"):
        _, r = w.ask(W.REALPATH, text("."))
        same((r.u32(), r.text()), (1, f"/home/{room.TESTER}".encode()), "start")
        same({name for name, _, _ in w.list("/")}, {b".", b"..", b"home", b"etc", b"out-link", b"up-link"}, "root")
    for path in ESCAPES:
        with tap.case(f"chroot: {path} leads nowhere"):
            kind, r = w.ask(W.OPEN, text(path), u32(F_READ), attrs())
            same((kind, r.u32() != 0) if kind == W.STATUS else kind, (W.STATUS, True), "open")
            _, r = w.ask(W.REALPATH, text(path))
            if r.u32() == 1:
                same(r.text().startswith(room.FOLDER.encode()) and path != f"{room.FOLDER}/outside", False, "realpath")
            w.status(W.OPEN, text(path), u32(F_WRITE | F_CREAT | F_TRUNC), attrs())
            w.status(W.REMOVE, text(path))
            w.status(W.RENAME, text(f"/home/{room.TESTER}"), text(path))
            w.status(W.EXTENDED, text("hardlink@openssh.com"), text(path), text(f"/home/{room.TESTER}/h"))
    with tap.case("chroot: the user's own place in it can be written to, links go no further"):
        home = f"/home/{room.TESTER}"
        h = w.open(f"{home}/new", F_WRITE | F_CREAT)
        same(w.status(W.WRITE, text(h), u64(0), text(b"in")), W.OK, "write")
        w.close(h)
        same(w.status(W.SYMLINK, text(f"{room.FOLDER}/outside"), text(f"{home}/link")), W.OK, "symlink")
        same(w.status(W.OPEN, text(f"{home}/link"), u32(F_READ), attrs()), W.NO_SUCH_FILE, "open")
        line = [line for name, line, _ in w.list(home) if name == b"new"][0]
        same(line.split()[2], b"inside", "owner by the folder's own passwd")
    with tap.case("chroot: nothing outside has changed"):
        same(W.tree(f"{room.FOLDER}/home") | {"outside": open(f"{room.FOLDER}/outside", "rb").read()}, outside, "tree")
    process.stdin.close()
    process.wait(PATIENCE)
    for what, args in [("a command", ["127.0.0.1", "id"]), ("a shell", ["127.0.0.1"]), ("a shell on a terminal", ["-tt", "127.0.0.1"])]:
        with tap.case(f"ForceCommand internal-sftp: {what} is not to be had"):
            done = place.run([*argv, *args], timeout=PATIENCE)
            same((done.returncode, done.stdout.strip()), (1, b"This service allows sftp connections only."), "status, output")
    with tap.case("ForceCommand internal-sftp: no subsystem but a configured one"):
        same(place.run([*argv, "-s", "127.0.0.1", "other"], timeout=PATIENCE).returncode != 0, True, "status")
    with tap.case("chroot: a folder that others may write to is refused"):
        os.chmod(top, 0o777)
        done = place.run([*argv, "-s", "127.0.0.1", "sftp"], timeout=PATIENCE)
        same(done.returncode != 0, True, "status")
        wait_for("reason in the log", lambda: f'bad ownership or modes for chroot directory "{top}"' in place.read("jail.log").decode())
        os.chmod(top, 0o755)


def chroot_shell(tap, place):
    """A session with a shell inside: the smallest root that has one."""
    top = f"{room.FOLDER}/shell-jail"
    with tap.case("chroot: a command and a terminal in there"):
        shell = programs.foreign("busybox")
        if b"statically" not in place.run(["file", "-L", shell]).stdout and b"not a dynamic" not in place.run(["ldd", shell]).stderr:
            raise Skip("no static shell")
        os.makedirs(f"{top}/bin")
        place.run(["cp", shell, f"{top}/bin/sh"], check=True)
        server = servers.sshd(place, programs.ours("sshd"), [f"ChrootDirectory {top}"], log="shell-jail.log")
        argv = clients.ssh_argv(place, programs.foreign("ssh"), server)
        same(place.run([*argv, "127.0.0.1", "cd /; echo *"], timeout=PATIENCE).stdout, b"bin\n", "root")
        same(b"bin" in place.run([*argv, "-tt", "127.0.0.1", "cd /; echo *"], timeout=PATIENCE).stdout, True, "root on a terminal")


def main():
    inside = room.enter()
    tap = Tap()
    with Place() as place:
        check_options(tap, place)
        subsystems = [f"Subsystem {name} internal-sftp {flags.format(top=place.path(f'internal-sftp-{name}'))}" for name, flags in FOLDER_FLAGS.items()]
        server = servers.sshd(place, programs.ours("sshd"), subsystems)
        for kind in "sftp-server", "internal-sftp":
            check_kind(tap, place, kind, server)
        if inside and os.geteuid() == 0:
            shut_in(tap, place)
            chroot_shell(tap, place)
        else:
            tap.skip("ChrootDirectory", "needs root and a mount namespace")
    tap.end()


main()
