#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ssh-keygen on what is no plain file, with options that are not built yet, making host keys, and file modes at every moment."""
import os
import re
import shutil
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
from place import Place
from tap import Skip, Tap, same


def keygen(place, *args, **kw):
    return place.run([programs.ours("ssh-keygen"), *args], cwd=place.folder, **kw)


def one_line(done, status, words):
    same((done.returncode, done.stdout), (status, b""), "status and stdout")
    text = done.stderr.decode()
    if text.count("\n") != 1 or not re.search(words, text):
        raise AssertionError(f"stderr: {text!r}")


def special_files(tap, place):
    os.mkfifo(place.path("fifo"))
    os.mkdir(place.path("folder"))
    with open(place.path("huge"), "wb") as f:
        f.truncate(10 << 30)
    os.chmod(place.path("huge"), 0o600)
    os.symlink("/dev/zero", place.path("zero"))
    words = {"fifo": "not a regular file", "folder": "Is a directory", "huge": "too large", "zero": "not a regular file",
             "/dev/full": "not a regular file"}
    for name, why in words.items():
        with tap.case(f"{os.path.basename(name)}: one line and no wait"):
            for args in ["-l"], ["-y"], ["-p", "-N", ""], ["-c", "-C", "x"], ["-F", "a"], ["-R", "a"], ["-H"]:
                one_line(keygen(place, *args, "-f", name), 255, why)
    with tap.case("a pipe that the shell has opened is read"):
        key = place.key()
        done = place.run(["/bin/bash", "-c", '"$0" -lf <(cat "$1.pub") && "$0" -lf /dev/stdin <"$1.pub" && "$0" -yf <(cat "$1")',
                          programs.ours("ssh-keygen"), key])
        same((done.returncode, done.stdout.count(b"\n")), (0, 3), "status and lines")
    with tap.case("a key file that is a symbolic link stays one"):
        os.symlink(place.key(), place.path("link"))
        same(keygen(place, "-q", "-p", "-N", "x", "-a", "1", "-f", "link").returncode, 0, "status")
        same((os.path.islink(place.path("link")), stat.S_IMODE(os.stat(place.key()).st_mode)), (True, 0o600), "link and mode")


def shown_text(tap, place):
    with tap.case("a comment of any length is shown whole, its characters too"):
        key = place.read(os.path.basename(place.key()) + ".pub").split()[:2]
        for before in range(508, 514):
            comment = "x" * before + "\u00e4\u20ac\U0001d11e" * 400
            place.write("long.pub", b" ".join([*key, comment.encode()]) + b"\n")
            same(keygen(place, "-l", "-f", "long.pub").stdout.decode().split()[2], comment, f"{before} bytes before")
    with tap.case("the public half of a private key file is taken from it whoever may read it"):
        shutil.copy(place.key(), place.path("open-to-all"))
        os.chmod(place.path("open-to-all"), 0o644)
        for args in ["-r", "host.example", "-f", "open-to-all"], ["-e", "-m", "PKCS8", "-f", place.key("ecdsa256")]:
            done, theirs = keygen(place, *args), place.run([programs.foreign("ssh-keygen"), *args], cwd=place.folder)
            same((done.returncode, done.stdout, done.stderr), (0, theirs.stdout, b""), f"{args}")


def other_options(tap, place):
    with tap.case("a token's library that is not there ends with one line"):
        one_line(keygen(place, "-Dlib"), 255, "No such file or directory")
    with tap.case("an unknown option and a missing argument show the usage"):
        for option in "-x", "-j", "-f":
            done = keygen(place, option)
            same((done.returncode, b"usage: ssh-keygen" in done.stderr), (1, True), option)
    with tap.case("-V says who we are"):
        done = keygen(place, "-V")
        same((done.returncode, done.stdout), (0, b""), "status")
        if not re.fullmatch(r"Nacre_\S+ \(OpenSSH_10\.5p1\), OpenSSL .*\n", done.stderr.decode()):
            raise AssertionError(done.stderr)


