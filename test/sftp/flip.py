#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""An SFTP server behind a line that turns one bit of each large block of file data, up and down. usage: flip.py SERVER [ARGS...]"""
import os
import subprocess
import sys
import threading

SSH_FXP_WRITE, SSH_FXP_DATA, LARGE = 6, 103, 1000


def exactly(source, n):
    data = b""
    while len(data) < n:
        more = os.read(source, n - len(data))
        if not more:
            return b""
        data += more
    return data


def pass_on(source, target, kind):
    while head := exactly(source, 4):
        body = bytearray(exactly(source, int.from_bytes(head, "big")))
        if body[:1] == bytes([kind]) and len(body) > LARGE:
            body[-1] ^= 1
        whole = head + body
        while whole:
            whole = whole[os.write(target, whole):]
    os.close(target)


def main():
    with subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        threading.Thread(target=pass_on, args=(0, os.dup(server.stdin.fileno()), SSH_FXP_WRITE), daemon=True).start()
        server.stdin.close()
        pass_on(server.stdout.fileno(), 1, SSH_FXP_DATA)


main()
