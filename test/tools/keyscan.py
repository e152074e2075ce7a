#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ssh-keyscan: the keys of each peer, its lines beside OpenSSH's, thousands of hosts, silent and hostile ones, the scanner's jail."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import crowd  # noqa: E402
import programs  # noqa: E402
import servers  # noqa: E402
from place import Place  # noqa: E402
from tap import Skip, Tap, same, wait_for  # noqa: E402

KINDS = {"ed25519": "ssh-ed25519", "rsa": "ssh-rsa", "ecdsa": "ecdsa-sha2-nistp256"}
PATIENT = ["-T", "60"]
LONG = bool(os.environ.get("NACRE_LONG"))
# ranges of addresses, and how many there are
CROWD = (["127.1.0.0/22", "127.1.4.0/23", "127.1.6.0/24", "127.1.7.0/25", "127.1.8.0/26", "127.1.9.0/28"], 2000) if LONG else (["127.1.0.0/24"], 256)
SILENT = ["127.9.0.0/25", "127.9.1.0/25", "127.9.2.0/27", "127.9.3.0/29", "127.9.4.0/30"]


def enter_network():
    """In a network namespace of our own, where listening on every address concerns nobody; False where there is none."""
    stage = os.environ.get("NACRE_NETWORK")
    if not stage:
        unshare = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"])]
        works = subprocess.run([*unshare, "ip", "link", "set", "lo", "up"], capture_output=True, check=False).returncode == 0
        os.environ["NACRE_NETWORK"] = "own" if works else "none"
        os.execvp(unshare[0] if works else sys.executable, [*(unshare if works else []), sys.executable, *sys.argv])
    if stage == "own":
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return stage == "own"


def scan(place, *args, program=None, **kw):
    done = place.run([program or programs.ours("ssh-keyscan"), *args], **kw)
    return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode()


def check_peers(tap, place):
    kinds = ["ed25519", "ecdsa256", "rsa"]
    peers = {"ours": lambda: servers.sshd(place, programs.ours("sshd"), host_keys=kinds, log="ours.log"),
             "openssh": lambda: servers.sshd(place, programs.foreign("sshd"), host_keys=kinds, log="openssh.log"),
             "dropbear": lambda: servers.dropbear(place), "tinysshd": lambda: servers.tinysshd(place),
             "paramiko": lambda: servers.python_server(place, "paramiko", kinds), "asyncssh": lambda: servers.python_server(place, "asyncssh", kinds)}
    found = {}
    for name, start in peers.items():
        with tap.case(f"finds every key of {name}"):
            found[name] = server = start()
            status, lines, _ = scan(place, *PATIENT, "-p", str(server.port), "127.0.0.1")
            same((status, sorted(lines)), (0, sorted(f"[127.0.0.1]:{server.port} {public}" for public in server.publics)), "status, lines")
    return found


def unhashed(lines, place, names):
    """Lines with hashed names, told apart by Debian's ssh-keygen."""
    path = place.write("hashed", "".join(f"{line}\n" for line in lines if line.startswith("|1|")))
    found = []
    for name in names:
        shown = place.run([programs.foreign("ssh-keygen"), "-F", name, "-f", path]).stdout.decode().splitlines()
        found += [f"{name} {line.split(maxsplit=1)[1]}" for line in shown if not line.startswith("#")]
    return sorted(found)


def comments(err):
    return set(re.findall(r"^[#;].*", err, re.MULTILINE))


