"""Whose fault it was, and who runs again."""

import itertools
import signal

import pytest

from fixtures.fleet.faults import (
    ATTEMPTS,
    OF_THE_MACHINE,
    Fault,
    Told,
    fault_of,
    fault_of_exit,
    hung,
    runs_again,
)

pytestmark = pytest.mark.selftest

MACHINE = Fault("its host was lost", of_the_machine=True)
NOTHING_YET = Told(is_over=False, is_red=False)


@pytest.mark.parametrize("kind", OF_THE_MACHINE)
def test_what_the_machine_did_is_told_apart(kind: str) -> None:
    """Each of Ray's errors about workers and hosts is the machine's, in words."""
    assert fault_of([kind, "RayError", "Exception"], "long story") == Fault(
        OF_THE_MACHINE[kind], of_the_machine=True
    )


def test_a_kind_of_a_lost_object_is_one() -> None:
    """Ray's finer kinds are found by what they are a kind of."""
    assert fault_of(["ObjectFetchTimedOutError", "ObjectLostError"], "").of_the_machine


def test_an_error_of_the_task_is_no_fault_of_the_machine() -> None:
    """What our own code raises is not tried again, even if it looks like one of Ray's."""
    fault = fault_of(["RayTaskError(RaySystemError)", "RayTaskError", "RaySystemError"], "\nx: y\n")
    assert fault == Fault("RayTaskError(RaySystemError): x: y", of_the_machine=False)


def test_a_cancelled_task_is_no_fault_of_the_machine() -> None:
    """Who cancelled it knows why."""
    assert not fault_of(["TaskCancelledError", "RayError"], "").of_the_machine


@pytest.mark.parametrize("status", [0, 1, 2, 4, 5, 8])
def test_a_pytest_that_ends_is_no_fault(status: int) -> None:
    """Whatever its exit code."""
    assert fault_of_exit(status) is None


def test_a_pytest_that_is_killed_is_the_machines_fault() -> None:
    """The kernel kills where memory is used up; a crash is the suite's own."""
    killed, crashed = fault_of_exit(-signal.SIGKILL), fault_of_exit(-signal.SIGSEGV)
    assert killed is not None
    assert killed.of_the_machine
    assert crashed == Fault("its pytest died of SIGSEGV", of_the_machine=False)


def test_a_cell_is_tried_twice_at_most() -> None:
    """After the second fault of a machine it stays unmeasured."""
    assert runs_again(MACHINE, NOTHING_YET, 1)
    assert runs_again(hung(2700), NOTHING_YET, 1)
    assert not runs_again(MACHINE, NOTHING_YET, ATTEMPTS)


@pytest.mark.parametrize(
    ("of_the_machine", "is_over", "is_red"),
    [row for row in itertools.product([True, False], repeat=3) if row != (True, False, False)],
)
def test_nothing_is_tried_until_it_is_green(
    *, of_the_machine: bool, is_over: bool, is_red: bool
) -> None:
    """A cell that failed, or whose run was over, never runs again, whatever came after."""
    assert not runs_again(Fault("x", of_the_machine), Told(is_over, is_red), 1)
