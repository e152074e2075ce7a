#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Every request and extension to three servers in turn: OpenSSH's sftp-server, ours as a program, ours inside sshd. The replies must be alike,
and so must what is on the disk afterwards. What OpenSSH 9.2 has not is held to its document."""
import hashlib
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
from tap import PATIENCE, Tap, same  # noqa: E402
from wire import F_APPEND, F_CREAT, F_EXCL, F_READ, F_TRUNC, F_WRITE, attrs, text, u32, u64  # noqa: E402

W = wire
WHEN = 1000000000   # 2001: the lines of ls show a year, which does not change while we look
FOREIGN_SFTP_SERVER = "/usr/lib/openssh/sftp-server"


class Session:
    """A server in a folder of its own with always the same content."""

    def __init__(self, place, name, argv):
        self.top = place.path(f"top-{name}")
        furnish(self.top)
        if os.geteuid() == 0 and room.inside():
            for folder, folders, names in os.walk(self.top):
                for one in [".", *folders, *names]:
                    os.chown(os.path.join(folder, one), room.TESTER_ID, room.TESTER_ID, follow_symlinks=False)
            if "sftp-server" in argv[0]:
                argv = ["setpriv", "--reuid", str(room.TESTER_ID), "--regid", str(room.TESTER_ID), "--clear-groups", *argv]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.top, bufsize=0,
                                        env=place.env | {"HOME": place.home})
        place.processes.append(self.process)
        self.wire = W.Wire(self.process.stdout.fileno(), self.process.stdin.fileno())
        self.handles = []

    def path(self, name):
        return f"{self.top}/{name}"

    def ask(self, kind, *parts):
        """A comparable reply; what holds the folder's own name is made alike."""
        return self.alike(W.shown(*self.wire.ask(kind, *parts)))

    def extended(self, name, *parts):
        return self.ask(W.EXTENDED, text(name), *parts)

    def alike(self, what):
        if isinstance(what, bytes):
            return what.replace(self.top.encode(), b"TOP")
        if isinstance(what, (list, tuple)):
            return type(what)(self.alike(one) for one in what)
        if isinstance(what, dict):
            return {key: value for key, value in what.items() if key not in ("atime", "mtime") or value == WHEN}
        return what

    def end(self):
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


def furnish(top):
    os.makedirs(f"{top}/folder/inner")
    for name, content in {"one": b"1234567890", "empty": b"", "folder/a": b"a" * 300000, "folder/with space": b"b", "secret": b"no"}.items():
        with open(f"{top}/{name}", "wb") as f:
            f.write(content)
    os.symlink("one", f"{top}/link")
    os.symlink("nowhere/at/all", f"{top}/dangling")
    os.symlink("loop", f"{top}/loop")
    os.chmod(f"{top}/secret", 0)
    os.mkfifo(f"{top}/fifo")
    for folder, folders, names in os.walk(top, topdown=False):
        for name in folders + names:
            os.utime(f"{folder}/{name}", (WHEN, WHEN), follow_symlinks=False)
    os.utime(top, (WHEN, WHEN))


def by_name(s):
    """Requests that name a path, right and wrong: (what, reply)."""
    for name in ["one", "empty", "folder", "link", "dangling", "loop", "missing", "one/below", "secret", "x" * 255, "x" * 256, ""]:
        p = text(s.path(name) if name else "")
        for word, kind in [("stat", W.STAT), ("lstat", W.LSTAT), ("readlink", W.READLINK), ("opendir", W.OPENDIR), ("realpath", W.REALPATH)]:
            if name in ("", "folder") and word in ("stat", "lstat"):
                continue    # its size is the file system's own
            yield f"{word} {name[:9]!r}", s.ask(kind, p)
    for name in ["folder/../one", "folder//a", "./folder/.", "folder/", "link/", "missing/", "folder/missing", "missing/below", "/", "/..", "."]:
        yield f"realpath {name}", s.ask(W.REALPATH, text(name if name[0] in "/." else s.path(name)))
        yield f"expand {name}", s.extended("expand-path@openssh.com", text(name if name[0] in "/." else s.path(name)))


