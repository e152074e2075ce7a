#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A server that shows a host key and signs with nonsense. usage: liar.py KEY; prints its port."""
import socket
import sys

import paramiko


class Liar(paramiko.Ed25519Key):
    def sign_ssh_data(self, data, algorithm=None):
        return super().sign_ssh_data(b"something else")


def main():
    key = Liar(filename=sys.argv[1])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            transport = paramiko.Transport(connection)
            transport.add_server_key(key)
            try:
                transport.start_server(server=paramiko.ServerInterface())
            except (paramiko.SSHException, EOFError, OSError):
                pass
            transport.close()


main()
