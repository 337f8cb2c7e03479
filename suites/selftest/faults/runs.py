"""A run of the real suite as a user starts it, with a real server, to be broken on purpose."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

import psutil
import pytest

from fixtures.plugin.stages import STAGES
from fixtures.records.schema import CaseRecord

PLANTS = Path(__file__).parent / "plants"
_MARK = "PLANTED_RUN"
# The others start servers of their own.
_OF_A_SERVER = tuple(stage for stage in STAGES if stage not in ("selftest", "upgrade", "canary"))
_TINY = """
[[cpu]]
model = "tiny"
budget_gib = 4.0
# 160 MiB more than is needed, and 100 less than with what is planted there.
phase_budgets_gib = { warm = 3.08 }
cells = [{ max_num_seqs = 4, max_model_len = 2048, allocator = "glibc" }]
"""


class Asked(NamedTuple):
    """Which cells are run through which stages, and the variables that the run is given."""

    marker: str = "cpu"
    matrix: str = _TINY
    env: Mapping[str, str] = {}
    stages: Sequence[str] = _OF_A_SERVER


_A_TINY_CELL = Asked()


def _is_living(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


class Run:
    """One run of the suite in a process group of its own.

    Everything that comes of it inherits an environment variable by which it can be found,
    whatever session or parent it has in the end.
    """

    def __init__(
        self, root: Path, folder: Path, arguments: tuple[str, ...], asked: Asked = _A_TINY_CELL
    ) -> None:
        self._seen: set[psutil.Process] = set()
        self._mark = f"{_MARK}={uuid.uuid4().hex}"
        self.records = folder / "records"
        self.output = folder / "output.txt"
        matrix = folder / "matrix.toml"
        matrix.write_text(asked.matrix)
        name, value = self._mark.split("=")
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    *("-m", "pytest", "-c", "pyproject.toml", "-p", "fixtures.plugin"),
                    *("-p", "no:cacheprovider", "-m", asked.marker),
                    *("--matrix", str(matrix), "--records", str(self.records)),
                    *arguments,
                    *(f"suites/{stage}" for stage in asked.stages),
                ],
                cwd=root,
                env={**os.environ, **asked.env, name: value, "PYTHONPATH": str(PLANTS)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def living(self) -> list[psutil.Process]:
        """Every living process that came of this run, pytest itself included.

        By ancestry, by the inherited variable, and by open files below the records folder, since
        each alone misses some: orphans have other parents, and vLLM's engine processes write
        their titles over their environment.
        """
        with suppress(psutil.Error):
            self._seen.update(psutil.Process(self.process.pid).children(recursive=True))
            self._seen.add(psutil.Process(self.process.pid))
        self._seen.update(filter(self._is_ours, psutil.process_iter()))
        return [process for process in self._seen if _is_living(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        proc = Path(f"/proc/{process.pid}")
        with suppress(OSError):
            if self._mark.encode() in (proc / "environ").read_bytes().split(b"\0"):
                return True
            return any(str(self.records) in str(fd.readlink()) for fd in (proc / "fd").iterdir())
        return False

    def engine_is_up(self) -> bool:
        """Whether vLLM's engine process is there: the start is well under way."""
        for process in self.living():
            with suppress(psutil.Error):
                if "EngineCore" in " ".join(process.cmdline()):
                    return True
        return False

    def record(self) -> CaseRecord | None:
        """The record of the one case, as soon as there is one."""
        return next(iter(self.cells().values()), None)

    def cells(self) -> dict[int, CaseRecord]:
        """The records so far, by their cells' max_num_seqs."""
        texts = [path.read_text() for path in self.records.glob("*/*-*.json")]
        records = map(CaseRecord.model_validate_json, texts)
        return {record.cell["max_num_seqs"]: record for record in records}

    def wait_for(self, what: Callable[[], object], within_s: float) -> None:
        """Wait until `what()` is true; fail with the run's output if it does not become so."""
        deadline = time.monotonic() + within_s
        while not what():
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"did not come to pass:\n{self.output.read_text()[-4000:]}")
            time.sleep(0.1)

    def wait(self, within_s: float) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(timeout=within_s)

    def clean_up(self) -> None:
        """Leave nothing, whatever the test found."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for process in self.living():
            with suppress(psutil.Error):
                process.kill()


class StartRun(Protocol):
    """Starts a run on a matrix of one tiny cell, with further arguments."""

    def __call__(self, *arguments: str) -> Run:
        """Start it; it is cleaned up with the module's tests."""
        ...
