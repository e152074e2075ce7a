#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What a user gets who logs in to our sshd with Debian's ssh, from the environment to the hang-up. What Debian's own sshd gives is
the measure: NACRE_BIN=debian runs every case against it."""
import fcntl
import os
import pwd
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import time

import paramiko

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402
import servers  # noqa: E402
from place import Place, free_port  # noqa: E402
from tap import PATIENCE, Skip, Tap, same, wait_for  # noqa: E402



def furnish():
    """Books, motd and sudo rules of our own, in the room's /etc, /run and /var/log."""
    for folder in "/run", "/var/log":
        room.mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    for path in "/run/sshd", "/run/sudo", "/run/lock":
        os.makedirs(path)
    for path in "/run/utmp", "/var/log/wtmp", "/var/log/lastlog":
        with open(path, "w", encoding="ascii"):
            os.chmod(path, 0o664)
    for path, text in {"/etc/motd": "motd of the room\n", "/etc/sudoers.d/room": f"{room.TESTER} ALL=(ALL) NOPASSWD: ALL\n"}.items():
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
    for path in "/etc/nologin", "/etc/ssh/sshrc":
        if os.path.exists(path):
            os.unlink(path)


class Screen:
    """A command on a terminal of its own that the test types on and reads."""

    def __init__(self, place, argv, size=(37, 91), modes=None):
        self.master, slave = os.openpty()
        termios.tcsetwinsize(slave, size)
        attributes = termios.tcgetattr(slave)
        for index, character in (modes or {}).items():
            attributes[6][index] = character
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=place.env, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.text = ""

    def type(self, text):
        os.write(self.master, text.encode())

    def wait_for(self, pattern):
        """Read until the pattern is on the screen; the match, and what led to it is forgotten."""
        until = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.text)):
            if not select.select([self.master], [], [], max(0, until - time.monotonic()))[0]:
                raise AssertionError(f"{pattern!r} did not appear in {self.text!r}")
            try:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            except OSError as end:
                raise AssertionError(f"{pattern!r} did not appear in {self.text!r}") from end
        self.text = self.text[found.end():]
        return found

    def resize(self, rows, columns):
        termios.tcsetwinsize(self.master, (rows, columns))
        self.process.send_signal(signal.SIGWINCH)

    def end(self):
        """Close the terminal; the client's exit status."""
        status = self.process.wait(PATIENCE)
        os.close(self.master)
        return status


class Login:
    """A server with some settings, and Debian's ssh to it."""

    def __init__(self, place, options=(), **kw):
        self.place = place
        self.server = servers.sshd(place, programs.ours("sshd"), [*options, "LogLevel VERBOSE"], log=f"sshd-{len(place.processes)}.log", **kw)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if os.environ.get("NACRE_SHOW_LOGS"):
            print(self.log(), file=sys.stderr)
        self.place.stop(self.server.process)

    def argv(self, *args, options=(), user=None):
        host = f"{user}@127.0.0.1" if user else "127.0.0.1"
        head = [arg for arg in args if arg.startswith("-")]
        return [*clients.ssh_argv(self.place, programs.foreign("ssh"), self.server, options), *head, host, *args[len(head):]]

    def run(self, command, *args, stdin=b"", **kw):
        return self.place.run(self.argv(*args, command, **kw), stdin=stdin)

    def text(self, command, *args, **kw):
        done = self.run(command, *args, **kw)
        return done.stdout.decode(errors="replace")

    def shell(self, *args, modes=None, **kw):
        return Screen(self.place, self.argv("-tt", *args, **kw), modes=modes)

    def log(self):
        return self.place.read(self.server.log).decode(errors="replace")

    def logged(self, pattern):
        until = time.monotonic() + PATIENCE
        while not re.search(pattern, self.log()):
            if time.monotonic() > until:
                raise AssertionError(f"{pattern!r} is not in the log:\n{self.log()[-3000:]}")
            time.sleep(0.02)


def contains(text, *parts):
    for part in parts:
        if part not in text:
            raise AssertionError(f"{part!r} is not in {text!r}")


# ---- commands ----

def statuses(login):
    for status in 0, 1, 7, 255:
        same(login.run(f"exit {status}").returncode, status, "status")
    same(login.run("kill -9 $$").returncode, 255, "status after a signal")
    same(login.run("/nonexistent/program").returncode, 127, "status of a missing program")


def streams(login):
    done = login.run("cat; echo err >&2; echo more >/dev/stderr", stdin=b"in\n")
    same((done.stdout, done.stderr), (b"in\n", b"err\nmore\n"), "output and error")
    big = os.urandom(3000000)
    same(login.run("cat", stdin=big).stdout == big, True, "3 MB there and back")


