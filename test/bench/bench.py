#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Our programs, installed, beside Debian's OpenSSH, on one machine in one run, alternating; medians of the ratios of each pair.

usage: bench.py [--quick] [--only TEXT] [--write]

--quick   small sizes and few rounds, for development
--only    measures whose name holds TEXT
--write   put the table into docs/BENCH.md (./dev bench does)
"""
import argparse
import contextlib
import os
import platform
import re
import statistics
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/test/lib")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import clients  # noqa: E402
import files  # noqa: E402
import meter  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Place, free_port  # noqa: E402

INSTALLED = f"{TOP}/build/installed"
CIPHERS = {"chacha20-poly1305": ["Ciphers chacha20-poly1305@openssh.com"], "aes128-gcm": ["Ciphers aes128-gcm@openssh.com"],
           "aes128-ctr+sha256-etm": ["Ciphers aes128-ctr", "MACs hmac-sha2-256-etm@openssh.com"]}
GOALS = {"chacha20-poly1305": (2, 2), "aes128-gcm": (1.2, 1.5), "aes128-ctr+sha256-etm": (1.8, 1.8)}
DELAY_MS = 50  # one way
RELAY = f"{TOP}/build/strict/test/bench/relay"


class Side:
    """One suite's server, running, and its client."""

    def __init__(self, name, place, ssh, sshd, sftp_server):
        self.name, self.place, self.ssh = name, place, ssh
        self.sftp, self.scp = f"{os.path.dirname(ssh)}/sftp", f"{os.path.dirname(ssh)}/scp"
        self.server = servers.sshd(place, sshd, ["LogLevel ERROR", "MaxStartups 1000", f"Subsystem sftp {sftp_server}"], user_keys=["ed25519"],
                                   log=f"{name}.log")

    def argv(self, *options, port=None):
        argv = clients.ssh_argv(self.place, self.ssh, self.server, options)
        if port:
            argv += ["-p", str(port), "-o", f"HostKeyAlias [127.0.0.1]:{self.server.port}"]
        return argv

    def run(self, command, *options, stdin=None, port=None):
        """Seconds that `ssh host command` takes, its input from a pipe that another process fills."""
        feeder = subprocess.Popen(["cat", stdin], stdout=subprocess.PIPE, bufsize=0) if stdin else None
        start = time.perf_counter()
        done = subprocess.run([*self.argv(*options, port=port), "127.0.0.1", command], stdin=feeder.stdout if feeder else subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.place.env, check=False)
        took = time.perf_counter() - start
        if feeder:
            feeder.stdout.close()
            feeder.wait()
        if done.returncode:
            raise AssertionError(f"{self.name}: {command}: {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
        return took


class Bench:
    def __init__(self, place, quick, only):
        self.place, self.quick, self.only = place, quick, only
        self.bytes = (128 if quick else 1024) << 20
        self.rounds, self.file_rounds = (2, 2) if quick else (5, 3)
        self.delay_ms = DELAY_MS
        self.sides = [Side("nacre", place, f"{INSTALLED}/bin/ssh", f"{INSTALLED}/sbin/sshd", "internal-sftp"),
                      Side("openssh", place, programs.foreign("ssh"), programs.foreign("sshd"), "/usr/lib/openssh/sftp-server")]
        self.file = self.place.write("zeros", b"", 0o644)
        os.truncate(self.file, self.bytes)
        self.rows = []

    def wanted(self, name):
        return self.only in name

    def pairs(self, measure, rounds=None, sides=None):
        """One unmeasured turn of each side, then pairs, alternating which side begins."""
        sides = sides or self.sides
        for side in sides:
            measure(side)
        found = []
        for i in range(rounds or self.rounds):
            order = sides if i % 2 else sides[::-1]
            found.append({side.name: measure(side) for side in order})
        return found

    def row(self, name, unit, pairs, goal, more_is_better=False, digits=1):
        """goal: the ratio ours / OpenSSH's to reach, at least where more is better, at most else."""
        ratio = statistics.median(p["nacre"] / p["openssh"] for p in pairs)
        ours, theirs = (statistics.median(p[side] for p in pairs) for side in ("nacre", "openssh"))
        good = ratio >= goal if more_is_better else ratio <= goal
        sign = ">=" if more_is_better else "<="
        self.rows.append([name, unit, f"{theirs:.{digits}f}", f"{ours:.{digits}f}", f"{ratio:.2f}", f"{sign} {goal:.2f}", "yes" if good else "no"])
        print("  ".join(self.rows[-1]), flush=True)

    def row_below(self, name, unit, theirs, ours, most):
        """A measure of ours with a goal of its own, not against OpenSSH's."""
        self.rows.append([name, unit, f"{theirs:.1f}", f"{ours:.1f}", f"{ours / theirs:.2f}", f"<= {most} {unit}", "yes" if ours <= most else "no"])
        print("  ".join(self.rows[-1]), flush=True)

    def bulk(self):
        mb = self.bytes / 1e6
        for name, options in CIPHERS.items():
            for way, goal in zip(("down", "up"), GOALS[name]):
                if not self.wanted(f"bulk {way} {name}"):
                    continue
                command, stdin = (f"cat {self.file}", None) if way == "down" else ("cat >/dev/null", self.file)
                pairs = self.pairs(lambda side, c=command, o=options, s=stdin: mb / side.run(c, *o, stdin=s))
                self.row(f"bulk {way} {name}", "MB/s", pairs, goal, True, 0)

    def system_calls(self):
        if self.wanted("system calls"):
            pairs = self.pairs(lambda side: meter.system_calls_per_mb(side, self.file, self.bytes), 1)
            theirs = pairs[0]["openssh"]
            self.row("system calls a MB sent by the server", "calls", pairs, 20 / theirs)

    def delayed(self):
        """One stream through the relay, and the most bytes it saw under way."""
        if not self.wanted("100 ms"):
            return
        size = (64 if self.quick else 512) << 20
        part = self.place.write("part", b"", 0o644)
        os.truncate(part, size)
        with contextlib.ExitStack() as stack:
            ports = {}
            for side in self.sides:
                ports[side.name] = free_port()
                relay = self.place.start([RELAY, str(ports[side.name]), str(side.server.port), str(DELAY_MS)],
                                         f"relay-{side.name}")
                stack.callback(self.place.stop, relay)
                self.place.wait_port(ports[side.name], relay, f"relay-{side.name}")
            pairs = self.pairs(lambda side: size / 1e6 / side.run(f"cat {part}", port=ports[side.name]), 1 if self.quick else 3)
        self.row("one stream at 100 ms delay", "MB/s", pairs, 8, True)
        flights = {side.name: re.findall(rb"in flight: \d+ (\d+)", self.place.read(f"relay-{side.name}")) for side in self.sides}
        ours, theirs = (max(map(int, flights[name])) / 1e6 for name in ("nacre", "openssh"))
        self.rows.append(["most bytes under way there", "MB", f"{theirs:.1f}", f"{ours:.1f}", f"{ours / theirs:.2f}", "> 2 MB",
                          "yes" if ours > 4 else "no"])
        print("  ".join(self.rows[-1]), flush=True)

    def logins(self):
        count = 20 if self.quick else 100
        if self.wanted("login wall"):
            self.row("login wall, `ssh host true`", "ms", self.pairs(lambda side: 1000 * side.run("true"), count), 1 / 5)
        if self.wanted("login CPU"):
            pairs = self.pairs(lambda side: meter.server_cpu_ms(side, lambda: [side.run("true") for _ in range(count)]) / count, 2)
            self.row("login CPU of the server", "ms", pairs, 1 / 4, digits=2)
            pairs = self.pairs(lambda side: meter.own_cpu_ms(lambda: [side.run("true") for _ in range(count)]) / count, 2)
            self.row("login CPU of the client", "ms", pairs, 1 / 4, digits=2)
        if self.wanted("logins a second"):
            many = 96 if self.quick else 320
            self.row("logins a second, 16 at once", "1/s", self.pairs(lambda side: many / meter.at_once(side, many, 16), min(3, self.rounds)), 4, True)

    def idle(self):
        count = 40 if self.quick else 200
        if self.wanted("idle session"):
            self.row(f"idle session, server PSS, {count} sessions", "KB", self.pairs(lambda side: meter.idle_kb(side, count), 1), 1 / 5, digits=0)

    def start(self):
        if self.wanted("client start"):
            self.row("client start, `ssh -V`", "ms", self.pairs(meter.start_ms, 20 if self.quick else 100), 1 / 2, digits=2)


def version(path):
    return subprocess.run([path, "-V"], capture_output=True, text=True, check=False).stderr.strip()


def table(bench, command):
    commit = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False).stdout.strip()
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        cpu = re.search(r"model name\s*:\s*(.*)", f.read())
    head = ["Measure", "Unit", "OpenSSH", "Nacre", "Ratio", "Goal", "Reached"]
    rows = "\n".join("| " + " | ".join(row) + " |" for row in bench.rows)
    return f"""<!-- SPDX-License-Identifier: ISC -->
# Bench

Made by `{command}`, on {time.strftime('%Y-%m-%d', time.gmtime())}, at commit {commit}, in {bench.took:.0f} s.

- Nacre: {version(bench.sides[0].ssh)}, the installed strict build
- OpenSSH: {version(bench.sides[1].ssh)}
- {cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}

Both suites run by turns in the same run, each client with its own server; the columns are medians, the ratio is the median of the
ratios (Nacre / OpenSSH) of each pair. Absolute numbers belong to this machine; ratios travel better. How each is measured: `test/bench/`.

| {' | '.join(head)} |
|{'---|' * len(head)}
{rows}
"""


def install():
    subprocess.run(["sh", "tools/install.sh", INSTALLED], cwd=TOP, check=True)
    subprocess.run(["sh", "-c", ". tools/setup.sh; build strict"], cwd=TOP, check=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    for flag in "--quick", "--write":
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    if not os.environ.get("NACRE_ROOM"):
        install()
    if not room.enter() or os.geteuid():
        print("note: without root and a mount namespace of its own, sessions are those of the user who runs this", flush=True)
    start = time.monotonic()
    with Place() as place:
        bench = Bench(place, args.quick, args.only)
        for part in bench.bulk, bench.delayed, files.Files(bench, RELAY).run, bench.logins, bench.idle, bench.start, bench.system_calls:
            part()
        bench.took = time.monotonic() - start
        text = table(bench, "./dev bench" + " --quick" * args.quick)
    print(text)
    if args.write:
        with open(f"{TOP}/docs/BENCH.md", "w", encoding="utf-8") as f:
            f.write(text)


main()