def check_beside(tap, place, port):
    theirs = programs.foreign("ssh-keyscan")
    place.write("hosts", "# all\n\n  127.0.0.1,127.0.0.2 One,two  # here\n127.0.0.1\n127.0.0.1/32\nlocalhost\n")
    port, names = str(port), [f"[one]:{port}", f"[two]:{port}", f"[127.0.0.1]:{port}", f"[localhost]:{port}"]
    rows = [["127.0.0.1"], ["-t", "ed25519", "127.0.0.1,localhost"], ["-t", "rsa,ecdsa", "localhost"],
            ["-t", "ssh-rsa,ecdsa-sha2-nistp384", "localhost"], ["localhost"],
            ["-f", place.path("hosts")], ["-D", "-f", place.path("hosts")], ["-c", "127.0.0.1"], ["-t", "ED25519", "127.0.0.1", "nosuch.invalid"],
            ["-H", "-f", place.path("hosts")], ["-6", "127.0.0.1"], ["127.0.0.1/33"], ["127.0.0.5/30"], ["-t", "ed25519", "127.0.0.0/31"]]
    for row in rows:
        row = row if row[0] == "-6" else ["-4", *row]       # OpenSSH's gives up where the first of a name's addresses refuses, ours goes on
        with tap.case(f"as OpenSSH's: {' '.join(row).replace(place.folder + '/', '')}"):
            our, their = scan(place, *PATIENT, "-p", port, *row), scan(place, *PATIENT, "-p", port, *row, program=theirs)
            lines = [unhashed(got[1], place, names) if "-H" in row else sorted(filter(None, got[1])) for got in (our, their)]
            same((our[0], lines[0]), (their[0], lines[1]), "status, lines")
            same(comments(our[2]), comments(their[2]), "comments")
            same(set(re.findall("getaddrinfo.*", our[2])), set(re.findall("getaddrinfo.*", their[2])), "names that fail")
    with tap.case("mistakes end as OpenSSH's"):
        for row in "", "-t foo h", "-Z h", "-p 0 h", "-p 65536 h", "-T x h", "-T 0 h", "-f /nonexistent", "-p":
            row = row.split()
            our, their = scan(place, *row), scan(place, *row, program=theirs)
            same(our[:2], their[:2], f"status, lines of {row}")
            same(our[2].splitlines()[0].startswith("usage") or our[2].splitlines()[0], their[2].splitlines()[0].startswith("usage") or
                 their[2].splitlines()[0], f"first line of {row}")
    with tap.case("-q leaves the comments out; -O hashalg= chooses the records; hosts from standard input"):
        _, lines, err = scan(place, *PATIENT, "-q", "-D", "-O", "hashalg=sha256", "-p", port, "-t", "ed25519", "-f", "-", stdin=b"127.0.0.1 host\n")
        same((len(lines), lines[0].startswith("host IN SSHFP 4 2 "), err), (1, True, ""), "lines, standard error")
        same(scan(place, "-O", "hashalg=md5", "h")[0], 255, "status of another hash")


def check_crowd(tap, place, server):
    own = os.environ["NACRE_NETWORK"] == "own"
    ranges, expected = CROWD
    with tap.case(f"{expected} of {expected} addresses, and 300 silent ones that delay none"):
        if not own:
            raise Skip("no network namespace")
        many = crowd.Crowd(server.port)
        with open(place.path("crowd.out"), "wb") as out:
            process = place.start([programs.ours("ssh-keyscan"), *PATIENT, "-p", str(many.port), "-t", "ed25519", *SILENT, *ranges], "crowd.log", stdout=out)
        wait_for("keys of all that answer", lambda: place.read("crowd.out").count(b"\n") >= expected)
        same(process.poll(), None, "the scan's end while the silent ones may still speak")
        lines = place.read("crowd.out").decode().splitlines()
        same((len(lines), len({line.split()[0] for line in lines}), {" ".join(line.split()[1:]) for line in lines}), (expected, expected, {server.publics[0]}),
             "lines, hosts, keys")
        same(many.most >= 300, True, f"{many.most} connections at once")
        place.stop(process)
    with tap.case("with few descriptors it takes as long as it takes"):
        if not own:
            raise Skip("no network namespace")
        many = crowd.Crowd(server.port)
        limited = ["sh", "-c", 'ulimit -n 80 && exec "$@"', "sh", programs.ours("ssh-keyscan")]
        done = place.run([*limited, *PATIENT, "-p", str(many.port), "-t", "ed25519", "127.1.0.0/26"])
        same((done.returncode, len(done.stdout.splitlines())), (0, 64), "status, lines")


