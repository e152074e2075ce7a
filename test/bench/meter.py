# SPDX-License-Identifier: ISC
"""What the bench measures by looking at processes: CPU, memory, system calls. Each takes a Side of bench.py."""
import os
import re
import resource
import subprocess
import time

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def stat(pid):
    """(parent, CPU ms of it and of the children it waited for) of a process; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), sum(map(int, fields[11:15])) * TICK_MS


def family(pid):
    """The process and all that descend from it: pid -> CPU ms."""
    seen = {int(name): found for name in os.listdir("/proc") if name.isdigit() and (found := stat(name))}
    kin, grown = {pid}, True
    while grown:
        more = {p for p, (parent, _) in seen.items() if parent in kin} - kin
        kin |= more
        grown = bool(more)
    return {p: seen[p][1] for p in kin if p in seen}


def server_family(side):
    return family(side.server.process.pid)


def settle(side, count, timeout=20):
    """Until the server has no more processes than `count` again."""
    until = time.monotonic() + timeout
    while len(server_family(side)) > count and time.monotonic() < until:
        time.sleep(0.05)


def server_cpu_ms(side, work):
    """CPU time of all of the server's processes during work(), those that ended in it included: their parent waited for them."""
    before = server_family(side)
    work()
    settle(side, len(before))
    return sum(server_family(side).values()) - sum(before.values())


def own_cpu_ms(work):
    """CPU time of the children that work() started and waited for."""
    def used():
        r = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (r.ru_utime + r.ru_stime) * 1000
    before = used()
    work()
    return used() - before


def at_once(side, count, parallel):
    """Seconds for `count` logins, `parallel` of them at any time."""
    numbers = "\n".join(map(str, range(count))).encode()
    start = time.perf_counter()
    # each number becomes a further operand of the remote command, which is `true`
    subprocess.run(["xargs", "-P", str(parallel), "-n", "1", *side.argv(), "127.0.0.1", "true"], input=numbers, check=True,
                   env=side.place.env, capture_output=True)
    return time.perf_counter() - start


def pss_kb(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            found = re.search(r"^Pss:\s+(\d+)", f.read(), re.M)
            return int(found[1]) if found else 0
    except OSError:
        return 0


def peak_kb(process, *families):
    """The most PSS that the processes in each family (a function that tells their pids) hold together, looked at until `process` ends."""
    peaks = [0] * len(families)
    while process.poll() is None:
        for i, members in enumerate(families):
            peaks[i] = max(peaks[i], sum(map(pss_kb, members())))
        time.sleep(0.02)
    return peaks


def is_server(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).startswith("sshd")
    except OSError:
        return False


def idle_kb(side, count):
    """PSS a session of all the server's own processes (not the users' commands) with `count` sessions open."""
    def total():
        return sum(pss_kb(pid) for pid in server_family(side) if is_server(pid))
    at_rest, before = total(), len(server_family(side))
    argv = [*side.argv(), "127.0.0.1", "echo ready; exec cat"]
    sessions = []
    for _ in range(count):
        session = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=side.place.env)
        session.stdout.readline()
        sessions.append(session)
    time.sleep(2)  # until what is given back when idle is given back
    used = total() - at_rest
    for session in sessions:
        session.stdin.close()
    for session in sessions:
        session.wait()
    settle(side, before)
    return used / count


def start_ms(side):
    """Milliseconds from starting `ssh -V` to its end."""
    start = time.perf_counter()
    pid = os.posix_spawn(side.ssh, [side.ssh, "-V"], side.place.env, file_actions=[(os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
    os.waitpid(pid, 0)
    return (time.perf_counter() - start) * 1000


def system_calls_per_mb(side, path, size):
    """System calls of the session's server processes while they send a file that `cat` writes into a pipe of the server's."""
    before = set(server_family(side))
    session = subprocess.Popen([*side.argv(), "127.0.0.1", f"echo ready; read go; exec cat {path}"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, env=side.place.env)
    session.stdout.readline()
    pids = [pid for pid in server_family(side) if pid not in before and is_server(pid)]
    log = side.place.path(f"strace-{side.name}")
    strace = subprocess.Popen(["strace", "-f", "-c", "-o", log, *[arg for pid in pids for arg in ("-p", str(pid))]],
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for _ in pids:
        strace.stderr.readline()  # `attached`
    session.stdin.write(b"go\n")
    session.stdin.close()
    while session.stdout.read(1 << 20):
        pass
    session.wait()
    strace.communicate(timeout=60)
    with open(log, encoding="ascii", errors="replace") as f:
        totals = [line.split() for line in f if line.rstrip().endswith("total")]
    return int(totals[-1][3]) / (size / 1e6) if totals else float("nan")
