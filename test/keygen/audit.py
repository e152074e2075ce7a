#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ssh-keygen --audit: each flaw is found, what has none is not blamed, and nothing makes it wait, ask or stop half way."""
import base64
import hashlib
import math
import os
import re
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
from place import Place
from tap import Tap, same

PASSPHRASE = "long enough"


class Room:
    """A folder of keys, made by OpenSSH; audit() gives what is said of each."""

    def __init__(self, place, name):
        self.place, self.folder = place, place.path(name)
        os.mkdir(self.folder)

    def path(self, name):
        return f"{self.folder}/{name}"

    def keygen(self, *args):
        done = self.place.run([programs.foreign("ssh-keygen"), "-q", *args], cwd=self.folder)
        same(done.returncode, 0, f"{args}: {done.stderr!r}")

    def key(self, name, kind="ed25519", passphrase=PASSPHRASE, *args):
        self.keygen("-t", kind, "-N", passphrase, "-a", "1", "-C", f"of {name}", "-f", name, *args)
        return self.public(name)

    def public(self, name):
        with open(self.path(f"{name}.pub"), encoding="ascii") as f:
            return f.read().strip()

    def write(self, name, data, mode=0o600):
        with open(self.path(name), "wb") as f:
            os.fchmod(f.fileno(), mode)
            f.write(data if isinstance(data, bytes) else data.encode())

    def run(self, *args, status=None):
        done = self.place.run([programs.ours("ssh-keygen"), "--audit", *args], cwd=self.folder)
        if status is not None:
            same(done.returncode, status, f"status of {args}: {done.stdout.decode()}{done.stderr.decode()}")
        return done

    def audit(self, *args, status=1):
        """{place: (rest of its line, [flaws], [notes])}"""
        found, at = {}, None
        lines = self.run(*(args or ["."]), status=status).stdout.decode().splitlines()
        for line in lines[:-1]:
            if line.startswith("  ! "):
                found[at][1].append(line[4:])
            elif line.startswith("    "):
                found[at][2].append(line[4:])
            else:
                at, _, rest = line.partition(": ")
                found[at] = (rest, [], [])
        flawed = sum(bool(flaws) for _, flaws, _ in found.values())
        same(lines[-1], f"{len(found)} key{'s' * (len(found) != 1)}, {flawed} with flaws", "last line")
        return found


def plain(place):
    room = Room(place, "plain")
    room.key("fine")
    room.key("open", "ecdsa", "")
    room.key("small", "rsa", PASSPHRASE, "-b", "1024")
    room.key("old", "ecdsa", PASSPHRASE, "-m", "PEM")
    room.key("new", "ecdsa", PASSPHRASE, "-m", "PKCS8")
    room.key("ssh_host_ed25519_key", "ed25519", "")
    room.key("loose")
    os.chmod(room.path("loose"), 0o640)
    room.key("other")
    os.rename(room.path("other.pub"), room.path("fine.pub.saved"))
    os.replace(room.path("fine.pub"), room.path("other.pub"))
    found = room.audit()
    want = {"./fine": [], "./fine.pub.saved:1": [], "./open": ["no passphrase"], "./open.pub:1": [], "./small": ["RSA of fewer than 2048 bits"],
            "./small.pub:1": ["RSA of fewer than 2048 bits"], "./new": [], "./new.pub:1": [], "./ssh_host_ed25519_key": [], "./ssh_host_ed25519_key.pub:1": [],
            "./loose": ["others may read it (mode 0640)"], "./loose.pub:1": [], "./other": ["./other.pub is another key"], "./other.pub:1": [],
            "./old": ["its passphrase is quickly guessed: old form, one round of MD5 (change it with -p)"], "./old.pub:1": []}
    same({at: flaws for at, (_, flaws, _) in found.items()}, want, "flaws")
    hash_of = place.run([programs.foreign("ssh-keygen"), "-l", "-f", room.path("open")]).stdout.decode().split()[1]
    today = time.strftime("%Y-%m-%d", time.localtime(os.stat(room.path("open")).st_mtime))
    same(found["./open"][0], f"private key, 256 bits ECDSA {hash_of}, of {today} of open", "the line of a key")
    done = room.run("-q", "fine", "new", status=0)
    same(done.stdout, b"2 keys, 0 with flaws\n", "-q without flaws")
    os.utime(room.path("new"), (0, time.time() - 400 * 86400))
    same(room.audit("-O", "max-age=365", "new")["new"][1], ["not changed for 400 days"], "age")
    room.run("-O", "max-age=401", "new", status=0)


