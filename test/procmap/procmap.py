#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What each process of the server is and holds, before and after login, against the golden table beside this file (TRUST T17).

usage: procmap.py root|unprivileged-root|user [--print]     (--print: show the rows as they are, to compare by eye)
"""
import os
import re
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "sftp_server"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
import wire  # noqa: E402
from place import Place, free_port  # noqa: E402
from tap import PATIENCE, Tap, same, wait_for  # noqa: E402

SPACES = "net mnt ipc uts user pid cgroup".split()


# ---- reading /proc ----

def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def status(pid):
    return dict(line.split(":\t", 1) for line in read(f"/proc/{pid}/status").splitlines() if ":\t" in line)


def children(pid):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if status(name)["PPid"] == str(pid):
                    found.append(int(name))
            except (OSError, KeyError):
                continue  # it ended meanwhile
    return found


def tcp_inodes(pid):
    rows = []
    for name in "tcp", "tcp6":
        rows += read(f"/proc/{pid}/net/{name}").splitlines()[1:]
    return {row.split()[9]: "tcp-listen" if row.split()[3] == "0A" else "tcp" for row in rows}


def kind_of_fd(link, tcp, place):
    socket_inode = re.fullmatch(r"socket:\[(\d+)\]", link)
    if socket_inode:
        return tcp.get(socket_inode[1], "unix")
    link = link.removesuffix(" (deleted)")
    for pattern, kind in [(r"/dev/null", "null"), (r"anon_inode:\[?(\w+)\]?", None), (r".*/ptmx", "terminal"), (r"/dev/pts/\d+", "slave"),
                          (r"pipe:.*", "pipe"), (r"/memfd:.*", "settings"), (r".*/host-[^/]*", "hostkey"), (r".*/sshd[-a-z]*", "program"),
                          (r".*/opened", "file"),
                          (re.escape(place.folder) + r"/.*\.log", "log")]:
        found = re.fullmatch(pattern, link)
        if found:
            return kind or found[1]
    return link


def fds(pid, place):
    tcp, kinds = tcp_inodes(os.getpid()), {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        kind = kind_of_fd(os.readlink(f"/proc/{pid}/fd/{fd}"), tcp, place)
        kinds[kind] = kinds.get(kind, 0) + 1
    return ",".join(f"{kind}x{n}" if n > 1 else kind for kind, n in sorted(kinds.items()))


def caps(hexa):
    full = int(status("self")["CapBnd"], 16)
    value = int(hexa, 16)
    return "none" if value == 0 else "all" if value == full else "some"


def libraries(pid):
    """But for those of the name service, which are the machine's choice (nsswitch.conf)."""
    paths = {line.split()[-1] for line in read(f"/proc/{pid}/maps").splitlines() if ".so" in line}
    names = {re.sub(r"\.so.*", "", os.path.basename(path)) for path in paths}
    for path in paths:
        if os.path.basename(path).startswith("libnss_"):
            needed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
            names -= set(re.findall(r"(lib\w+)\.so", needed + os.path.basename(path))) - {"libc"}
    return ",".join(sorted(name for name in names if not name.startswith("ld-linux")))


def own_spaces(pid, listener):
    return ",".join(s for s in SPACES if os.readlink(f"/proc/{pid}/ns/{s}") != os.readlink(f"/proc/{listener}/ns/{s}")) or "-"


def root_is_empty(pid):
    try:
        return "empty" if os.listdir(f"/proc/{pid}/root") == [] else "full"
    except OSError:
        return "hidden"


def names_of_uid(uid):
    return {0: "root", room.TESTER_ID: "user"}.get(int(uid), "jail")


def row(pid, listener, place):
    s = status(pid)
    uids = set(s["Uid"].split())
    return {
        "uid": names_of_uid(uids.pop()) if len(uids) == 1 else "mixed", "caps": caps(s["CapPrm"]), "bounding": caps(s["CapBnd"]),
        "nnp": s["NoNewPrivs"], "seccomp": s["Seccomp"], "filters": s["Seccomp_filters"], "spaces": own_spaces(pid, listener),
        "root": root_is_empty(pid), "fds": fds(pid, place), "libraries": libraries(pid)}


