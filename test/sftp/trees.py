# SPDX-License-Identifier: ISC
"""Trees to copy, and what is left of them: names, kinds, modes, sizes, times, hashes."""
import hashlib
import os
import random
import shutil
import stat

OLD = 1577934245        # 2020-01-02 03:04:05


def put(path, content=b"", mode=0o644, age=0):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content)
    os.chmod(path, mode)
    os.utime(path, (OLD + age, OLD + age))


def make(top):
    """The tree that both programs meet, anew."""
    shutil.rmtree(top, ignore_errors=True)
    put(f"{top}/a", b"hi\n", age=1)
    put(f"{top}/b c", b"x\n" * 100, mode=0o600, age=2)
    put(f"{top}/big", random.Random(7).randbytes(700000), mode=0o640, age=3)
    put(f"{top}/empty", age=4)
    put(f"{top}/.hidden", b"h", age=5)
    put(f"{top}/d/e", b"y\n" * 3, mode=0o755, age=6)
    put(f"{top}/d/sub/f", b"z" * 40000, age=7)
    put(f"{top}/quo'te\"*[x]", b"q", age=8)
    put(f"{top}/u/\u00fcml", b"u", age=9)
    put(f"{top}/u/back\\slash", b"b", age=10)
    put(f"{top}/u/esc\033[1m\nape", b"e", age=11)
    os.symlink("a", f"{top}/l")
    os.symlink("d", f"{top}/ld")
    os.symlink("nowhere", f"{top}/dangling")
    for i, name in enumerate(("l", "ld", "dangling")):
        os.utime(f"{top}/{name}", (OLD + 20 + i, OLD + 20 + i), follow_symlinks=False)
    for i, name in enumerate(("d/sub", "d", "u", "")):
        os.utime(f"{top}/{name}", (OLD + 30 + i, OLD + 30 + i))


def facts(top, times=()):
    """{name: what it is}; with the time of last change for the names in `times` (and for what is OLD)."""
    found = {}
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = f"{folder}/{name}"
            st = os.lstat(path)
            what = [stat.filemode(st.st_mode)]
            if stat.S_ISLNK(st.st_mode):
                what.append(os.readlink(path))
            elif stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    what += [st.st_size, hashlib.sha256(f.read()).hexdigest()]
            if st.st_mtime < OLD + 100000 or name in times:
                what.append(int(st.st_mtime))
            found[os.path.relpath(path, top)] = what
    return found
