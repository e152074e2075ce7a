#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Foreign clients on our server: files, folders and names go up, around and down again unharmed."""
import hashlib
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Place  # noqa: E402
from tap import PATIENCE, Skip, Tap, same  # noqa: E402

SIZES = {"empty": 0, "one": 1, "odd": 32769, "large": 20 * 1024 * 1024 + 7, "name with space": 5000, "ümläut-ž": 300}


def furnish(place):
    """A local tree and an empty remote one that the server's user may fill."""
    local, remote = place.path("local"), place.path("remote")
    os.makedirs(f"{local}/tree/deep/er", 0o755)
    for name, size in SIZES.items():
        with open(f"{local}/{name}", "wb") as f:
            f.write(os.urandom(size))
    for i in range(200):
        with open(f"{local}/tree/deep/{i}", "wb") as f:
            f.write(f"file {i}\n".encode() * 100)
    os.makedirs(remote)
    os.chmod(remote, 0o777)
    return local, remote


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(f.read()).hexdigest()


def same_files(got, want, names):
    for name in names:
        same(digest(f"{got}/{name}"), digest(f"{want}/{name}"), name)


def same_tree(got, want):
    def of(top):
        return {os.path.relpath(os.path.join(folder, name), top): digest(os.path.join(folder, name))
                for folder, _, names in os.walk(top) for name in names}
    same(of(got), of(want), "tree")


def done_well(done):
    if done.returncode:
        raise AssertionError(f"status {done.returncode}:\n{done.stdout.decode(errors='replace')[-500:]}{done.stderr.decode(errors='replace')[-1500:]}")
    return done


class Round:
    """One client: a remote folder of its own, and a local one for what comes back."""

    def __init__(self, place, server, local, remote, name):
        self.place, self.server, self.local, self.name = place, server, local, name
        self.remote, self.back = f"{remote}/{name}", place.path(f"back-{name}")
        os.makedirs(self.back)
        os.makedirs(self.remote)
        os.chmod(self.remote, 0o777)

    def options(self):
        """-F and the file of an OpenSSH client."""
        return clients.ssh_argv(self.place, "x", self.server)[1:]


def openssh_sftp(r):
    batch = "\n".join([f'put -p "{r.local}/{name}" "{r.remote}/{name}"' for name in SIZES] + [f"put -r {r.local}/tree {r.remote}/tree"] +
                      [f'get -p "{r.remote}/{name}" "{r.back}/{name}"' for name in SIZES] + [f"get -r {r.remote}/tree {r.back}/tree"] +
                      [f"mkdir {r.remote}/new", f"rename {r.remote}/one {r.remote}/new/one2", f"chmod 640 {r.remote}/new/one2",
                       f"ln -s one2 {r.remote}/new/link", f"ln {r.remote}/new/one2 {r.remote}/new/hard", f"cp {r.remote}/large {r.remote}/new/copy",
                       f"ls -la {r.remote}/new", f"df -h {r.remote}", f"rm {r.remote}/odd", f"mkdir {r.remote}/gone", f"rmdir {r.remote}/gone",
                       f"reget {r.remote}/new/copy {r.back}/large", f"ls -l {r.remote}/tree/deep/1*"])
    done_well(r.place.run([programs.foreign("sftp"), *r.options(), "-b", r.place.write("batch", batch + "\n"), "127.0.0.1"], timeout=PATIENCE))
    same_files(r.back, r.local, SIZES)
    same_tree(f"{r.back}/tree", f"{r.local}/tree")
    same_tree(f"{r.remote}/tree", f"{r.local}/tree")
    same((os.stat(f"{r.remote}/new/one2").st_mode & 0o777, os.stat(f"{r.remote}/new/hard").st_nlink, os.readlink(f"{r.remote}/new/link")),
         (0o640, 2, "one2"), "what was made")
    same(digest(f"{r.remote}/new/copy"), digest(f"{r.local}/large"), "copy")
    same((os.path.exists(f"{r.remote}/odd"), os.path.exists(f"{r.remote}/gone")), (False, False), "what was removed")
    same(int(os.stat(f"{r.remote}/large").st_mtime), int(os.stat(f"{r.local}/large").st_mtime), "time")