def authorized(place):
    room = Room(place, "authorized")
    one, two, small = room.key("one").split(" ", 1)[1], room.key("two", "ecdsa").split(), room.key("small", "rsa", "", "-b", "1024")
    one = "ssh-ed25519 " + one
    two = " ".join(two)
    os.mkdir(room.path("below"))
    room.write("below/authorized_keys", f"""# a comment
{one}
restrict,command="a b" {two}

expiry-time="20200101Z" {one}
expiry-time="20990101Z",from="10.0.0.0/8" {one}
cert-authority,principals="x" {two}
nonsense {one}
{small}
ssh-dss AAAAB3NzaC1kc3MAAAA= old
garbage
""", 0o620)
    room.write("below/known_hosts", f"host {one}\n@cert-authority * {two}\n")
    found = room.audit("below")
    loose = "others may write the file (mode 0620)"
    at = "below/authorized_keys:"
    same({k.removeprefix(at): (rest.split(",")[0], flaws, notes) for k, (rest, flaws, notes) in found.items() if k.startswith(at)}, {
        "2": ("authorized key", [loose], []), "3": ("authorized key", [loose], ["for one command only", "restricted"]),
        "5": ("authorized key", [f"expired {local(2020)}", loose], []),
        "6": ("authorized key", [loose], [f"expires {local(2099)}", "from certain addresses only"]),
        "7": ("certificate authority", [loose], []), "8": ("authorized key", ["sshd passes over this line: unknown key option", loose], []),
        "9": ("authorized key", [loose, "RSA of fewer than 2048 bits"], []), "10": ("authorized key", ["DSA: nobody accepts it any more", loose], [])}, "lines")


def known_hosts(place):
    room = Room(place, "known")
    one, two, small = room.key("one").split(" ", 1)[1], room.key("two", "ecdsa"), room.key("small", "rsa", "", "-b", "1024")
    one = "ssh-ed25519 " + one
    room.write("known_hosts", f"""# a comment
host.example,10.0.0.1 {one}
@cert-authority * {two}

@revoked host.example {one}
[h]:2222 {small}
""")
    room.write("known_hosts.bad", f"old ssh-dss AAAAB3NzaC1kc3MAAAA= old\ncut ssh-ed25519 AAAA\n@what * {one}\nalone\n")
    room.write("hashed_known_hosts", f"host.example {one}\n", 0o620)
    room.keygen("-H", "-f", "hashed_known_hosts")
    os.chmod(room.path("hashed_known_hosts"), 0o620)
    found = room.audit("known_hosts", "known_hosts.bad", "hashed_known_hosts")
    rows = {at: (rest.split(",")[0], rest.rsplit(" ", 1)[1], flaws, notes) for at, (rest, flaws, notes) in found.items()}
    bad = {at: rows.pop(at) for at in list(rows) if at.startswith("known_hosts.bad")}
    same(rows, {"known_hosts:2": ("known host", "host.example,10.0.0.1", [], []), "known_hosts:3": ("hosts' authority", "*", [], ["for every host"]),
                "known_hosts:5": ("revoked host key", "host.example", [], []),
                "known_hosts:6": ("known host", "[h]:2222", ["RSA of fewer than 2048 bits"], []),
                "hashed_known_hosts:1": ("known host", "name)", ["others may write the file (mode 0620)"], [])}, "lines")
    same({at: [flaw.partition(": ")[0] for flaw in flaws] for at, (_, _, flaws, _) in bad.items()},
         {f"known_hosts.bad:{n}": ["ssh passes over this line"] for n in (1, 2, 3, 4)}, f"bad lines: {bad}")


