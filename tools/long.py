# SPDX-License-Identifier: ISC
"""The long tests: each part a row of docs/RESULTS.md with its size, result and commit. The row is written as soon as the part has
ended, whatever came out, and only that row: parts can run one at a time, on different days."""
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from tapsum import Sum

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = f"{TOP}/docs/RESULTS.md"
HOURS_MAX = 6  # a part that takes longer hangs
HEAD = """<!-- SPDX-License-Identifier: ISC -->
# What the long tests found

Written by `./dev test --long [PART...]`, a row a part, each with the commit that it ran on (`+`: and changes on top of it). A part that
failed keeps its row until it has run again. Last run on {machine}.

| Part | What | Size | Result | Took | Commit | Date |
|---|---|---|---|---|---|---|
"""
NUMBERS = r"\d+(?= of )"  # in a case's name: how many places of how many


@dataclass
class Part:
    name: str
    what: str
    size: str                  # {n}: the sum of what `counted` finds in the names of its cases
    tests: list                # (build, name in meson, further arguments)
    counted: str = NUMBERS
    whole: bool = True         # each test at its full length; else what it does in a test run


def strict(test, *args):
    return [("strict", test, args)]


def asan(*tests):
    return [("asan", test, ()) for test in tests]


def both(test, *args):
    return [(build, test, args) for build in ("strict", "asan")]


def bulk_parts():
    """One for each peer and direction of the interop table."""
    with open(f"{TOP}/test/interop/table", encoding="ascii") as f:
        rows = [line.split() for line in f if line.endswith("does bulk\n")]
    for direction, peer, *_ in rows:
        what = f"our client to {peer}'s server" if direction == "to" else f"{peer}'s client to our server"
        yield Part(f"bulk-{direction}-{peer}", what, "1056 MiB up, then 1056 MiB down", strict(f"interop-{direction}", "--peer", peer, "--only", "does bulk"))


def fuzz_parts():
    listed = subprocess.run([f"{TOP}/build/strict/test/fuzz/fuzz-replay", "--list"], capture_output=True, text=True, check=True)
    for target in listed.stdout.split():
        yield Part(f"fuzz-{target}", f"fuzz target {target}, ASan and UBSan", "60 s, {n} runs", strict("fuzz", target, "60"), r"\d+(?= runs)")


