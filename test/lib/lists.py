# SPDX-License-Identifier: ISC
"""What algorithms a peer has, asked of the peer itself: its own list, or the KEXINIT it sends (RFC 4253 section 7.1)."""
import socket
import struct
import subprocess
import sys

import programs
from tap import PATIENCE

FIELDS = ["kex", "hostkey", "cipher", None, "mac"]  # the first name-lists of KEXINIT; the fourth is the other way's ciphers


def read_exact(stream, n):
    data = stream.read(n)
    if len(data) != n:
        raise EOFError("the peer closed before its KEXINIT")
    return data


def read_kexinit(connection):
    """Exchange ident lines with the peer and read its KEXINIT: kind -> names."""
    connection.sendall(b"SSH-2.0-lists\r\n")
    with connection.makefile("rb") as stream:
        while not stream.readline().startswith(b"SSH-"):
            pass
        length, padding = struct.unpack(">IB", read_exact(stream, 5))
        payload = read_exact(stream, length - 1)[:-padding]
    at, found = 17, {}
    for kind in FIELDS:
        size = struct.unpack_from(">I", payload, at)[0]
        if kind:
            found[kind] = payload[at + 4:at + 4 + size].decode().split(",")
        at += 4 + size
    return found | {"userkey": found["hostkey"]}


def of_server(server):
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
        return read_kexinit(connection)


def of_client(argv_for_port):
    """argv_for_port(port): the command that makes the client connect there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        process = subprocess.Popen(argv_for_port(listener.getsockname()[1]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            connection, _ = listener.accept()
            with connection:
                return read_kexinit(connection)
        finally:
            process.kill()
            process.wait()


def lines(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()


def of_openssh(ssh):
    keys = lines(ssh, "-Q", "key-sig")
    return {"kex": lines(ssh, "-Q", "kex"), "cipher": lines(ssh, "-Q", "cipher"), "mac": lines(ssh, "-Q", "mac"), "hostkey": keys,
            "userkey": keys}


def of_python(name):
    words = [line.split() for line in lines(sys.executable, f"{programs.TOP}/test/lib/peer_{name}.py", "lists")]
    return {kind: names for kind, *names in words}