def environment(login):
    home = pwd.getpwnam(room.TESTER).pw_dir
    port = login.server.port
    got = sorted(re.sub(rf"127.0.0.1 \d+ (127.0.0.1 )?{port}", "A", line) for line in login.text("env").splitlines())
    same(got, sorted([f"HOME={home}", f"LOGNAME={room.TESTER}", f"MAIL=/var/mail/{room.TESTER}", f"PWD={home}", "SHELL=/bin/sh",
                      "PATH=/usr/local/bin:/usr/bin:/bin:/usr/games", "SSH_CLIENT=A", "SSH_CONNECTION=A", f"USER={room.TESTER}"]), "environment")


def identity(login):
    fields = "^(Sig(Blk|Ign|Cgt)|NoNewPrivs|Seccomp|Cap(Inh|Prm|Eff|Amb)):"
    got = login.text(f"id; cat /proc/self/status | grep -E '{fields}'; ls /proc/self/fd; umask").splitlines()
    same(got[0].split("(")[0], f"uid={room.TESTER_ID}", "uid")
    zero = "0" * 16
    same(got[1:], [*(f"{name}:\t{zero}" for name in ("SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapAmb")),
                   "NoNewPrivs:\t0", "Seccomp:\t0", "0", "1", "2", "3", "0022"], "process state")


def parent_is_sshd(login):
    contains(login.text("ps -o comm= -p $PPID"), "sshd")


def sudo_and_su(login):
    same(login.text("sudo id -u").strip(), "0", "sudo")
    same(login.text(f"sudo su - {room.TESTER} -c 'id -un'").strip(), room.TESTER, "su")
    same(login.text("sudo tty; sudo id -u", "-tt").splitlines()[-1], "0", "sudo on a terminal")


def subsystem(login):
    place, server = login.place, "/usr/lib/openssh/sftp-server"
    if not os.access(server, os.X_OK):
        raise Skip("no sftp-server to be a subsystem")
    data = os.urandom(3000000)
    batch = place.write("batch", f"get {place.write('data', data, 0o644)} {place.path('copy')}\n")
    done = place.run([programs.foreign("sftp"), *login.argv()[1:3], "-b", batch, "127.0.0.1"])
    same((done.returncode, place.read("copy") == data), (0, True), "status, same data")
    same(login.run("no-such-subsystem", "-s").returncode, 255, "status of an unknown subsystem")


def signals(login):
    """Sent by a client: to the program's group, and back as its end."""
    script = f"""
import asyncio, asyncssh, sys
async def main():
    async with asyncssh.connect("127.0.0.1", {login.server.port}, username={room.TESTER!r}, client_keys=[{login.place.key()!r}], known_hosts=None,
                                config=None, agent_path=None) as connection:
        for name in "TERM", "INT", "USR1", "HUP", "KILL":
            async with connection.create_process("echo ready; exec sleep 1000") as process:
                await process.stdout.readline()
                process.send_signal(name)
                await process.wait_closed()
                print(name, process.exit_status, process.exit_signal and process.exit_signal[0])
asyncio.run(main())
"""
    done = login.place.run([sys.executable, "-W", "ignore", "-c", script])
    same(done.stdout.decode().splitlines(), [f"{name} -1 {name}" for name in ("TERM", "INT", "USR1", "HUP", "KILL")], "ends")


# ---- terminals ----

def terminal(login):
    with_size = login.place.run_terminal(login.argv("-tt", "tty; echo $SSH_TTY; stat -c '%U %G %a' $(tty); stty size; echo $TERM; who | tail -1"))
    lines = with_size.stdout.decode().splitlines()
    same(lines[0], lines[1], "tty and SSH_TTY")
    same(lines[2:5], [f"{room.TESTER} tty 620", "37 91", "xterm"], "owner, size, TERM")
    contains(lines[5], room.TESTER, lines[0][5:], "(127.0.0.1)")


def title(login):
    got = login.place.run_terminal(login.argv("-tt", "ps -o args= -p $PPID; tty")).stdout.decode().splitlines()
    contains(got[0], f"sshd: {room.TESTER}@{got[1][5:]}")


def shell_and_resize(login):
    screen = login.shell(options=["LogLevel INFO"])
    screen.wait_for("motd of the room")
    screen.wait_for(r"\$ ")
    screen.type("echo $0 $((6*7)); stty size\n")
    screen.wait_for(r"-sh 42\s+37 91")
    screen.resize(50, 120)
    screen.type("while [ \"$(stty size)\" != '50 120' ]; do sleep 0.05; done; echo res''ized\n")
    screen.wait_for("resized")
    screen.type("exit 5\n")
    screen.wait_for("Connection to 127.0.0.1 closed")
    same(screen.end(), 5, "status")