def scp(r, *flags):
    argv = [programs.foreign("scp"), *r.options(), *flags]
    done_well(r.place.run([*argv, "-p", *[f"{r.local}/{name}" for name in SIZES], f"127.0.0.1:{r.remote}"], timeout=PATIENCE))
    done_well(r.place.run([*argv, "-r", f"{r.local}/tree", f"127.0.0.1:{r.remote}/tree"], timeout=PATIENCE))
    names = [name for name in SIZES if name != "name with space"]      # -O would need it quoted twice
    done_well(r.place.run([*argv, *[f"127.0.0.1:{r.remote}/{name}" for name in names], r.back], timeout=PATIENCE))
    done_well(r.place.run([*argv, "-r", f"127.0.0.1:{r.remote}/tree", f"{r.back}/tree"], timeout=PATIENCE))
    same_files(r.remote, r.local, SIZES)
    same_files(r.back, r.local, names)
    same_tree(f"{r.back}/tree", f"{r.local}/tree")


def openssh_scp(r):
    scp(r)


def openssh_scp_legacy(r):
    scp(r, "-O")


def openssh_sftp_small_window(r):
    """Odd sizes of requests: 7 at once, 1,000 bytes each."""
    batch = "\n".join([f"put {r.local}/odd {r.remote}/odd", f"get {r.remote}/odd {r.back}/odd"])
    done_well(r.place.run([programs.foreign("sftp"), *r.options(), "-R", "7", "-B", "1000", "-b", r.place.write("batch", batch + "\n"), "127.0.0.1"],
                          timeout=PATIENCE))
    same_files(r.back, r.local, ["odd"])


def putty(r, program, *args, stdin=b""):
    own = r.place.path("ed25519.ppk")
    if not os.path.exists(own):
        r.place.run([programs.foreign("puttygen"), r.place.key("ed25519"), "-O", "private", "-o", own], check=True)
    trust = [arg for public in r.server.publics for arg in ("-hostkey", clients.fingerprint(r.place, public))]
    return done_well(r.place.run([programs.foreign(program), "-batch", "-noagent", "-i", own, *trust, "-P", str(r.server.port), *args], stdin=stdin,
                                 timeout=PATIENCE))


def psftp(r):
    batch = "\n".join([f'put "{r.local}/{name}" "{r.remote}/{name}"' for name in SIZES] + [f"put -r {r.local}/tree {r.remote}/tree"] +
                      [f'get "{r.remote}/{name}" "{r.back}/{name}"' for name in SIZES] + [f"get -r {r.remote}/tree {r.back}/tree"] +
                      [f"mkdir {r.remote}/new", f"mv {r.remote}/one {r.remote}/new/one2", f"chmod 640 {r.remote}/new/one2", f"ls {r.remote}",
                       f"rm {r.remote}/odd", "quit"])
    putty(r, "psftp", "-b", r.place.write("psftp-batch", batch + "\n"), f"{r.place.user}@127.0.0.1")
    same_files(r.back, r.local, SIZES)
    same_tree(f"{r.back}/tree", f"{r.local}/tree")
    same(os.stat(f"{r.remote}/new/one2").st_mode & 0o777, 0o640, "mode")


def pscp(r):
    target = f"{r.place.user}@127.0.0.1:{r.remote}"
    putty(r, "pscp", "-q", "-sftp", *[f"{r.local}/{name}" for name in SIZES], target)
    putty(r, "pscp", "-q", "-sftp", "-r", f"{r.local}/tree", target)
    putty(r, "pscp", "-q", "-sftp", "-r", f"{target}/tree", f"{r.back}/tree")
    putty(r, "pscp", "-q", "-sftp", f"{target}/large", f"{r.back}/large")
    same_files(r.remote, r.local, SIZES)
    same_files(r.back, r.local, ["large"])
    same_tree(f"{r.back}/tree", f"{r.local}/tree")


