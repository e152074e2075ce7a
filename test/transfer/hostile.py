#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Clients that mean harm (TRUST T11): out of a chroot, with other files' handles, with more opens than there are descriptors, with lengths that
cannot be, and without ever reading an answer. Nothing outside changes, nothing inside leaks, memory stays bounded, others are served."""
import contextlib
import os
import random
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import transfer  # noqa: E402
import wire  # noqa: E402
from place import Place  # noqa: E402
import room  # noqa: E402
from tap import Skip, Tap, same, wait_for  # noqa: E402
from wire import text, u32, u64  # noqa: E402

SECRET = b"nobody inside may read this"
MEMORY_MB = 80
ESCAPES = ["..", "../..", "/..", "/../..", "a/../..", "/./../", "//..//..", "../../../../../../..", "/proc/self/root", "/proc/1/root", "/proc/self/cwd/..",
           "/dev/fd/0", "./../.", "work/../..", "/work/../../"]


@contextlib.contextmanager
def session(site):
    """A Wire, and the server's processes that serve it."""
    before = {pid for pid, _ in transfer.family(site.server.process.pid)}
    talk = wire.Wire(site.ssh_subsystem())
    try:
        yield talk, [pid for pid, _ in transfer.family(site.server.process.pid) if pid not in before]
    finally:
        talk.end()
        wait_for("end of the session", lambda: not {pid for pid, program in transfer.family(site.server.process.pid) if program == "sshd"} - before)


def others_served(site):
    with session(site) as (talk, _):
        same(talk.alive(), True, "another session is served")


# ---- the chroot ----

def prison(site):
    """JAIL/work belongs to the user, JAIL/up leads out by links; beside it what nobody may reach."""
    jail, outside = f"{room.FOLDER}/jail", f"{room.FOLDER}/outside"
    for folder in jail, outside:
        shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(f"{jail}/work/a")
    os.makedirs(f"{outside}/folder")
    for path in f"{outside}/secret", f"{outside}/folder/secret", f"{room.FOLDER}/secret":
        with open(path, "wb") as f:
            f.write(SECRET)
    os.chmod(outside, 0o777)
    for link, target in ("up", ".."), ("abs", outside), ("abs-file", f"{outside}/secret"), ("root", "/"), ("far", "../" * 20 + outside[1:]):
        os.symlink(target, f"{jail}/work/{link}")
    site.give(f"{jail}/work")
    return jail, outside


def attack(talk, path):
    """Everything that takes a path, on one path; what came back."""
    said = []
    for kind, parts in [(wire.OPEN, [u32(wire.F_READ), wire.NO_ATTRS]), (wire.OPEN, [u32(wire.F_WRITE | wire.F_CREAT | wire.F_TRUNC), wire.NO_ATTRS]),
                        (wire.STAT, []), (wire.LSTAT, []), (wire.READLINK, []), (wire.REALPATH, []), (wire.OPENDIR, []), (wire.REMOVE, []),
                        (wire.RMDIR, []), (wire.MKDIR, [wire.NO_ATTRS]), (wire.SETSTAT, [u32(4), u32(0o777)])]:
        got, _, rest = talk.ask(kind, text(path), *parts)
        said.append(rest)
        if got == wire.HANDLE:
            said.append(talk.ask(wire.READ, rest, u64(0), u32(1000))[2])
            said.append(talk.ask(wire.READDIR, rest)[2])
            talk.ask(wire.WRITE, rest, u64(0), text("written from inside"))
            talk.ask(wire.FSETSTAT, rest, u32(1), u64(3))
            talk.ask(wire.CLOSE, rest)
    for name in "check-file-name", "expand-path@openssh.com", "statvfs@openssh.com", "space-available", "lsetstat@openssh.com":
        more = {"check-file-name": [text("sha256"), u64(0), u64(0), u32(0)], "lsetstat@openssh.com": [u32(4), u32(0o777)]}.get(name, [])
        said.append(talk.extended(name, text(path), *more)[2])
    for kind in "posix-rename@openssh.com", "hardlink@openssh.com":
        said.append(talk.extended(kind, text(path), text("/work/stolen"))[2])
        said.append(talk.extended(kind, text("/work/mine"), text(path))[2])
    talk.ask(wire.RENAME, text(path), text("/work/stolen2"))
    talk.ask(wire.SYMLINK, text(path), text(f"/work/link-{talk.number}"))
    said.append(talk.ask(wire.OPEN, text(f"/work/link-{talk.number - 1}/secret"), u32(1), wire.NO_ATTRS)[2])
    return b"".join(said)


