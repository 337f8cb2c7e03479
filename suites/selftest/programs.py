"""Small Python programs that stand in for a server, and tests' ways to talk with them.

A program and its test share a folder: each tells the other how far it is by touching a file.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

from fixtures.runtimes.environments import CHECKOUT
from fixtures.servers.guardian import parents_and_states
from fixtures.servers.process import GuardedProcess, LaunchOrder

PATIENCE_S = 30.0
"""How long a test waits for something that must come, on the slowest machine."""

_PRELUDE = """\
import os, signal, subprocess, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
def tell(name, text=""):
    partial = folder / (name + ".partial")
    partial.write_text(str(text))
    partial.rename(folder / name)
def wait_for(name):
    while not (folder / name).exists():
        time.sleep(0.02)
def child(code):
    return subprocess.Popen([*sys.orig_argv[:4], code])
exec(sys.argv[2])
"""


def program(code: str, folder: Path) -> tuple[str, ...]:
    """The command that runs `code`, which knows `folder`, `tell`, `wait_for` and `child`."""
    return (sys.executable, "-ISc", _PRELUDE, str(folder), dedent(code))


def order_of(
    argv: tuple[str, ...],
    folder: Path,
    *,
    join: tuple[Path, ...] = (),
    folders_to_remove: tuple[Path, ...] = (),
    cgroups_to_remove: tuple[Path, ...] = (),
) -> LaunchOrder:
    """An order that runs `argv` in `folder` and writes `server.log` there."""
    return LaunchOrder(
        argv=argv,
        env={"LANG": "C.UTF-8"},
        folder=folder,
        log=folder / "server.log",
        join=join,
        folders_to_remove=folders_to_remove,
        cgroups_to_remove=cgroups_to_remove,
    )


class Launcher:
    """Starts programs under guard in one folder; `close` ends all of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[GuardedProcess] = []
        self._suites: list[subprocess.Popen[bytes]] = []

    def __call__(self, code: str, *, join: tuple[Path, ...] = ()) -> GuardedProcess:
        """Start `code` under guard."""
        return self.order(order_of(program(code, self.folder), self.folder, join=join))

    def order(self, order: LaunchOrder) -> GuardedProcess:
        """Start what the order says."""
        self._started.append(GuardedProcess(order))
        return self._started[-1]

    def tell(self, name: str) -> None:
        """Let a program that waits for `name` go on."""
        (self.folder / name).touch()

    def told(self, name: str) -> str:
        """Wait until a program has told `name`; what it said."""
        path = self.folder / name
        wait_until(path.exists, f"the program's {name!r}")
        return path.read_text()

    def suite(self, code: str) -> subprocess.Popen[bytes]:
        """Start a little suite: `code` that can import this project, and is guarded by nobody."""
        python, _, *rest = program(code, self.folder)
        suite = subprocess.Popen([python, "-c", *rest], cwd=CHECKOUT)
        self._suites.append(suite)
        return suite

    def close(self) -> None:
        """End everything that was started."""
        for suite in self._suites:
            suite.kill()
            suite.wait()
        for process in self._started:
            process.close()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so; fail with its name when it does not come."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:.0f} s for {what}"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    return parents_and_states().get(pid, (0, "X"))[1] not in "ZX"


@contextmanager
def no_room(limit_bytes: int) -> Iterator[None]:
    """Let the kernel refuse to write more than this to any file, to us and whom we start."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