def changes(s):
    """Requests that change something."""
    p = s.path
    yield "mkdir", s.ask(W.MKDIR, text(p("made")), attrs(mode=0o40750))
    yield "mkdir again", s.ask(W.MKDIR, text(p("made")), attrs())
    yield "mkdir below nothing", s.ask(W.MKDIR, text(p("missing/made")), attrs())
    yield "mkdir with the usual mode", s.ask(W.MKDIR, text(p("made/usual")), attrs())
    yield "rmdir not empty", s.ask(W.RMDIR, text(p("folder")))
    yield "rmdir", s.ask(W.RMDIR, text(p("made/usual")))
    yield "rmdir a file", s.ask(W.RMDIR, text(p("one")))
    yield "remove a folder", s.ask(W.REMOVE, text(p("folder")))
    yield "remove", s.ask(W.REMOVE, text(p("folder/with space")))
    yield "remove again", s.ask(W.REMOVE, text(p("folder/with space")))
    yield "symlink", s.ask(W.SYMLINK, text("some/target"), text(p("made/link")))
    yield "symlink again", s.ask(W.SYMLINK, text("some/target"), text(p("made/link")))
    yield "hardlink", s.extended("hardlink@openssh.com", text(p("one")), text(p("made/hard")))
    yield "hardlink of nothing", s.extended("hardlink@openssh.com", text(p("missing")), text(p("made/hard2")))
    yield "rename", s.ask(W.RENAME, text(p("empty")), text(p("renamed")))
    yield "rename over a file", s.ask(W.RENAME, text(p("renamed")), text(p("one")))
    yield "rename of nothing", s.ask(W.RENAME, text(p("missing")), text(p("renamed2")))
    yield "rename a folder", s.ask(W.RENAME, text(p("folder/inner")), text(p("moved")))
    yield "rename a folder over one", s.ask(W.RENAME, text(p("moved")), text(p("made")))
    yield "rename a link", s.ask(W.RENAME, text(p("dangling")), text(p("dangling2")))
    yield "posix-rename over a file", s.extended("posix-rename@openssh.com", text(p("renamed")), text(p("made/hard")))
    yield "posix-rename of nothing", s.extended("posix-rename@openssh.com", text(p("missing")), text(p("made/x")))
    yield "setstat mode", s.ask(W.SETSTAT, text(p("one")), attrs(mode=0o104751))
    yield "setstat size", s.ask(W.SETSTAT, text(p("one")), attrs(size=4))
    yield "setstat times", s.ask(W.SETSTAT, text(p("one")), attrs(times=(WHEN, WHEN)))
    yield "setstat owner", s.ask(W.SETSTAT, text(p("one")), attrs(owner=(0, 0)))
    yield "setstat of a link is of its file", s.ask(W.SETSTAT, text(p("link")), attrs(mode=0o640))
    yield "setstat of nothing", s.ask(W.SETSTAT, text(p("missing")), attrs(mode=0o640))
    yield "setstat with nothing", s.ask(W.SETSTAT, text(p("one")), attrs())
    yield "setstat: the last failure is told", s.ask(W.SETSTAT, text(p("one")), attrs(size=5, owner=(0, 0), mode=0o600))
    yield "lsetstat times", s.extended("lsetstat@openssh.com", text(p("link")), attrs(times=(WHEN, WHEN)))
    yield "lsetstat size", s.extended("lsetstat@openssh.com", text(p("link")), attrs(size=5))
    yield "stat", s.ask(W.STAT, text(p("one")))


