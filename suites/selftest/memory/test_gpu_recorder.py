import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from fixtures.cells.cards import GIB, MIB
from fixtures.memory.gpu_testimony import nvml_testimonies
from fixtures.memory.gpu_trace import GpuRecording, Listed, Unseen
from fixtures.memory.gpu_witness import GpuWitness
from fixtures.memory.witness import WitnessError
from fixtures.runtimes.environments import CHECKOUT
from suites.selftest.programs import Launcher, is_alive, no_room, wait_until
from suites.selftest.standin.gpus import CONTEXT_BYTES, DRIVER_VERSION, Listing, Machine

pytestmark = pytest.mark.selftest

Watch = Callable[[], GpuWitness]
SPIKE_BYTES = 2 * GIB
SPIKES = f"""
    from suites.selftest.standin.cuda import Cuda
    wait_for("begin")
    cuda = Cuda(DEVICE)
    tell("pid", os.getpid())
    wait_for("spike")
    cuda.free(cuda.allocate({SPIKE_BYTES}))
    at = cuda.allocate({GIB})
    tell("spiked")
    wait_for("free")
    cuda.free(at)
    tell("freed")
    wait_for("end")
"""


def _spikes(device: int) -> str:
    return dedent(SPIKES).replace("DEVICE", str(device))


@pytest.fixture
def watch(machine: Machine) -> Iterator[Watch]:
    """Record the machine's GPUs; the recorders end with the test."""
    recorders: list[GpuWitness] = []

    def start() -> GpuWitness:
        recorders.append(GpuWitness(machine.libraries.parent / "seen"))
        return recorders[-1]

    yield start
    for recorder in recorders:
        recorder.stop()


def _stopped(witness: GpuWitness) -> GpuRecording:
    witness.stop()
    assert witness.whole
    return witness.recording()


def _peak(recording: GpuRecording, uuid: str) -> int:
    peak = recording.series(uuid).peak()
    assert peak is not None
    return peak.bytes


def _sees(witness: GpuWitness, uuid: str, used_bytes: int) -> Callable[[], bool]:
    """Whether the last sample of a GPU is this."""
    return lambda: int(witness.recording().series(uuid).held_bytes[-1]) == used_bytes


def _lists(witness: GpuWitness, uuid: str, pid: int, used_bytes: int | None) -> Callable[[], bool]:
    """Whether the last list of a GPU's processes has this."""

    def seen() -> bool:
        changes = witness.recording().changes.get(uuid)
        used = changes[-1].used if changes else None
        return used is not None and pid in used and used[pid] == used_bytes

    return seen


def test_every_gpu_is_told_apart(machine: Machine, watch: Watch) -> None:
    """Each GPU has its own facts and its own memory, in the order of NVML."""
    machine.add_gpu("NVIDIA L4", 24 * GIB, reserved_bytes=300 * MIB)
    machine.add_gpu("NVIDIA H100 80GB HBM3", 80 * GIB)
    machine.set_used(0, 5 * GIB)
    machine.set_mig(1, "not-supported")
    machine.set_accounting(1, "enabled")
    recording = _stopped(watch())
    one, two = recording.gpus
    assert (one.number, one.uuid, one.name) == (0, machine.uuid(0), "NVIDIA L4")
    assert (one.total_bytes, one.reserved_bytes) == (24 * GIB, 300 * MIB)
    assert (one.memory_version, one.accounting, one.mig) == ("v2", "disabled", "disabled")
    assert (two.accounting, two.mig) == ("enabled", "Not Supported")
    assert recording.driver == DRIVER_VERSION
    assert recording.priority in ("realtime", "nice -10", "normal")
    assert [_peak(recording, machine.uuid(number)) for number in (0, 1)] == [5 * GIB, 0]