def after_names(tap, place):
    with tap.case("a file whose name begins with - is no option behind another file"):
        ca, key = place.key("ed25519", "authority"), place.key("ed25519", "subject")
        os.rename(place.key("ed25519", "uploaded") + ".pub", place.path("-nroot"))
        done = keygen(place, "-q", "-s", ca, "-I", "id", "-n", "me", f"{key}.pub", "-nroot")
        same((done.returncode, done.stderr), (0, b""), "status and stderr")
        for cert in f"{key}-cert.pub", place.path("-nroot-cert.pub"):
            shown = keygen(place, "-L", "-f", cert).stdout.decode()
            same(shown.split("Principals:")[1].split()[:2], ["me", "Critical"], cert)
    with tap.case("-O touch-required and no-verify-required take back what stands before them"):
        options = ["-O", "no-touch-required", "-O", "touch-required", "-O", "verify-required", "-O", "no-verify-required"]
        same(keygen(place, "-q", "-s", ca, "-I", "id", "-n", "me", *options, f"{key}.pub").returncode, 0, "status")
        shown = keygen(place, "-L", "-f", f"{key}-cert.pub").stdout.decode()
        same(("Critical Options: (none)" in shown, "no-touch-required" in shown), (True, False), shown)


def true_reasons(tap, place):
    with tap.case("an agent that refuses is called so"):
        key = place.key("ed25519", "asked-for")
        place.write("text", "text\n")
        script = '"$1" -q -c "$2" && { "$0" -q -Us "$2.pub" -I id -n me "$2.pub"; "$0" -q -Y sign -n file -f "$2.pub" text; }'
        done = place.run([programs.ours("ssh-agent"), "/bin/sh", "-c", script, programs.ours("ssh-keygen"), programs.ours("ssh-add"), key],
                         cwd=place.folder, env=place.env | {"SSH_ASKPASS": "/bin/false"})
        same(done.stderr.decode().replace("\r", "").splitlines(), [f"Couldn't certify {key}.pub via agent: agent refused operation",
                                                                  "Signing text failed: agent refused operation"], "stderr")
    with tap.case("a public file that is none is not called a private key that others can read"):
        place.write("none.pub", "nothing of the kind\n", 0o644)
        one_line(keygen(place, "-s", key, "-I", "id", "-n", "me", "none.pub"), 255, "none.pub\": invalid format")


def host_keys(tap, place):
    folder = place.path("root/etc/ssh")
    os.makedirs(folder)
    with tap.case("-A -f PREFIX makes what is missing, and no more"):
        done = keygen(place, "-A", "-f", place.path("root"))
        same((done.returncode, done.stdout, done.stderr), (0, b"ssh-keygen: generating new host keys: RSA ECDSA ED25519 \n", b""), "words")
        names = sorted(os.listdir(folder))
        same(names, sorted(f"ssh_host_{t}_key{e}" for t in ("rsa", "ecdsa", "ed25519") for e in ("", ".pub")), "files")
        for name in names:
            same(stat.S_IMODE(os.stat(f"{folder}/{name}").st_mode), 0o644 if name.endswith(".pub") else 0o600, name)
        before = open(f"{folder}/ssh_host_rsa_key", "rb").read()
        open(f"{folder}/ssh_host_ecdsa_key", "w").close()  # an empty one is as good as none
        done = keygen(place, "-A", "-f", place.path("root"))
        same(done.stdout, b"ssh-keygen: generating new host keys: ECDSA \n", "words")
        same(open(f"{folder}/ssh_host_rsa_key", "rb").read(), before, "an old key")
        same(keygen(place, "-A", "-f", place.path("root")).stdout, b"", "words when nothing is missing")
    with tap.case("sshd of OpenSSH takes these keys"):
        for kind in "rsa", "ecdsa", "ed25519":
            private = place.run([programs.foreign("ssh-keygen"), "-y", "-f", f"{folder}/ssh_host_{kind}_key"])
            public = open(f"{folder}/ssh_host_{kind}_key.pub", "rb").read()
            same((private.returncode, private.stdout), (0, public), kind)


