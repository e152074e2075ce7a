# SPDX-License-Identifier: ISC
"""sftp and scp: whole files, trees of small files, a long line, mixed pairs, memory. Works for bench.py's Bench, which pairs and tells."""
import contextlib
import os
import pwd
import random
import shutil
import subprocess
import time
from dataclasses import dataclass

import clients
import meter
from place import free_port

GET, PUT = "get", "put"


@dataclass
class Line:
    """A client of one suite with a server of one, perhaps through the relay."""
    name: str           # whose column
    client: object      # bench.Side
    server: object
    port: int = 0       # the relay's

    def options(self):
        options = clients.ssh_argv(self.server.place, self.client.ssh, self.server.server)[1:]
        if self.port:
            options += ["-o", f"Port={self.port}", "-o", f"HostKeyAlias=[127.0.0.1]:{self.server.server.port}"]
        return ["-S", self.client.ssh, *options]

    def argv(self, program, way, source, target, tree=False):
        if program == "scp":
            ends = [f"127.0.0.1:{source}", target] if way == GET else [source, f"127.0.0.1:{target}"]
            return [self.client.scp, "-q", *["-r"] * tree, *self.options(), *ends]
        batch = self.client.place.write("batch", f"{way} {'-r ' * tree}{source} {target}\n")
        return [self.client.sftp, "-q", *self.options(), "-b", batch, "127.0.0.1"]

    def start(self, *transfer, **kw):
        return subprocess.Popen(self.argv(*transfer, **kw), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                env=self.client.place.env)

    def end(self, process):
        err = process.communicate()[1]
        if process.returncode:
            raise AssertionError(f"{self.client.name} with {self.server.name}: {process.args}: {process.returncode}: {err.decode(errors='replace')[-500:]}")


def fill(path, size, seed):
    """Bytes that neither compress nor repeat within a window."""
    source, at = random.Random(seed), 0
    block = bytearray(source.randbytes(8 << 20))
    with open(path, "wb") as f:
        while at < size:
            block[:8] = at.to_bytes(8, "little")
            at += f.write(block[:min(len(block), size - at)])


def fill_tree(top, count, size, seed, folders=100):
    source = random.Random(seed)
    for i in range(count):
        folder = f"{top}/{i % min(folders, count)}"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/file-{i}", "wb") as f:
            f.write(source.randbytes(size))


def remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.unlink(path)


