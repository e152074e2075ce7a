#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A pure room calls no system: the undefined symbols of its archive against an allow list."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import programs  # noqa: E402
from tap import Tap  # noqa: E402

ROOMS = ["base", "crypto", "key", "core", "agent", "conf", "sftp"]
LIBRARIES = {"src/crypto/openssl": "crypto", "src/crypto/zlib": "z", "src/crypto/argon2": "argon2"}  # folder: the library it alone may call


def symbols(*argv):
    out = subprocess.run(["nm", *argv], capture_output=True, text=True, check=True).stdout
    return [line.split() for line in out.splitlines() if line and not line.endswith(":")]


def undefined(archive):
    return {words[-1] for words in symbols("-u", archive)}


def defined(archive):
    return {words[-1] for words in symbols("--defined-only", archive) if len(words) == 3 and words[1] in "TDBRVWC"}


def exported(library):
    path = subprocess.run(["cc", f"-print-file-name=lib{library}.so"], capture_output=True, text=True, check=True).stdout.strip()
    return {words[-1].split("@")[0] for words in symbols("-D", "--defined-only", path)}


def archives(build):
    for room in ROOMS:
        for folder, _, files in os.walk(f"{build}/src/{room}"):
            yield from ((os.path.relpath(folder, build), f"{folder}/{name}") for name in sorted(files) if name.endswith(".a"))


def main():
    tap, found = Tap(), list(archives(programs.build_folder()))
    with open(f"{HERE}/pure_symbols", encoding="ascii") as f:
        allowed = {word for line in f if not line.startswith("#") for word in line.split()}
    own = set().union(*(defined(path) for _, path in found))
    for folder, path in found:
        may = allowed | own | (exported(LIBRARIES[folder]) if folder in LIBRARIES else set())
        extra = sorted(undefined(path) - may)
        tap.ok(not extra, f"{folder}: {os.path.basename(path)} is pure", f"it also calls: {' '.join(extra)}")
    for room in ROOMS:
        if not any(folder.startswith(f"src/{room}") for folder, _ in found):
            tap.ok(False, f"src/{room} is pure", "it has no archive")
    tap.end()


main()
