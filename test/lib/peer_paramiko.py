# SPDX-License-Identifier: ISC
"""paramiko as a program. usage:
peer_paramiko.py server PORT AUTHORIZED_KEYS HOST_KEY...
peer_paramiko.py client PORT USER KEY KNOWN_HOSTS exec|pty COMMAND [kex=X] [cipher=X] [mac=X] [hostkey=X] [userkey=X]
peer_paramiko.py lists
A KEY's certificate KEY-cert.pub is used where there is one.
"""
import os
import socket
import subprocess
import sys
import threading
import warnings

warnings.filterwarnings("ignore")
import paramiko  # noqa: E402

from tap import PATIENCE  # noqa: E402

KINDS = {"kex": "_preferred_kex", "cipher": "_preferred_ciphers", "mac": "_preferred_macs", "hostkey": "_preferred_keys",
         "userkey": "_preferred_pubkeys"}


def lists():
    return {kind: getattr(paramiko.Transport, attribute) for kind, attribute in KINDS.items()}


def load(path):
    with open(f"{path}.pub", encoding="ascii") as f:
        kind = f.read().split("-")[1].split()[0]
    key = {"ed25519": paramiko.Ed25519Key, "rsa": paramiko.RSAKey, "sha2": paramiko.ECDSAKey}[kind](filename=path)
    if os.path.exists(f"{path}-cert.pub"):
        key.load_certificate(f"{path}-cert.pub")
    return key


class Session(paramiko.ServerInterface):
    def __init__(self, authorized):
        self.authorized, self.terminal = authorized, False

    def get_allowed_auths(self, username):
        return "publickey"

    def check_auth_publickey(self, username, key):
        return paramiko.AUTH_SUCCESSFUL if key.get_base64() in self.authorized else paramiko.AUTH_FAILED

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_pty_request(self, channel, *_):
        self.terminal = True
        return True

    def check_channel_exec_request(self, channel, command):
        threading.Thread(target=run_command, args=(channel, command.decode(), self.terminal), daemon=True).start()
        return True

    def check_channel_shell_request(self, channel):
        return self.check_channel_exec_request(channel, b"exec sh")


def copy(read, write, done):
    while data := read():
        write(data)
    done()


def run_command(channel, command, terminal):
    """A shell runs the command; script(1) gives it a terminal of its own."""
    argv = ["script", "-qefc", command, "/dev/null"] if terminal else ["sh", "-c", command]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)

    def write_stdin(data):
        while data:
            data = data[child.stdin.write(data):]

    threading.Thread(target=copy, args=(lambda: channel.recv(32768), write_stdin, child.stdin.close), daemon=True).start()
    copies = [threading.Thread(target=copy, args=(lambda out=out: out.read(32768), send, lambda: None))
              for out, send in ((child.stdout, channel.sendall), (child.stderr, channel.sendall_stderr))]
    for thread in copies:
        thread.start()
    for thread in copies:
        thread.join()
    channel.send_exit_status(child.wait())
    channel.close()


def patient(transport):
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = PATIENCE


def server(port, authorized, *host_keys):
    with open(authorized, encoding="ascii") as f:
        keys = {line.split()[1] for line in f}
    listener = socket.create_server(("127.0.0.1", int(port)))
    paramiko.Transport.load_server_moduli()
    while True:
        connection, _ = listener.accept()
        transport = paramiko.Transport(connection)
        patient(transport)
        for path in host_keys:
            transport.add_server_key(load(path))
        try:
            transport.start_server(event=threading.Event(), server=Session(keys))
        except (paramiko.SSHException, EOFError) as error:
            print(error, file=sys.stderr, flush=True)


def client(port, user, key, known_hosts, how, command, *only):
    transport = paramiko.Transport(("127.0.0.1", int(port)))
    for word in only:
        kind, algorithm = word.split("=", 1)
        setattr(transport, KINDS[kind], (algorithm,))
    patient(transport)
    transport.start_client(timeout=PATIENCE)
    trusted = paramiko.HostKeys(known_hosts)
    if not trusted.check(f"[127.0.0.1]:{port}", transport.get_remote_server_key()):
        sys.exit("the host key is not the known one")
    transport.auth_publickey(user, load(key))
    channel = transport.open_session()
    if how == "pty":
        channel.get_pty("xterm", 91, 37)
    channel.exec_command(command)
    first = sys.stdin.buffer.read(1 << 20)

    def send():
        piece = first
        while piece:  # in pieces, as sendall() copies what is left for each packet
            channel.sendall(piece)
            piece = sys.stdin.buffer.read(1 << 20)
        channel.shutdown_write()

    def errors():
        while piece := channel.recv_stderr(32768):
            sys.stderr.buffer.write(piece)

    others = [threading.Thread(target=errors)] + ([threading.Thread(target=send)] if first or how != "pty" else [])
    for thread in others:
        thread.start()
    while piece := channel.recv(32768):
        sys.stdout.buffer.write(piece)
    for thread in others:
        thread.join()
    sys.stdout.flush()
    status = channel.recv_exit_status()
    transport.close()
    return status if status >= 0 else 255


if __name__ == "__main__":
    if sys.argv[1] == "lists":
        for list_kind, list_names in lists().items():
            print(list_kind, *list_names)
    else:
        sys.exit({"server": server, "client": client}[sys.argv[1]](*sys.argv[2:]))