# ---- the server's processes by name ----

def comm(pid):
    return read(f"/proc/{pid}/comm").strip()


def census(listener):
    """name -> pids"""
    found = {"listener": [listener], "keys": [], "nursery": [], "face": [], "warden": []}
    for pid in children(listener):
        try:
            name = comm(pid)
            if name == "sshd-net":
                name = {"1": "nursery", "2": "face"}.get(status(pid)["Seccomp_filters"], "starting")
            else:
                name = {"sshd-keys": "keys", "sshd": "warden"}.get(name, name)
        except OSError:
            continue
        found.setdefault(name, []).append(pid)
    return found


def settled(listener, connections):
    """The census once both nurseries stand and each connection has its face and warden."""
    def look():
        now = census(listener)
        good = len(now["nursery"]) == 2 and len(now["face"]) == connections and len(now["warden"]) == connections
        return now if good and not now.get("starting") else None
    return wait_for("settled server", look)


# ---- starting it in three ways ----

PREFIX = {
    "root": [],
    "unprivileged-root": ["setpriv", "--bounding-set", "-sys_admin"],
    "user": ["setpriv", "--reuid", str(room.TESTER_ID), "--regid", str(room.TESTER_ID), "--clear-groups", "--inh-caps", "-all",
             "--ambient-caps", "-all"],
}


def give_to_user(place):
    for name in os.listdir(place.folder):
        os.chown(place.path(name), room.TESTER_ID, room.TESTER_ID)
    os.chown(place.folder, room.TESTER_ID, room.TESTER_ID)


def start(place, way):
    port, host = free_port(), place.key("ed25519", "host-ed25519")
    config = place.write("sshd_config", "\n".join([
        f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {host}", f"AuthorizedKeysFile {servers.authorize(place)}",
        f"PidFile {place.path('sshd.pid')}", "PerSourcePenalties no", "LogLevel DEBUG1", "Subsystem sftp internal-sftp"]) + "\n", 0o644)
    if way == "user":
        give_to_user(place)
    process = place.start([*PREFIX[way], programs.ours("sshd"), "-D", "-e", "-f", config], "sshd.log")
    place.wait_port(port, process, "sshd.log")
    return servers.Server("sshd", port, "sshd.log", [place.public(host)], process)


