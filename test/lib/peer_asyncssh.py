# SPDX-License-Identifier: ISC
"""asyncssh as a program. usage:
peer_asyncssh.py server PORT AUTHORIZED_KEYS HOST_KEY...
peer_asyncssh.py client PORT USER KEY KNOWN_HOSTS exec|pty COMMAND [kex=X] [cipher=X] [mac=X] [hostkey=X] [userkey=X]
peer_asyncssh.py lists
A KEY's certificate KEY-cert.pub is used where there is one, a HOST_KEY's too.
"""
import asyncio
import subprocess
import sys
import warnings

warnings.filterwarnings("ignore")
import asyncssh  # noqa: E402
from asyncssh.encryption import get_encryption_algs  # noqa: E402
from asyncssh.kex import get_kex_algs  # noqa: E402
from asyncssh.mac import get_mac_algs  # noqa: E402
from asyncssh.public_key import get_public_key_algs  # noqa: E402

# asyncssh 2.10 goes on sending data after its KEXINIT (RFC 4253 7.1 forbids it), and asks for a key exchange each 1 GB: not in a test.
NO_REKEY = {"rekey_bytes": 1 << 40, "rekey_seconds": 1 << 20}
OPTIONS = {"kex": "kex_algs", "cipher": "encryption_algs", "mac": "mac_algs", "hostkey": "server_host_key_algs",
           "userkey": "signature_algs"}


def names(algorithms):
    return [a.decode() for a in algorithms]


def lists():
    keys = names(get_public_key_algs())
    return {"kex": [k for k in names(get_kex_algs()) if not k.startswith("gss-")], "cipher": names(get_encryption_algs()),
            "mac": names(get_mac_algs()), "hostkey": keys, "userkey": keys}


def shell_argv(command, terminal):
    """A shell runs the command; script(1) gives it a terminal of its own."""
    return ["script", "-qefc", command, "/dev/null"] if terminal else ["sh", "-c", command]


async def carry(source, sink):
    """All of a child's output. redirect() would do, but nothing tells when it is through, and to leave before is a fault inside asyncssh."""
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()


async def handle(process):
    """A session, to its end."""
    argv = shell_argv(process.command or "exec sh", process.term_type)
    child = await asyncio.create_subprocess_exec(*argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    await process.redirect(stdin=child.stdin)
    await asyncio.gather(carry(child.stdout, process.stdout), carry(child.stderr, process.stderr))
    process.exit(await child.wait())


async def server(port, authorized, *host_keys):
    every = lists()
    await asyncssh.listen("127.0.0.1", int(port), server_host_keys=list(host_keys), authorized_client_keys=authorized,
                          kex_algs=every["kex"], encryption_algs=every["cipher"], mac_algs=every["mac"], encoding=None,
                          process_factory=handle, sftp_factory=True, allow_scp=True, **NO_REKEY)
    await asyncio.get_event_loop().create_future()


async def client(port, user, key, known_hosts, how, command, *only):
    chosen = dict(word.split("=", 1) for word in only)
    options = {OPTIONS[kind]: [algorithm] for kind, algorithm in chosen.items()}
    async with asyncssh.connect("127.0.0.1", int(port), username=user, client_keys=[key], known_hosts=known_hosts,
                                agent_path=None, config=None, **NO_REKEY, **options) as connection:
        terminal = {"term_type": "xterm", "term_size": (91, 37)} if how == "pty" else {}
        done = await connection.run(command, input=sys.stdin.buffer.read(), encoding=None, **terminal)
    sys.stdout.buffer.write(done.stdout or b"")
    sys.stderr.buffer.write(done.stderr or b"")
    return done.exit_status if done.exit_status is not None else 255


if __name__ == "__main__":
    if sys.argv[1] == "lists":
        for list_kind, list_names in lists().items():
            print(list_kind, *list_names)
    else:
        sys.exit(asyncio.run({"server": server, "client": client}[sys.argv[1]](*sys.argv[2:])))
