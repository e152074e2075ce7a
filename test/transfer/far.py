#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""On a long line (100 ms, by the relay of the bench) the windows grow, in both directions: more is under way than the first window holds."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import transfer  # noqa: E402
from place import Place, free_port  # noqa: E402
from tap import Tap, wait_for  # noqa: E402
from transfer import good  # noqa: E402
import programs  # noqa: E402
import room  # noqa: E402

SIZE, FIRST_WINDOW = 40 << 20, 2 << 20


def main():
    room.enter()
    tap = Tap()
    with Place() as place:
        site = transfer.Site(place)
        for i, way in enumerate(("put", "get")):
            with tap.case(f"sftp {way}: more than {2 * FIRST_WINDOW} bytes get under way"):
                port, log = free_port(), f"relay-{way}"
                relay = place.start([f"{programs.build_folder()}/test/bench/relay", str(port), str(site.server.port), "50"], log)
                place.wait_port(port, relay, log)
                source, target = (f"{site.here}/source", f"{site.there}/target") if way == "put" else (f"{site.there}/source", f"{site.here}/target")
                with open(source, "wb") as f:
                    os.truncate(source, SIZE)
                    f.write(b"begins")
                good(site.sftp(f"{way} {source} {target}", port=port), way)
                if transfer.data_hash(source) != transfer.data_hash(target):
                    raise AssertionError("another file came")

                def most(log=log, i=i):
                    return max((int(m[i]) for m in re.findall(rb"in flight: (\d+) (\d+)", place.read(log))), default=0)
                wait_for("end of the relay's connection", lambda: most() > 100000)
                if most() <= 2 * FIRST_WINDOW:
                    raise AssertionError(f"at most {most()} bytes were under way")
                place.stop(relay)
    tap.end()


main()