@pytest.mark.parametrize("device", [0, 1])
def test_a_spike_is_seen_on_its_gpu_and_on_no_other(
    machine: Machine, watch: Watch, launch: Launcher, device: int
) -> None:
    """What a process takes and gives back shows where it was, while others' memory stays."""
    for _ in range(2):
        machine.set_used(machine.add_gpu(), 100 * MIB)
    witness = watch()
    launch.suite(_spikes(device))
    for step, told in (("begin", "pid"), ("spike", "spiked")):
        launch.tell(step)
        launch.told(told)
    here, other = machine.uuid(device), machine.uuid(1 - device)
    wait_until(_sees(witness, here, 100 * MIB + CONTEXT_BYTES + GIB), "what it keeps")
    launch.tell("free")
    launch.told("freed")
    wait_until(_sees(witness, here, 100 * MIB + CONTEXT_BYTES), "what it gave back")
    recording = _stopped(witness)
    assert _peak(recording, here) >= 100 * MIB + CONTEXT_BYTES + GIB
    assert _peak(recording, other) == 100 * MIB


def test_a_process_is_listed_with_its_name_and_gone_after_its_end(
    machine: Machine, watch: Watch, launch: Launcher
) -> None:
    """Who was on the GPU, how much each had and until when, is known though it was killed."""
    machine.add_gpu()
    uuid = machine.uuid(0)
    witness = watch()
    server = launch.suite(_spikes(0))
    launch.tell("begin")
    launch.tell("spike")
    launch.told("spiked")
    pid = int(launch.told("pid"))
    wait_until(_lists(witness, uuid, pid, CONTEXT_BYTES + GIB), "the process's memory")
    server.kill()
    wait_until(_sees(witness, uuid, 0), "its memory's return")
    wait_until(lambda: not witness.recording().changes[uuid][-1].used, "its leaving the list")
    recording = _stopped(witness)
    (process,) = recording.gpu(uuid).processes
    assert (process.pid, process.kind) == (pid, "compute")
    assert process.name == Path(sys.executable).resolve().name or process.name == "python"
    assert process.command is not None
    assert str(launch.folder) in process.command
    assert process.peak_bytes is not None
    assert process.peak_bytes >= CONTEXT_BYTES + GIB
    tree = recording.tree_processes(uuid, {pid})
    assert isinstance(tree, Listed)
    assert int(tree.series.held_bytes[-1]) == 0
    assert recording.foreign(uuid, {pid}) == []
    assert recording.foreign(uuid, set()) == [process]


def test_a_spike_that_no_sample_saw_is_in_the_account(
    machine: Machine, watch: Watch, launch: Launcher
) -> None:
    """While the recorder sleeps the driver counts on, and the gap shows in the samples."""
    machine.add_gpu()
    machine.set_accounting(0, "enabled")
    uuid = machine.uuid(0)
    witness = watch()
    launch.suite(_spikes(0))
    launch.tell("begin")
    pid = int(launch.told("pid"))
    wait_until(_sees(witness, uuid, CONTEXT_BYTES), "its context")
    os.kill(witness._process.pid, signal.SIGSTOP)
    launch.tell("spike")
    launch.told("spiked")
    os.kill(witness._process.pid, signal.SIGCONT)
    wait_until(_sees(witness, uuid, CONTEXT_BYTES + GIB), "what it keeps")
    recording = _stopped(witness)
    assert _peak(recording, uuid) == CONTEXT_BYTES + GIB
    assert recording.accounted(uuid, {pid}) == CONTEXT_BYTES + SPIKE_BYTES
    series = recording.series(uuid)
    gap_s, usual_s = series.largest_gap_s(), series.median_interval_s()
    assert gap_s is not None
    assert usual_s is not None
    assert gap_s > 2 * usual_s
    device, processes, accounting = nvml_testimonies(recording, uuid, {pid}, 1e9, whole=True)
    assert "no sample from after the start" in device.cannot
    assert processes.peak_bytes == CONTEXT_BYTES + GIB
    assert accounting.peak_bytes == CONTEXT_BYTES + SPIKE_BYTES


def test_accounts_of_the_dead_of_before_are_left_out(
    machine: Machine, watch: Watch, launch: Launcher
) -> None:
    """The driver remembers who ended long ago; a number that comes again is another process."""
    machine.add_gpu()
    machine.set_accounting(0, "enabled")
    launch.suite(_spikes(0))
    launch.tell("begin")
    pid = int(launch.told("pid"))
    machine.set_process(0, 1 << 22, 7 * GIB)
    machine.drop_process(0, 1 << 22)
    machine.set_process(0, (1 << 22) + 1, 7 * GIB)
    machine.drop_process(0, (1 << 22) + 1)
    witness = watch()
    machine.set_process(0, 1 << 22, 3 * GIB)
    machine.drop_process(0, 1 << 22)
    accounts = _stopped(witness).gpu(machine.uuid(0)).accounts
    assert {one.pid: (one.max_bytes, one.running) for one in accounts} == {
        pid: (CONTEXT_BYTES, True),
        1 << 22: (3 * GIB, False),
    }


