#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Certificates of users, from Debian's ssh-keygen and by Debian's ssh, at our server (TRUST T30): by whom, for whom, until when, from where, for
what, and revoked by each way there is."""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Place  # noqa: E402
from servers import log_of  # noqa: E402
from tap import Tap, same, wait_for  # noqa: E402


def start(place, *options, **how):
    return servers.own(place, "MaxAuthTries 20", *options, user_keys=[], **how)


def share(rows):
    """Every second one; in long runs all."""
    return rows if os.environ.get("NACRE_LONG") else rows[::2]


class Authority:
    def __init__(self, place, name, kind="ed25519"):
        self.place, self.key = place, place.key(kind, name)
        self.public = place.public(self.key)
        place.write(f"{name}.cas", self.public + "\n", 0o644)
        self.file = place.path(f"{name}.cas")

    def sign(self, name, *options, kind="ed25519", principals=room.TESTER, ident="the id", serial=7):
        """A key with a certificate beside it; its path."""
        key = self.place.key(kind, name)
        self.place.run([programs.foreign("ssh-keygen"), "-q", "-s", self.key, "-I", ident, "-z", str(serial), *(["-n", principals] if principals else []),
                        *options, key + ".pub"], check=True)
        return name


def login(place, server, name, command="echo in", *options, args=()):
    """Debian's ssh with the certificate (and nothing but it) of the key `name`."""
    key = place.path(name)
    return clients.ssh(place, programs.foreign("ssh"), server, command, options=[f"CertificateFile {key}-cert.pub", f"IdentityFile {key}", *options],
                       key="ed25519", args=args)


def lets_in(place, server, name, want=True, *options):
    done = login(place, server, name, "echo in", *options)
    same(done.stdout, b"in\n" if want else b"", f"output; {done.stderr.decode()}{log_of(place, server)[-1500:]}")


def expect_log(place, server, pattern):
    wait_for(pattern, lambda: re.search(pattern, log_of(place, server)))


def authorize(place, text):
    with open(f"{place.home}/.ssh/authorized_keys", "w", encoding="ascii") as f:
        f.write(text)


# ---- who ----

def trusted(tap, place, ca, other):
    server = start(place, f"TrustedUserCAKeys {ca.file}")
    for kind in "ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa":
        with tap.case(f"a certificate for an {kind} key"):
            lets_in(place, server, ca.sign(f"by-{kind}", kind=kind))
    with tap.case("the lines of such a login"):
        shown = place.run([programs.foreign("ssh-keygen"), "-l", "-f", place.path("by-ed25519")], check=True).stdout.decode().split()[1]
        by = place.run([programs.foreign("ssh-keygen"), "-l", "-f", ca.key], check=True).stdout.decode().split()[1]
        expect_log(place, server, rf"Accepted publickey for {place.user} from 127\.0\.0\.1 port \d+ ssh2: ED25519-CERT {re.escape(shown)} ID the id "
                                  rf"\(serial 7\) CA ED25519 {re.escape(by)}\r?\n")
        expect_log(place, server, rf'Accepted certificate ID "the id" \(serial 7\) signed by ED25519 CA {re.escape(by)} via {re.escape(ca.file)}')
    cases = {
        "the user's name is one of several": (True, ca.sign("several", principals=f"alice,{place.user},bob")),
        "another name": (False, ca.sign("another", principals="alice")), "no principal at all": (False, ca.sign("none", principals="")),
        "a pattern is a name like any other": (False, ca.sign("star", principals="*")),
        "an authority that is not listed": (False, other.sign("stranger")),
        "a host's certificate": (False, ca.sign("host", "-h")),
        "valid in a minute": (False, ca.sign("soon", "-V", "+1m:+1h")), "valid until a minute ago": (False, ca.sign("late", "-V", "-1h:-1m")),
        "valid now": (True, ca.sign("now", "-V", "-1m:+1h")), "valid for ever": (True, ca.sign("ever", "-V", "always:forever")),
        "source-address: this one": (True, ca.sign("here", "-O", "source-address=127.0.0.0/8")),
        "source-address: another": (False, ca.sign("there", "-O", "source-address=10.0.0.0/8,192.0.2.1")),
        "an unknown critical option": (False, ca.sign("critical", "-O", "critical:x@example.com=1")),
        "an unknown extension": (True, ca.sign("extension", "-O", "extension:x@example.com=1")),
    }
    for name, (want, cert) in cases.items():
        with tap.case(f"{name}: {'in' if want else 'refused'}"):
            lets_in(place, server, cert, want)
    with tap.case("why not, for the administrator"):
        for text in ("Certificate invalid: name is not a listed principal", "Certificate lacks principal list",
                     "Certificate invalid: not yet valid", "Certificate invalid: expired", "not from a permitted source address",
                     "Certificate contains unsupported critical options"):
            expect_log(place, server, re.escape(text))
    with tap.case("the key without its certificate is a stranger's"):
        same(clients.ssh(place, programs.foreign("ssh"), server, "echo in", key="ed25519").stdout, b"", "output")
    place.stop(server.process)


