# SPDX-License-Identifier: ISC
"""Both dumps side by side with an installed OpenSSH (Debian 12's 9.2): generated configurations, line by line. What 10.5 changed
since is data here, with its reason; every other difference fails. The seed is printed; DIFFER_SEED and DIFFER_COUNT repeat or lengthen a run."""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "../../../test/lib"))
from tap import Skip, Tap  # noqa: E402

TOOL = Path(os.environ["NACRE_BUILD"]) / "src/kit/conf-tool"
SEED = int(os.environ.get("DIFFER_SEED", "20261"))
COUNT = int(os.environ.get("DIFFER_COUNT", "60" if os.environ.get("NACRE_QUICK") else "250"))

# Lines of ssh -G and sshd -T that are not compared.
SSH_SKIP = {
    "gssapikeyexchange": "Debian's patch", "gssapitrustdns": "Debian's patch", "gssapirenewalforcesrekey": "Debian's patch",
    "gssapikexalgorithms": "Debian's patch", "warnweakcrypto": "new in 10.1", "channeltimeout": "new in 9.6", "obscurekeystroketiming": "new in 9.5",
    "userknownhostsfile": "ssh expands ~ before it dumps; the dump here is the parsed text", "controlpath": "likewise its tokens",
    "identityfile": "defaults differ: dsa and xmss are gone, ML-DSA is new",
    "streamlocalbindmask": "9.2 sets it from blocks that do not apply", "syslogfacility": "likewise",
    "forwardagent": "9.2 takes a later line's socket", "dynamicforward": "9.2 lists LocalForward with sockets here too",
}
SSHD_SKIP = {
    "gssapikeyexchange": "Debian's patch", "gssapistorecredentialsonrekey": "Debian's patch", "gssapikexalgorithms": "Debian's patch",
    "gssapidelegatecredentials": "new in 10.4", "kerberosgetafstoken": "Debian is built without AFS", "pamservicename": "new in 10.0",
    "refuseconnection": "new in 9.9", "sshdsessionpath": "new in 9.8", "sshdauthpath": "new in 10.0", "persourcepenalties": "new in 9.8",
    "persourcepenaltyexemptlist": "new in 9.8", "channeltimeout": "\"none\" is shown since 9.6", "revokedkeys": "a list since 10.3",
    "rdomain": "refused on Linux", "ipqos": "the last wins in 9.2", "fingerprinthash": "likewise",
}
# Defaults that changed, or that Debian changes: given at the end of each configuration, so that both sides have the same.
ALGS = ("Ciphers aes128-ctr\nMACs hmac-sha2-256\nKexAlgorithms curve25519-sha256\nCASignatureAlgorithms ssh-ed25519\n"
        "HostbasedAcceptedAlgorithms ssh-ed25519\nHostKeyAlgorithms ssh-ed25519\nPubkeyAcceptedAlgorithms ssh-ed25519\nIPQoS ef cs0\n")
SSH_TAIL = "Match all\nForwardX11Trusted no\n" + ALGS
TIMES = ["0", "5", "1m", "1h30m", "2d", "1w"]
FLAG = ["yes", "no", "true", "false", "YES", '"no"']
BAD = ["", "maybe", "-1", "1x", '"open', "a b", "99999999999999999999"]


def read_data():
    """differ.data as {section: {option: values}} and, for blocks, {section: lines}."""
    out, section = {}, None
    for line in (Path(__file__).parent / "differ.data").read_text().splitlines():
        if line.startswith("#"):
            continue
        if line.startswith("["):
            section = out.setdefault(line.strip("[]"), {} if "options" in line else [])
        elif isinstance(section, list):
            section.append(line)
        else:
            key, _, values = line.partition(": ")
            section[key] = {"FLAG": FLAG, "TIMES": TIMES}.get(values) or values.split(" | ")
    return out


DATA = read_data()
SPEC = "user=bob,host=c.example.org,addr=10.1.2.3,laddr=192.168.0.1,lport=22"
NOT_IN_MATCH = set("""AddressFamily Compression FingerprintHash IgnoreUserKnownHosts ListenAddress LoginGraceTime MaxStartups
    PermitUserEnvironment PerSourceMaxStartups PerSourceNetBlockSize PidFile Port PrintLastLog PrintMotd StrictModes SyslogFacility TCPKeepAlive
    UseDNS UsePAM VersionAddendum KeepAlive Protocol UsePrivilegeSeparation AFSTokenPassing
    Subsystem""".split())   # the retired ones are passed over in Match too; Subsystem is allowed there since 9.5

# Bad values of these are not comparable: 9.2 overlooks what follows a number, resolves names while it reads; "-1" is a list modifier
LOOSE = {"MaxStartups", "PerSourceNetBlockSize", "StreamLocalBindMask", "LogVerbose", "ListenAddress", "Ciphers", "MACs"}


def generate(rnd, options, blocks, not_in_match=frozenset()):
    """A configuration; one in four has mistakes in it."""
    lines, mistakes, in_match = [], rnd.random() < 0.25, False
    good = [k for k in options if k not in ("foobar", "unheard", "RSAAuthentication")]
    for _ in range(rnd.randint(1, 14)):
        if rnd.random() < 0.18:
            block = rnd.choice(blocks if mistakes else blocks[:-4])
            lines.append(block)
            in_match |= block.startswith("Match")
            continue
        keyword = rnd.choice(list(options) if mistakes else good)
        if in_match and keyword in not_in_match:
            continue
        value = rnd.choice(BAD) if mistakes and keyword not in LOOSE and rnd.random() < 0.15 else rnd.choice(options[keyword])
        lines.append(rnd.choice(["{} {}", "{} {}", "\t{}  {}", "{}\t{} "]).format(rnd.choice([keyword, keyword.lower()]), value))
    return "\n".join(lines) + "\n"


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL, cwd="/")
    return done.returncode, done.stdout, done.stderr


