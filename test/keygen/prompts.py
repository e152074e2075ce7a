#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ssh-keygen at a terminal and through SSH_ASKPASS, beside OpenSSH's: the same dialogue, and no passphrase on the screen."""
import fcntl
import os
import select
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
from place import Place, die_with_parent
from tap import PATIENCE, Tap, same

SECRET = b"correct horse"


def dialogue(argv, folder, steps, env=None):
    """Run at a terminal: wait for each text, then type its answer. The screen and the status."""
    master, slave = os.openpty()

    def own_terminal():
        die_with_parent()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, cwd=folder, start_new_session=True,
                               preexec_fn=own_terminal, env=env or os.environ)
    os.close(slave)
    screen, seen, until = b"", 0, time.monotonic() + PATIENCE
    steps = list(steps)
    while select.select([master], [], [], max(0, until - time.monotonic()))[0]:
        try:
            screen += os.read(master, 65536)
        except OSError:  # EIO: the program has ended
            break
        if steps and steps[0][0] in screen[seen:]:
            wanted, answer = steps.pop(0)
            seen = screen.index(wanted, seen) + len(wanted)
            if b"passphrase" in wanted:  # typed before echo is off it would be lost, or seen
                while termios.tcgetattr(master)[3] & termios.ECHO and time.monotonic() < until:
                    time.sleep(0.001)
            os.write(master, answer)
    else:
        process.kill()
    status = process.wait()
    os.close(master)
    same(steps, [], "questions that were not asked")
    return status, screen


def both(place, args, steps, prepare=lambda folder: None):
    """The same dialogue with both programs, each in a fresh folder; random parts of the output cut off."""
    results = []
    for name, program in ("ours", programs.ours("ssh-keygen")), ("theirs", programs.foreign("ssh-keygen")):
        folder = place.path(f"{name}-{len(os.listdir(place.folder))}")
        os.mkdir(folder)
        prepare(folder)
        status, screen = dialogue([program, *args], folder, steps, place.env)
        same(SECRET in screen, False, f"passphrase shown by {name}")
        results.append((status, screen.split(b"The key fingerprint is")[0], sorted(os.listdir(folder))))
    same(results[0], results[1], " ".join(args))
    return folder.replace("theirs-", "ours-"), results[0]


def new_key(place, passphrase=b"", name="k"):
    def prepare(folder):
        place.run([programs.foreign("ssh-keygen"), "-q", "-t", "ed25519", "-N", passphrase.decode(), "-C", "old", "-f",
                   f"{folder}/{name}"], check=True)
    return prepare


def askpass(place, body):
    return place.write("askpass", f"#!/bin/sh\n{body}\n", 0o755)


def ask_by_program(place, body, require="force", args=()):
    folder = place.path(f"askpass-{len(os.listdir(place.folder))}")
    os.mkdir(folder)
    env = dict(place.env, SSH_ASKPASS=askpass(place, body), SSH_ASKPASS_REQUIRE=require)
    done = place.run([programs.ours("ssh-keygen"), "-q", "-t", "ed25519", "-f", "k", *args], env=env, cwd=folder, start_new_session=True)
    return folder, done


