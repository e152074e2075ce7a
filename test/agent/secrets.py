#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What another program of the same user, a core dump, or the agent's own memory afterwards, tells of the keys (TRUST T18)."""
import base64
import contextlib
import os
import pwd
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
from agents import SUCCESS, Agent, string
from place import Place
from tap import Skip, Tap, same, wait_for

NOBODY = pwd.getpwnam("nobody").pw_uid

# Run as the user of the agent: each way into another process; prints those that opened.
SPY = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
pid, address = int(sys.argv[1]), int(sys.argv[2], 16)
class Vec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
def attach(how):
    libc.ptrace.argtypes = [ctypes.c_long] * 2 + [ctypes.c_void_p] * 2
    if libc.ptrace(how, pid, None, None) != 0: raise OSError(ctypes.get_errno(), "ptrace")
def vm():
    room = ctypes.create_string_buffer(16)
    here, there = Vec(ctypes.addressof(room), 16), Vec(address, 16)
    if libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) < 0: raise OSError(ctypes.get_errno(), "readv")
def opens(name):
    with open(f"/proc/{pid}/{name}", "rb", 0) as f:
        if name == "mem": f.seek(address)
        f.read(1)
ways = {"attach": lambda: attach(16), "seize": lambda: attach(0x4206), "vm_readv": vm,
        "fds": lambda: os.listdir(f"/proc/{pid}/fd")}
for name in "mem", "maps", "environ", "auxv", "stack", "syscall":
    ways[name] = lambda name=name: opens(name)
for name, way in ways.items():
    try:
        way()
        print(name)
    except OSError:
        pass
"""


def numbers(path, place):
    """The secret numbers of an unencrypted key file: what must not be found."""
    text = place.run(["openssl", "pkey", "-in", path, "-noout", "-text"], check=True).stdout.decode()
    found = {}
    for name in "privateExponent", "prime1", "prime2", "exponent1", "coefficient":
        digits = re.search(rf"{name}:\s*((?:[0-9a-f]{{2}}:?\s*)+)", text)
        if digits:
            found[name] = bytes.fromhex(re.sub(r"[:\s]", "", digits[1])).lstrip(b"\0")
    return found


def secrets_of(place):
    """Keys added by the test, and bytes that only they have."""
    rsa, ed = place.path("rsa"), place.key()
    place.run([programs.any_keygen(), "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", rsa], check=True)
    with open(ed, encoding="ascii") as f:
        raw = base64.b64decode("".join(f.read().split("\n")[1:-2]))
    public = base64.b64decode(place.public(ed).split()[1])[-32:]
    at = raw.rindex(public)
    return [rsa, ed], numbers(rsa, place) | {"seed": raw[at - 32:at]}


def maps(pid):
    """(from, to, name, flags) of each mapping."""
    found = []
    with open(f"/proc/{pid}/smaps", encoding="ascii") as f:
        for line in f:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
            if head:
                found.append([int(head[1], 16), int(head[2], 16), head[4], []])
            elif line.startswith("VmFlags:"):
                found[-1][3] = line.split()[1:]
    return found


def hits(pid, secrets):
    """[(name of the secret, mapping, its flags)] in the memory of a process; for root only."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for begin, end, name, flags in maps(pid):
            if name in ("[vvar]", "[vsyscall]") or "rd" not in flags:
                continue
            mem.seek(begin)
            with contextlib.suppress(OSError):
                data = mem.read(end - begin)
                found += [(what, name, flags) for what, bits in secrets.items() for order in (bits, bits[::-1]) if order in data]
    return found


def as_user(place):
    """How to run what must not be root; and files for it."""
    if os.geteuid() != 0:
        return {}
    os.chown(place.folder, NOBODY, NOBODY)
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def an_address(pid):
    """One that is mapped there, as far as we may know."""
    try:
        with open(f"/proc/{pid}/maps", encoding="ascii") as f:
            return f.readline().split("-")[0]
    except OSError:
        return "10000"


