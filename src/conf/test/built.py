# SPDX-License-Identifier: ISC
"""An option whose row says BUILT must be read somewhere outside this room, or its effect is a promise only (and the row should say
LESS or MORE); one that is read in the programs of its side may deserve BUILT, which is a note, not a failure."""
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "../../../test/lib"))
from tap import Tap  # noqa: E402

SRC = Path(__file__).resolve().parents[2]
SIDES = {
    "ssh": ("conf/ssh_rows.c", ["prog/ssh", "prog/ssh-transport", "kit", "os", "priv"]),
    "sshd": ("conf/sshd_rows.c", ["prog/sshd", "prog/sshd-net", "prog/sshd-keys", "prog/sshd-auth", "kit", "os", "priv"]),
}
# Done in this room, or right by themselves while what they restrict does not exist.
HERE = {
    "ssh": {"ClearAllForwardings": "drops forwardings when defaults are filled in", "IgnoreUnknown": "the parser's own",
            "Tag": "Match tagged"},
    "sshd": {"AddressFamily": "ListenAddress without an address", "Port": "part of the listen list", "Subsystem": "see the face's requests",
             "AllowStreamLocalForwarding": "there is no socket forwarding yet"},
}


def rows(path):
    """(name, built, field) of each row."""
    text = path.read_text()
    body = text[text.index("rows[] = {"):text.index("aliases[]")]
    for m in re.finditer(r'^\s+(?:[A-Z_]+\(|\{)"(\w+)",(.*?)(?=^\s+(?:[A-Z_]+\(|\{)"|\Z)', body, re.S | re.M):
        built = re.search(r"\b(BUILT|ABSENT|LESS|MORE)\b", m[2])
        field = re.search(r"AT\((\w+)\)", m[2]) or re.search(r"\b(?!kind_)([a-z][a-z0-9_]+)\b", m[2])
        yield m[1], built[1] if built else "BUILT", field[1]


def sources(folders):
    out = []
    for folder in folders:
        out += [p.read_text() for p in sorted((SRC / folder).rglob("*.[ch]")) if "test" not in p.relative_to(SRC).parts]
    return "\n".join(out)


def main():
    tap = Tap()
    for side, (table, folders) in SIDES.items():
        text, lost, seen = sources(folders), [], 0
        for name, built, field in rows(SRC / table):
            used = re.search(rf"\b{field}\b", text) is not None
            seen += 1
            if built == "BUILT" and not used and name not in HERE[side]:
                lost.append(name)
            if built == "MORE" and used:
                tap.note(f"{side}: {name} is refused but mentioned: built by now?")
        tap.ok(seen > 90 and not lost, f"{side}: every option that says BUILT is read by a program", f"{seen} rows; without a reader: {lost}")
    tap.end()


os.chdir("/")
main()