def others(tap, place, ca, other):
    """Clients written in Python, which use a certificate that lies beside the key; host certificates by asyncssh's own reading. For certified RSA
    keys asyncssh 2.10 knows ssh-rsa-cert-v01 only, though it signs with SHA-2; paramiko 2.12 takes OpenSSH 10 for version 1 and does so with SHA-1."""
    server = start(place, f"TrustedUserCAKeys {ca.file}", "HostCertificate " + host_certificate(place, ca),
                   "PubkeyAcceptedAlgorithms +ssh-rsa-cert-v01@openssh.com,ssh-rsa")
    by_authority = place.write("known-authority", f"@cert-authority * {ca.public}\n")
    by_key = place.write("known-key", server.known_hosts())
    for name, kind, known, what, signer, options, want in (
            ("asyncssh", "ed25519", by_authority, ", the server known by its authority", ca, {}, True),
            ("asyncssh", "ed25519", by_key, " for another name", ca, {"principals": "alice"}, False),
            ("asyncssh", "ed25519", by_key, " by a stranger", other, {}, False), ("asyncssh", "rsa", by_key, "", ca, {}, True),
            ("paramiko", "ed25519", by_key, "", ca, {}, True), ("paramiko", "ecdsa256", by_key, " for another name", ca, {"principals": "alice"}, False),
            ("paramiko", "ecdsa256", by_key, "", ca, {}, True), ("paramiko", "rsa", by_key, "", ca, {}, True)):
        with tap.case(f"{name}: a certified {kind} key{what}: {'in' if want else 'refused'}"):
            key = place.path(signer.sign(f"python-{kind}", kind=kind, **options))
            argv = [sys.executable, f"{clients.HERE}/peer_{name}.py", "client", str(server.port), place.user, key, known, "exec", "echo in"]
            done = place.run([*argv, "hostkey=ssh-ed25519"] if name == "paramiko" else argv)
            same(done.stdout, b"in\n" if want else b"", f"output; {done.stderr.decode()[-1500:]}")
    with tap.case("asyncssh does not believe another's host certificate"):
        known = place.write("known-other", f"@cert-authority * {other.public}\n")
        done = place.run([sys.executable, f"{clients.HERE}/peer_asyncssh.py", "client", str(server.port), place.user,
                          place.path(ca.sign("python-ed25519")), known, "exec", "echo in"])
        same((done.stdout, b"HostKeyNotVerifiable" in done.stderr), (b"", True), f"output; {done.stderr.decode()[-300:]}")
    place.stop(server.process)


def host_certificate(place, ca):
    key = place.key("ed25519", "host-ed25519")
    place.run([programs.foreign("ssh-keygen"), "-q", "-h", "-s", ca.key, "-I", "host", "-n", "127.0.0.1", f"{key}.pub"], check=True)
    os.rename(f"{key}-cert.pub", place.path("host.cert"))       # where nobody takes it for granted
    return place.path("host.cert")