def open_files(s):
    """Requests about open files."""
    p, w = s.path, s.wire
    h = w.open(p("folder/a"))
    yield "read", s.ask(W.READ, text(h), u64(299990), u32(100))
    yield "read much", s.ask(W.READ, text(h), u64(0), u32(1 << 20))
    yield "read behind the end", s.ask(W.READ, text(h), u64(300000), u32(100))
    yield "read far away", s.ask(W.READ, text(h), u64(1 << 62), u32(100))
    yield "read nothing", s.ask(W.READ, text(h), u64(0), u32(0))
    yield "fstat", s.ask(W.FSTAT, text(h))
    yield "write where only reading is open", s.ask(W.WRITE, text(h), u64(0), text(b"x"))
    yield "readdir of a file", s.ask(W.READDIR, text(h))
    yield "close", s.ask(W.CLOSE, text(h))
    yield "close again", s.ask(W.CLOSE, text(h))
    yield "read of what is closed", s.ask(W.READ, text(h), u64(0), u32(1))
    h = w.open(p("new"), F_WRITE | F_CREAT | F_TRUNC, attrs(mode=0o100640))
    yield "write", s.ask(W.WRITE, text(h), u64(0), text(b"0123456789"))
    yield "write in the middle", s.ask(W.WRITE, text(h), u64(5), text(b"ABC"))
    yield "write behind a hole", s.ask(W.WRITE, text(h), u64(100000), text(b"end"))
    yield "write nothing", s.ask(W.WRITE, text(h), u64(0), text(b""))
    yield "read where only writing is open", s.ask(W.READ, text(h), u64(0), u32(10))
    yield "fsetstat", s.ask(W.FSETSTAT, text(h), attrs(size=100002, mode=0o604, times=(WHEN, WHEN)))
    yield "fsync", s.extended("fsync@openssh.com", text(h))
    yield "fstat of it", s.ask(W.FSTAT, text(h))
    w.close(h)
    for flags, name in [(F_WRITE | F_CREAT | F_EXCL, "new"), (F_WRITE, "missing"), (F_READ, "missing"), (F_READ | F_WRITE, "secret"),
                        (F_WRITE | F_CREAT, "missing/below"), (F_READ, "loop"), (F_WRITE, "folder"), (0, "one")]:
        yield f"open {name} with {flags}", s.ask(W.OPEN, text(p(name)), u32(flags), attrs())
    h = w.open(p("new"), F_WRITE | F_APPEND)
    yield "append, wherever it says", s.ask(W.WRITE, text(h), u64(0), text(b"appended"))
    w.close(h)
    h, h2 = w.open(p("folder/a")), w.open(p("copy"), F_WRITE | F_CREAT)
    yield "copy-data", s.extended("copy-data", text(h), u64(10), u64(100), text(h2), u64(50))
    yield "copy-data to the end", s.extended("copy-data", text(h), u64(1000), u64(0), text(h2), u64(150))
    yield "copy-data to itself", s.extended("copy-data", text(h), u64(0), u64(0), text(h), u64(0))
    yield "copy-data the wrong way", s.extended("copy-data", text(h2), u64(0), u64(0), text(h), u64(0))
    for one in h, h2:
        w.close(one)
    yield "an extension nobody knows", s.extended("no-such@example.com", b"xyz")


def listing(s):
    os.utime(s.path("folder"), (WHEN, WHEN))
    found = sorted(s.wire.list(s.path("folder")), key=lambda entry: entry[0])
    yield "listing", [(name, line[:10], s.alike(a)) for name, line, a in found if name not in (b".", b"..")]


GROUPS = {"by name": by_name, "open files": open_files, "changes": changes, "listing": listing}


def compare(tap, sessions):
    reference = sessions["OpenSSH"]
    for group, steps in GROUPS.items():
        want = dict(steps(reference))
        for name, session in sessions.items():
            if session is reference:
                continue
            try:
                got = dict(steps(session))
            except (AssertionError, EOFError) as why:
                tap.ok(False, f"{name}: {group}", str(why))
                continue
            for what, reply in want.items():
                tap.ok(got[what] == reply, f"{name}: {what}", f"got {str(got[what])[:300]}\nexpected {str(reply)[:300]}")
    for name, session in sessions.items():
        if session is not reference:
            with tap.case(f"{name}: the same files in the end"):
                same(W.tree(session.top), W.tree(reference.top), "tree")


def lines(tap, sessions):
    """ls -l's lines are made by the server: the same but for the link count, which depends on the file system."""
    def of(session):
        os.utime(session.top, (WHEN, WHEN))
        return [line for name, line, _ in session.wire.list(session.top) if name in (b"one", b"link", b"fifo", b"secret", b"renamed")]
    want = of(sessions["OpenSSH"])
    for name, session in sessions.items():
        if name != "OpenSSH":
            with tap.case(f"{name}: ls -l's lines"):
                same([line.split()[0] for line in of(session)], [line.split()[0] for line in want], "modes")
                same([len(line) for line in of(session)], [len(line) for line in want], "lengths")


