"""One client against one stub, each on a core of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from fixtures.runtimes.environments import CHECKOUT
from suites.selftest.load.peers.commands import Peer, Task, Timings
from suites.selftest.load.stubs import Done, stubbed
from suites.selftest.standin.streaming_stub import Script

_WITHIN_S: Final = 300.0


class ClientFailedError(Exception):
    """Why there are no figures of a client."""


class Run(NamedTuple):
    """What a client measured, and what there was to measure."""

    measured: Timings
    done: Done
    cpu_s: float
    """Of the client's processes, starting included."""


def run_peer(peer: Peer, script: Script, concurrency: int, requests: int, at: Path) -> Run:
    """Let a client send so many requests.

    Raises:
        ClientFailedError: it ended with an error, or has not measured each of them.
    """
    cores = sorted(os.sched_getaffinity(0))
    folder = at / "client"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with stubbed(script, cores[-1]) as stub:
        task = Task(stub.base_url, concurrency, requests, folder, at / "tokenizer")
        cpu_s = _run(peer.argv(task), cores[0], folder)
        done = stub.done()
    measured = peer.read(folder)
    if len(measured.ttft_s) != requests:
        msg = f"measured {len(measured.ttft_s)} of {requests} requests"
        raise ClientFailedError(msg)
    # Some clients ask beforehand whether a server is there.
    return Run(measured, done._replace(served=done.served[-requests:]), cpu_s)


def _run(argv: list[str], core: int, folder: Path) -> float:
    """Run a client to its end; its processor time."""
    before = os.times()
    with (folder / "log").open("wb") as log, _on(core):
        client = subprocess.Popen(
            argv, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        code = client.wait(_WITHIN_S)
    except subprocess.TimeoutExpired:
        client.kill()
        client.wait()
        code = None
    if code != 0:
        said = (folder / "log").read_text(errors="replace").strip().splitlines() or ["nothing"]
        ended = f"ended with {code}" if code is not None else f"took longer than {_WITHIN_S:.0f} s"
        msg = f"{ended}: {said[-1][:80]}"
        raise ClientFailedError(msg)
    after = os.times()
    return (
        after.children_user + after.children_system - before.children_user - before.children_system
    )


@contextmanager
def _on(core: int) -> Iterator[None]:
    """What is started within runs on this core alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
