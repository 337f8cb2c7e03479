"""A guardian of something that has guardians of its own, asked for by who may be killed alone."""

import os
import signal
from pathlib import Path

import pytest

from fixtures.servers.process import GuardedProcess
from suites.selftest.programs import Launcher, is_alive, order_of, program, wait_until

pytestmark = pytest.mark.selftest

TIDY = """
def tidy(*_):
    tell("tidied")
    sys.exit(0)
signal.signal(signal.SIGTERM, tidy)
tell("up")
time.sleep(600)
"""
STUBBORN = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
tell("up")
time.sleep(600)
"""


def test_what_tidies_up_after_itself_is_asked_first(launch: Launcher, tmp_path: Path) -> None:
    """It gets SIGTERM and the time to end, where the order says so."""
    order = order_of(program(TIDY, tmp_path), tmp_path)._replace(asked_s=20.0)
    process = launch.order(order)
    launch.told("up")
    assert process.kill() == []
    assert launch.told("tidied") == ""
    assert process.exit_status == 0


def test_what_does_not_end_when_asked_is_killed(launch: Launcher, tmp_path: Path) -> None:
    """The time that it gets is bounded."""
    order = order_of(program(STUBBORN, tmp_path), tmp_path)._replace(asked_s=0.2)
    process = launch.order(order)
    launch.told("up")
    assert process.kill() == []
    assert process.exit_status == -signal.SIGKILL


def test_a_guardian_apart_outlives_the_child_that_is_killed_for_it(
    launch: Launcher, tmp_path: Path
) -> None:
    """Where the children of a dying process are killed, all of the server ends nevertheless."""
    code = "other = child('time.sleep(600)')\ntell('other', other.pid)\ntime.sleep(600)"
    process = GuardedProcess(order_of(program(code, tmp_path), tmp_path), apart=True)
    try:
        other = int(launch.told("other"))
        assert process.guardian_pid != process._guardian.pid
        assert other in process.processes()
        os.kill(process._guardian.pid, signal.SIGKILL)
        assert is_alive(other)
    finally:
        process.close()
    wait_until(lambda: not is_alive(other), "the end of what was guarded")
    wait_until(lambda: not is_alive(process.guardian_pid), "the end of the guardian")
