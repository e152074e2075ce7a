# SPDX-License-Identifier: ISC
"""The modules of test/failwalk/calls.c and test/keygen/fail.c: they count the calls of our processes, and make one of them fail."""
import ctypes
import mmap
import os
import shutil
import struct

import programs
from tap import Tap

MODULE = os.environ.get("NACRE_FAIL", "")
PROGRAMS = ["ssh", "ssh-transport", "sshd", "sshd-net", "sshd-keys", "sshd-auth"]
DEPTHS, LOG_MAX = 3, 2048
MODES = {1: "is interrupted", 2: "does one byte", 3: "fails", 4: "loses its descriptors"}
EINTR, SHORT, FAIL, NO_FDS = MODES


def tap():
    """A Tap for tests that cannot do without the module; where there is none it ends the test, skipped."""
    t = Tap()
    if not os.path.exists(MODULE):
        t.skip("the failing calls", "NACRE_FAIL names no module")
        t.end()
    return t


class Control(ctypes.Structure):
    _fields_ = [("folder", ctypes.c_char * 256), ("armed", ctypes.c_int32), ("program", ctypes.c_int32), ("depth", ctypes.c_int32),
                ("at", ctypes.c_int32), ("mode", ctypes.c_int32), ("fired", ctypes.c_int32),
                ("count", ctypes.c_int32 * DEPTHS * len(PROGRAMS)), ("log", ctypes.c_uint8 * LOG_MAX * DEPTHS * len(PROGRAMS)),
                ("crypts", ctypes.c_int32), ("setting", ctypes.c_char * 256)]


class Module:
    """The failing module, loaded into everything in this room that starts from now on."""

    def __init__(self, place):
        self.path = shutil.copy(MODULE, place.path("fail-calls.so"))
        os.chmod(self.path, 0o755)
        library = ctypes.CDLL(self.path)
        library.fail_call_name.restype = ctypes.c_char_p
        self.name = lambda call: library.fail_call_name(call).decode()
        self.ways = library.fail_call_ways
        self.file = open(f"{self.path}.ctl", "w+b")  # noqa: SIM115: as long as the module
        os.chmod(self.file.name, 0o600)
        self.file.truncate(ctypes.sizeof(Control))
        self.control = Control.from_buffer(mmap.mmap(self.file.fileno(), ctypes.sizeof(Control)))
        self.control.folder = f"{os.path.dirname(os.path.realpath(programs.ours('sshd')))}/".encode()
        with open("/etc/ld.so.preload", "w", encoding="ascii") as f:
            f.write(self.path + "\n")

    def arm(self, program=-1, depth=0, at=0, mode=0):
        c = self.control
        ctypes.memset(ctypes.addressof(c.count), 0, ctypes.sizeof(c.count))
        c.program, c.depth, c.at, c.mode, c.fired = program, depth, at, mode, 0
        c.crypts, c.setting = 0, b""
        c.armed = 1

    def disarm(self):
        """The call that failed, by name, or None."""
        c = self.control
        c.armed = 0
        return self.name(c.fired - 1) if c.fired else None

    def modes(self, call):
        ways = self.ways(call)
        return [EINTR] * (ways & 1) + [SHORT] * (ways >> 1 & 1) + [FAIL] * (ways >> 2 & 1) + [NO_FDS] * (self.name(call) == "recvmsg")

    def calls(self, program, depth):
        """The names of the calls that a program's processes made, in their order."""
        p, c = PROGRAMS.index(program), self.control
        return [self.name(c.log[p][depth][n]) for n in range(min(c.count[p][depth], LOG_MAX))]

    def points(self):
        """(program, depth, number, mode) for each call that was counted and each way in which it may fail."""
        c = self.control
        return [(p, d, n + 1, mode) for p in range(len(PROGRAMS)) for d in range(DEPTHS) for n in range(min(c.count[p][d], LOG_MAX))
                for mode in self.modes(c.log[p][d][n])]


class Counter:
    """What keygen/fail.c shares with a test: how many calls there were, and which one fails."""

    def __init__(self, path, at=0):
        with open(path, "wb") as f:
            f.write(struct.pack("qq", 0, at))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 16)
        self.path = path

    def env(self, env, module, kind, error):
        return env | {"LD_PRELOAD": module, "FAIL_LOG": self.path, "FAIL_KIND": kind, "FAIL_ERRNO": str(error)}

    def arm(self, at):
        """Counts from here; call number `at` fails, 0: none."""
        self.map[:] = struct.pack("qq", 0, at)

    @property
    def count(self):
        return struct.unpack("qq", self.map[:])[0]