def last_login(login):
    screen = login.shell()
    screen.wait_for(r"Last login: .* from 127\.0\.0\.1\r")
    screen.type("touch .hushlogin; exit\n")
    screen.end()
    quiet = login.shell()
    quiet.type("echo b''egin\n")
    quiet.wait_for("begin")
    quiet.type("rm .hushlogin; echo ''motd-free; exit\n")
    same(re.search("Last login|motd of", quiet.text + quiet.wait_for(".*motd-free\r")[0]), None, "greeting")
    quiet.end()


def interrupt_and_modes(login):
    screen = login.shell("trap 'echo got INT; exit 9' INT; stty -a; while :; do sleep 0.05; done", modes={termios.VINTR: b"\x07"})
    screen.wait_for(r"intr = \^G")
    screen.wait_for("tostop")
    screen.type("\x07")
    screen.wait_for("got INT")
    same(screen.end(), 9, "status")


def hang_up(login):
    """The client goes away: what ran on its terminal gets HUP."""
    mark = login.place.write("mark", b"", 0o666)
    screen = login.shell(f"trap 'echo hup > {mark}; exit' HUP; echo ready; while :; do sleep 0.1; done")
    screen.wait_for("ready")
    screen.process.kill()
    screen.process.wait()
    wait_for("HUP", lambda: login.place.read("mark") == b"hup\n")


def background_keeps_nothing_open(login):
    """A terminal session ends with its shell, although a background job still has the terminal; and all output came."""
    done = login.place.run_terminal(login.argv("-tt", "(trap '' HUP; exec sleep 600) & echo $!; seq 30000; exit 3"))
    job = int(done.stdout.split()[0])
    try:
        os.kill(job, signal.SIGKILL)
    except ProcessLookupError:
        raise AssertionError("the background job was gone before its session") from None
    same((done.returncode, done.stdout.split()[-1]), (3, b"30000"), "status, last line")


def several_sessions(login):
    control = login.place.path("control")
    master = login.place.start(login.argv("-M", "-N", options=[f"ControlPath {control}"]), "master.log")
    wait_for("control socket", lambda: os.path.exists(control))
    over = [f"ControlPath {control}"]
    runs = [subprocess.Popen(login.argv(f"sleep 0.2; echo {i}; exit {i}", options=over), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                             env=login.place.env) for i in range(5)]
    same([(run.communicate(timeout=PATIENCE)[0], run.returncode) for run in runs], [(f"{i}\n".encode(), i) for i in range(5)], "sessions")
    login.place.stop(master)


# ---- settings ----

def accepted_variables(login):
    login.place.env.update(LC_TEST="t=1", OTHER="x")
    got = login.text("echo $LC_TEST/$OTHER/$FROM_CONFIG", options=["SendEnv LC_TEST OTHER"])
    del login.place.env["LC_TEST"], login.place.env["OTHER"]
    same(got, "t=1//set\n", "variables")


def banner(login):
    done = login.place.run([arg for arg in login.argv("true", options=["LogLevel INFO"])])
    contains(done.stderr.decode(), "Authorised users only\n\\033[31mred")


def forced(login):
    same(login.text("what was 'asked'"), "forced: what was 'asked'\n", "forced command")


def key_line(place, options, line):
    with open(f"{place.home}/.ssh/authorized_keys", "w", encoding="ascii") as f:
        f.write(f"{options} {line}\n")


def key_options(login):
    place = login.place
    line = place.public(place.key())
    rows = [('command="echo $SSH_ORIGINAL_COMMAND from key"', "-T", "asked", "asked from key\n"), ("no-pty", "-tt", "echo in", "PTY allocation request failed"),
            ("restrict", "-tt", "echo in", "PTY allocation request failed"), ("restrict,pty", "-tt", "echo in", "in"),
            ('environment="A=1"', "-T", "echo $A", "1\n"),
            ('from="127.0.0.0/8"', "-T", "echo in", "in\n"),
            ('from="10.0.0.0/8"', "-T", "echo in", ""), ('expiry-time="20200101"', "-T", "echo in", ""), ("unheard-of", "-T", "echo in", "")]
    for options, how, command, want in rows:
        key_line(place, options, line)
        done = login.run(command, how)
        if want:
            contains((done.stdout + done.stderr).decode(), want)
        else:
            same((done.stdout, done.returncode), (b"", 255), options)
    servers.authorize(place)


