"""Runs of the real suite on GPUs of a test's own, with servers that only pretend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Protocol

import psutil
import pytest

from fixtures.cells.cards import MIB
from fixtures.records.schema import CaseRecord, MemoryRecord, PhaseRecord
from fixtures.runtimes.environments import CHECKOUT
from suites.selftest.faults.runs import Asked, Run
from suites.selftest.gpu.scripts import VERSION, Script
from suites.selftest.standin.gpus import Machine
from suites.selftest.standin.pretend_vllm import SCRIPTS, make_environment, told

ASSIGNED: Final = 1
"""The number of the one GPU that is the card."""
_TINY: Final = CHECKOUT / "fixtures" / "checkpoints" / "minicpmv-2.6-tiny"
_STAGES: Final = ("startup", "memory", "shutdown")
"""What a server that only pretends can go through: it answers no question."""
_PATIENCE_S: Final = 90.0
# Others may want this machine too: a start is not to be doubted for it.
_LARGEST_GAP_MS: Final = 280


class GpuRun:
    """A run on three GPUs, of which one is the card, and the test's ways to disturb it."""

    def __init__(self, folder: Path, environment: Path) -> None:
        self.machine = Machine(folder)
        self.machine.add_gpu("NVIDIA L4", 23_034 * MIB)
        self.machine.add_gpu("NVIDIA L40S", 46_068 * MIB)
        self.machine.add_gpu("NVIDIA L4", 23_034 * MIB)
        self._folder = folder
        self._environment = environment
        self._scripts = folder / "scripts"
        self._scripts.mkdir()
        (folder / "tmp").mkdir()
        self._run: Run | None = None

    def start(self, matrix: str, scripts: Mapping[int, Script], *arguments: str) -> None:
        """Start it on the cells of a matrix; each script belongs to one, by its max_num_seqs."""
        for max_num_seqs, script in scripts.items():
            script.write(self._scripts, max_num_seqs)
        env = {
            **self.machine.env,
            SCRIPTS: str(self._scripts),
            # Locks of the run's own.
            "TMPDIR": str(self._folder / "tmp"),
        }
        told_to = (
            f"--runtime=venv:{self._environment}",
            f"--model={_TINY}",
            f"--largest-gap={_LARGEST_GAP_MS}",
            *arguments,
        )
        self._run = Run(CHECKOUT, self._folder, told_to, Asked("gpu48", matrix, env, _STAGES))

    @property
    def run(self) -> Run:
        """The run, once it has been started."""
        assert self._run is not None, "nothing was started"
        return self._run

    def heard(self, max_num_seqs: int, word: str) -> None:
        """Wait until a server has said a word."""
        path = told(self._scripts / f"{max_num_seqs}.json", word)
        self.run.wait_for(path.exists, _PATIENCE_S)

    def say(self, max_num_seqs: int, word: str) -> None:
        """Say a word to a server."""
        told(self._scripts / f"{max_num_seqs}.json", word).touch()

    def listed(self, max_num_seqs: int, pid: int, *, still: bool = True) -> None:
        """Wait until a case's recorder has seen that a process is on a GPU, or no longer."""

        def seen() -> bool:
            pattern = f"*/gpu48-*-seqs={max_num_seqs}-*/gpu-processes.jsonl"
            lines = [
                line
                for path in self.run.records.glob(pattern)
                for line in path.read_text().splitlines()
            ]
            on = [f'"{pid}":' in line for line in lines]
            return any(on) if still else any(on) and not on[-1]

        self.run.wait_for(seen, _PATIENCE_S)

    def recorder(self) -> psutil.Process:
        """The recorder of the GPUs, of the server that is up now."""
        pytest_itself = psutil.Process(self.run.process.pid)
        (found,) = [
            child
            for child in pytest_itself.children()
            if "fixtures.memory.gpu_recorder" in child.cmdline()
        ]
        return found

    def ended(self) -> int:
        """Wait for its end; the exit code."""
        return self.run.wait(within_s=_PATIENCE_S)

    @property
    def output(self) -> str:
        """Everything that it said."""
        return self.run.output.read_text()

    def cells(self) -> dict[int, CaseRecord]:
        """The records by max_num_seqs."""
        return self.run.cells()

    def close(self) -> None:
        """Leave nothing."""
        if self._run:
            self._run.clean_up()


class MakeGpuRun(Protocol):
    """Makes GPUs for a run."""

    def __call__(self) -> GpuRun:
        """Three, of which number 1 is the card; the run is cleaned up with the tests."""
        ...


@pytest.fixture(scope="session")
def make_gpu_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeGpuRun]:
    """Make GPUs, and runs on them."""
    environment = tmp_path_factory.mktemp("pretend-vllm")
    make_environment(environment, VERSION)
    with ExitStack() as stack:

        def make() -> GpuRun:
            run = GpuRun(tmp_path_factory.mktemp("gpu-run"), environment)
            stack.callback(run.close)
            return run

        yield make


def matrix_of(*parts: str) -> str:
    """A matrix with one part for each line, which gives its budget and what its cells have."""
    return "\n".join(
        f'[[gpu48]]\nmodel = "minicpmv-2.6"\nbudget_gib = {budget}\ncells = [{cells}]'
        for budget, _, cells in (part.partition(" ") for part in parts)
    )


def cell(max_num_seqs: int, more: str = "") -> str:
    """A cell of such a part, with further keys."""
    said = f"max_num_seqs = {max_num_seqs}, max_model_len = 4096{more}"
    return f'{{ {said}, allocator = "default" }},'


def memory_of(record: CaseRecord) -> MemoryRecord:
    """What was measured; fails where nothing was."""
    assert isinstance(record.memory, MemoryRecord), record.memory
    return record.memory


def phase_of(record: CaseRecord, name: str) -> PhaseRecord:
    """What was measured in a phase."""
    (phase,) = [phase for phase in memory_of(record).phases if phase.name == name]
    return phase


def verdict_of(record: CaseRecord, about: str) -> tuple[str, str]:
    """Outcome and reason of the verdict about something."""
    (verdict,) = [verdict for verdict in record.verdicts if verdict.about == about]
    return verdict.outcome, verdict.reason
