import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from fixtures.cells.cards import MIB
from fixtures.deployments.memory_section import memory_record
from fixtures.deployments.watching import Card
from fixtures.deployments.watching import Watch as AllWitnesses
from fixtures.memory.peak import ProcessMark, TreePeak, tree_peak
from fixtures.memory.recorder import SAMPLE
from fixtures.memory.witness import Recording, TreeWitness, WitnessError
from fixtures.records.schema import MemoryRecord, Unmeasured
from fixtures.runtimes.environments import CHECKOUT
from fixtures.servers.cgroup import MemoryCgroup
from fixtures.servers.process import GuardedProcess
from suites.selftest.conftest import CardMaker
from suites.selftest.programs import Launcher, is_alive, no_room, wait_until

pytestmark = pytest.mark.selftest

Watch = Callable[..., TreeWitness]
GROWS = """
    wait_for("grow")
    block = bytearray(b"x") * (SIZE << 20)
    tell("grown", os.getpid())
    wait_for("shrink")
    del block
    tell("shrunk", os.getpid())
    wait_for("end")
"""
ALLOWANCE_BYTES = 32 * MIB
"""A bare interpreter and its files: what a program has beyond what it was told to take."""


def _grows(size_mib: int) -> str:
    return dedent(GROWS).replace("SIZE", str(size_mib))


@pytest.fixture
def watch(launch: Launcher) -> Iterator[Watch]:
    """Record programs; the recorders end with the test."""
    recorders: list[TreeWitness] = []

    def start(process: GuardedProcess, cgroup: MemoryCgroup | None = None) -> TreeWitness:
        folder = launch.folder / "seen"
        recorders.append(TreeWitness(process.guardian_pid, folder, cgroup))
        return recorders[-1]

    yield start
    for recorder in recorders:
        recorder.stop()


def _peak(recording: Recording) -> TreePeak:
    peak = tree_peak(recording.series, recording.marks)
    assert peak is not None
    return peak


def _mark(recording: Recording, pid: int) -> ProcessMark:
    unseen = ProcessMark(pid, "", 0, 0)
    return next((mark for mark in recording.marks if mark.pid == pid), unseen)


def test_a_process_that_grows_is_seen_as_large_as_it_is(launch: Launcher, watch: Watch) -> None:
    """200 MiB that stay for a while are in the samples, and no more than that."""
    witness = watch(launch(_grows(200)))
    launch.tell("grow")
    pid = int(launch.told("grown"))
    wait_until(lambda: _mark(witness.recording(), pid).hwm_bytes >= 200 * MIB, "its mark")
    witness.stop()
    recording = witness.recording()
    assert 200 * MIB <= _peak(recording).bytes <= 200 * MIB + ALLOWANCE_BYTES
    assert 200 * MIB <= _mark(recording, pid).hwm_bytes <= 200 * MIB + ALLOWANCE_BYTES


def test_a_spike_that_no_sample_saw_is_in_the_peak(launch: Launcher, watch: Watch) -> None:
    """What comes and goes while nobody looks is told by the kernel's mark, and so is the gap."""
    witness = watch(launch(_grows(200)))
    os.kill(witness._process.pid, signal.SIGSTOP)
    launch.tell("grow")
    launch.tell("shrink")
    launch.told("shrunk")
    os.kill(witness._process.pid, signal.SIGCONT)
    seen = len(witness.recording().series)
    wait_until(lambda: len(witness.recording().series) > seen + 100, "a hundred samples more")
    witness.stop()
    recording = witness.recording()
    peak = _peak(recording)
    assert peak.sampled_bytes < 100 * MIB
    assert 200 * MIB <= peak.bytes <= 200 * MIB + ALLOWANCE_BYTES
    assert peak.missed_bytes == peak.bytes - peak.sampled_bytes
    gap_s, usual_s = recording.series.largest_gap_s(), recording.series.median_interval_s()
    assert gap_s is not None
    assert usual_s is not None
    assert gap_s > usual_s


