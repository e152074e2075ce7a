# SPDX-License-Identifier: ISC
"""Where the programs under test and the foreign ones are.

NACRE_BIN=FOLDER takes our programs from there (NACRE_BIN=debian: Debian's OpenSSH in their place, to try a test itself);
else they come from the build named by NACRE_BUILD, or build/strict.
"""
import os
import shutil

from tap import Skip

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = """sftp scp ssh ssh-dns ssh-agent ssh-add ssh-transport sshd sshd-net sshd-keys sshd-auth ssh-keygen sftp-server
ssh-pkcs11-helper ssh-sk-helper ssh-keyscan""".split()
SCRIPTS = ["ssh-copy-id"]
PATH = "/usr/bin:/usr/sbin:/bin:/sbin"


def build_folder():
    return os.environ.get("NACRE_BUILD") or f"{TOP}/build/strict"


def gather(build, programs=(*PROGRAMS, *SCRIPTS)):
    """BUILD/bin, one folder with a hard link to each program, as the programs look for each other beside themselves."""
    to = f"{build}/bin"
    os.makedirs(to, exist_ok=True)
    for folder, _, files in os.walk(f"{build}/src/prog"):
        for name in set(programs) & set(files):
            built, link = f"{folder}/{name}", f"{to}/{name}"
            if os.path.exists(link) and os.path.samefile(built, link):
                continue
            with_pid = f"{link}.{os.getpid()}"
            os.link(built, with_pid)
            os.rename(with_pid, link)
    return to


def foreign(name):
    """A program of the system, by its name; Skip when it is not installed."""
    path = shutil.which(name, path=PATH)
    if not path:
        raise Skip(f"{name} is not installed")
    return path


def ours(name):
    """One of our programs, by its name; FileNotFoundError when it is not built."""
    given = os.environ.get("NACRE_BIN")
    if given == "debian":
        return foreign(name)
    path = f"{os.path.abspath(given) if given else gather(build_folder())}/{name}"
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"{path}: not built")
    return path


def any_keygen():
    """Debian's ssh-keygen for keys that test something else, or ours where there is none."""
    return shutil.which("ssh-keygen", path=PATH) or ours("ssh-keygen")