def check_ours(tap, name, s):
    """What Debian's OpenSSH 9.2 does not have, or what would differ from machine to machine."""
    big = os.urandom(700000)
    with open(s.path("big"), "wb") as f:
        f.write(big)
    os.chmod(s.path("big"), 0o666)
    with tap.case(f"{name}: extensions"):
        want = """posix-rename@openssh.com=1 statvfs@openssh.com=2 fstatvfs@openssh.com=2 hardlink@openssh.com=1 fsync@openssh.com=1
            lsetstat@openssh.com=1 limits@openssh.com=1 expand-path@openssh.com=1 copy-data=1 home-directory=1 users-groups-by-id@openssh.com=1
            check-file-handle=1 check-file-name=1 space-available=1"""
        same(s.wire.extensions, dict(word.split("=") for word in want.split()), "extensions")
    with tap.case(f"{name}: limits"):
        _, r = s.wire.extended("limits@openssh.com")
        same([r.u64(), r.u64(), r.u64(), r.u64() > 100], [262144, 261120, 261120, True], "limits")
    with tap.case(f"{name}: statvfs, fstatvfs and space-available agree with the system"):
        v, h = os.statvfs(s.top), s.wire.open(s.path("big"))
        for ext, arg in [("statvfs@openssh.com", s.top), ("fstatvfs@openssh.com", h)]:
            _, r = s.wire.extended(ext, text(arg))
            same([r.u64(), r.u64(), r.u64()], [v.f_bsize, v.f_frsize, v.f_blocks], ext)
        s.wire.close(h)
        _, r = s.wire.extended("space-available", text(s.top))
        same(r.u64(), v.f_blocks * v.f_frsize, "space")
    with tap.case(f"{name}: home-directory, users-groups-by-id"):
        user = room.user()
        _, r = s.wire.extended("home-directory", text(user))
        same((r.u32(), r.text()), (1, os.path.expanduser(f"~{user}").encode()), "home")
        kind, r = s.wire.extended("home-directory", text("no-such-user"))
        same((kind, r.u32()), (W.STATUS, W.FAILURE), "nobody's home")
        _, r = s.wire.extended("users-groups-by-id@openssh.com", text(u32(0) + u32(4242424)), text(u32(0)))
        same([r.text(), r.text()], [text("root") + text(""), text("root")], "names")
    check_hashes(tap, name, s, big)
    with tap.case(f"{name}: a FIFO makes nobody wait, and is no file to read"):
        h = s.wire.open(s.path("fifo"))
        same(s.wire.status(W.READ, text(h), u64(0), u32(1)), W.FAILURE, "read")
        s.wire.close(h)
    with tap.case(f"{name}: one inode under two handles is not copied onto itself"):
        h, h2 = s.wire.open(s.path("big")), s.wire.open(s.path("big"), F_WRITE)
        kind, r = s.wire.extended("copy-data", text(h), u64(0), u64(0), text(h2), u64(1))
        same((kind, r.u32()), (W.STATUS, W.FAILURE), "copy")
        for one in h, h2:
            s.wire.close(one)
    with tap.case(f"{name}: a request that nobody knows is answered"):   # OpenSSH's server only logs it
        same(s.wire.status(99, b""), W.UNSUPPORTED, "status")
    check_many(tap, name, s, big)


def check_hashes(tap, name, s, big):
    h = s.wire.open(s.path("big"))
    cases = [("sha256", "md5,sha256"[4:], 0, 0, 0), ("md5", "crc32,md5", 0, 0, 0), ("sha1", "sha1", 1000, 5000, 0), ("sha512", "sha512", 0, 0, 65536),
             ("sha256", "sha256", 256, 100000, 256), ("sha384", "sha384", 700000, 0, 0)]
    for alg, offer, at, length, block in cases:
        part = big[at:at + length] if length else big[at:]
        want = b"".join(hashlib.new(alg, part[i:i + block]).digest() for i in range(0, len(part), block)) if block else hashlib.new(alg, part).digest()
        for ext, arg in [("check-file-handle", h), ("check-file-name", s.path("big"))]:
            with tap.case(f"{name}: {ext} {alg} from {at}, {length} bytes, blocks of {block}"):
                kind, r = s.wire.extended(ext, text(arg), text(offer), u64(at), u64(length), u32(block))
                same(kind, W.EXTENDED_REPLY, f"reply ({r.rest() if kind == W.STATUS else ''})")
                same((r.text(), r.text(), r.rest()), (b"check-file", alg.encode(), want), "hash")
    with tap.case(f"{name}: no hash without a known name, of a small block, of nothing"):
        for ext, arg, offer, block in [("check-file-handle", h, "crc32", 0), ("check-file-handle", h, "sha256", 255),
                                       ("check-file-name", s.path("missing"), "md5", 0)]:
            same(s.wire.extended(ext, text(arg), text(offer), u64(0), u64(0), u32(block))[0], W.STATUS, f"{ext} {offer} {block}")
    s.wire.close(h)


