#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Programs that live on our server and our ssh: a file system by sshfs with a git clone and a build in it, git and rsync over our ssh."""
import contextlib
import os
import shlex
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import transfer  # noqa: E402
from place import Place  # noqa: E402
from tap import Skip, Tap, same, wait_for  # noqa: E402
from transfer import good  # noqa: E402
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402

MODULES = 25
MAKEFILE = """objects := $(patsubst %.c,%.o,$(wildcard module*.c)) main.o
program: $(objects)
\t$(CC) -o $@ $^
%.o: %.c all.h
\t$(CC) -c -o $@ $<
"""


def source_tree(top):
    """A program of some modules that prints the sum of their numbers."""
    os.makedirs(top)
    names = {f"module{i}.c": f'#include "all.h"\nint number{i}(void) {{ return {i}; }}\n' for i in range(MODULES)}
    names["all.h"] = "".join(f"int number{i}(void);\n" for i in range(MODULES))
    calls = " + ".join(f"number{i}()" for i in range(MODULES))
    names["main.c"] = f'#include <stdio.h>\n#include "all.h"\nint main(void) {{ printf("%d\\n", {calls}); return 0; }}\n'
    names["Makefile"] = MAKEFILE
    for name, content in names.items():
        with open(f"{top}/{name}", "w", encoding="ascii") as f:
            f.write(content)


class Work:
    def __init__(self, site):
        self.site, self.place = site, site.place
        self.ssh = [*clients.ssh_argv(site.place, programs.ours("ssh"), site.server)]
        site.place.write(".gitconfig", "[user]\nname = Test\nemail = test@localhost\n[safe]\ndirectory = *\n[init]\ndefaultBranch = main\n")
        site.place.env["GIT_SSH_COMMAND"] = shlex.join(self.ssh)

    def run(self, *argv, cwd=None):
        return good(self.place.run([programs.foreign(argv[0]), *argv[1:]], cwd=cwd), shlex.join(argv)).stdout.decode()

    def repository(self):
        path = f"{self.site.here}/repository"
        source_tree(path)
        for argv in ("git", "init", "-q"), ("git", "add", "."), ("git", "commit", "-qm", "all"):
            self.run(*argv, cwd=path)
        return path

    @contextlib.contextmanager
    def mounted(self, remote):
        """A folder here that is the folder `remote` there."""
        sshfs = programs.foreign("sshfs")
        if not transfer.IN_ROOM_AS_ROOT or not os.access("/dev/fuse", os.R_OK | os.W_OK):
            raise Skip("needs root, a mount namespace and /dev/fuse")
        folder = f"{self.site.here}/mount"
        os.mkdir(folder)
        process = self.place.start([sshfs, "-f", f"127.0.0.1:{remote}", folder, "-o", f"ssh_command={shlex.join(self.ssh)}"], "sshfs.log")
        try:
            wait_for("mount", lambda: os.path.ismount(folder) or process.poll() is not None)
            if process.poll() is not None:
                raise Skip(f"no FUSE here: {self.place.read('sshfs.log').decode(errors='replace')[-200:]}")
            yield folder
        finally:
            self.place.run(["umount", folder])
            self.place.stop(process)


def file_system(tap, site):
    with tap.case("sshfs: a git clone, a change, a build by make, and the program runs, all in the mounted folder"):
        site.fresh()
        work = Work(site)
        origin = work.repository()
        with work.mounted(site.there) as folder:
            work.run("git", "clone", "-q", "--no-hardlinks", origin, "clone", cwd=folder)
            same(work.run("git", "status", "--short", cwd=f"{folder}/clone"), "", "git status")
            work.run("make", cwd=f"{folder}/clone")
            same(good(site.place.run([f"{folder}/clone/program"]), "program").stdout, b"%d\n" % sum(range(MODULES)), "what it prints")
            with open(f"{folder}/clone/module3.c", "a", encoding="ascii") as f:
                f.write("/* changed */\n")
            work.run("git", "commit", "-qam", "changed", cwd=f"{folder}/clone")
            work.run("git", "fsck", "--strict", cwd=f"{folder}/clone")
            seen = transfer.facts(f"{folder}/clone", times=False)
        there = transfer.facts(f"{site.there}/clone", times=False)
        transfer.same_trees({k: v[1:] for k, v in seen.items()}, {k: v[1:] for k, v in there.items()})


def git(tap, site):
    with tap.case("git clone, fetch and push over our ssh"):
        site.fresh()
        work = Work(site)
        repository = work.repository()
        work.run("git", "clone", "-q", "--bare", repository, f"{site.there}/bare.git")
        site.give(site.there)
        url = f"ssh://127.0.0.1{site.there}/bare.git"
        for name in "one", "two":
            work.run("git", "clone", "-q", url, f"{site.here}/{name}")
        with open(f"{site.here}/one/new", "wb") as f:
            f.write(os.urandom(3 << 20))
        for argv in ("git", "add", "new"), ("git", "commit", "-qm", "new"), ("git", "push", "-q"):
            work.run(*argv, cwd=f"{site.here}/one")
        work.run("git", "pull", "-q", cwd=f"{site.here}/two")
        same(work.run("git", "rev-parse", "HEAD", cwd=f"{site.here}/two"), work.run("git", "rev-parse", "HEAD", cwd=f"{site.here}/one"), "what two has")
        same(transfer.data_hash(f"{site.here}/two/new"), transfer.data_hash(f"{site.here}/one/new"), "the new file")


def rsync(tap, site):
    with tap.case("rsync over our ssh, up, again after changes, and down"):
        site.fresh()
        work, up = Work(site), f"{site.here}/tree"
        source_tree(up)
        with open(f"{up}/large", "wb") as f:
            f.write(os.urandom(5 << 20))
        options = ["-rtpl", "--delete", "-e", shlex.join(work.ssh)]
        for change in None, "module1.c", "large":
            if change:
                with open(f"{up}/{change}", "ab") as f:
                    f.write(b"/* changed */\n")
                os.unlink(f"{up}/module2.c") if change == "large" else shutil.copytree(up, f"{up}/copy")
            work.run("rsync", *options, f"{up}/", f"127.0.0.1:{site.there}/up/")
            transfer.same_trees(transfer.facts(f"{site.there}/up"), transfer.facts(up))
        work.run("rsync", *options, f"127.0.0.1:{site.there}/up/", f"{site.here}/down/")
        transfer.same_trees(transfer.facts(f"{site.here}/down"), transfer.facts(up))


def main():
    room.enter()
    tap = Tap()
    with Place() as place:
        site = transfer.Site(place)
        for part in file_system, git, rsync:
            part(tap, site)
    tap.end()


main()
