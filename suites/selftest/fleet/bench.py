"""A fleet of stand-ins: its checkout, its driver, what it leaves, what it must not leave."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from fixtures.fleet.plan import CellOfPlan, Plan, works_of
from fixtures.records.part import Unmeasured
from fixtures.records.run_schema import PlannedCell, RunRecord, ShardRecord
from fixtures.runtimes.environments import CHECKOUT, environment_for, python_of
from fixtures.runtimes.setup.progress import Progress
from fixtures.runtimes.setup.providing import provide
from fixtures.runtimes.setup.recipes import FLEET
from suites.selftest.histories import measured

PATIENCE_S = 120.0
"""How long what must come may take: Ray starts in 4 to 20 s here."""
_STANDIN = Path(__file__).with_name("standin_suite.py")
_CLUSTER = Path(__file__).with_name("ray_cluster.py")


class Did(NamedTuple):
    """One thing that a stand-in did."""

    at_s: float
    what: str
    run_id: str
    case_id: str


class Checkout:
    """A folder that is a checkout to the fleet, with cells that take some seconds each."""

    def __init__(self, folder: Path, cells: int, seconds: float, *, timed: bool = False) -> None:
        """Fill it.

        Args:
            folder: a new one.
            cells: how many there are.
            seconds: that each takes.
            timed: whether something is timed on them, so that each has a host alone.
        """
        self.folder = folder
        (folder / "ci").mkdir(parents=True)
        shutil.copyfile(_STANDIN, folder / "ci" / "suite")
        (folder / "fixtures").symlink_to(CHECKOUT / "fixtures")
        (folder / "seconds").write_text(str(seconds))
        self.cells = [f"cpu-tiny-{number:02}" for number in range(cells)]
        plan = Plan(
            cells=[
                CellOfPlan(
                    case_id=case_id,
                    card="cpu",
                    weight_s=seconds,
                    expected_s=Unmeasured(unmeasured="never"),
                    timed=timed,
                )
                for case_id in self.cells
            ],
            expression="cpu",
            own_tests=0,
            folders=[],
        )
        (folder / "plan.json").write_text(plan.model_dump_json())
        for work in works_of(plan):
            case = measured("RUN-ID", case_id=work.case_id, took_s=seconds)
            (folder / f"case-{work.shard}.json").write_text(case.model_dump_json())
            shard = self._shard(work.case_id, work.shard)
            (folder / f"shard-{work.shard}.json").write_text(shard.model_dump_json())

    def _shard(self, case_id: str, number: int) -> RunRecord:
        of = len(self.cells)
        return RunRecord(
            run_id="RUN-ID",
            suite_version="0.7.0",
            started_at="2026-02-01T03:00:00+00:00",
            ended_at="2026-02-01T04:00:00+00:00",
            args=["-m", "cpu", f"--shard={number}/{of}"],
            variables={},
            shard=ShardRecord(number=number, of=of),
            planned=[PlannedCell(case_id=one, card="cpu") for one in self.cells],
            own=[case_id],
            compared=[],
            exit_code=0,
            tests={"passed": 3},
        )

    def did(self) -> list[Did]:
        """What its stand-ins did until now."""
        path = self.folder / "told"
        lines = path.read_text().splitlines() if path.exists() else []
        told = (line.split() for line in lines)
        return [Did(float(at), what, run_id, case_id) for at, what, run_id, case_id in told]

    def living(self) -> list[int]:
        """Processes that name it: stand-ins, what they started, and their guardians."""
        return [
            pid
            for pid, line in _command_lines()
            if str(self.folder) in line or (_is_guardian(line) and self._is_in_variables_of(pid))
        ]

    def _is_in_variables_of(self, pid: int) -> bool:
        try:
            return os.fsencode(self.folder) in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False


def fleet_python() -> Path:
    """Interpreter of the fleet's environment, which is made if it is not there."""
    provide(FLEET, Progress(sys.stderr))
    return python_of(environment_for(FLEET.lock))


@contextmanager
def driver(checkout: Checkout, records: Path, where: Sequence[str]) -> Iterator[Driver]:
    """Run `ci/suite fleet` over all cells; it is killed on leaving, if it still runs."""
    command = [str(fleet_python()), "-P", "-m", "fixtures.commands", "fleet", "-m", "cpu"]
    command += [*where, f"--records={records}", f"--checkout={checkout.folder}"]
    env = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"}
    said = records.parent / "driver.log"
    with said.open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield Driver(process, said, records)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()


class Driver(NamedTuple):
    """A driver that runs."""

    process: subprocess.Popen[bytes]
    log: Path
    records: Path

    def wait(self) -> int:
        """Its exit code."""
        return self.process.wait(timeout=PATIENCE_S)

    @property
    def said(self) -> str:
        """All that it has said."""
        return self.log.read_text()

    @property
    def folder(self) -> Path:
        """Of its run."""
        (found,) = (path for path in self.records.iterdir() if path.name[:1] != ".")
        return found


@contextmanager
def cluster(hosts: int) -> Iterator[Hosts]:
    """A Ray with some hosts that offer the cpu card, and a head that offers none."""
    command = [str(fleet_python()), "-P", str(_CLUSTER), str(hosts)]
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        address, *_ = process.stdout.readline().split()
        yield Hosts(process, address)
    finally:
        with suppress(BrokenPipeError):
            process.stdin.write("end\n")
            process.stdin.close()
        process.wait(timeout=PATIENCE_S)
        process.stdout.close()


class Hosts(NamedTuple):
    """A cluster that runs."""

    process: subprocess.Popen[str]
    address: str

    def remove(self, number: int) -> None:
        """Take a host away at once, as a loss of power does."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"remove {number}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "removed\n"


def workers() -> list[int]:
    """Workers of Ray that run a cell now."""
    return [pid for pid, line in _command_lines() if line.startswith(("ray::cpu-", "ray::_cell"))]


def _is_guardian(line: str) -> bool:
    return "/servers/guardian.py" in line


def _command_lines() -> Iterator[tuple[int, str]]:
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with suppress(OSError):
                words = (path / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                yield int(path.name), b" ".join(words).decode(errors="replace").strip()


def until(condition: object, what: str) -> None:
    """Wait for something that must come."""
    deadline_s = time.monotonic() + PATIENCE_S
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline_s, f"waited {PATIENCE_S:.0f} s for {what}"
        time.sleep(0.05)