def type_names(tap, place):
    with tap.case("-t takes the names of signature algorithms, too"):
        for name, kind in {"rsa-sha2-256": "ssh-rsa", "rsa-sha2-512": "ssh-rsa", "ssh-rsa": "ssh-rsa", "ssh-ed25519": "ssh-ed25519", "ED25519": "ssh-ed25519",
                           "ecdsa-sha2-nistp384": "ecdsa-sha2-nistp384"}.items():
            same(keygen(place, "-q", "-t", name, *(["-b", "1024"] if "rsa" in name else []), "-N", "", "-f", f"t-{name}").returncode, 0, name)
            same(place.read(f"t-{name}.pub").split()[0].decode(), kind, name)
        for name in "ssh-rsa-cert-v01@openssh.com", "rsa-sha2-256-cert-v01@openssh.com", "ecdsa-sha2-nistp256-cert-v01@openssh.com", "RSA-CERT", "dsa", "":
            one_line(keygen(place, "-q", "-t", name, "-N", "", "-f", "never"), 255, "unknown key type")


def modes(tap, place):
    """strace shows each mode a file is born with; a umask of 0 must not matter."""
    with tap.case("no file is born with more than 0600, whatever the umask"):
        if os.geteuid() != 0:
            raise Skip("ssh-keygen cannot be dumped, so that an ordinary user's strace does not see its paths")
        os.mkdir(place.path("modes"))
        trace = place.path("trace")
        done = place.run(["/bin/sh", "-c", 'umask 0; exec "$@"', "sh", programs.foreign("strace"), "-f", "-o", trace, "-e",
                          "trace=open,openat,creat,fchmod,chmod,fchmodat", programs.ours("ssh-keygen"), "-q", "-t", "ed25519",
                          "-N", "", "-f", place.path("modes/k")])
        same(done.returncode, 0, "status")
        text = open(trace, encoding="utf-8").read()
        born = re.findall(r'"[^"]*modes/[^"]*", [^)]*O_CREAT[^)]*, (0\d+)\)', text)
        same(sorted(set(born)), ["0600"], "modes at birth")
        same(text.count("O_EXCL"), 2, "exclusive creations")
        same(sorted(re.findall(r"fchmod\(\d+, (0\d+)\)", text)), ["0600", "0644"], "modes afterwards")


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def kept_modes(tap, place):
    with tap.case("the umask counts for public files, and a file that is there keeps its mode"):
        ca, key = place.key("ed25519", "mode-authority"), place.path("mode-key")

        def shell(script):
            same(place.run(["/bin/sh", "-c", script, programs.ours("ssh-keygen"), key, ca], cwd=place.folder).returncode, 0, script)

        shell('umask 077; "$0" -q -t ed25519 -N "" -f "$1" && "$0" -q -s "$2" -I id -n me "$1.pub"')
        same([mode_of(key + end) for end in ("", ".pub", "-cert.pub")], [0o600, 0o600, 0o600], "new ones")
        for end, mode in ("", 0o400), (".pub", 0o640), ("-cert.pub", 0o440):
            os.chmod(key + end, mode)
        shell('"$0" -q -c -C new -f "$1" && "$0" -q -p -a 1 -N x -f "$1" && "$0" -q -s "$2" -I id -n me "$1.pub"')
        same([mode_of(key + end) for end in ("", ".pub", "-cert.pub")], [0o400, 0o640, 0o440], "old ones")


def main():
    tap = Tap()
    with Place() as place:
        special_files(tap, place)
        shown_text(tap, place)
        other_options(tap, place)
        after_names(tap, place)
        true_reasons(tap, place)
        host_keys(tap, place)
        type_names(tap, place)
        modes(tap, place)
        kept_modes(tap, place)
    tap.end()


main()