def spied(tap, place, how):
    shutil.copy(programs.ours("ssh-agent"), place.path("ssh-agent"))
    shutil.copy("/bin/sleep", place.path("sleep"))
    sock = place.path("user.sock")
    agent = place.start([place.path("ssh-agent"), "-D", "-a", sock], "user.log", **how)
    wait_for("socket", lambda: os.path.exists(sock))
    spy = [programs.foreign("python3"), "-c", SPY]
    with tap.case("ptrace, /proc/PID/mem and the like are refused to the same user"):
        control = place.start([place.path("sleep"), "1000"], "sleep.log", **how)
        open_ways = place.run([*spy, str(control.pid), an_address(control.pid)], **how).stdout.split()
        if not {b"mem", b"maps", b"attach"} <= set(open_ways):
            raise Skip(f"here no process of the same user can be looked into: {open_ways}")
        same(place.run([*spy, str(agent.pid), an_address(agent.pid)], **how).stdout.split(), [], "ways that are open")
    with tap.case("no core file: the limit is 0, and it cannot be raised"):
        with open(f"/proc/{agent.pid}/limits", encoding="ascii") as f:
            same(re.search(r"Max core file size\s+(\S+)\s+(\S+)", f.read()).groups(), ("0", "0"), "limits")
    with tap.case("another user's connection is closed without an answer"):
        if os.geteuid() != 0:
            raise Skip("needs root")
        os.chmod(sock, 0o666)
        ask = "import socket, sys\ns = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\ntry:\n    s.sendall(bytes([0, 0, 0, 1, 11])); " \
              "print(s.recv(9))\nexcept ConnectionError:\n    print(b'')"
        other = {"user": 12345, "group": 12345, "extra_groups": []}
        same(place.run([programs.foreign("python3"), "-c", ask, sock], **other).stdout, b"b''\n", "answer")
        same(place.run([programs.foreign("python3"), "-c", ask, sock], **how).stdout, b"b'\\x00\\x00\\x00\\x05\\x0c\\x00\\x00\\x00\\x00'\n", "its own user's")


def scanned(tap, place):
    if os.geteuid() != 0:
        tap.skip("no secret in a core dump", "needs root")
        return
    keys, secrets = secrets_of(place)
    agent = Agent(place, programs.ours("ssh-agent"))
    pid = agent.process.pid
    for key in keys:
        same(agent.add(key).returncode, 0, "add")
        same(agent.add("-T", f"{key}.pub").returncode, 0, "use")
    with tap.case("while it holds keys they are only where core dumps do not look"):
        found = hits(pid, secrets)
        same({what for what, _, _ in found} >= {"seed", "privateExponent"}, True, "the scan finds what is there")
        same([(what, name) for what, name, flags in found if "dd" not in flags], [], "in memory that would be dumped")
    with tap.case("gcore writes no secret"):
        gcore = programs.foreign("gcore")
        done = place.run([gcore, "-o", place.path("core"), str(pid)])
        if done.returncode:
            raise Skip(f"gcore: {done.stderr.decode()[-200:]}")
        data = place.read(f"core.{pid}")
        same([what for what, bits in secrets.items() if bits in data or bits[::-1] in data], [], f"in a core of {len(data)} bytes")
    with tap.case("once removed, nothing of them is anywhere in its memory"):
        with agent.connect() as link:
            same(link.ask(22, string("a long and telling password"))[0], SUCCESS, "lock")
            same(link.ask(23, string("a long and telling password"))[0], SUCCESS, "unlock")
        same(agent.add("-D").returncode, 0, "remove")
        same(hits(pid, secrets | {"password": b"a long and telling password"}), [], "left")


def main():
    tap = Tap()
    with Place() as place:
        try:
            spied(tap, place, as_user(place))
        except subprocess.SubprocessError as error:
            tap.skip("ptrace and the like are refused", str(error))
    with Place() as place:
        scanned(tap, place)
    tap.end()


main()
