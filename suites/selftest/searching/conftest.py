"""Searches of the real suite, on the cpu card, among servers that only take memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from fixtures.records.frontier_schema import FRONTIERS, FrontierRecord
from fixtures.records.runs import Run, read_whole
from fixtures.runtimes.environments import CHECKOUT
from fixtures.servers.cgroup import NoCgroupError, make_cgroup
from suites.selftest.standin.pretend_cpu import MEMORY, make_environment

PEAKS: Final = {"base_mib": 60, "video_mib": 70, "settled_mib": 100, "hole": 16}
"""12 videos stay under the budget and 16 do not; 16 sequences take more than the card has."""
SPACES: Final = """
[[cpu4]]
model = "wide"
budget_gib = 1.0
max_num_seqs = [1, 2, 3, 4, 8, 12, 16]
max_model_len = [1024, 4096]
max_num_batched_tokens = [16384]
allocator = ["glibc"]
"""


class Search:
    """One run of `-m frontier`, in a process group of its own."""

    def __init__(self, folder: Path, environment: Path, *arguments: str, **peaks: int) -> None:
        self.records = folder / "records"
        self.output = folder / "output.txt"
        spaces = folder / "spaces.toml"
        spaces.write_text(SPACES)
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    *("-m", "pytest", "-c", "pyproject.toml", "-p", "fixtures.plugin"),
                    *("-p", "no:cacheprovider", "-m", "frontier", "--card=cpu4"),
                    f"--spaces={spaces}",
                    f"--records={self.records}",
                    f"--runtime=venv:{environment}",
                    # Others may want this machine too: a start is not to be doubted for it.
                    "--largest-gap=500",
                    *arguments,
                    "suites/frontier",
                ],
                cwd=CHECKOUT,
                env={**os.environ, MEMORY: json.dumps(PEAKS | peaks)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ended(self) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(timeout=240)

    @property
    def said(self) -> str:
        """Everything that it printed."""
        return self.output.read_text()

    @property
    def folder(self) -> Path:
        """Of the newest run."""
        return max(path.parent for path in self.records.glob("*/run.json"))

    @property
    def run(self) -> Run:
        """The newest run, as it was kept."""
        return read_whole(str(self.folder), self.records)

    @property
    def found(self) -> FrontierRecord:
        """What it came to."""
        (path,) = (self.folder / FRONTIERS).glob("*.json")
        return FrontierRecord.model_validate_json(path.read_text())


class Bench(NamedTuple):
    """Where searches are run."""

    folder: Path
    environment: Path

    def search(self, name: str, *arguments: str, **peaks: int) -> Search:
        """Begin one below a name of its own, or go on below it."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return Search(folder, self.environment, *arguments, **peaks)


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A pretended vLLM, and a card that the kernel enforces."""
    try:
        make_cgroup("searching-probe", 1 << 30).remove()
    except NoCgroupError as error:
        pytest.skip(f"no memory cgroup can be made here: {error}")
    environment = tmp_path_factory.mktemp("pretend-cpu")
    make_environment(environment)
    return Bench(tmp_path_factory.mktemp("searching"), environment)