def check_hostile(tap, place, server):
    running = {how.__name__: place.start([programs.ours("ssh-keyscan"), "-T", "1", "-t", "ed25519", "-p", str(crowd.hostile(how)), "127.0.0.1"],
                                         f"{how.__name__}.log", stdout=subprocess.PIPE) for how in crowd.HOSTILE}
    for name, process in running.items():
        with tap.case(f"a hostile server: {name}"):
            out, err = process.communicate(timeout=120)[0], place.read(f"{name}.log").decode()
            same((process.returncode, out), (1, b""), "status, lines")
            same(bool(re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]", err)), False, f"control characters in {err!r}")
    with tap.case("a key that the host cannot sign with is not printed"):
        liar = place.start([sys.executable, f"{HERE}/liar.py", place.key("ed25519", "liar")], "liar.log", stdout=subprocess.PIPE)
        port = int(liar.stdout.readline())
        same(scan(place, *PATIENT, "-t", "ed25519", "-p", str(port), "127.0.0.1")[:2], (1, []), "status, lines")
        liar.stdout.close()
    with tap.case("names of a list are tried until one answers, and slow name servers delay no other host"):
        port = str(server.port)
        status, lines, _ = scan(place, *PATIENT, "-p", port, "-t", "ed25519", "nosuch.invalid,127.0.0.3,127.0.0.1")
        same((status, len(lines)), (0, 3), "status, lines")
        preload = {"LD_PRELOAD": f"{programs.build_folder()}/test/tools/slow-names.so", "SLOW_UNTIL": place.path("now")}
        with open(place.path("slow.out"), "wb") as out:
            process = place.start([programs.ours("ssh-keyscan"), *PATIENT, "-p", port, "-t", "ed25519", *(f"slow{i}" for i in range(30)), "localhost"],
                                  "slow.log", env=place.env | preload, stdout=out)
        wait_for("the quick host's key", lambda: b"localhost" in place.read("slow.out"))
        same(place.read("slow.out").count(b"\n"), 1, "lines before the names are answered")
        place.write("now", "")
        same((process.wait(120), place.read("slow.out").count(b"\n")), (0, 31), "status, lines")


def check_jail(tap, place):
    with tap.case("the scanner is jailed, and nothing but its sockets is open in it"):
        process = place.start([programs.ours("ssh-keyscan"), *PATIENT, "-p", str(crowd.hostile(crowd.silent)), "127.0.0.1"], "jail.log")
        children = f"/proc/{process.pid}/task/{process.pid}/children"

        def scanner():
            with open(children, encoding="ascii") as f:
                return f.read().split()

        def sockets():
            return [os.readlink(f"/proc/{pid}/fd/{fd}").split(":")[0] for fd in os.listdir(f"/proc/{pid}/fd")]
        pid = wait_for("a scanner", scanner)[0]
        wait_for("its connections", lambda: sockets().count("socket") == 6)
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            status = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
        same({key: status[key].strip() for key in ("Seccomp", "NoNewPrivs", "CapEff", "CapPrm")},
             {"Seccomp": "2", "NoNewPrivs": "1", "CapEff": "0" * 16, "CapPrm": "0" * 16}, "status")
        if os.geteuid() == 0:
            same("0" in status["Uid"].split(), False, "uid 0")
        same(sorted(set(sockets())), ["/dev/null", "socket"], "descriptors")
        place.stop(process)


def main():
    enter_network()
    tap = Tap()
    with Place() as place:
        found = check_peers(tap, place)
        certified = place.key("ed25519", "host-ed25519")
        place.run([programs.any_keygen(), "-q", "-s", place.key("ed25519", "ca"), "-I", "host", "-h", "-n", "localhost", f"{certified}.pub"], check=True)
        server = servers.sshd(place, programs.foreign("sshd"), [f"HostCertificate {certified}-cert.pub"],
                              host_keys=["ed25519", "ecdsa256", "rsa"], log="certified.log")
        check_beside(tap, place, server.port)
        check_crowd(tap, place, found["ours"])
        check_hostile(tap, place, found["ours"])
        check_jail(tap, place)
    tap.end()


main()
