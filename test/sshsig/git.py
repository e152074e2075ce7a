#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""git signs and verifies commits and tags through our ssh-keygen (gpg.format ssh, gpg.ssh.program); OpenSSH's verifies what ours signed, and
the reverse."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import programs
from place import Place
from tap import Tap, same, wait_for


class Repository:
    def __init__(self, place, key):
        self.place, self.folder = place, place.path("repository")
        self.env = dict(place.env, GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_DATE="2025-06-01T12:00:00Z", GIT_COMMITTER_DATE="2025-06-01T12:00:00Z")
        self.programs = {"ours": programs.ours("ssh-keygen"), "theirs": programs.foreign("ssh-keygen")}
        os.mkdir(self.folder)
        self.git("init", "-q")
        for name, value in {"user.name": "Me", "user.email": "me@x.example", "gpg.format": "ssh", "user.signingkey": key,
                            "gpg.ssh.allowedSignersFile": place.path("signers")}.items():
            self.git("config", name, value)

    def git(self, *args, by="ours", status=0, env=None):
        done = self.place.run([programs.foreign("git"), "-c", f"gpg.ssh.program={self.programs[by]}", *args], cwd=self.folder,
                              env=env or self.env)
        same(done.returncode == 0, status == 0, f"git {args}: {done.stdout.decode()}{done.stderr.decode()}")
        return done.stdout.decode() + done.stderr.decode()


def main():
    tap = Tap()
    with Place() as place:
        key, other = place.key("ed25519"), place.key("ecdsa256")
        place.write("signers", f"me@x.example {place.public(key)}\n")
        r = Repository(place, key + ".pub")

        with tap.case("commits and tags signed by either are good for both"):
            for by in "ours", "theirs":
                r.git("commit", "-q", "-S", "--allow-empty", "-m", f"by {by}", by=by)
                r.git("tag", "-s", "-m", "a tag", f"tag-{by}", by=by)
                for judge in "ours", "theirs":
                    for text in r.git("verify-commit", "HEAD", by=judge), r.git("verify-tag", f"tag-{by}", by=judge):
                        if 'Good "git" signature for me@x.example with ED25519 key SHA256:' not in text:
                            raise AssertionError(text)
            same(r.git("log", "--show-signature", by="ours"), r.git("log", "--show-signature", by="theirs"), "git log --show-signature")
            same(r.git("log", "--format=%G? %GS %GF").splitlines(), r.git("log", "--format=%G? %GS %GF", by="theirs").splitlines(), "%G?")
            same(r.git("log", "-1", "--format=%G? %GS").strip(), "G me@x.example", "%G? %GS")

        with tap.case("a changed commit is bad"):
            raw = place.run([programs.foreign("git"), "cat-file", "commit", "HEAD"], cwd=r.folder, env=r.env, check=True).stdout
            done = place.run([programs.foreign("git"), "hash-object", "-t", "commit", "-w", "--stdin"], raw.replace(b"by theirs", b"by others"),
                             cwd=r.folder, env=r.env, check=True)
            bad = done.stdout.decode().strip()
            r.git("verify-commit", bad, status=1)
            same(r.git("log", "-1", "--format=%G?", bad).strip(), "B", "%G?")

        with tap.case("a key that nobody allows"):
            r.git("-c", f"user.signingkey={other}", "commit", "-q", "-S", "--allow-empty", "-m", "by another")
            r.git("verify-commit", "HEAD", status=1)
            same(r.git("log", "-1", "--format=%G?").strip(), r.git("log", "-1", "--format=%G?", by="theirs").strip(), "%G?")

        with tap.case("a time outside of what the signer may, and a revoked key"):
            r.git("commit", "-q", "-S", "--allow-empty", "-m", "now")
            for line, good in (('valid-before="20240101Z"', False), ('valid-after="20240101Z",valid-before="20260101Z"', True),
                               ('namespaces="file"', False), ('namespaces="git"', True)):
                place.write("signers", f"me@x.example {line} {place.public(key)}\n")
                for judge in "ours", "theirs":
                    r.git("verify-commit", "HEAD", by=judge, status=0 if good else 1)
            place.run([r.programs["ours"], "-kqf", place.path("revoked"), f"{key}.pub"], check=True)
            for listed in place.path("revoked"), f"{key}.pub":
                for judge in "ours", "theirs":
                    r.git("-c", f"gpg.ssh.revocationFile={listed}", "verify-commit", "HEAD", by=judge, status=1)
            r.git("-c", f"gpg.ssh.revocationFile={other}.pub", "verify-commit", "HEAD")

        with tap.case("a key that is only in an agent, named by its text"):
            sock = place.path("agent.sock")
            place.start([programs.foreign("ssh-agent"), "-D", "-a", sock], "agent.log")
            wait_for("the agent", lambda: os.path.exists(sock))
            env = dict(r.env, SSH_AUTH_SOCK=sock)
            place.run([programs.foreign("ssh-add"), "-q", key], env=env, check=True)
            r.git("-c", f"user.signingkey=key::{place.public(key)}", "commit", "-q", "-S", "--allow-empty", "-m", "by an agent", env=env)
            r.git("verify-commit", "HEAD")
    tap.end()


main()