def check_many(tap, name, s, big):
    w = s.wire
    with tap.case(f"{name}: 500 requests under way at once, answered in full"):
        h = w.open(s.path("big"))
        ids = [w.send(W.READ, text(h), u64(i * 1400), u32(1400)) for i in range(500)]
        same(b"".join(w.reply(i)[1].text() for i in ids), big, "bytes")
        w.close(h)
    with tap.case(f"{name}: a file opened, written, changed and closed a hundred times without waiting"):
        opens = [w.send(W.OPEN, text(s.path(f"many-{i}")), u32(F_WRITE | F_CREAT | F_TRUNC), attrs()) for i in range(100)]
        rest = []
        for i, one in enumerate(opens):
            h = w.reply(one)[1].text()
            rest += [w.send(W.FSETSTAT, text(h), attrs(size=3)), w.send(W.WRITE, text(h), u64(3), text(f"file {i}")),
                     w.send(W.FSETSTAT, text(h), attrs(mode=0o600, times=(WHEN, WHEN))), w.send(W.CLOSE, text(h))]
        same({w.reply(i)[1].u32() for i in rest}, {W.OK}, "statuses")
        for i in range(100):
            st = os.stat(s.path(f"many-{i}"))
            with open(s.path(f"many-{i}"), "rb") as f:
                same((f.read(), st.st_mode & 0o777, int(st.st_mtime)), (b"\0\0\0" + f"file {i}".encode(), 0o600, WHEN), f"file {i}")
    with tap.case(f"{name}: a WRITE behind a truncation comes behind it"):
        h = w.open(s.path("many-0"), F_WRITE)
        ids = [w.send(W.FSETSTAT, text(h), attrs(size=0)), w.send(W.WRITE, text(h), u64(0), text(b"new")),
               w.send(W.SETSTAT, text(s.path("many-0")), attrs(size=1)),
               w.send(W.WRITE, text(h), u64(1), text(b"EW")), w.send(W.FSTAT, text(h)), w.send(W.CLOSE, text(h))]
        replies = [w.reply(i) for i in ids]
        same(replies[4][1].attrs()["size"], 3, "size")
        with open(s.path("many-0"), "rb") as f:
            same(f.read(), b"nEW", "content")
    with tap.case(f"{name}: more handles than there may be are refused, and the session goes on"):
        ids = [w.send(W.OPEN, text(s.path("big")), u32(F_READ), attrs()) for _ in range(6000)]
        handles = [r.text() for kind, r in map(w.reply, ids) if kind == W.HANDLE]
        same((len(handles) < 6000, len(set(handles))), (True, len(handles)), f"handles ({len(handles)})")
        ids = [w.send(W.CLOSE, text(h)) for h in handles]
        same({w.reply(i)[1].u32() for i in ids}, {W.OK}, "statuses")
        same(w.read_file(s.path("big"), 5, 10), big[5:15], "a file after that")


def broken(tap, make):
    """What no client sends: the session ends, with OpenSSH's exit status where it has one."""
    for what, data in {"a message before INIT": bytes([0, 0, 0, 5, W.STAT, 0, 0, 0, 1]), "a length beyond all": b"\xff\xff\xff\xff\1",
                       "an empty message": b"\0\0\0\0\1"}.items():
        with tap.case(f"ours: {what} ends the session"):
            process = make()
            try:
                process.stdin.write(data)
                process.stdin.close()
            except BrokenPipeError:
                pass
            process.stdout.read()
            same(process.wait(PATIENCE), 11, "exit status")


def main():
    room.enter()
    tap = Tap()
    with Place() as place:
        server = servers.sshd(place, programs.ours("sshd"), [f"Subsystem sftp{n} internal-sftp -d {place.path(f'top-sshd{n}')}" for n in ("", "2")])
        over_ssh = [*clients.ssh_argv(place, programs.foreign("ssh"), server), "-s", "127.0.0.1", "sftp"]
        alone = programs.ours("sftp-server")
        sessions = {"sshd": Session(place, "sshd", over_ssh), "sftp-server": Session(place, "alone", [alone])}
        if os.access(FOREIGN_SFTP_SERVER, os.X_OK):
            compare(tap, {"OpenSSH": Session(place, "openssh", [FOREIGN_SFTP_SERVER]), **sessions})
            lines(tap, {"OpenSSH": Session(place, "openssh2", [FOREIGN_SFTP_SERVER]), "sshd": Session(place, "sshd2", [*over_ssh[:-1], "sftp2"]),
                        "sftp-server": Session(place, "alone2", [alone])})
        else:
            tap.skip("beside OpenSSH's", "it is not installed")
        for name, session in sessions.items():
            check_ours(tap, name, session)
            with tap.case(f"{name}: ends with 0 when its client goes"):
                same(session.end(), 0, "exit status")
        for argv in [alone], over_ssh:
            broken(tap, lambda a=argv: subprocess.Popen(a, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=place.env, bufsize=0))
    tap.end()


main()
