import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fixtures.memory.recorder import SAMPLE
from fixtures.memory.witness import TreeWitness, WitnessError, parent_of
from suites.selftest.conftest import CardMaker
from suites.selftest.programs import Launcher, wait_until

pytestmark = pytest.mark.selftest

WAITS = "tell('up', os.getpid()); wait_for('end')"
TWO = f"child({WAITS!r}).wait()"


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    """What ends with the test."""
    with ExitStack() as stack:
        yield stack


def _watch(undo: ExitStack, folder: Path, root_pid: int | None) -> TreeWitness:
    witness = TreeWitness(root_pid, folder / "seen", None)
    undo.callback(witness.stop)
    return witness


def _seen(witness: TreeWitness) -> list[int]:
    return sorted(mark.pid for mark in witness.recording().marks)


def _counts(folder: Path) -> list[int]:
    """How many processes each sample counted."""
    written = (folder / "seen" / "samples.bin").read_bytes()
    whole = len(written) // SAMPLE.size * SAMPLE.size
    return [sample[3] for sample in SAMPLE.iter_unpack(written[:whole])]


def test_what_is_below_a_root_added_late_is_counted(launch: Launcher, undo: ExitStack) -> None:
    """Processes that no process of the server is above are in the same recording."""
    first = launch(TWO)
    witness = _watch(undo, launch.folder, first.guardian_pid)
    launch.told("up")
    second = launch("tell('apart'); wait_for('end')")
    launch.told("apart")
    wait_until(lambda: _counts(launch.folder)[-1] == 2, "the first tree")
    witness.add_root(second.guardian_pid)
    wait_until(lambda: _counts(launch.folder)[-1] == 3, "both trees")
    witness.stop()
    assert _seen(witness) == sorted(first.processes() + second.processes())


def test_what_is_below_two_roots_is_counted_once(launch: Launcher, undo: ExitStack) -> None:
    """A root inside of another's tree changes nothing, as with a monitor that the guardian has."""
    process = launch(TWO)
    inner = int(launch.told("up"))
    witness = _watch(undo, launch.folder, process.guardian_pid)
    witness.add_root(parent_of(inner))
    witness.add_root(parent_of(inner))
    so_far = len(witness.recording().series)
    wait_until(lambda: len(witness.recording().series) > so_far + 100, "a hundred samples more")
    witness.stop()
    assert max(_counts(launch.folder)) == 2
    assert _seen(witness) == sorted(process.processes())


def test_a_recording_may_begin_without_a_root(launch: Launcher, undo: ExitStack) -> None:
    """Before there is a container nothing is counted, and then what is below its monitor only."""
    process = launch(TWO)
    inner = int(launch.told("up"))
    witness = _watch(undo, launch.folder, None)
    wait_until(lambda: len(witness.recording().series) > 10, "ten samples")
    assert _counts(launch.folder)[-1] == 0
    witness.add_root(parent_of(inner))
    wait_until(lambda: _counts(launch.folder)[-1] == 1, "the container's process")
    witness.stop()
    assert _seen(witness) == [inner]
    assert inner in process.processes()


def test_a_cgroup_decides_alone(launch: Launcher, undo: ExitStack, make_card: CardMaker) -> None:
    """Where the recorder has a cgroup, a further root adds nothing."""
    card = make_card(1 << 29)
    inside = launch(WAITS, join=(card.procs_file,))
    launch.told("up")
    outside = launch("tell('apart'); wait_for('end')")
    launch.told("apart")
    witness = TreeWitness(inside.guardian_pid, launch.folder / "seen", card)
    undo.callback(witness.stop)
    witness.add_root(outside.guardian_pid)
    so_far = len(witness.recording().series)
    wait_until(lambda: len(witness.recording().series) > so_far + 100, "a hundred samples more")
    witness.stop()
    assert _seen(witness) == inside.processes()


def test_a_process_that_is_not_here_is_an_error(launch: Launcher, undo: ExitStack) -> None:
    """A process of another machine's daemon is refused by name, not measured as nothing."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    witness = _watch(undo, launch.folder, None)
    for ask in (witness.add_root, parent_of):
        with pytest.raises(WitnessError, match=f"no process {gone.pid} is visible here"):
            ask(gone.pid)
    assert witness.whole


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_recorder_that_has_ended_takes_in_nobody(
    launch: Launcher, undo: ExitStack, how: str
) -> None:
    """What comes too late to be measured is said."""
    witness = _watch(undo, launch.folder, None)
    if how == "stopped":
        witness.stop()
    else:
        os.kill(witness._process.pid, signal.SIGKILL)
        witness._process.wait()
    with pytest.raises(WitnessError, match=f"below process {os.getpid()} was not measured"):
        witness.add_root(os.getpid())


def test_the_parent_of_a_process_is_told(launch: Launcher) -> None:
    """A server's main process is the guardian's child, as a container's is its monitor's."""
    process = launch(WAITS)
    assert parent_of(int(launch.told("up"))) == process.guardian_pid