def lines_by_key(text, skip):
    out = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key.lower() not in skip:
            out.setdefault(key.lower(), []).append(value)
    return out


def complaints(text):
    """Error lines without what both sides say besides."""
    drop = re.compile(r"^Pseudo-terminal|is not supported; ignored|Deprecated option|Unsupported option|"
                      r"^Cannot forward agent|^debug|^reprocess")
    return [line.strip() for line in text.splitlines() if line.strip() and not drop.search(line)]


def compare(tap_name, text, ours, theirs, skip):
    if (ours[0] == 0) != (theirs[0] == 0):
        raise AssertionError(f"{tap_name}: ours ends with {ours[0]}, theirs with {theirs[0]}\n{text}\nours: {ours[2]}\ntheirs: {theirs[2]}")
    if ours[0] != 0:
        mine, other = complaints(ours[2]), complaints(theirs[2])
        if other and mine[:1] != other[:1]:  # a mistake that 9.2 finds in its second pass only, it reports at another place
            raise AssertionError(f"{tap_name}: first complaint differs\n{text}\nours: {mine[:1]}\ntheirs: {other[:1]}")
        return
    a, b = lines_by_key(ours[1], skip), lines_by_key(theirs[1], skip)
    for key in sorted(set(a) | set(b)):
        if a.get(key) != b.get(key):
            raise AssertionError(f"{tap_name}: {key}\n{text}\nours: {a.get(key)}\ntheirs: {b.get(key)}")


def prepare_sshd(folder):
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if not sshd or not shutil.which("ssh-keygen"):
        raise Skip("no OpenSSH server here")
    key = Path(folder) / "key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    (Path(folder) / "empty").write_text("")
    status, _, said = run(sshd, "-T", "-f", str(Path(folder) / "empty"), "-h", str(key))
    if status != 0:
        raise Skip(f"sshd -T does not run here: {said.strip()}")
    if "OpenSSH_9.2" not in run(sshd, "-V")[2]:
        raise Skip("the differences are listed for OpenSSH 9.2")
    return sshd, key


def client_case(tap, folder):
    ssh = shutil.which("ssh", path="/usr/bin")
    if not ssh or "OpenSSH_9.2" not in run(ssh, "-V")[2]:
        raise Skip("no OpenSSH 9.2 client here")
    path = Path(folder) / "ssh_config"
    for number in range(COUNT):
        rnd = random.Random(f"{SEED} client {number}")
        text = generate(rnd, DATA["client options"], DATA["client blocks"]) + SSH_TAIL
        path.write_text(text)
        ours = run(str(TOOL), "ssh", str(path), "foo")
        theirs = run(ssh, "-G", "-F", str(path), "foo")
        compare(f"client configuration {number}", text, ours, theirs, SSH_SKIP)


def server_case(tap, folder):
    sshd, key = prepare_sshd(folder)
    path = Path(folder) / "sshd_config"
    for number in range(COUNT):
        # Defaults come first here: what follows a Match line belongs to it, and the lists are not allowed there.
        rnd = random.Random(f"{SEED} server {number}")
        made = generate(rnd, DATA["server options"], DATA["server blocks"], NOT_IN_MATCH)
        text = f"HostKey {key}\n" + ALGS + made
        if "ipqos" in made.lower():
            text = text.replace("IPQoS ef cs0\n", "")
        if "logingracetime" not in made.lower():   # a default of our own: docs/decisions/defaults.md
            text = "LoginGraceTime 120\n" + text
        path.write_text(text)
        spec = ["-C", SPEC] if "match" in text.lower() or number % 2 else []   # 9.2 asks for it where Match stands
        ours = run(str(TOOL), "sshd", str(path), *spec)
        theirs = run(sshd, "-T", "-f", str(path), *spec)
        compare(f"server configuration {number} {spec}", text, ours, theirs, SSHD_SKIP)


def stock_case():
    """Debian's own files load, and say what they say there but for the defaults that changed."""
    files = [("ssh", Path("/etc/ssh/ssh_config"), ["sendenv LANG", "sendenv LC_*", "hashknownhosts yes", "gssapiauthentication yes"]),
             ("sshd", Path("/usr/share/openssh/sshd_config"), ["kbdinteractiveauthentication no", "usepam yes", "x11forwarding yes", "printmotd no",
                                                               "acceptenv LANG", "acceptenv LC_*", "subsystem sftp /usr/lib/openssh/sftp-server"])]
    for side, path, want in files:
        if not path.exists():
            raise Skip(f"no {path}")
        status, out, said = run(str(TOOL), side, str(path))
        missing = [line for line in want if line not in out.splitlines()]
        if status or missing:
            raise AssertionError(f"{path}: status {status}, {said}, missing {missing}")
        if any("Bad " in line for line in said.splitlines()):
            raise AssertionError(said)


def main():
    tap = Tap()
    tap.note(f"seed {SEED}, {COUNT} configurations a side")
    with tempfile.TemporaryDirectory(prefix="differ.") as folder:
        with tap.case("ssh -G says what the parsed client configuration says"):
            client_case(tap, folder)
        with tap.case("sshd -T says what the parsed server configuration says"):
            server_case(tap, folder)
    with tap.case("Debian's stock ssh_config and sshd_config load"):
        stock_case()
    tap.end()


main()