SIM = [
    ("cuts", "wire cut at every byte, both directions, each cipher class", "{n} sessions"),
    ("flips", "every bit of a login and exec dialogue turned, both directions, each cipher class", "{n} sessions"),
    ("splits", "wire split at every byte, both directions, each cipher class", "{n} sessions"),
    ("rekeys", "rekey at every packet, by client, server, both", "{n} rekeys"),
    ("opens", "40 channel opens outstanding through rekeys", "{n} sessions"),
    ("schedules", "sessions of random shape, wires that split, merge, delay", "{n} sessions"),
    ("bulk", "two-way bulk, full windows, short wires, rekeys", "2 channels, 200 MiB each way, each cipher class"),
]
COUNTED = {"rekeys": r"\d+(?= of )", "opens": r"\d+(?= sessions)", "schedules": r"\d+(?= sessions)"}
OTHERS = [
    Part("faces", "distinct random bytes of faces, and what the server survives", "{n} faces", strict("server-survive"), r"\d+(?= faces)"),
    Part("mitm", "drop, repeat, swap, inject at every packet, each cipher class, around a rekey; every pair", "{n} schedules",
         strict("mitm") + strict("mitm-terrapin"), r"\d+(?= schedules)"),
    Part("allocations", "each allocation of a login and session fails, once and for good; leaks in the asan build", "{n} sessions",
         both("failwalk")),
    Part("calls", "each system call of a login interrupted, short, failed, without and with a terminal", "every call", strict("failcalls")),
    Part("keygen-failures", "each allocation, write, rename, link, fsync of ssh-keygen fails or kills", "{n} calls", strict("keygen-failures"),
         r"\d+(?= calls)"),
    Part("keygen-losses", "the same for its jobs that make many keys or moduli, or tell what there is; disks that fill, output that nobody takes",
         "{n} calls", strict("keygen-losses"), r"\d+(?= (?:calls|sizes))"),
    Part("agent-failures", "each call and allocation of an agent that starts or serves, and of ssh-add, fails", "{n} calls", strict("agent-failures"),
         r"\d+(?= calls)"),
    Part("keygen-differential", "ssh-keygen beside OpenSSH's, 20 times the cases", "{n} keys and files", strict("keygen-differential"),
         r"\d+(?= (?:keys of|random))"),
    Part("keys", "key files of every format and cipher, read and written by each program that has it; moduli", "every row",
         strict("formats-private") + strict("formats-public") + strict("formats-moduli")),
    Part("agent", "constraints through two hops beside OpenSSH's agent and ssh-add, foreign clients, many at once", "400 rounds",
         strict("agent-matrix") + strict("agent-differential") + strict("agent-peers")),
    Part("hosts", "host keys and certificates, identities, both clients in every case; certificates in sshd; names that do not exist, timed",
         "every row", strict("client-hostcerts") + strict("client-update") + strict("client-identities") + strict("server-certs") + strict("server-unknown")),
    Part("certs", "certificates of either ssh-keygen shown by both; an independent checker, 20 times the cases", "{n} listings",
         strict("cert-listing") + strict("cert-checker"), r"\d+(?= listings)"),
    Part("asan-keys", "certificates, agents, tokens, authenticators and git with the programs of the asan build, leaks too", "a fair share of each",
         asan("cert-listing", "agent-differential", "agent-peers", "pkcs11-logins", "sk-programs", "keygen-git"), whole=False),
    Part("krl", "revocation lists of either ssh-keygen asked by both and by a model, and broken ones", "{n} lists", strict("keygen-krl"),
         r"\d+(?= (?:random|broken) lists)"),
    Part("sshsig", "random signer files and broken signatures, judged by both", "{n} files", strict("keygen-sshsig"), r"\d+(?= (?:random signer|broken))"),
    Part("wycheproof", "Wycheproof for each primitive exposed, ML-KEM's second end", "{n} cases",
         strict("wycheproof") + strict("key-wycheproof") + strict("pq-interop"), r"\d+(?= (?:cases|signatures))"),
    Part("procmap", "process map as root, as root without SYS_ADMIN, as a user; a face that speaks out of turn", "golden table",
         [("strict", f"procmap-{who}", ()) for who in ("root", "unprivileged-root", "user")] + strict("hostile-face")),
    Part("history", "historic defects, the gate's every cell", "one named test each", both("history") + both("gate")),
    Part("copy", "scp beside OpenSSH's, 4 GiB and 20,000 files", "one case each", strict("copy")),
    Part("transfer-kills", "either side killed in the middle of a copy of 1 GiB, and the copy goes on", "50 points", strict("transfer-kills")),
    Part("transfer-hostile", "clients that mean harm: chroot, handles, 1,000,000 opens, lengths, no answer read", "one case each", strict("transfer-hostile")),
    Part("transfer-race", "folders and links that change places while trees are copied, on either side", "200 rounds a case", strict("transfer-race")),
    Part("transfer-trees", "trees go up and come back as they were: 100,000 files in a folder, 5 GiB of hole", "one case each", strict("transfer-trees")),
    Part("keyscan", "2,000 hosts at once and 300 silent ones; beside OpenSSH's, hostile servers", "{n} hosts", strict("keyscan"), r"\d+(?= of \d+ addresses)"),
    Part("tools", "ssh-copy-id in three shells, each client with each server; keys on tokens, bad modules", "one case each",
         strict("copy-id") + strict("pkcs11") + strict("pkcs11-logins")),
    Part("regress", "OpenSSH's own scripts on our programs", "all that are due", strict("regress")),
]
SUITE = Part("suite", "all tests of the strict and the asan build, as `./dev test` runs them", "a fair share of each", [])


def parts():
    sim = [Part(f"sim-{name}", what, size, strict("sim", name), COUNTED.get(name, NUMBERS)) for name, what, size in SIM]
    return [*bulk_parts(), *OTHERS, *sim, *fuzz_parts(), SUITE]


# ---- running ----

def known_tests(build):
    listed = subprocess.run(["meson", "introspect", "--tests", f"{TOP}/build/{build}"], capture_output=True, text=True, check=True).stdout
    return {t["name"]: t for t in json.loads(listed)}


