"""A streaming stub as a process: started, asked what it did, ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from fixtures.runtimes.environments import CHECKOUT
from suites.selftest.standin.streaming_stub import Script, Served

PROGRAM = CHECKOUT / "suites" / "selftest" / "standin" / "streaming_stub.py"


class Done(NamedTuple):
    """What a stub did in its life."""

    served: list[Served]
    connections: int
    cpu_s: float


class Stub:
    """One that runs."""

    def __init__(self, script: Script, core: int | None = None) -> None:
        argv = [sys.executable, str(PROGRAM), json.dumps(script._asdict())]
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if core is not None:
            os.sched_setaffinity(self.process.pid, {core})
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    def done(self) -> Done:
        """End it; what it did."""
        told = json.loads(self.process.communicate()[0])
        served = [Served(*fields) for fields in told["served"]]
        return Done(served, told["connections"], told["cpu_s"])


@contextmanager
def stubbed(script: Script, core: int | None = None) -> Iterator[Stub]:
    """A stub that ends with the block, whatever has become of it."""
    stub = Stub(script, core)
    with stub.process:
        try:
            yield stub
        finally:
            stub.process.kill()


def open_sockets() -> int:
    """How many this process has open."""
    links = Path("/proc/self/fd").iterdir()
    # The folder's own descriptor is listed too, and gone when it is asked for.
    return sum(link.exists() and "socket:" in str(link.readlink()) for link in links)