def chroot_escapes(tap, place):
    with tap.case("no path leads out of a chroot, by dots, links, names that links have"):
        if not transfer.IN_ROOM_AS_ROOT:
            raise Skip("needs root and a mount namespace")
        site = transfer.Site(place, [f"ChrootDirectory {room.FOLDER}/jail", "ForceCommand internal-sftp"])
        jail, outside = prison(site)
        with open(f"{jail}/work/mine", "wb") as f:
            f.write(b"mine")
        site.give(f"{jail}/work")
        before = transfer.facts(outside)
        paths = [*ESCAPES, *[f"{escape}{outside}{end}" for escape in ("", "..", "/..", "/../..", "/work/up/..")
                             for end in ("", "/secret", "/folder", "/folder/new")],
                 *[f"/work/{link}{end}" for link in ("up", "abs", "abs-file", "root", "far")
               for end in ("", "/", "/secret", "/..", f"/../..{outside}/secret")],
                 "~root", "~root/x", "~/../../secret", outside[1:], ""]
        with session(site) as (talk, _):
            for path in paths:
                said = attack(talk, path)
                if SECRET in said:
                    raise AssertionError(f"{path!r} leaks")
            same(talk.alive(), True, "alive")
        transfer.same_trees(transfer.facts(outside), before)
        with open(f"{room.FOLDER}/secret", "rb") as f:
            same(f.read(), SECRET, "what is beside the chroot")
        site.place.stop(site.server.process)
        tap.note(f"{len(paths)} paths")


# ---- handles ----