def run_test(folder, test, args, whole):
    """As meson would run it in the build's folder, without its limit of time: the record that Sum.add() takes. TAP lines are shown as they come."""
    sanitizers = {"UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1", "ASAN_OPTIONS": "halt_on_error=1:abort_on_error=1"}
    env = {**os.environ, **sanitizers, **test["env"], "NACRE_LONG": "1" if whole else ""}
    start, out, late = time.monotonic(), [], []
    with subprocess.Popen([*test["cmd"], *args], cwd=test["workdir"] or folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True) as process:
        def end():
            late.append(True)
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(HOURS_MAX * 3600, end)
        timer.start()
        for line in process.stdout:
            out.append(line)
            sys.stdout.write("  " + line)
            sys.stdout.flush()
        process.wait()
        timer.cancel()
    return {"stdout": "".join(out), "result": "TIMEOUT" if late else "", "duration": time.monotonic() - start, "returncode": process.returncode}


def run_part(part, tests, run_all):
    """(what its cases add up to, the sum of what is counted)"""
    if part is SUITE:
        return run_all([]), 0
    total, counted = Sum(), 0
    for build, name, args in part.tests:
        record = run_test(f"{TOP}/build/{build}", tests[build][name], args, part.whole)
        total.add(f"{build}/{name}", record)
        for line in record["stdout"].splitlines():
            if re.match(r"ok\b|# \d+ (?:calls|sizes)$", line):
                counted += sum(int(n) for n in re.findall(part.counted, line))
    return total, counted


# ---- the page ----

def output(*argv):
    return subprocess.run(argv, cwd=TOP, capture_output=True, text=True, check=False).stdout.strip()


def commit():
    """What the tree is, before anything runs."""
    changed = [line for line in output("git", "status", "--porcelain", "--untracked-files=no").splitlines() if not line.endswith("docs/RESULTS.md")]
    return output("git", "rev-parse", "--short=8", "HEAD") + ("+" if changed else "")


def file_value(path, pattern, default):
    with open(path, encoding="utf-8") as f:
        found = re.search(pattern, f.read(), re.M)
    return found[1].strip() if found else default


def machine():
    memory = int(file_value("/proc/meminfo", r"^MemTotal:\s*(\d+)", "0")) // 1000000
    system = file_value("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)', "an unknown system")
    processor = file_value("/proc/cpuinfo", r"^model name\s*:(.*)", "unknown processor")
    return f"{os.cpu_count()} cores ({processor}, {os.uname().machine}), {memory} GB, {system}"


def duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def result(total):
    if total.failed:
        failures = "; ".join(note.split(": ", 1)[-1].replace("not ok ", "") for note in total.notes)[:300]
        return f"**failed**: {total.failed} of {total.failed + total.passed + total.skipped}: {failures}".replace("|", "/")
    if not total.passed:
        return "not run: skipped"
    return f"passed, {total.passed} case{'s' * (total.passed != 1)}" + (f", {total.skipped} skipped" if total.skipped else "")


def page_rows(text):
    """part name: its line"""
    return {found[1]: found[0] for found in re.finditer(r"^\| ([\w-]+) \|.*\|$", text, re.M) if found[1] != "Part"}


def write_row(part, row, every):
    text = ""
    if os.path.exists(PAGE):
        with open(PAGE, encoding="utf-8") as f:
            text = f.read()
    rows = {**page_rows(text), part.name: "| " + " | ".join([part.name, part.what, *row]) + " |"}
    lines = [rows[p.name] for p in every if p.name in rows]
    missing = [p.name for p in every if p.name not in rows]
    with open(f"{PAGE}.new", "w", encoding="utf-8") as f:
        f.write(HEAD.format(machine=machine()) + "\n".join(lines) + "\n" + (f"\nNever run: {', '.join(missing)}.\n" if missing else ""))
    os.replace(f"{PAGE}.new", PAGE)


def run(names, run_all):
    """Run the parts named (a part's name or a beginning of it that ends before a hyphen), or all; one Sum of them all."""
    every = parts()
    chosen = [p for p in every if not names or p.name in names or any(p.name.startswith(f"{n}-") for n in names)]
    if not chosen:
        print("no such part; there are:", *(p.name for p in every))
        return Sum()
    tests, where, grand = {build: known_tests(build) for build in ("strict", "asan")}, commit(), Sum()
    for part in chosen:
        start = time.monotonic()
        print(f"{part.name}: {part.what}", flush=True)
        total, counted = run_part(part, tests, run_all)
        size = part.size.replace("{n}", f"{counted:,}")
        write_row(part, [size, result(total), duration(time.monotonic() - start), where, time.strftime("%Y-%m-%d", time.gmtime())], every)
        grand.passed, grand.failed, grand.skipped = grand.passed + total.passed, grand.failed + total.failed, grand.skipped + total.skipped
        grand.notes += total.notes
    return grand