class Files:
    def __init__(self, bench, relay):
        self.bench, self.place, self.quick, self.relay = bench, bench.place, bench.quick, relay
        ours, theirs = bench.sides
        self.own = [Line("nacre", ours, ours), Line("openssh", theirs, theirs)]
        self.here, self.there = self.place.path("here"), self.place.path("there")   # both ends may write below
        for folder in self.here, self.there:
            os.mkdir(folder)
            os.chmod(folder, 0o777)

    def run(self):
        for part in self.whole, self.trees, self.mixed, self.memory, self.long_line:
            part()

    # ---- one transfer ----

    def transfer(self, line, program, way, source, tree=False):
        """Seconds; what came is compared with what was sent, and removed."""
        target = f"{self.there}/target"
        start = time.perf_counter()
        line.end(line.start(program, way, source, target, tree=tree))
        took = time.perf_counter() - start
        subprocess.run(["diff", "-rq", source, target], check=True)
        remove(target)
        return took

    @contextlib.contextmanager
    def source(self, size=0, count=0):
        """A file of `size` bytes, or a tree of `count` files of 1 KB."""
        path = f"{self.here}/source"
        if count:
            fill_tree(path, count, 1024, 5)
        else:
            fill(path, size, 5)
        subprocess.run(["chown", "-R", str(pwd.getpwnam(self.place.user).pw_uid), self.here], check=True)
        yield path
        remove(path)

    @contextlib.contextmanager
    def delayed(self, delay_ms):
        """The same lines through relays, which take delay_ms each way."""
        with contextlib.ExitStack() as stack:
            lines = []
            for line in self.own:
                port, log = free_port(), f"relay-files-{line.name}"
                process = self.place.start([self.relay, str(port), str(line.server.server.port), str(delay_ms)], log)
                stack.callback(self.place.stop, process)
                self.place.wait_port(port, process, log)
                lines.append(Line(line.name, line.client, line.server, port))
            yield lines

    # ---- the rows ----

    def wanted(self, rows):
        return [row for row in rows if self.bench.wanted(row[0])]

    def whole(self):
        size = (256 << 20) if self.quick else (2 << 30)
        name = "256 MB" if self.quick else "2 GB"
        rows = self.wanted([(f"{program} {way} {name}", program, way) for program in ("sftp", "scp") for way in (GET, PUT)])
        if not rows:
            return
        with self.source(size) as source:
            for row, program, way in rows:
                pairs = self.bench.pairs(lambda line, p=program, w=way: size / 1e6 / self.transfer(line, p, w, source), self.bench.file_rounds, self.own)
                self.bench.row(row, "MB/s", pairs, 2.5, True, 0)

    def trees(self):
        count = 1000 if self.quick else 10000
        rows = self.wanted([(f"{program} {way} -r, {count:,} files of 1 KB", program, way) for program in ("sftp", "scp") for way in (GET, PUT)])
        if not rows:
            return
        with self.source(count=count) as source:
            for row, program, way in rows:
                pairs = self.bench.pairs(lambda line, p=program, w=way: self.transfer(line, p, w, source, tree=True), self.bench.file_rounds, self.own)
                self.bench.row(row, "s", pairs, 1 / 4, digits=2)

    def mixed(self):
        """Ours with OpenSSH, against OpenSSH with itself."""
        size = (256 << 20) if self.quick else (1 << 30)
        ours, theirs = self.bench.sides
        kinds = {"our client, OpenSSH's server": Line("nacre", ours, theirs), "OpenSSH's client, our server": Line("nacre", theirs, ours)}
        rows = self.wanted([(f"mixed: {kind}, sftp {way}", kind, way) for kind in kinds for way in (GET, PUT)])
        if not rows:
            return
        with self.source(size) as source:
            for row, kind, way in rows:
                pairs = self.bench.pairs(lambda line, w=way: size / 1e6 / self.transfer(line, "sftp", w, source), self.bench.file_rounds,
                                         [kinds[kind], self.own[1]])
                self.bench.row(row, "MB/s", pairs, 1, True, 0)

    def memory(self):
        """The most that all of a side's processes hold, the larger of get's and put's."""
        if not self.bench.wanted("memory of the client, fast line") and not self.bench.wanted("memory of the server, fast line"):
            return
        with self.source((256 << 20) if self.quick else (1 << 30)) as source:
            self.memory_rows(self.own, source, "fast line", 24)

    def memory_rows(self, lines, source, where, goal_mb):
        peaks = {line.name: [max(both) for both in zip(*[self.peak(line, way, source) for way in (GET, PUT)])] for line in lines}
        for i, who in enumerate(("client", "server")):
            self.bench.row_below(f"memory of the {who}, {where}", "MB", peaks["openssh"][i], peaks["nacre"][i], goal_mb)

    def peak(self, line, way, source):
        """(client's, server's) MB, the server's listener and what else it has at rest left out."""
        target, before = f"{self.there}/target", set(meter.server_family(line.server))
        process = line.start("sftp", way, source, target)
        found = meter.peak_kb(process, lambda: set(meter.family(process.pid)), lambda: set(meter.server_family(line.server)) - before)
        line.end(process)
        remove(target)
        return [kb * 1024 / 1e6 for kb in found]

    def long_line(self):
        size, name = ((64 << 20, "64 MB") if self.quick else (512 << 20, "512 MB"))
        count = 100 if self.quick else 1000
        wanted = {row: self.wanted([(f"sftp {way}{row}", way) for way in (GET, PUT)])
                  for row in (f" of {name} at 100 ms delay", f" -r, {count:,} files of 1 KB at 100 ms delay")}
        files, trees = wanted.values()
        memory = self.bench.wanted("memory of the client, 100 ms") or self.bench.wanted("memory of the server, 100 ms")
        with self.delayed(self.bench.delay_ms) as lines:
            if files or memory:
                with self.source(size) as source:
                    for row, way in files:
                        pairs = self.bench.pairs(lambda line, w=way: size / 1e6 / self.transfer(line, "sftp", w, source), 1 if self.quick else 2, lines)
                        self.bench.row(row, "MB/s", pairs, 8, True)
                    if memory:
                        self.memory_rows(lines, source, "100 ms delay", 80)
            for row, way in trees:
                self.bench.row(row, "s", [{line.name: self.small_files(line, way, count) for line in lines}], 1 / 20, digits=2)

    def small_files(self, line, way, count):
        """Seconds. OpenSSH takes minutes, one file after another: a tenth of the files, from which the rest is reckoned."""
        part = count if line.name == "nacre" else count // 10
        took = []
        for n in (1, part):
            with self.source(count=n) as source:
                took.append(self.transfer(line, "sftp", way, source, tree=True))
        return took[0] + (took[1] - took[0]) * (count - 1) / (part - 1)