def strict_modes(login):
    home = login.place.home
    for path, mode in (home, 0o777), (f"{home}/.ssh", 0o707), (f"{home}/.ssh/authorized_keys", 0o666):
        before = os.stat(path).st_mode & 0o7777
        os.chmod(path, mode)
        same(login.run("true").returncode, 255, f"login with {path} {mode:o}")
        os.chmod(path, before)
        login.logged(rf"Authentication refused: bad ownership or modes for (file|directory) {path}\r?\n")
    same(login.run("true").returncode, 0, "login")


def unknown_users(login):
    same(login.run("true", user="no-such-user").returncode, 255, "status")
    login.logged(r"Invalid user no-such-user from 127\.0\.0\.1 port \d+")


def by_password(login, password, *args, method="password"):
    sshpass = programs.foreign("sshpass")
    options = ["BatchMode no", "PubkeyAuthentication no", "NumberOfPasswordPrompts 1", f"PreferredAuthentications {method}"]
    return login.place.run([sshpass, "-p", password, *login.argv(*args, options=options)])


def passwords(login):
    same(by_password(login, room.PASSWORD, "echo in").stdout, b"in\n", "right password")
    login.logged(rf"Accepted password for {room.TESTER} from 127\.0\.0\.1 port \d+ ssh2")
    if not programs.ours("sshd").startswith("/usr/"):      # Debian's asks so only with PAM
        same(by_password(login, room.PASSWORD, "echo in", method="keyboard-interactive").stdout, b"in\n", "right answer")
    same(by_password(login, "wrong", "echo in").stdout, b"", "wrong password")
    login.logged(rf"Failed password for {room.TESTER} from 127\.0\.0\.1 port \d+ ssh2")


def expired_password(login):
    subprocess.run(["chage", "-d", "0", room.TESTER], check=True)
    try:
        done = by_password(login, room.PASSWORD, "echo in")
        same((done.stdout, done.returncode), (b"", 1), "output and status")
        contains(done.stderr.decode(), "WARNING: Your password has expired.", "Password change required but no TTY available.")
        same(login.text("echo in"), "in\n", "login by key")
    finally:
        subprocess.run(["chage", "-d", "19000", room.TESTER], check=True)


# ---- forwards ----

def serve_once(text):
    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        while True:
            peer, _ = listener.accept()
            with peer:
                peer.sendall(text + peer.recv(100))
    threading.Thread(target=answer, daemon=True).start()
    return listener.getsockname()[1]


def ask(port, text):
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
                s.sendall(text)
                s.shutdown(socket.SHUT_WR)
                return s.makefile("rb").read()
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        except OSError:         # connected, and cut off before we had said it all
            return b""


def local_forward(login):
    target, port = serve_once(b"hello "), free_port()
    client = login.place.start(login.argv("-N", f"-L127.0.0.1:{port}:127.0.0.1:{target}"), "local.log")
    same([ask(port, b"%d" % i) for i in range(5)], [b"hello %d" % i for i in range(5)], "answers")
    login.place.stop(client)


def forward_is_closed(login):
    """Both directions over: we close the channel ourselves, for a peer that waits for it."""
    target = serve_once(b"last ")
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect("127.0.0.1", login.server.port, room.TESTER, key_filename=login.place.key("ed25519"), look_for_keys=False, allow_agent=False,
                       banner_timeout=PATIENCE, auth_timeout=PATIENCE)
        channel = client.get_transport().open_channel("direct-tcpip", ("127.0.0.1", target), ("127.0.0.1", 1))
        channel.sendall(b"words")
        channel.shutdown_write()
        same(channel.makefile("rb").read(), b"last words", "answer")
        wait_for("end by the server", lambda: channel.closed)


def remote_forward(login):
    target, port = serve_once(b"back "), free_port()
    client = login.place.start(login.argv("-N", f"-R127.0.0.1:{port}:127.0.0.1:{target}"), "remote.log")
    same([ask(port, b"%d" % i) for i in range(5)], [b"back %d" % i for i in range(5)], "answers")
    login.place.stop(client)


def no_forward(login):
    target, port = serve_once(b"x"), free_port()
    client = login.place.start(login.argv("-N", f"-L127.0.0.1:{port}:127.0.0.1:{target}"), "none.log")
    try:
        same(ask(port, b"y"), b"", "answer")
    except ConnectionResetError:
        pass
    login.place.stop(client)


# ---- rows: the settings of a server, and what is tried on it ----