def settings(tap, place, ca):
    by_rsa = Authority(place, "ca-rsa", "rsa")
    sha1 = by_rsa.sign("sha1", "-t", "ssh-rsa")
    for name, want, cert, options in (
            ("an authority's RSA signature", True, by_rsa.sign("by-rsa-ca"), [f"TrustedUserCAKeys {by_rsa.file}"]),
            ("the same by SHA-1", False, sha1, [f"TrustedUserCAKeys {by_rsa.file}"]),
            ("by SHA-1 where it is allowed", True, sha1, [f"TrustedUserCAKeys {by_rsa.file}", "CASignatureAlgorithms +ssh-rsa"]),
            ("CASignatureAlgorithms without the authority's", False, "by-ed25519", [f"TrustedUserCAKeys {ca.file}", "CASignatureAlgorithms rsa-sha2-512"]),
            ("PubkeyAcceptedAlgorithms without certificates", False, "by-ed25519",
             [f"TrustedUserCAKeys {ca.file}", "PubkeyAcceptedAlgorithms -*-cert-v01@openssh.com"]),
            ("RequiredRSASize above the key's", False, "by-rsa", [f"TrustedUserCAKeys {ca.file}", "RequiredRSASize 4096"]),
            ("RequiredRSASize above the authority's", False, "by-rsa-ca", [f"TrustedUserCAKeys {by_rsa.file}", "RequiredRSASize 4096"]),
            ("a file of authorities that is not there", False, "by-ed25519", ["TrustedUserCAKeys /nonexistent"]),
            ("a file of authorities with options in its line", False, "by-ed25519",
             ["TrustedUserCAKeys " + place.write("options.cas", f'principals="x" {ca.public}\n', 0o644)])):
        with tap.case(f"{name}: {'in' if want else 'refused'}"):
            server = start(place, *options)
            lets_in(place, server, cert, want)
            place.stop(server.process)
    with tap.case("TrustedUserCAKeys of a Match block"):
        server = start(place, match=[f"Match User {place.user}", f"TrustedUserCAKeys {ca.file}"])
        lets_in(place, server, "by-ed25519")
        place.stop(server.process)


def lines(tap, place, ca):
    """cert-authority in authorized_keys."""
    server = start(place)
    for line, want in (("cert-authority", True), ('cert-authority,principals="alice,%s"' % place.user, True), ('cert-authority,principals="alice"', False),
                       ("", False), ('cert-authority,from="10.0.0.0/8"', False), ('cert-authority,from="127.0.0.1"', True),
                       ('cert-authority,expiry-time="20200101"', False)):
        with tap.case(f"authorized_keys: {line or 'the CA as a plain key'}: {'in' if want else 'refused'}"):
            authorize(place, f"{line} {ca.public}\n")
            lets_in(place, server, "by-ed25519", want)
    with tap.case("principals= instead of the user's name"):
        authorize(place, f'cert-authority,principals="alice" {ca.public}\n')
        lets_in(place, server, "another")
    with tap.case("the certified key as a plain line does not admit its certificate"):
        authorize(place, place.public(place.path("by-ed25519")) + "\n")
        lets_in(place, server, "by-ed25519", False, "PubkeyAcceptedAlgorithms *-cert-v01@openssh.com")
    with tap.case("a CA's own key, listed as cert-authority, is no login key"):
        authorize(place, f"cert-authority {ca.public}\n")
        same(clients.ssh(place, programs.foreign("ssh"), server, "echo in", options=[f"IdentityFile {ca.key}"]).stdout, b"", "output")
    authorize(place, "")
    place.stop(server.process)


# ---- what ----

def permitted(tap, place, ca):
    server = start(place, f"TrustedUserCAKeys {ca.file}")
    with tap.case("force-command of a certificate runs, and knows what was asked for"):
        forced = ca.sign("forced", "-O", "force-command=echo forced: $SSH_ORIGINAL_COMMAND")
        same(login(place, server, forced, "id").stdout, b"forced: id\n", "output")
    with tap.case("without permit-pty there is no terminal"):
        same(b"PTY allocation request failed" in login(place, server, ca.sign("clear", "-O", "clear"), "tty", args=("-tt",)).stderr, True, "refused")
    with tap.case("with it there is"):
        same(b"/dev/pts/" in login(place, server, "by-ed25519", "tty", args=("-tt",)).stdout, True, "terminal")
    with tap.case("without permit-port-forwarding nothing is forwarded"):
        same(login(place, server, "clear", None, args=("-W", f"127.0.0.1:{server.port}")).returncode != 0, True, "status")
        expect_log(place, server, "to connect to host 127.0.0.1 port .*, but the request was denied")
    place.stop(server.process)
    with tap.case("two forced commands that differ let nobody in"):
        server = start(place)
        authorize(place, f'cert-authority,command="echo line" {ca.public}\n')
        lets_in(place, server, "forced", False)
        expect_log(place, server, "forced command options do not match")
    with tap.case("what the line forbids the certificate cannot permit"):
        authorize(place, f'cert-authority,no-pty {ca.public}\n')
        same(b"PTY allocation request failed" in login(place, server, "by-ed25519", "tty", args=("-tt",)).stderr, True, "refused")
        authorize(place, "")
        place.stop(server.process)