def handle_confusion(tap, site):
    with tap.case("a handle is only ever its own file's"):
        for name in "one", "two":
            with open(f"{site.there}/{name}", "wb") as f:
                f.write(name.encode())
        site.give(site.there)
        with session(site) as (talk, _), session(site) as (other, _):
            one, folder = talk.open(f"{site.there}/one")[0], talk.ask(wire.OPENDIR, text(site.there))[2][4:]
            foreign = [other.open(f"{site.there}/two")[0] for _ in range(5)][-1]
            refused = [(wire.READ, folder, u64(0) + u32(9)), (wire.WRITE, folder, u64(0) + text("x")), (wire.FSTAT, folder, b""), (wire.READDIR, one, b""),
                       (wire.WRITE, one, u64(0) + text("x")), (wire.READ, foreign, u64(0) + u32(9))]
            for kind, handle, rest in refused:
                got, status, _ = talk.ask(kind, text(handle), rest)
                same((got, status == wire.OK), (wire.STATUS, False), f"{kind} with a handle of another kind")
            talk.ask(wire.CLOSE, text(one))
            two = talk.open(f"{site.there}/two")[0]
            got, status, _ = talk.ask(wire.READ, text(one), u64(0), u32(9))
            same((got, status == wire.OK), (wire.STATUS, False), "a closed handle")
            same(talk.ask(wire.CLOSE, text(one))[1] == wire.OK, False, "closing twice")
            same(talk.ask(wire.READ, text(two), u64(0), u32(9))[2], text("two"), "the open one")
            source = random.Random(1)
            for length in [*range(20), 255, 256]:
                for _ in range(20):
                    junk = source.randbytes(length)
                    same(talk.ask(wire.READ, text(junk), u64(0), u32(9))[0] == wire.DATA and junk != two, False, f"a made-up handle {junk!r}")
            for i in range(len(two) * 8):
                bent = bytearray(two)
                bent[i // 8] ^= 1 << i % 8
                if bytes(bent) != folder:
                    same(talk.ask(wire.READ, text(bytes(bent)), u64(0), u32(9))[0], wire.STATUS, f"a handle with bit {i} turned")


def many_opens(tap, site):
    count = 1000000 if transfer.LONG else 20000
    with tap.case(f"{count} opens, none closed: refused from some number on, memory bounded, then all is well again"):
        with open(f"{site.there}/file", "wb") as f:
            f.write(b"x")
        site.give(site.there)
        with session(site) as (talk, pids):
            handles, refused, batch = [], 0, 500
            for _ in range(count // batch):
                talk.send_raw(b"".join(talk.message(wire.OPEN, text(f"{site.there}/file"), u32(wire.F_READ), wire.NO_ATTRS) for _ in range(batch)))
                for _ in range(batch):
                    kind, _, rest = talk.reply()
                    if kind == wire.HANDLE:
                        handles.append(rest[4:])
                    else:
                        refused += 1
            same(len(handles) + refused, count, "answers")
            if not 64 <= len(handles) <= 10000:
                raise AssertionError(f"{len(handles)} handles at once")
            bounded(pids)
            for handle in handles:
                same(talk.ask(wire.CLOSE, text(handle))[1], wire.OK, "close")
            same(talk.open(f"{site.there}/file")[1], None, "open after all that")
            tap.note(f"{len(handles)} were given")


def bounded(pids):
    mb = transfer.memory_kb(pids) / 1024
    if mb > MEMORY_MB:
        raise AssertionError(f"the session holds {mb:.0f} MB, more than {MEMORY_MB}")
    return mb


# ---- lengths ----

def huge_lengths(tap, site):
    with open(f"{site.there}/file", "wb") as f:
        f.write(b"content")
    site.give(site.there)
    frames = {
        "length 2^32 - 1": u32(0xffffffff), "length 2^31": u32(1 << 31) + b"\x03", "length 0": u32(0),
        "a message over 256 KiB that is no WRITE": u32(300000) + bytes([wire.STAT]) + u32(1) + text(b"a" * 299000),
        "a string beyond its message": u32(13) + bytes([wire.STAT]) + u32(1) + u32(0xfffffff0) + b"abcd",
        "a WRITE whose data is longer than its message": u32(40) + bytes([wire.WRITE]) + u32(1) + text(b"hand") + u64(0) + u32(0x7fffffff) + b"x" * 15,
        "2^32 - 1 attributes": u32(21) + bytes([wire.SETSTAT]) + u32(1) + text(b"f") + u32(0x80000000) + u32(0xffffffff) + b"abc",
        "a second INIT": u32(5) + bytes([wire.INIT]) + u32(3)}
    for name, frame in frames.items():
        with tap.case(f"{name}: refused or the session ends; others are served"):
            with session(site) as (talk, pids):
                try:
                    talk.send_raw(frame)
                    talk.send_raw(talk.message(wire.REALPATH, text(".")) * 3, timeout=1)
                    bounded(pids)
                    talk.process.stdin.close()
                    while talk.reply()[0]:
                        pass
                except (wire.Ended, OSError):
                    pass
            others_served(site)
    with tap.case("offsets and lengths at the edges of their types"):
        with session(site) as (talk, pids):
            handle = talk.open(f"{site.there}/file", wire.F_READ | wire.F_WRITE)[0]
            for offset in (1 << 63) - 1, 1 << 63, (1 << 64) - 1:
                same(talk.ask(wire.READ, text(handle), u64(offset), u32(100))[0], wire.STATUS, f"READ at {offset}")
                same(talk.ask(wire.WRITE, text(handle), u64(offset), text("xyz"))[1] == wire.OK, False, f"WRITE at {offset}")
            kind, _, rest = talk.ask(wire.READ, text(handle), u64(0), u32(0xffffffff))
            same((kind, rest), (wire.DATA, text("content")), "READ of 2^32 - 1 bytes")
            talk.ask(wire.FSETSTAT, text(handle), u32(1), u64((1 << 64) - 1))
            same(os.path.getsize(f"{site.there}/file"), 7, "size")
            same(talk.alive(), True, "alive")
            bounded(pids)


# ---- never reading ----

def endless(tap, site):
    with open(f"{site.there}/large", "wb") as f:
        os.truncate(f.fileno(), 64 << 20)
    for i in range(300):
        with open(f"{site.there}/{'n' * 200}{i}", "wb"):
            pass
    site.give(site.there)
    requests = {"READs of 256 KB": lambda talk, file: talk.message(wire.READ, text(file), u64(0), u32(261120)),
                "STATs": lambda talk, file: talk.message(wire.STAT, text(site.there)),
                "OPENDIRs": lambda talk, file: talk.message(wire.OPENDIR, text(site.there)),
                "WRITEs": lambda talk, file: talk.message(wire.WRITE, text(file), u64(0), text(b"w" * 30000)),
                "hashes": lambda talk, file:
                talk.message(wire.EXTENDED, text("check-file-handle"), text(file), text("sha256"), u64(0), u64(0), u32(256))}
    for name, make in requests.items():
        with tap.case(f"{name} without end, no answer ever read: memory bounded, others are served"):
            with session(site) as (talk, pids):
                file = talk.open(f"{site.there}/large", wire.F_READ | wire.F_WRITE)[0]
                sent, most = 0, 0
                while sent < 48 << 20:
                    piece = b"".join(make(talk, file) for _ in range(2000))
                    went = talk.send_raw(piece, timeout=2)
                    sent += went
                    most = max(most, bounded(pids))
                    if went < len(piece):
                        break
                others_served(site)
                bounded(pids)
                tap.note(f"took {sent >> 10} KiB, held {most:.0f} MB")


def main():
    room.enter()
    tap, only = Tap(), sys.argv[1:]
    with Place() as place:
        if not only or "chroot_escapes" in only:
            chroot_escapes(tap, place)
        site = transfer.Site(place)
        for part in handle_confusion, many_opens, huge_lengths, endless:
            if not only or part.__name__ in only:
                part(tap, site)
    tap.end()


main()
