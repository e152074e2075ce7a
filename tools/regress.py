#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""OpenSSH's own regression scripts on our programs, each a TAP case.

usage: tools/regress.py [TEST...]

The scripts are Debian's package openssh-tests; ../shared/tools/regress.py beside the checkout runs them in a sandbox of its own.
Without TESTs: those that are due, or a fair share of them where NACRE_LONG is not set.
"""
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{TOP}/test/lib")
import programs  # noqa: E402
from tap import Tap  # noqa: E402

RUNNER = f"{os.path.dirname(TOP)}/shared/tools/regress.py"
SUITE = "/usr/lib/openssh/regress"
SHARE = """connect exit-status exit-status-signal banner stderr-data stderr-after-eof broken-pipe yes-head proto-version proto-mismatch
proxy-connect envpass allow-deny-users keygen-comment keygen-knownhosts dhgex
sftp sftp-badcmds sftp-glob keygen-sshfp t1 t3 t5""".split()
DUE = [*SHARE, *"transfer rekey kextype try-ciphers integrity login-timeout keytype scp scp3 scp-uri sftp-cmds sftp-batch sftp-perm sftp-uri".split(),
       *"krl sshsig cert-file cert-hostkey cert-userkey limit-keytype keyscan agent-pkcs11".split(),
       *"agent agent-restrict agent-getpeereid agent-timeout agent-ptrace agent-subprocess keys-command principals-command hostkey-agent key-options".split(),
       *"sftp-chroot hostkey-rotate knownhosts knownhosts-command".split(),
       *"keygen-change keygen-convert keygen-moduli t2 t4 t7 t9 t10 t11 t12".split()]      # t6 and t8 want DSA
# (old text, new text), once in that script: what OpenSSH has changed since the 9.2 that the package is of (10.3: a certificate without
# principals is one for nobody). Their -t for composite keys is not the type's name without "ssh-".
PLAIN_HOSTS = 'SSH_HOSTKEY_TYPES=`echo "$SSH_HOSTKEY_TYPES" | grep -v mldsa`\n'     # what our sshd shows by default
EDITS = {
    # composite keys are off by default, as DSA keys were, for which the script has such lines
    "agent": [('trace "simple connect via agent"', 'for f in ssh_proxy sshd_proxy; do echo "PubkeyAcceptedAlgorithms +ssh-mldsa44-ed25519@openssh.com,'
               'ssh-mldsa44-ed25519-cert-v01@openssh.com" >>$OBJ/$f; done\ntrace "simple connect via agent"')],
    "hostkey-rotate": [('tid="hostkey rotate"\n', 'tid="hostkey rotate"\n' + PLAIN_HOSTS)],
    "knownhosts-command": [('tid="known hosts command "\n', 'tid="known hosts command "\n' + PLAIN_HOSTS)],
    "cert-hostkey": [('"empty principals"\tsuccess "-h"', '"empty principals"\tfailure "-h"'), ('success "-h -V-1w:+2w"', 'success "-h -n $HOSTS -V-1w:+2w"'),
                     ('PLAIN_TYPES=`echo "$SSH_KEYTYPES" |', 'PLAIN_TYPES=`echo "$SSH_KEYTYPES" | sed /mldsa/s/@openssh.com// |')],
    "cert-userkey": [('"empty principals"\tsuccess "" authorized_keys', '"empty principals"\tfailure "" authorized_keys'),
                     ("sed 's/^ssh-dss/ssh-dsa/;s/^ssh-//'", "sed 's/^ssh-dss/ssh-dsa/;/mldsa/s/@.*//;s/^ssh-//'"),
                     ('sk-ecdsa-*) n="sk-ecdsa" ;;', 'sk-ecdsa-*) n="sk-ecdsa" ;;\n\tmldsa44-*) n="ssh-mldsa44-ed25519" ;;')],
    # 24 connections without a login from one address: since 9.8 sshd shuts it out, and the suite of that version says so
    "keyscan": [('echo "HostKeyAlgorithms $algs" >>', 'printf "HostKeyAlgorithms $algs\\nPerSourcePenalties no\\n" >>')],
    "hostkey-agent": [("grep 'cert-v01@openssh.com'`", "grep 'cert-v01@openssh.com' | grep -v -e webauthn -e mldsa`")],
}


def why_not():
    for reason, there in {"needs root": os.geteuid() == 0,
                          "there is no ../shared/tools/regress.py beside the checkout": os.path.exists(RUNNER),
                          "openssh-tests is not installed": os.path.isdir(SUITE), "sudo is not installed": shutil.which("sudo")}.items():
        if not there:
            return reason
    return None


@contextlib.contextmanager
def suite(tests):
    """The scripts' folder: the package's own, or a copy with our edits."""
    if not set(tests) & set(EDITS) or os.environ.get("NACRE_BIN") == "debian":
        yield SUITE
        return
    with tempfile.TemporaryDirectory(prefix="nacre-suite-") as folder:
        shutil.copytree(SUITE, folder, dirs_exist_ok=True, symlinks=True)
        os.chmod(folder, 0o755)
        for name in set(tests) & set(EDITS):
            path = f"{folder}/{name}.sh"
            with open(path, encoding="utf-8") as f:
                text = f.read()
            for old, new in EDITS[name]:
                if text.count(old) != 1:
                    raise ValueError(f"{path}: {text.count(old)} times {old!r}")
                text = text.replace(old, new)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        yield folder


def main():
    if reason := why_not():
        print(f"1..0 # SKIP {reason}")
        return
    tests = sys.argv[1:] or (DUE if os.environ.get("NACRE_LONG") else SHARE)
    folder = "debian" if os.environ.get("NACRE_BIN") == "debian" else os.path.dirname(programs.ours("ssh"))
    logs = f"{programs.build_folder()}/regress-logs"
    tap, seen = Tap(), set()
    with suite(tests) as scripts:
        run_all(tap, seen, ["/usr/bin/python3", RUNNER, "-l", logs, folder, scripts, *tests], logs)
    for name in tests:
        if name not in seen:
            tap.ok(False, name, "did not run")
    tap.end()


def run_all(tap, seen, command, logs):
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout:
            found = re.match(r"(pass|fail|skip|timeout|stopped)\s+(\S+)\s+[\d.]+s\s*(.*)", line)
            if not found:
                tap.note(line)
                continue
            result, name, why = found.groups()
            seen.add(name)
            if result == "skip":
                tap.skip(name, why)
            else:
                tap.ok(result == "pass", name, f"{why}\nlogs: {logs}/{name}")


main()
