#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ssh-keygen -M: candidates without small factors, the same choice of safe primes as OpenSSH's, and a server that uses them (in a long run,
since 2048 bits take a while)."""
import os
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients
import programs
import room
import servers
from place import Place
from tap import PATIENCE, Tap, same, wait_for

room.enter(as_self=True)
LONG = bool(os.environ.get("NACRE_LONG"))
SMALL = [p for p in range(3, 2000, 2) if all(p % d for d in range(3, int(p ** 0.5) + 1, 2))]
START = (3 << 509) + 12345


def run(place, program, *args, status=0, stdin=b""):
    done = place.run([program, *args], stdin, cwd=place.folder)
    same((done.returncode, done.stdout), (status, b""), f"{args}: {done.stderr!r}")
    return done.stderr.decode()


def ours(place, *args, **kw):
    return run(place, programs.ours("ssh-keygen"), *args, **kw)


def lines(place, name):
    """All but the time."""
    return [line.split()[1:] for line in place.read(name).decode().splitlines() if not line.startswith("#")]


def candidates(place):
    said = ours(place, "-M", "generate", "-O", "bits=512", "-O", f"start={START:x}", "candidates")
    rows = lines(place, "candidates")
    same(f"Found {len(rows)} candidates" in said, True, said)
    found = {int(row[5], 16) for row in rows}
    for row in rows:
        same((row[:2], row[3:5]), (["4", "2"], ["510", "0"]), "type, tests, size, generator")
    same((min(found) >= START, {q.bit_length() for q in found}), (True, {511}), "range")
    end = START + 2 * (511 * 511 // 4 * 32)
    same(max(found) < end, True, "end of the range")
    bad = [q for q in found if any(q % p == 0 or (2 * q + 1) % p == 0 for p in SMALL)]
    same(bad, [], "candidates with a small factor")
    # and none is missing: each safe prime of a part of the range is among them
    for q in range(START | 1, START + 200000, 2):
        if all(q % p and (2 * q + 1) % p for p in SMALL) and pow(2, q - 1, q) == 1 and pow(2, 2 * q, 2 * q + 1) == 1 and q not in found:
            raise AssertionError(f"missing: {q:x}")


def screening(place):
    ours(place, "-M", "screen", "-f", "candidates", "-O", "prime-tests=5", "safe")
    run(place, programs.foreign("ssh-keygen"), "-M", "screen", "-f", "candidates", "-O", "prime-tests=5", "theirs")
    same(lines(place, "safe"), lines(place, "theirs"), "ours and OpenSSH's")
    same(len(lines(place, "safe")) > 5, True, "some were found")
    for generator in "25":
        ours(place, "-M", "screen", "-f", "candidates", "-O", "prime-tests=5", "-O", f"generator={generator}", f"g{generator}")
    same(lines(place, "g2") + lines(place, "g5") != [] and sorted(lines(place, "g2") + lines(place, "g5")), sorted(lines(place, "safe")), "by generator")
    again = ours(place, "-M", "screen", "-O", "prime-tests=5", "again", stdin=place.read("safe"))
    same([row[5] for row in lines(place, "again")], [row[5] for row in lines(place, "safe")], "what is safe stays so")
    same(re.search(r"Found (\d+) safe primes of \1 candidates", again) is not None, True, again)


def parts(place):
    """start-line, lines and a checkpoint: each line once."""
    total, at = place.read("candidates").count(b"\n"), 0
    while at < total:
        ours(place, "-M", "screen", "-f", "candidates", "-O", "prime-tests=5", "-O", f"start-line={at}", "-O", "lines=2000", "part")
        at += 2000
    same(lines(place, "part"), lines(place, "safe"), "in parts, appended")
    place.write("checkpoint", "3000\n")
    said = ours(place, "-M", "screen", "-f", "candidates", "-O", "prime-tests=5", "-O", "checkpoint=checkpoint", "rest")
    same("Loaded checkpoint from 'checkpoint' line 3000" in said, True, said)
    same(os.path.exists(place.path("checkpoint")), False, "it is gone at the end")
    same(lines(place, "safe")[-len(lines(place, "rest")):], lines(place, "rest"), "only the rest")


def strange_lines(place):
    row = place.read("safe").split(b"\n")[0]
    place.write("strange", b"\n".join([
        b"# comment", b"", b"x" * 100000, b"\0" * 50, row[:100], row + b"00", row.replace(b" 2 6 ", b" 2 7 "), b"! no", row, row[:-1]]))
    ours(place, "-M", "screen", "-f", "strange", "-O", "prime-tests=5", "out")
    same([r[5] for r in lines(place, "out")], [row.decode().split()[6]], "the good line alone")
    same("truncated" in ours(place, "-M", "screen", "-f", "strange", "-O", "prime-tests=5", "/dev/full", status=255), False, "a full disk is an error")


def half_a_line(place):
    """As a power cut leaves one: what is found stands on lines of its own."""
    whole, half = place.read("safe"), place.read("safe").split(b"\n")[0][:-30]
    place.write("mended", half)
    ours(place, "-M", "screen", "-f", "candidates", "-O", "prime-tests=5", "mended")
    same(place.read("mended").split(b"\n")[0], half, "the half line")
    same(lines(place, "mended")[1:], lines(place, "safe"), "the others")
    same(len(whole) > 0, True, "there are some")


def given_up(place):
    """^C in the middle: what was there stays, and nothing else."""
    os.mkdir(place.path("given-up"))
    place.write("given-up/out", "as it was\n")
    process = place.start([programs.ours("ssh-keygen"), "-M", "generate", "-O", "bits=4096", "out"], "given-up.log", cwd=place.path("given-up"))
    wait_for("something beside it", lambda: len(os.listdir(place.path("given-up"))) > 1 or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    same(process.wait(PATIENCE), -signal.SIGINT, "end")
    same((os.listdir(place.path("given-up")), place.read("given-up/out")), (["out"], b"as it was\n"), "files")


def words(place):
    for args in (["-M", "foo", "x"], ["-M", "generate"], ["-M", "screen"], ["-M", "generate", "a", "b"], ["-M", "generate", "-O", "foo=1", "x"],
                 ["-M", "screen", "-O", "foo=1", "x"], ["-M", "generate", "-O", "start=xyz", "x"],
                 ["-M", "screen", "-f", "none", "x"], ["-M", "screen", "-f", "candidates", "no/such/file"],
                 ["-M", "screen", "-O", "prime-tests=3", "-f", "candidates", "x"]):
        want = place.run([programs.foreign("ssh-keygen"), *args], cwd=place.folder)
        got = place.run([programs.ours("ssh-keygen"), *args], cwd=place.folder)
        same((got.returncode, got.stdout, got.stderr), (want.returncode, want.stdout, want.stderr), str(args))


def in_use(place):
    """Group exchange with groups of our making, by both servers."""
    ours(place, "-M", "generate", "-O", "bits=2048", "big")
    ours(place, "-M", "screen", "-f", "big", "-O", "lines=20000", "moduli")
    made = {row[5] for row in lines(place, "moduli")}
    same(len(made) > 0, True, "groups")
    for program in programs.ours("sshd"), programs.foreign("sshd"):
        server = servers.sshd(place, program, [f"ModuliFile {place.path('moduli')}", "KexAlgorithms diffie-hellman-group-exchange-sha256"],
                              log=f"log-{len(program)}.log")
        for client in programs.ours("ssh"), programs.foreign("ssh"):
            done = clients.ssh(place, client, server, "echo in", options=["KexAlgorithms diffie-hellman-group-exchange-sha256"])
            same((done.returncode, done.stdout), (0, b"in\n"), f"{client} to {program}: {done.stderr!r}")


def main():
    tap = Tap()
    with Place() as place:
        for name, test in (("candidates: type, range, no small factors, none missing", candidates), ("screening chooses what OpenSSH's does", screening),
                           ("in parts and from a checkpoint", parts), ("strange lines are passed over", strange_lines),
                           ("half a line at the end spoils none", half_a_line),
                           ("given up, nothing has changed", given_up),
                           ("errors have OpenSSH's words", words), *([("servers use groups of 2048 bits made here", in_use)] if LONG else [])):
            with tap.case(name):
                test(place)
    tap.end()


main()
