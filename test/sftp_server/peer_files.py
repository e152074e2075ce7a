# SPDX-License-Identifier: ISC
"""Files by a Python library. usage: peer_files.py paramiko|asyncssh PORT USER KEY KNOWN_HOSTS LOCAL REMOTE BACK"""
import asyncio
import sys
import warnings

warnings.filterwarnings("ignore")


def expect(what, good):
    if not good:
        sys.exit(f"{what}: not as expected")


def with_paramiko(port, user, key, known, local, remote, back):
    import paramiko
    client = paramiko.SSHClient()
    client.load_host_keys(known)
    client.connect("127.0.0.1", port, user, pkey=paramiko.Ed25519Key(filename=key), allow_agent=False, look_for_keys=False)
    sftp = client.open_sftp()
    for name in "empty", "odd", "large":
        sftp.put(f"{local}/{name}", f"{remote}/{name}")
        sftp.get(f"{remote}/{name}", f"{back}/{name}")
    sftp.mkdir(f"{remote}/new", 0o750)
    sftp.rename(f"{remote}/odd", f"{remote}/new/odd")
    sftp.posix_rename(f"{remote}/new/odd", f"{remote}/odd")
    sftp.symlink("odd", f"{remote}/link")
    expect("readlink", sftp.readlink(f"{remote}/link") == "odd")
    sftp.chmod(f"{remote}/odd", 0o604)
    expect("stat", sftp.stat(f"{remote}/link").st_mode & 0o777 == 0o604)
    sftp.truncate(f"{remote}/link", 32769)
    expect("normalize", sftp.normalize(f"{remote}/new/..") == remote)
    with sftp.open(f"{remote}/appended", "w") as f:
        f.write("one")
    with sftp.open(f"{remote}/appended", "a") as f:
        f.write("two")
    with sftp.open(f"{remote}/appended", "rb") as f:
        f.prefetch()
        expect("append", f.read() == b"onetwo")
    expect("listdir", set(sftp.listdir(remote)) == {"empty", "odd", "large", "new", "link", "appended"})
    sftp.remove(f"{remote}/appended")
    sftp.rmdir(f"{remote}/new")
    client.close()


async def with_asyncssh(port, user, key, known, local, remote, back):
    import asyncssh
    async with asyncssh.connect("127.0.0.1", port, username=user, client_keys=[key], known_hosts=known, config=None, agent_path=None) as connection:
        async with connection.start_sftp_client() as sftp:
            for name in "empty", "odd", "large":
                await sftp.put(f"{local}/{name}", f"{remote}/{name}", preserve=True)
                await sftp.get(f"{remote}/{name}", f"{back}/{name}")
            await sftp.put(f"{local}/tree", remote, recurse=True)
            await sftp.get(f"{remote}/tree", back, recurse=True)
            await sftp.symlink("odd", f"{remote}/link")
            expect("readlink", await sftp.readlink(f"{remote}/link") == "odd")
            await sftp.link(f"{remote}/odd", f"{remote}/hard")
            await sftp.posix_rename(f"{remote}/hard", f"{remote}/hard2")
            expect("statvfs", (await sftp.statvfs(remote)).bsize > 0)
            async with sftp.open(f"{remote}/odd", "rb") as f:
                expect("fstat", (await f.stat()).size == 32769)
                await f.read()
            expect("glob", sorted(await sftp.glob(f"{remote}/h*")) == [f"{remote}/hard2"])
            await sftp.rmtree(f"{remote}/tree")


def main():
    library, port, *rest = sys.argv[1:]
    if library == "paramiko":
        with_paramiko(int(port), *rest)
    else:
        asyncio.run(with_asyncssh(int(port), *rest))


main()
