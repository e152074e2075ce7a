#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""./dev install into a folder: OpenSSH's names in bin and sbin, the rest in libexec/nacre, a systemd unit; nothing else."""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import programs  # noqa: E402
from tap import Tap, same  # noqa: E402

PREFIX = "/opt/nacre"
EXPECTED = """bin/scp bin/sftp bin/ssh bin/ssh-add bin/ssh-agent bin/ssh-copy-id bin/ssh-keygen bin/ssh-keyscan lib/systemd/system/nacre.service
libexec/nacre/sftp-server libexec/nacre/ssh-dns libexec/nacre/ssh-pkcs11-helper libexec/nacre/ssh-sk-helper libexec/nacre/ssh-transport
libexec/nacre/sshd-auth libexec/nacre/sshd-keys libexec/nacre/sshd-net sbin/sshd
share/man/man1/scp.1 share/man/man1/sftp.1 share/man/man1/ssh-add.1 share/man/man1/ssh-agent.1 share/man/man1/ssh-copy-id.1
share/man/man1/ssh-keygen.1 share/man/man1/ssh-keyscan.1 share/man/man1/ssh.1 share/man/man5/ssh_config.5 share/man/man5/sshd_config.5
share/man/man8/sftp-server.8 share/man/man8/ssh-pkcs11-helper.8 share/man/man8/ssh-sk-helper.8 share/man/man8/sshd.8""".split()


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="nacre-") as to:
        with tap.case("installs"):
            done = subprocess.run(["sh", "tools/install.sh", PREFIX], cwd=programs.TOP, env=os.environ | {"DESTDIR": to},
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            same(done.returncode, 0, f"exit status; it said:\n{done.stdout[-1000:]}{done.stderr[-1000:]}\n")
        with tap.case("installs these files"):
            files = sorted(os.path.relpath(os.path.join(folder, name), to + PREFIX) for folder, _, names in os.walk(to) for name in names)
            same(files, EXPECTED, "files")
        with tap.case("the installed ssh says its version"):
            done = subprocess.run([f"{to}{PREFIX}/bin/ssh", "-V"], capture_output=True, text=True, check=False)
            if not re.match(r"Nacre_\S+ \(OpenSSH_10\.5p1\), OpenSSL \d", done.stderr):
                raise AssertionError(done)
        with tap.case("man finds the pages"):
            man = [programs.foreign("man"), "-M", f"{to}{PREFIX}/share/man", "-w"]
            for section, name in ("1", "ssh"), ("5", "sshd_config"), ("8", "sshd"):
                found = subprocess.run([*man, section, name], env={"PATH": programs.PATH, "LC_ALL": "C"}, capture_output=True, text=True, check=False)
                same(found.stdout.strip(), f"{to}{PREFIX}/share/man/man{section}/{name}.{section}", "path")
        with tap.case("no page names a place that is not there"):
            for page in (name for name in EXPECTED if "/man/" in name):
                with open(f"{to}{PREFIX}/{page}", encoding="utf-8") as f:
                    for path in re.findall(rf"{PREFIX}/[a-z0-9/-]+", f.read()):
                        same(path.removeprefix(f"{PREFIX}/") in EXPECTED, True, f"{page}: {path}")
        with tap.case("the unit names the installed files"):
            with open(f"{to}{PREFIX}/lib/systemd/system/nacre.service", encoding="utf-8") as f:
                same("@PREFIX@" in (text := f.read()), False, "place holder")
            same(f"ExecStart={PREFIX}/sbin/sshd -D" in text, True, "ExecStart")
    tap.end()


main()