def curl(r):
    program = programs.foreign("curl")
    if b" sftp" not in r.place.run([program, "--version"]).stdout:
        raise Skip("this curl has no sftp")
    known = r.place.write("curl-known", r.server.known_hosts())
    os.makedirs(r.place.path(".ssh"), exist_ok=True)
    shutil.copy(known, r.place.path(".ssh/known_hosts"))
    key = r.place.key("ed25519")    # its library knows no RSA with SHA-2 yet
    base = [program, "-sS", "--key", key, "--pubkey", f"{key}.pub", "-u", f"{r.place.user}:"]
    url = f"sftp://127.0.0.1:{r.server.port}{r.remote}"
    for name in ["empty", "one", "odd", "large"]:
        done_well(r.place.run([*base, "-T", f"{r.local}/{name}", f"{url}/{name}"], timeout=PATIENCE))
        done_well(r.place.run([*base, "-o", f"{r.back}/{name}", f"{url}/{name}"], timeout=PATIENCE))
    listing = done_well(r.place.run([*base, "-l", f"{url}/"], timeout=PATIENCE)).stdout.decode().split()
    same(sorted(set(listing) - {".", ".."}), ["empty", "large", "odd", "one"], "listing")
    done_well(r.place.run([*base, "-Q", f"rename {r.remote}/one {r.remote}/two", "-Q", f"rm {r.remote}/odd", "-o", "/dev/null", f"{url}/"], timeout=PATIENCE))
    same_files(r.back, r.local, [name for name in ["odd", "large"]])
    same((os.path.exists(f"{r.remote}/two"), os.path.exists(f"{r.remote}/odd")), (True, False), "rename and rm")


def python(r, library):
    done_well(r.place.run([sys.executable, f"{HERE}/peer_files.py", library, str(r.server.port), r.place.user, r.place.key("ed25519"),
                           r.place.write("known-python", r.server.known_hosts()), r.local, r.remote, r.back], timeout=PATIENCE))
    same_files(r.remote, r.local, ["empty", "odd", "large"])
    same_files(r.back, r.local, ["empty", "odd", "large"])


def paramiko(r):
    python(r, "paramiko")


def asyncssh(r):
    python(r, "asyncssh")
    same_tree(f"{r.back}/tree", f"{r.local}/tree")


def sshfs(r):
    program = programs.foreign("sshfs")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise Skip("no /dev/fuse")
    point = r.place.path("mounted")
    os.makedirs(point)
    config = r.options()[1]
    done = r.place.run([program, "-F", config, f"127.0.0.1:{r.remote}", point], timeout=PATIENCE)
    if done.returncode:
        raise Skip(f"no file system can be mounted here: {done.stderr.decode()[-100:]}")
    try:
        shutil.copytree(f"{r.local}/tree", f"{point}/tree")
        shutil.copy(f"{r.local}/large", f"{point}/large")
        os.rename(f"{point}/large", f"{point}/larger")
        same_tree(f"{point}/tree", f"{r.local}/tree")
        same(digest(f"{point}/larger"), digest(f"{r.local}/large"), "large")
        with open(f"{point}/larger", "r+b") as f:
            f.truncate(1000)
        same(os.stat(f"{r.remote}/larger").st_size, 1000, "size")
    finally:
        r.place.run(["fusermount", "-u", point], timeout=PATIENCE)


def main():
    room.enter()
    tap = Tap()
    with Place() as place:
        server = servers.sshd(place, programs.ours("sshd"), ["Subsystem sftp /usr/lib/openssh/sftp-server -l INFO", "LogLevel INFO"])
        local, remote = furnish(place)
        for client in [openssh_sftp, openssh_sftp_small_window, openssh_scp, openssh_scp_legacy, psftp, pscp, curl, paramiko, asyncssh, sshfs]:
            with tap.case(client.__name__):
                client(Round(place, server, local, remote, client.__name__))
        with tap.case("no program was started for any of them"):
            log = place.read(server.log).decode()
            same((log.count("session opened for local user") > 5, "unexpected" in log), (True, False), "log")
    tap.end()


main()