ROWS = [
    (["PrintMotd yes", "Subsystem sftp /usr/lib/openssh/sftp-server"],
     [statuses, streams, signals, subsystem, environment, identity, parent_is_sshd, sudo_and_su, terminal, title, shell_and_resize, last_login,
      interrupt_and_modes, hang_up, background_keeps_nothing_open, several_sessions, unknown_users, local_forward, remote_forward,
      forward_is_closed]),
    (["AcceptEnv LC_*", "SetEnv FROM_CONFIG=set", "PermitUserEnvironment yes", "Banner /mnt/banner"],
     [accepted_variables, banner, key_options, strict_modes]),
    (["ForceCommand echo \"forced: $SSH_ORIGINAL_COMMAND\""], [forced]),
    (["AllowTcpForwarding no"], [no_forward]),
    (["PasswordAuthentication yes"], [passwords, expired_password]),
]


def refused(tap, place):
    """Settings that keep the user out, and the line they leave in the log."""
    rows = [("AllowUsers other", "User nacretest from 127.0.0.1 not allowed because not listed in AllowUsers"),
            ("DenyUsers nacre*", "User nacretest from 127.0.0.1 not allowed because listed in DenyUsers"),
            ("AllowGroups other", "User nacretest from 127.0.0.1 not allowed because none of user's groups are listed in AllowGroups"),
            ("DenyGroups nacretest", "User nacretest from 127.0.0.1 not allowed because a group is listed in DenyGroups"),
            ("AllowUsers nacretest@10.0.0.0/8", "not allowed because not listed in AllowUsers")]
    for option, line in rows:
        with tap.case(f"{option} keeps out"), Login(place, [option]) as login:
            same(login.run("true").returncode, 255, "status")
            login.logged(re.escape(line))
    with tap.case("PermitRootLogin forced-commands-only, no, yes"):
        for value, want in ("no", 255), ("forced-commands-only", 255), ("yes", 0):
            with Login(place, [f"PermitRootLogin {value}", "AuthorizedKeysFile /mnt/root-keys"]) as login:
                same(login.run("true", user="root").returncode, want, value)


def own_server(tap, place):
    """A user's own sshd, without root: keys only, and no other user."""
    tester = {"user": room.TESTER_ID, "group": room.TESTER_ID, "extra_groups": []}
    port, key, sshd = free_port(), place.key("ed25519", "host-ed25519"), programs.ours("sshd")
    for path in place.folder, key:
        os.chown(path, room.TESTER_ID, room.TESTER_ID)
    config = place.write("own_config", f"Port {port}\nListenAddress 127.0.0.1\nHostKey {key}\nPidFile none\nLogLevel VERBOSE\n", 0o644)
    process = place.start([sshd, "-D", "-e", "-f", config], "own.log", **tester)
    place.wait_port(port, process, "own.log")
    login = Login.__new__(Login)
    login.place, login.server = place, servers.Server("sshd", port, "own.log", [place.public(key)], process)
    servers.authorize(place)
    with login:
        for case in statuses, streams:
            with tap.case(f"a user's own server: {case.__name__}"):
                case(login)
        with tap.case("a user's own server: terminal"):
            done = place.run_terminal(login.argv("-tt", "id -un; tty; echo $SSH_TTY; stty size; exit 4"))
            lines = done.stdout.decode().splitlines()
            same((lines[0], lines[1] == lines[2], lines[3], done.returncode), (room.TESTER, True, "37 91", 4), "name, tty, size, status")
        with tap.case("a user's own server: nobody else, no passwords"):
            with open("/mnt/home/root/.ssh/authorized_keys", "w", encoding="ascii") as f:
                f.write(place.public(place.key()) + "\n")
            same(login.run("id", user="root").returncode, 255, "login as root")
            same(by_password(login, room.PASSWORD, "echo in").stdout, b"", "login by password")
        with tap.case("a user's own server: forwards"):
            local_forward(login)
            remote_forward(login)


def main():
    tap = Tap()
    room.enter_as_root(tap, "logins")
    furnish()
    only = set(sys.argv[1:])
    with open("/mnt/banner", "w", encoding="ascii") as f:
        f.write("Authorised users only\n\x1b[31mred\n")
    with Place() as place:
        for options, cases in ROWS:
            cases = [case for case in cases if not only or case.__name__ in only]
            if not cases:
                continue
            with Login(place, options) as login:
                for case in cases:
                    with tap.case(case.__name__.replace("_", " ")):
                        case(login)
        with open("/mnt/root-keys", "w", encoding="ascii") as f:
            f.write(place.public(place.key()) + "\n")
        if not only or "refused" in only:
            refused(tap, place)
        if not only or "own_server" in only:
            own_server(tap, place)
    tap.end()


if __name__ == "__main__":
    main()