def test_accounting_is_never_switched_on(machine: Machine, watch: Watch) -> None:
    """What is off stays off: it is the machine's owner's to say."""
    machine.add_gpu()
    recording = _stopped(watch())
    assert machine.accounting(0) == "disabled"
    accounted = recording.accounted(machine.uuid(0), {1})
    assert isinstance(accounted, Unseen)
    assert "accounting is off" in accounted.why


def test_a_gpu_without_the_second_version_is_read_in_the_first(
    machine: Machine, watch: Watch
) -> None:
    """Where the driver does not tell what it reserves, that counts as used, and it is recorded."""
    machine.add_gpu(reserved_bytes=300 * MIB)
    machine.add_gpu(reserved_bytes=300 * MIB)
    machine.no_memory_v2(0)
    machine.no_memory_v2(1, "not-supported")
    machine.set_used(0, GIB)
    recording = _stopped(watch())
    for number, said, used_bytes in ((0, "Function Not Found", GIB), (1, "Not Supported", 0)):
        facts = recording.gpu(machine.uuid(number))
        assert (facts.memory_version, facts.reserved_bytes) == ("v1", None)
        assert facts.refused("memory v2") == said
        assert _peak(recording, machine.uuid(number)) == used_bytes + 300 * MIB


def test_a_gpu_that_is_lost_leaves_a_gap_and_the_others_go_on(
    machine: Machine, watch: Watch
) -> None:
    """One that falls off the bus is unread from then on, with the driver's words and a count."""
    machine.add_gpu()
    machine.add_gpu()
    lost, other = machine.uuid(0), machine.uuid(1)
    witness = watch()
    machine.lose(0)
    wait_until(lambda: witness.recording().gpu(lost).refused("memory") != "", "the loss")
    machine.set_used(1, GIB)
    wait_until(_sees(witness, other, GIB), "the other GPU's growth")
    wait_until(lambda: witness.recording().changes[lost][-1].used is None, "the lost list")
    recording = _stopped(witness)
    assert recording.gpu(lost).refused("memory") == "GPU is lost"
    assert recording.gpu(lost).refused("processes") == "GPU is lost"
    assert sum(one.times for one in recording.gpu(lost).refusals) >= 3
    assert len(recording.series(lost)) < len(recording.series(other)) == len(recording.times_s)
    assert recording.gpu(other).refusals == ()


def test_a_gpu_that_was_lost_before_is_recorded_as_unread(machine: Machine, watch: Watch) -> None:
    """Which one it was nobody can say any more; the others are recorded as ever."""
    machine.add_gpu()
    machine.add_gpu()
    machine.lose(0)
    recording = _stopped(watch())
    lost, other = recording.gpus
    assert (lost.number, lost.uuid, lost.total_bytes) == (0, None, None)
    assert lost.refused("handle") == "GPU is lost"
    assert (recording.used_bytes[:, 0] == -1).all()
    assert other.uuid == machine.uuid(1)
    assert len(recording.series(machine.uuid(1))) == len(recording.times_s)


@pytest.mark.parametrize(
    ("listing", "why"),
    [
        ("not-supported", "the driver lists no processes: Not Supported"),
        ("empty", "lists no process, though 1,324 MiB more came into use"),
        ("hidden-memory", "the driver gives no memory per process"),
        ("host-pids", "NVML names process ids of the host"),
    ],
)
def test_what_a_driver_hides_is_the_reason(
    machine: Machine, watch: Watch, launch: Launcher, listing: Listing, why: str
) -> None:
    """A real process on a GPU whose driver does not list it well is unseen, and why is told."""
    machine.add_gpu()
    machine.set_listing(0, listing)
    witness = watch()
    launch.suite(_spikes(0))
    launch.tell("begin")
    pid = int(launch.told("pid"))
    wait_until(_sees(witness, machine.uuid(0), CONTEXT_BYTES), "its context")
    machine.set_used(0, GIB)
    wait_until(_sees(witness, machine.uuid(0), CONTEXT_BYTES + GIB), "more memory")
    recording = _stopped(witness)
    tree = recording.tree_processes(machine.uuid(0), {pid})
    assert isinstance(tree, Unseen)
    assert why in tree.why