def terminal_cases(tap, place):
    ask, again = b"(empty for no passphrase): ", b"same passphrase again: "
    with tap.case("a key with a passphrase"):
        both(place, ["-t", "ed25519", "-C", "c", "-f", "k"], [(ask, SECRET + b"\n"), (again, SECRET + b"\n")])
    with tap.case("two different passphrases are asked for again"):
        both(place, ["-t", "ed25519", "-C", "c", "-f", "k"],
             [(ask, SECRET + b"\n"), (again, b"other\n"), (ask, SECRET + b"\n"), (again, SECRET + b"\n")])
    with tap.case("a typed file name"):
        _, (status, _, files) = both(place, ["-q", "-t", "ed25519", "-N", ""], [(b"save the key (", b"./typed\n")])
        same((status, files), (0, ["typed", "typed.pub"]), "what was made")
    for answer, status in (b"y\n", 0), (b"n\n", 1), (b"\n", 1), (b"Yes\n", 0):
        with tap.case(f"overwriting a key: {answer!r}"):
            _, result = both(place, ["-t", "ed25519", "-N", "", "-C", "c", "-f", "k"], [(b"Overwrite (y/n)? ", answer)], new_key(place))
            same(result[0], status, "status")
    with tap.case("-p asks for the old and twice for the new passphrase"):
        both(place, ["-p", "-f", "k"], [(b"old passphrase: ", SECRET + b"\n"), (ask, b"new one\n"), (again, b"new one\n")],
             new_key(place, SECRET))
    with tap.case("-p with two different new passphrases changes nothing"):
        both(place, ["-p", "-f", "k"], [(ask, SECRET + b"\n"), (again, b"else\n")], new_key(place))
    with tap.case("-c asks for the comment"):
        both(place, ["-c", "-f", "k"], [(b"New comment: ", b"brand new\n")], new_key(place))
    with tap.case("-y asks for the passphrase; a wrong one is an error"):
        for typed in SECRET, b"wrong":  # the keys differ, so the words alone are compared
            both(place, ["-y", "-f", "k"], [(b"Enter passphrase: ", b"wrong\n")], new_key(place, typed + b"x"))


def interrupt_case(place):
    """^C at the prompt: ended by the signal, nothing made, and the terminal echoes again."""
    folder = place.path("interrupted")
    os.mkdir(folder)
    status, _ = dialogue([programs.ours("ssh-keygen"), "-q", "-t", "ed25519", "-f", "k"], folder,
                         [(b"(empty for no passphrase): ", b"abc\x03")], place.env)
    same((status, os.listdir(folder)), (-2, []), "status and files")


def early_interrupt_case(place):
    """^C between showing the prompt and waiting for the answer: not lost."""
    folder = place.path("early")
    os.mkdir(folder)
    status, _ = dialogue([programs.ours("ssh-keygen"), "-q", "-t", "ed25519", "-f", "k"], folder, [],
                         dict(place.env, LD_PRELOAD=os.environ["NACRE_EARLY"]))
    same((status, os.listdir(folder)), (-2, []), "status and files")


def askpass_cases(tap, place):
    with tap.case("SSH_ASKPASS_REQUIRE=force: the passphrase comes from the program, with the prompt as its argument"):
        folder, done = ask_by_program(place, 'echo "$1" >>asked; echo hunter2')
        same((done.returncode, done.stderr), (0, b""), "made")
        same(open(f"{folder}/asked", encoding="utf-8").read().splitlines(),
             ["Enter passphrase (empty for no passphrase): ", "Enter same passphrase again: "], "prompts")
        same(place.run([programs.foreign("ssh-keygen"), "-y", "-P", "hunter2", "-f", f"{folder}/k"]).returncode, 0, "opens")
    with tap.case("an askpass that is closed does not make an unprotected key"):
        folder, done = ask_by_program(place, "exit 1")
        same((done.returncode, os.listdir(folder)), (255, []), "status and files")
    with tap.case("an askpass that does not exist does not make an unprotected key"):
        folder, done = ask_by_program(place, "exec /nonexistent")
        same((done.returncode, os.listdir(folder)), (255, []), "status and files")
    with tap.case("SSH_ASKPASS_REQUIRE=never: not asked"):
        folder, done = ask_by_program(place, "touch asked; echo x", require="never")
        same(os.path.exists(f"{folder}/asked"), False, "asked")
    with tap.case("SSH_ASKPASS_REQUIRE=prefer without a display: not asked; with one: asked"):
        folder, done = ask_by_program(place, "touch asked; echo x", require="prefer")
        same(os.path.exists(f"{folder}/asked"), False, "asked without a display")
        place.env["DISPLAY"] = ":7"
        folder, done = ask_by_program(place, "touch asked; echo x", require="prefer")
        del place.env["DISPLAY"]
        same(os.path.exists(f"{folder}/asked"), True, "asked with a display")


def main():
    tap = Tap()
    with Place() as place:
        terminal_cases(tap, place)
        with tap.case("an interrupt at the prompt leaves nothing"):
            interrupt_case(place)
        with tap.case("an interrupt just before the answer is awaited ends it too"):
            early_interrupt_case(place)
        askpass_cases(tap, place)
    tap.end()


main()
