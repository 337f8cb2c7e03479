"""However a run ends, no process of it is left."""

import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from fixtures.records.schema import StartRecord
from fixtures.servers.cgroup import NoCgroupError, memory_parent, owned_by
from suites.selftest.faults.runs import Run, StartRun

pytestmark = pytest.mark.selftest
_BOOT_WITHIN_S = 240.0
_READY_WITHIN_S = 360.0


def _left_within(run: Run, seconds: float) -> list[str]:
    """What is left once nothing is, or once the time is over."""
    deadline = time.monotonic() + seconds
    while (left := run.living()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [f"{process.pid} {process.name()}" for process in left]


def _cgroups_of(pid: int) -> list[Path]:
    try:
        return list(memory_parent()[0].glob(f"{owned_by(pid)}*"))
    except NoCgroupError:
        return []


def _serving(run: Run) -> bool:
    record = run.record()
    return record is not None and isinstance(record.start, StartRecord)


class Runs(NamedTuple):
    """Three that are under way at once, each to be ended in a way of its own."""

    killed: Run
    interrupted: Run
    killed_late: Run


@pytest.fixture(scope="module")
def runs(start_run: StartRun) -> Runs:
    """Three at once: on two cores they take 45 s, and one after the other 75."""
    return Runs(start_run(), start_run(), start_run("--questions", "2000"))


def test_kill_of_pytest_while_a_server_starts_leaves_no_process(runs: Runs) -> None:
    """SIGKILL of pytest, with the engine just up, leaves nothing 10 s later."""
    run = runs.killed
    run.wait_for(run.engine_is_up, _BOOT_WITHIN_S)

    os.kill(run.process.pid, signal.SIGKILL)

    assert _left_within(run, 10) == []
    assert _cgroups_of(run.process.pid) == []


def test_ctrl_c_leaves_no_process_at_once(runs: Runs) -> None:
    """When pytest is back at the prompt after Ctrl-C, every process of the server is gone."""
    run = runs.interrupted
    run.wait_for(run.engine_is_up, _BOOT_WITHIN_S)

    os.killpg(run.process.pid, signal.SIGINT)

    assert run.wait(within_s=30) == pytest.ExitCode.INTERRUPTED
    assert [f"{process.pid} {process.name()}" for process in run.living()] == []
    assert _cgroups_of(run.process.pid) == []


def test_kill_of_pytest_while_a_server_serves_leaves_no_process(runs: Runs) -> None:
    """SIGKILL of pytest, with the server answering questions, leaves nothing 10 s later."""
    run = runs.killed_late
    run.wait_for(lambda: _serving(run), _READY_WITHIN_S)
    assert len(run.living()) >= 5

    os.kill(run.process.pid, signal.SIGKILL)

    assert _left_within(run, 10) == []
    assert _cgroups_of(run.process.pid) == []