@pytest.mark.parametrize("pause_s", [0.05, 0.001])
def test_a_short_spike_is_never_lost(launch: Launcher, watch: Watch, pause_s: float) -> None:
    """However short a spike is, samples and marks together are not below it."""
    process = launch(
        f"""
        wait_for("grow")
        block = bytearray(b"x") * (40 << 20)
        time.sleep({pause_s})
        del block
        tell("shrunk", os.getpid())
        wait_for("end")
        """
    )
    witness = watch(process)
    launch.tell("grow")
    pid = int(launch.told("shrunk"))
    wait_until(
        lambda: _mark(witness.recording(), pid).hwm_bytes >= 40 * MIB, "the mark of the spike"
    )
    witness.stop()
    assert 40 * MIB <= _peak(witness.recording()).bytes <= 40 * MIB + ALLOWANCE_BYTES


def test_the_dead_keep_their_marks(launch: Launcher, watch: Watch) -> None:
    """A process that has ended stays in the marks with its name and size."""
    witness = watch(launch(f"child({_grows(60)!r}).wait(); wait_for('over')"))
    launch.tell("grow")
    pid = int(launch.told("grown"))
    wait_until(lambda: _mark(witness.recording(), pid).hwm_bytes >= 60 * MIB, "a mark of its size")
    launch.tell("shrink")
    launch.tell("end")
    wait_until(lambda: not is_alive(pid), "the end of the child")
    seen = len(witness.recording().series)
    wait_until(lambda: len(witness.recording().series) > seen + 100, "a hundred samples more")
    witness.stop()
    mark = _mark(witness.recording(), pid)
    assert mark.hwm_bytes >= 60 * MIB
    assert mark.name == Path(sys.executable).name
    assert witness.recording().series.held_bytes[-1] < 60 * MIB


def test_an_orphan_in_a_session_of_its_own_is_counted(launch: Launcher, watch: Watch) -> None:
    """A process whose parent died and that left its session still belongs to the server."""
    orphan = f"os.setsid(); wait_for('orphaned')\n{_grows(60)}"
    witness = watch(launch(f"child({orphan!r}); tell('orphaned')"))
    launch.told("orphaned")
    launch.tell("grow")
    launch.told("grown")
    wait_until(lambda: _peak(witness.recording()).sampled_bytes >= 60 * MIB, "its memory")
    witness.stop()


def test_the_recorder_ends_by_itself_when_its_input_closes(launch: Launcher, watch: Watch) -> None:
    """Nobody has to kill the recorder, and what it wrote is whole."""
    witness = watch(launch(_grows(1)))
    witness.stop()
    witness.stop()
    assert witness._process.returncode == 0
    assert witness.whole
    assert witness.recording().priority in ("realtime", "nice -10", "normal")
    assert len(witness.recording().series) >= 1


def test_the_recorder_does_not_outlive_a_killed_suite(launch: Launcher) -> None:
    """When the suite is killed without a chance to tidy up, its recorder ends too."""
    process = launch(_grows(1))
    suite = launch.suite(
        f"""
        from fixtures.memory.witness import TreeWitness
        witness = TreeWitness({process.guardian_pid}, folder, None)
        tell("recording", witness._process.pid)
        time.sleep(600)
        """
    )
    recorder = int(launch.told("recording"))
    assert is_alive(recorder)
    suite.kill()
    suite.wait()
    wait_until(lambda: not is_alive(recorder), "the end of the recorder")


def test_a_killed_recorder_is_no_measurement(launch: Launcher) -> None:
    """A recorder that died has seen a part only, and a part is no peak."""
    process = launch(f"tell('up')\n{_grows(1)}")
    launch.told("up")
    watch = AllWitnesses(launch.folder / "seen", Card(None, None))
    watch.follow(process.guardian_pid)
    wait_until(lambda: len(watch.card(0.0)) > 200, "two hundred samples")
    good = memory_record(watch.seen(0.0, 5, []), [])
    assert watch._tree is not None
    os.kill(watch._tree._process.pid, signal.SIGKILL)
    wait_until(lambda: not watch._tree.whole if watch._tree else True, "its death")
    part = memory_record(watch.seen(0.0, 5, []), [])
    watch.stop()
    assert isinstance(good, MemoryRecord)
    assert part == Unmeasured(unmeasured="the recorder ended before the server did")