def test_the_recorder_does_not_outlive_a_killed_suite(machine: Machine, launch: Launcher) -> None:
    """When the suite is killed without a chance to tidy up, its recorder ends too."""
    machine.add_gpu()
    suite = launch.suite(
        """
        from fixtures.memory.gpu_witness import GpuWitness
        witness = GpuWitness(folder)
        tell("recording", witness._process.pid)
        time.sleep(600)
        """
    )
    recorder = int(launch.told("recording"))
    assert is_alive(recorder)
    suite.kill()
    suite.wait()
    wait_until(lambda: not is_alive(recorder), "the end of the recorder")


def test_a_killed_recorder_is_not_whole(machine: Machine, watch: Watch) -> None:
    """A recorder that died has seen a part only; what it wrote can still be read."""
    machine.add_gpu()
    witness = watch()
    os.kill(witness._process.pid, signal.SIGKILL)
    wait_until(lambda: not witness.whole, "the death of the recorder")
    witness.stop()
    assert not witness.whole
    assert len(witness.recording().series(machine.uuid(0))) >= 1


def test_what_is_there_at_the_end_is_sampled_once_more(machine: Machine, tmp_path: Path) -> None:
    """A sample from before the end was heard may be of a server that has ended since."""
    machine.add_gpu()
    argv = [sys.executable, "-m", "fixtures.memory.gpu_recorder", str(tmp_path), "5"]
    env = {**os.environ, **machine.env}
    subprocess.run(argv, cwd=CHECKOUT, env=env, stdin=subprocess.DEVNULL, check=True)
    moment_and_one_gpu_bytes = 2 * 8
    assert (tmp_path / "gpu-samples.bin").stat().st_size == 2 * moment_and_one_gpu_bytes


def test_a_recorder_without_room_is_not_whole(machine: Machine, watch: Watch) -> None:
    """Samples that a full disk refuses end the recording, with the reason."""
    machine.add_gpu()
    with no_room(8 * 1024):
        witness = watch()
    wait_until(lambda: not witness.whole, "the recorder's giving up")
    witness.stop()
    assert not witness.whole
    assert "File too large" in (witness._folder / "gpu_recorder.err").read_text()


def test_a_machine_without_a_driver_says_so_in_a_sentence(
    machine: Machine, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where NVML is not there, the recorder ends at once, without a trace of Python."""
    machine.add_gpu()
    (machine.libraries / "libnvidia-ml.so.1").unlink()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(machine.libraries))
    with pytest.raises(WitnessError) as raised:
        watch()
    assert str(raised.value) == (
        "the GPU memory recorder wrote no sample: the NVIDIA driver cannot be asked for the GPUs' "
        "memory: NVML Shared Library Not Found"
    )


def test_a_driver_without_a_gpu_is_nothing_to_record(watch: Watch) -> None:
    """A machine whose driver has no GPU is no machine with samples of nothing."""
    with pytest.raises(WitnessError, match="lists no GPU"):
        watch()


def test_the_list_has_a_line_for_each_change_only(machine: Machine, watch: Watch) -> None:
    """While nobody comes, goes or changes, the file of processes does not grow."""
    machine.add_gpu()
    uuid = machine.uuid(0)
    witness = watch()
    for used_bytes in (MIB, None, 2 * MIB):
        machine.set_process(0, os.getpid(), used_bytes)
        wait_until(_lists(witness, uuid, os.getpid(), used_bytes), "the change")
    machine.drop_process(0, os.getpid())
    wait_until(lambda: not witness.recording().changes[uuid][-1].used, "its leaving")
    witness.stop()
    lines = (witness._folder / "gpu-processes.jsonl").read_text().splitlines()
    mine = str(os.getpid())
    told = [json.loads(line)["used"] for line in lines]
    assert told == [{}, {mine: MIB}, {mine: None}, {mine: 2 * MIB}, {}]