def two_keys(tap, place, ca):
    """"publickey,publickey" wants two private keys; a certificate is no second one (OpenSSH compares the keys inside, too)."""
    server = start(place, f"TrustedUserCAKeys {ca.file}", "AuthenticationMethods publickey,publickey")
    ca.sign("twice")
    older = place.write("older-cert.pub", place.read("twice-cert.pub"))
    ca.sign("twice", serial=8)
    plain = place.public(place.path("twice"))
    for name, line, more, want in (("a key and its certificate", plain, [], False), ("two certificates of a key", "", [f"CertificateFile {older}"], False),
                                   ("a certificate and another key", place.public(place.key()), [], True)):
        with tap.case(f"publickey,publickey: {name}: {'in' if want else 'refused'}"):
            authorize(place, line + "\n")
            lets_in(place, server, "twice", want, *more)
    authorize(place, "")
    place.stop(server.process)


# ---- principals ----

def principals_file(tap, place, ca):
    folder = place.path("principals")
    os.makedirs(folder, 0o755)
    server = start(place, f"TrustedUserCAKeys {ca.file}", f"AuthorizedPrincipalsFile {folder}/%u")

    def write(text, mode=0o644):
        place.write(f"principals/{place.user}", text, mode)

    for name, text, cert, want in (("the name is there", "bob\nalice\n", "another", True), ("it is not", "bob\n", "another", False),
                                   ("nor is the user's own name enough", "bob\n", "by-ed25519", False),
                                   ("comments and blanks", "# x\n\n  alice  # who\n", "another", True),
                                   ("a name in a comment", "# alice\nbob # alice\n", "another", False),
                                   ("options that hold", 'from="127.0.0.1" alice\n', "another", True),
                                   ("options that do not", 'from="10.1.1.1" alice\n', "another", False),
                                   ("options that do not, before a line without any", 'from="10.1.1.1" alice\nalice\n', "another", False),
                                   ("options nobody knows", "nonsense alice\n", "another", False),
                                   ("options nobody knows, before a line without any", "nonsense alice\nalice\n", "another", True),
                                   ("cert-authority", "cert-authority alice\n", "another", False),
                                   ("principals=", 'principals="alice" alice\n', "another", False),
                                   ("an empty file", "", "another", False), ("a longer name", "alicex\n", "another", False)):
        with tap.case(f"AuthorizedPrincipalsFile: {name}: {'in' if want else 'refused'}"):
            write(text)
            lets_in(place, server, cert, want)
    with tap.case("options beside a principal bind"):
        write('command="echo bound" alice\n')
        same(login(place, server, "another", "id").stdout, b"bound\n", "output")
    with tap.case("a file that others may write to counts for nothing"):
        write("alice\n", 0o666)
        lets_in(place, server, "another", False)
        expect_log(place, server, "Authentication refused: bad ownership or modes for file")
    place.stop(server.process)


# ---- revocation ----

