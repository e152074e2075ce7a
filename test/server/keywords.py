#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What single keywords of sshd_config do."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Place  # noqa: E402
from tap import Tap, same, wait_for  # noqa: E402


def start(place, name, *options, match=()):
    """match: lines of a Match block, which must not swallow the settings behind it."""
    if match:
        options = [*options, "Include " + place.write(f"match-{name}", "\n".join(match) + "\n")]
    return servers.sshd(place, programs.ours("sshd"), ["LogLevel VERBOSE", *options], log=f"{name}.log")


def log_of(place, server):
    return place.read(server.log).decode(errors="replace")


def paths(tap, place):
    with tap.case("relative names start where sshd was started, as OpenSSH has it"):
        key = os.path.basename(place.key("ed25519", "host-relative"))
        place.write("relative", f"HostKey {key}\nBanner here/banner\nModuliFile moduli\nAuthorizedKeysFile .ssh/keys\nXAuthLocation none\n")
        shown = []
        for program in programs.ours("sshd"), programs.foreign("sshd"):
            out = place.run([program, "-T", "-f", "relative"], check=True, cwd=place.folder).stdout.decode()
            shown.append(sorted(line for line in out.splitlines() if line.split(" ")[0] in ("hostkey", "banner", "modulifile", "authorizedkeysfile")))
        same(shown[0], shown[1], "dump")
        same(f"banner {place.folder}/here/banner" in shown[0], True, "the banner's place")


def fingerprints(tap, place):
    with tap.case("FingerprintHash md5 in the log"):
        server = start(place, "md5", "FingerprintHash md5")
        same(clients.ssh(place, programs.foreign("ssh"), server, "echo in").stdout, b"in\n", "login")
        shown = place.run([programs.foreign("ssh-keygen"), "-l", "-E", "md5", "-f", place.key()], check=True).stdout.decode().split()[1]
        wait_for("line", lambda: f"ssh2: ED25519 {shown}" in log_of(place, server))
        same("SHA256:" in log_of(place, server).split("Accepted")[1], False, "a SHA256 fingerprint")


def main():
    tap = Tap()
    with Place() as place:
        for part in paths, fingerprints:
            part(tap, place)
    tap.end()


if __name__ == "__main__":
    room.enter()
    main()