class Session:
    """Debian's ssh, logged in, held open."""

    def __init__(self, place, server, args, command):
        argv = clients.ssh_argv(place, programs.foreign("ssh"), server)
        self.process = subprocess.Popen([*argv, *args, "127.0.0.1", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env=place.env)
        place.processes.append(self.process)
        self.first = self.process.stdout.readline().decode().strip()

    def end(self):
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


# ---- the table ----

def golden(way):
    with open(f"{HERE}/table", encoding="ascii") as f:
        lines = [line.split() for line in f if line.strip() and not line.startswith("#")]
    return {words[1]: " ".join(words[2:]) for words in lines if words[0] == way}


def shown(pid, listener, place):
    r = row(pid, listener, place)
    return " ".join(r[k] or "-" for k in "uid caps bounding nnp seccomp filters spaces root fds libraries".split())


def shell_facts(pid):
    s = status(pid)
    ids = " ".join(sorted(set(s["Uid"].split())))
    return {"uid": ids, "nnp": s["NoNewPrivs"], "seccomp": s["Seccomp"], "blocked": int(s["SigBlk"], 16), "ignored": int(s["SigIgn"], 16),
            "fds": sorted(os.listdir(f"/proc/{pid}/fd")), "bounding": caps(s["CapBnd"])}


def check_rows(tap, way, rows):
    want = golden(way)
    for name, text in rows.items():
        with tap.case(f"{way}: {name}"):
            same(text, want.get(name), name)
    with tap.case(f"{way}: every row of the table was seen"):
        same(sorted(rows), sorted(want), "rows")


def check_shell(tap, way, pid, terminal):
    what = "terminal" if terminal else "pipes"
    with tap.case(f"{way}: the user's shell on {what} inherits nothing that a login would not give"):
        facts = shell_facts(pid)
        same({k: facts[k] for k in ("nnp", "seccomp", "blocked", "ignored", "fds")},
             {"nnp": "0", "seccomp": "0", "blocked": 0, "ignored": 0, "fds": ["0", "1", "2"]}, "shell")
        same(facts["uid"], str(room.TESTER_ID), "uid")
        same(facts["bounding"], "some" if way == "unprivileged-root" else "all", "bounding set")


def map_files(place, server, rows):
    """A session that moves files, with one open: the face has its descriptor, the hand has not."""
    listener = server.process.pid
    process = subprocess.Popen([*clients.ssh_argv(place, programs.foreign("ssh"), server), "-s", "127.0.0.1", "sftp"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, env=place.env, bufsize=0)
    place.processes.append(process)
    w = wire.Wire(process.stdout.fileno(), process.stdin.fileno())
    w.open(place.write("opened", "", 0o644))
    now = settled(listener, 1)
    hand = children(now["warden"][0])
    same(len(hand), 1, "children of the warden")
    for who, pid in [("face", now["face"][0]), ("warden", now["warden"][0]), ("hand", hand[0])]:
        rows[f"{who}-files"] = shown(pid, listener, place)
    process.kill()
    process.wait()
    settled(listener, 0)


def map_processes(tap, way, show):
    with Place() as place:
        server = start(place, way)
        listener, rows = server.process.pid, {}
        with socket.create_connection(("127.0.0.1", server.port), 10) as early:
            early.recv(256)
            now = settled(listener, 1)
            for name, pids in now.items():
                for pid in pids[:1]:
                    rows[f"{name}-before" if name in ("face", "warden") else name] = shown(pid, listener, place)
        settled(listener, 0)
        for args, command, name in [([], "echo $$; exec cat", "pipes"), (["-tt"], "echo $$; exec sleep 600", "terminal")]:
            session = Session(place, server, args, command)
            now = settled(listener, 1)
            for who in "face", "warden":
                rows[f"{who}-{name}"] = shown(now[who][0], listener, place)
            wait_for("program in the shell's place", lambda pid=session.first: comm(pid) in ("cat", "sleep"))
            check_shell(tap, way, session.first, name == "terminal")
            session.process.kill()
            session.process.wait()
            settled(listener, 0)
        map_files(place, server, rows)
        if show:
            for name, text in rows.items():
                tap.note(f"{way} {name} {text}")
        check_rows(tap, way, rows)


# ---- what a login may do ----

def check_rights(tap):
    """sudo and su work: no_new_privs or a filter left over would break them."""
    with open("/etc/sudoers.d/nacretest", "w", encoding="ascii") as f:
        f.write(f"{room.TESTER} ALL=(ALL) NOPASSWD: ALL\n")
    os.chmod("/etc/sudoers.d/nacretest", 0o440)
    with Place() as place:
        server = start(place, "root")
        with tap.case("sudo works in a session"):
            done = clients.ssh(place, programs.foreign("ssh"), server, "sudo -n id -u")
            same((done.stdout, done.returncode), (b"0\n", 0), "id")
        with tap.case("su works in a session"):
            done = clients.ssh(place, programs.foreign("ssh"), server, f"echo {room.PASSWORD} | su {room.TESTER} -c 'id -un'")
            same((done.stdout, done.returncode), (room.TESTER.encode() + b"\n", 0), f"id ({done.stderr})")


def main():
    way = sys.argv[1]
    tap = Tap()
    room.enter_as_root(tap, "process map")
    map_processes(tap, way, "--print" in sys.argv)
    if way == "root":
        check_rights(tap)
    tap.end()


main()