def revoked(tap, place, ca, other):
    keygen, spec = programs.foreign("ssh-keygen"), place.path("spec")

    def krl(name, *lines_, ca_key=ca.key):
        place.write("spec", "\n".join(lines_) + "\n")
        place.run([keygen, "-q", "-k", "-f", place.path(name), "-s", ca_key + ".pub", spec], check=True)
        os.chmod(place.path(name), 0o644)
        return place.path(name)

    ca.sign("numbered", serial=99, ident="number nine")
    public = place.public(place.path("numbered"))
    digest = place.run([keygen, "-l", "-f", place.path("numbered")], check=True).stdout.decode().split()[1]
    cert = place.read("numbered-cert.pub").decode().strip()
    for name, path, want in share((
            ("a list of nothing", krl("k-none"), True), ("its serial", krl("k-serial", "serial: 99"), False),
            ("other serials", krl("k-serials", "serial: 1-98"), True),
            ("a range with it", krl("k-range", "serial: 1-100"), False), ("its id", krl("k-id", "id: number nine"), False),
            ("its serial, of another authority", krl("k-other", "serial: 99", ca_key=other.key), True),
            ("its key", krl("k-key", f"key: {public}"), False), ("its key's hash", krl("k-hash", f"hash: {digest}"), False),
            ("itself", krl("k-cert", f"key: {cert}"), False), ("its authority's key", krl("k-ca", f"key: {ca.public}"), False),
            ("a text file with its key", place.write("t-key", public + "\n", 0o644), False),
            ("a text file with its authority", place.write("t-ca", "# ca\n" + ca.public + "\n", 0o644), False),
            ("a text file with another", place.write("t-other", other.public + "\n", 0o644), True),
            ("a file that is not there", "/nonexistent", False), ("a broken list", place.write("k-cut", place.read("k-id")[:-3], 0o644), False),
            ("a text file with nonsense", place.write("t-no", "nonsense\n", 0o644), False), ("a folder", place.folder, False),
            ("two lists, the second has it", f"{place.path('k-none')} {place.path('k-serial')}", False))):
        with tap.case(f"RevokedKeys: {name}: {'in' if want else 'refused'}"):
            server = start(place, f"TrustedUserCAKeys {ca.file}", f"RevokedKeys {path}")
            lets_in(place, server, "numbered", want)
            place.stop(server.process)
    for name, path, want in (("its key", place.write("t-plain", place.public(place.key()) + "\n", 0o644), False), ("not its key", place.path("t-other"), True),
                             ("nothing, but the file is broken", place.path("t-no"), False)):
        with tap.case(f"a plain key and RevokedKeys: {name}: {'in' if want else 'refused'}"):
            server = start(place, f"RevokedKeys {path}")
            authorize(place, place.public(place.key()) + "\n")
            done = clients.ssh(place, programs.foreign("ssh"), server, "echo in")
            same(done.stdout, b"in\n" if want else b"", "output")
            place.stop(server.process)
    authorize(place, "")


def exposed(tap, place, ca):
    with tap.case("ExposeAuthInfo: the file's content and mode equal those of Debian's sshd, and it goes with the session"):
        shown = []
        key = place.public(place.key())
        for program in programs.ours("sshd"), programs.foreign("sshd"):
            server = servers.sshd(place, program, ["ExposeAuthInfo yes", f"TrustedUserCAKeys {ca.file}"], log="expose.log", user_keys=["ed25519"])
            name = login(place, server, "by-rsa", "echo $SSH_USER_AUTH").stdout.decode().strip()
            same(re.fullmatch(r"/tmp/sshauth\.\w{15}", name) is not None, True, name)
            shown.append([login(place, server, "by-rsa", "cat $SSH_USER_AUTH; stat -c '%a %U %s' $SSH_USER_AUTH").stdout,
                          clients.ssh(place, programs.foreign("ssh"), server, "cat $SSH_USER_AUTH").stdout])
            wait_for("removal", lambda: not os.path.exists(name))
            place.stop(server.process)
        same(shown[0], shown[1], "content")
        same(shown[0][1].decode(), f"publickey {key}\n", "of the plain key")
    with tap.case("without it nothing is told"):
        server = start(place, f"TrustedUserCAKeys {ca.file}")
        same(login(place, server, "by-rsa", "echo ${SSH_USER_AUTH-none}").stdout, b"none\n", "variable")
        place.stop(server.process)


def main():
    tap = Tap()
    room.enter_as_root(tap, "certificates")
    with Place() as place:
        ca, other = Authority(place, "ca"), Authority(place, "ca-other")
        trusted(tap, place, ca, other)
        others(tap, place, ca, other)
        settings(tap, place, ca)
        lines(tap, place, ca)
        permitted(tap, place, ca)
        two_keys(tap, place, ca)
        principals_file(tap, place, ca)
        revoked(tap, place, ca, other)
        exposed(tap, place, ca)
    tap.end()


main()