def test_what_is_there_at_the_end_is_sampled_once_more(tmp_path: Path) -> None:
    """A sample from before the end was heard may be of a server that has ended since."""
    argv = [sys.executable, "-m", "fixtures.memory.recorder", "0", str(tmp_path), "5"]
    subprocess.run(argv, cwd=CHECKOUT, stdin=subprocess.DEVNULL, check=True)
    assert (tmp_path / "samples.bin").stat().st_size == 2 * SAMPLE.size


def test_a_recorder_without_room_is_no_measurement(launch: Launcher, watch: Watch) -> None:
    """Samples that a full disk refuses end the recording, and what was written is no peak."""
    process = launch(_grows(1))
    with no_room(8 * 1024):
        witness = watch(process)
    wait_until(lambda: not witness.whole, "the recorder's giving up")
    witness.stop()
    assert "File too large" in (launch.folder / "seen" / "recorder.err").read_text()


def test_a_recording_that_broke_off_is_no_peak(launch: Launcher) -> None:
    """What all witnesses saw says that one of them ended early."""
    process = launch(_grows(1))
    with no_room(16 * 1024):
        watch = AllWitnesses(launch.folder / "seen", Card(None, None))
    watch.follow(process.guardian_pid)
    wait_until(lambda: bool(watch.seen(0.0, 5, []).lost), "the recorder's giving up")
    watch.stop()
    seen = watch.seen(0.0, 5, [])
    assert seen.lost == "the recorder ended before the server did"
    assert memory_record(seen, []) == Unmeasured(unmeasured=seen.lost)


def test_a_recorder_that_cannot_record_says_why(launch: Launcher, watch: Watch) -> None:
    """A recorder that ends at once is an error with its last words."""
    absent = MemoryCgroup(launch.folder / "no-cgroup", 1)
    with pytest.raises(WitnessError, match=r"memory\.usage_in_bytes"):
        watch(launch(_grows(1)), absent)


def test_samples_agree_with_the_cgroups_own_mark(
    launch: Launcher, watch: Watch, make_card: CardMaker
) -> None:
    """For anonymous memory, two witnesses that know nothing of each other agree to 16 MiB.

    They differ by the interpreter's files (resident here, charged to whoever read them first)
    and by the kernel's own tables (charged, resident nowhere).
    """
    card = make_card(1024 * MIB)
    process = launch(_grows(256), join=(card.procs_file,))
    witness = watch(process, card)
    launch.tell("grow")
    launch.told("grown")
    wait_until(lambda: _peak(witness.recording()).sampled_bytes >= 256 * MIB, "its memory")
    witness.stop()
    mark_bytes = card.marks().peak_bytes
    assert mark_bytes is not None
    assert mark_bytes >= 256 * MIB
    assert abs(_peak(witness.recording()).bytes - mark_bytes) < 16 * MIB


def test_only_what_is_in_the_cgroup_is_counted(
    launch: Launcher, watch: Watch, make_card: CardMaker
) -> None:
    """With a cgroup, its list of processes is the tree, and its usage is recorded beside."""
    card = make_card(512 * MIB)
    outside = launch("wait_for('end')")
    inside = launch(_grows(1), join=(card.procs_file,))
    wait_until(lambda: len(card.processes()) == 1, "a process in the cgroup")
    witness = watch(outside, card)
    witness.stop()
    assert [mark.pid for mark in witness.recording().marks] == inside.processes()


@pytest.mark.parametrize("in_cgroup", [True, False])
def test_memory_borrowed_until_exec_is_counted_once(
    launch: Launcher,
    watch: Watch,
    make_card: CardMaker,
    in_cgroup: bool,  # noqa: FBT001 - a pytest parameter
) -> None:
    """A large process that starts many programs does not seem to double each time."""
    starts_many = """
        import subprocess
        block = bytearray(b"x") * (200 << 20)
        wait_for("start")
        for _ in range(200):
            subprocess.run(["/bin/true"])
        tell("started")
        wait_for("end")
    """
    card = make_card(1024 * MIB) if in_cgroup else None
    witness = watch(launch(starts_many, join=(card.procs_file,) if card else ()), card)
    launch.tell("start")
    launch.told("started")
    witness.stop()
    assert 200 * MIB <= _peak(witness.recording()).bytes <= 200 * MIB + ALLOWANCE_BYTES