def badly_made(place):
    """RSA keys of a library whose primes are guessed, of a broken generator, and with a factor that anybody finds."""
    room = Room(place, "weak")
    product = math.prod(p for p in range(2, 168) if all(p % q for q in range(2, p)))
    fine = int.from_bytes(rsa_numbers(room.key("fine", "rsa", PASSPHRASE, "-b", "2048"))[1], "big")
    roca = pow(65537, 123456789, product)
    roca += (((1 << 2047) - roca) // product + 1) * product
    for name, n in ("roca", roca), ("factor", fine // 7 * 7 if fine // 7 % 2 else (fine // 7 - 1) * 7), ("same", fine):
        room.write(f"{name}.pub", rsa_line(n))
    room.write("list", "# openssh-blacklist\n" + hashlib.md5(base64.b64decode(room.public("fine").split()[1])).hexdigest()[12:] + "\n")
    soon = ["RSA of fewer than 3072 bits: not for long"]
    flaws = {at: flaws for at, (_, flaws, notes) in room.audit(".").items() if at.endswith(":1") and notes == soon}
    same(flaws, {"./factor.pub:1": ["its modulus has a small factor: anybody can compute the private key"], "./fine.pub:1": [], "./same.pub:1": [],
                 "./roca.pub:1": ["made by a library whose keys can be factored (ROCA, CVE-2017-15361)"]}, "flaws")
    listed = ["one of the few that Debian's OpenSSL made from 2006 to 2008 (CVE-2008-0166)"]
    same(room.audit("-O", "blacklist=list", "fine.pub", "roca.pub")["fine.pub:1"][1], listed, "by a list")
    room.run("-O", "blacklist=nothing", "fine.pub", status=255)


def rsa_numbers(line):
    blob, found = base64.b64decode(line.split()[1]), []
    while blob:
        n, = struct.unpack_from(">I", blob)
        found.append(blob[4:4 + n])
        blob = blob[4 + n:]
    return found[1:]


def rsa_line(n):
    mpints = [x.to_bytes(x.bit_length() // 8 + 1, "big") for x in (65537, n)]
    return "ssh-rsa " + base64.b64encode(b"".join(struct.pack(">I", len(x)) + x for x in (b"ssh-rsa", *mpints))).decode() + " made\n"


def local(year):
    import calendar
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(calendar.timegm((year, 1, 1, 0, 0, 0))))


def certificates(place):
    room = Room(place, "certs")
    room.key("ca")
    room.key("user")
    for name, args in (("a", ["-V", "-2d:-1d"]), ("b", ["-n", "x", "-V", "-1d:+1d"]), ("c", ["-n", "x"])):
        room.keygen("-s", "ca", "-P", PASSPHRASE, "-I", f"id {name}", "-z", "5", *args, "user.pub")
        os.rename(room.path("user-cert.pub"), room.path(f"{name}-cert.pub"))
    found = room.audit(".")
    notes = [note for note in found["./user"][2]]
    same(notes, ['certificate ./a-cert.pub: "id a" serial 5, expired', 'certificate ./b-cert.pub: "id b" serial 5',
                 'certificate ./c-cert.pub: "id c" serial 5'], "certificates of the private key")
    flaws = {at[2:3]: flaws for at, (_, flaws, _) in found.items() if "-cert" in at}
    same([re.sub(r"\d{4}-.*", "TIME", flaw) for flaw in flaws["a"]], ["expired TIME", "names no principal: nobody accepts it"], "of a")
    same((flaws["b"], flaws["c"]), ([], ["never expires"]), "of b and c")
    rsa = Room(place, "sha1")
    rsa.key("ca", "rsa", "", "-b", "1024")
    rsa.key("user")
    rsa.keygen("-s", "ca", "-t", "ssh-rsa", "-I", "x", "-n", "y", "-V", "+1d", "user.pub")
    same(rsa.audit("user-cert.pub")["user-cert.pub:1"][1], ["signed with SHA-1", "its CA is RSA of fewer than 2048 bits"], "SHA-1")


def revoked(place):
    room = Room(place, "revoked")
    room.key("ca"), room.key("bad"), room.key("good"), room.key("listed")
    room.keygen("-s", "ca", "-P", PASSPHRASE, "-I", "id", "-z", "9", "-n", "x", "-V", "+1d", "good.pub")
    room.write("spec", "serial: 9\n")
    room.keygen("-k", "-f", "krl", "-s", "ca.pub", "spec", "bad.pub")
    room.write("lines", room.public("listed") + "\n")
    found = room.audit("-O", "krl=lines", ".")
    blamed = {at: flaws for at, (_, flaws, _) in found.items() if flaws}
    by_krl, by_line = ["revoked by ./krl"], ["revoked by lines"]
    same(blamed, {"./bad": by_krl, "./bad.pub:1": by_krl, "./good-cert.pub:1": by_krl,
                  "./listed": by_line, "./listed.pub:1": by_line, "./lines:1": by_line}, "revoked")
    with open(room.path("krl"), "r+b") as f:
        f.seek(60)
        f.write(b"\xff\xff\xff\xff")
    done = room.run(".", status=255)
    same(b"this revocation list cannot be read" in done.stderr, True, done.stderr)
    room.run("-O", "krl=krl", ".", status=255)


def forms(place):
    """Files of other suites, with and without a clear half."""
    room = Room(place, "forms")
    room.key("k", "ecdsa", "")
    for form, passphrase in (("PPK", ""), ("PPK", PASSPHRASE), ("PKCS8", PASSPHRASE), ("Dropbear", "")):
        name = f"{form}{len(passphrase)}"
        with open(room.path("k"), "rb") as f:
            room.write(name, f.read())
        done = place.run([programs.ours("ssh-keygen"), "-q", "-p", "-P", "", "-N", passphrase, "-m", form, "-f", room.path(name)])
        same(done.returncode, 0, done.stderr)
    room.write("rfc", place.run([programs.ours("ssh-keygen"), "-e", "-f", room.path("k")]).stdout)
    found = {at[2:]: (rest.split(", ")[1].split()[0], flaws) for at, (rest, flaws, _) in room.audit(".").items()}
    same(found, {"k": ("256", ["no passphrase"]), "k.pub:1": ("256", []), "PPK0": ("256", ["no passphrase"]), "PPK11": ("256", []),
                 "PKCS811": ("its", []), "Dropbear0": ("256", ["no passphrase"]), "rfc": ("256", [])}, "forms")


def strange(place):
    """No file of a folder makes it wait or fail; names and comments do not reach the terminal raw."""
    room = Room(place, "strange")
    public = room.key("k")
    os.mkfifo(room.path("fifo"))
    os.symlink("/dev/zero", room.path("zero"))
    os.symlink(".", room.path("ring"))
    os.symlink("nowhere", room.path("broken"))
    os.symlink("k", room.path("link"))
    with open(room.path("huge"), "wb") as f:
        f.truncate(1 << 30)
    room.write("cut", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n")
    room.write("evil\x1b[2J.pub", f"{public} \x1b[31mred\u202e\n".encode())
    found = room.audit(".")
    same({at: flaws for at, (_, flaws, _) in found.items()}, {"./k": [], "./k.pub:1": [], "./link": [], "./cut": ["cannot be used: invalid format"],
                                                              "./evil\\033[2J.pub:1": []}, "what is shown")
    same("\x1b" in str(found), False, "an escape")
    for name, words in (("fifo", "not a regular file"), ("zero", "not a regular file"), ("none", "No such file"),
                        ("huge", "too large"), ("broken", "No such file")):
        done = room.run(name, status=255)
        if words not in done.stderr.decode() or done.stderr.count(b"\n") != 1:
            raise AssertionError(f"{name}: {done.stderr!r}")
    room.write("text", "just text\n")
    same(room.run("text", status=255).stderr, b"text: no keys in it\r\n", "a file without keys, by name")
    room.run(status=255)
    room.run("-O", "foo", ".", status=255)
    if os.geteuid() != 0:       # root reads what nobody may read
        os.chmod(room.path("k"), 0)
        room.run(".", status=255)


def main():
    tap = Tap()
    with Place() as place:
        for name, test in (("private keys and their public halves", plain), ("authorized keys", authorized), ("known hosts", known_hosts),
                           ("RSA keys that were made badly", badly_made), ("certificates", certificates),
                           ("revoked keys", revoked), ("other suites' forms", forms), ("strange files and names", strange)):
            with tap.case(name):
                test(place)
    tap.end()


main()
