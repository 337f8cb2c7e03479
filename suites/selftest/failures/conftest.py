"""Servers of the runtime under test, broken on purpose, and what is said of them."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

from fixtures.cells.cards import GIB
from fixtures.cells.case import Case
from fixtures.cells.cell import Cell
from fixtures.cells.models import CHECKPOINTS
from fixtures.runtimes.dialect import Setting, Words, words_of
from fixtures.runtimes.launching import Brought, python_launch
from fixtures.runtimes.runtime import PythonRuntime, Runtime, version_of
from fixtures.servers.cgroup import MemoryCgroup, NoCgroupError, make_cgroup
from fixtures.servers.diagnosis import StartFailure
from fixtures.servers.port import HOST, ReservedPort
from fixtures.servers.process import LaunchOrder
from fixtures.servers.server import Circumstances, Server

READY_WITHIN_S = 400.0

CASE = Case(
    card_name="cpu",
    model_name="tiny",
    cell=Cell(max_num_seqs=4, max_model_len=2048, allocator="glibc"),
    budget_bytes=4 * GIB,
)


class Fault(NamedTuple):
    """One thing that is wrong with a server."""

    damage: Callable[[Path], None] = lambda _: None
    """Done to a copy of the tiny checkpoint."""
    words: Callable[[Words], Words] = lambda words: words
    """Done to the server's command line and environment."""
    card_bytes: int | None = None
    """The memory cgroup that it is put into."""
    disturb: Callable[[Server], None] = lambda _: None
    """Done beside the start."""


class Told(NamedTuple):
    """What was said of a fault, and how long after the server's main process had ended."""

    failure: StartFailure | None
    after_end_s: float | None


class Bench:
    """Starts servers with faults, each in a folder of its own."""

    def __init__(self, runtime: PythonRuntime, folder: Path) -> None:
        self.runtime = runtime
        self._folder = folder
        self._numbers = count(1)

    def server(self, fault: Fault, undo: ExitStack) -> Server:
        """Start one; `undo` ends it."""
        number = next(self._numbers)
        folder = self._folder / str(number)
        model = folder / "checkpoint"
        shutil.copytree(CHECKPOINTS / "minicpmv-2.6-tiny", model)
        fault.damage(model)
        scratch = folder / "scratch"
        scratch.mkdir()
        port = ReservedPort()
        setting = Setting(str(model), "minicpm-v", HOST, port.number)
        words = words_of(CASE, version_of(self.runtime), setting)
        assert isinstance(words, Words)
        env, nothing = {"PATH": "/usr/bin:/bin"}, Brought((), {})
        launch = python_launch(self.runtime.python, fault.words(words), scratch, env, nothing)
        card = _card(fault.card_bytes, number)
        order = LaunchOrder(
            argv=launch.argv,
            env=launch.env,
            folder=scratch,
            log=folder / "server.log",
            join=(card.procs_file,) if card else (),
            folders_to_remove=(scratch,),
            cgroups_to_remove=(card.path,) if card else (),
        )
        server = Server(order, port, card, scratch, Circumstances(CASE.cell, None, 30.0))
        undo.callback(server.kill)
        return server

    def start(self, fault: Fault) -> Told:
        """What is said of a start with this fault; the server is gone afterwards."""
        with ExitStack() as undo:
            server = self.server(fault, undo)
            end = _End(server)
            beside = threading.Thread(target=fault.disturb, args=(server,), daemon=True)
            beside.start()
            failure = server.wait_until_ready(READY_WITHIN_S, lambda *_: None)
            return Told(failure, end.seconds_ago())


class _End:
    """Notes when a server's main process ends, apart from those who diagnose it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._at_s: float | None = None
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while (pid := self._server.process.pid) is None:
            time.sleep(0.01)
        stat = Path(f"/proc/{pid}/stat")
        while True:
            try:
                if stat.read_text().rpartition(")")[2].split()[0] in "ZX":
                    break
            except OSError:
                break
            time.sleep(0.01)
        self._at_s = time.monotonic()

    def seconds_ago(self) -> float | None:
        return None if self._at_s is None else time.monotonic() - self._at_s


def _card(size_bytes: int | None, number: int) -> MemoryCgroup | None:
    if size_bytes is None:
        return None
    try:
        return make_cgroup(f"failures-{number}", size_bytes)
    except NoCgroupError as error:
        pytest.skip(f"no memory cgroup can be made here: {error}")


@pytest.fixture(scope="session")
def bench(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Where servers with faults are started, of the runtime under test."""
    if not isinstance(runtime, PythonRuntime):
        pytest.skip(f"{runtime.origin} cannot be broken on purpose from here")
    return Bench(runtime, tmp_path_factory.mktemp("failures"))
