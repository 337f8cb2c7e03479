"""Each gate of a GPU's cells goes red on a fault planted for it, and for the right reason."""

import signal
import subprocess
import time

import pytest

from fixtures.cells.cards import GIB, MIB
from fixtures.records.schema import StartRecord, StopRecord, Unmeasured
from suites.selftest.gpu.conftest import (
    ASSIGNED,
    GpuRun,
    MakeGpuRun,
    cell,
    matrix_of,
    memory_of,
    phase_of,
    verdict_of,
)
from suites.selftest.gpu.scripts import (
    CACHE_LINES,
    PROFILE_GIB,
    PROFILE_LINES,
    STEADY_GIB,
    WEIGHTS_GIB,
    Script,
)

pytestmark = pytest.mark.selftest

# Cells by what is planted in them: first what a server does itself, then what is done around it.
OVER, OVER_IN_PHASE, SILENT_PROFILE, SILENT_CACHE, STRAY, FLASH = range(1, 7)
LATER, EARLIER, MOVED, UNEXPLAINED, BLINKED, BLINDED, LATE, KEPT, AFTER, LOST = range(11, 21)

FLASH_GIB = 5
STRANGERS_MIB = 700
KEPT_MIB = 500
STOPPED_S = 0.35
FREED_AFTER_S = 0.6
HERE, GO = ["tell", "here"], ["wait", "go"]


@pytest.fixture(scope="module")
def of_servers_begun(make_gpu_run: MakeGpuRun) -> GpuRun:
    """A run whose servers do what they must not, on a GPU that keeps account."""
    run = make_gpu_run()
    run.machine.set_accounting(ASSIGNED, "enabled")
    within = cell(OVER_IN_PHASE, ", phase_budgets_gib = { encoder-profile = 20.0 }")
    run.start(
        matrix_of(
            f"25.0 {cell(OVER)}",
            f"44.0 {within}{''.join(map(cell, (SILENT_PROFILE, SILENT_CACHE, STRAY)))}",
            f"32.0 {cell(FLASH)}",
        ),
        {
            OVER: Script(),
            OVER_IN_PHASE: Script(),
            SILENT_PROFILE: Script(silent=PROFILE_LINES),
            SILENT_CACHE: Script(silent=CACHE_LINES),
            STRAY: Script(first=(["stray", "0"],)),
            FLASH: Script(at_peak=(["flash", FLASH_GIB * 1024],)),
        },
    )
    return run


@pytest.fixture(scope="module")
def of_others(of_servers_begun: GpuRun, make_gpu_run: MakeGpuRun) -> GpuRun:
    """A run to its end whose servers do nothing wrong, on GPUs where something else does."""
    # Each has GPUs of its own, and servers that only pretend are idle: one beside the other.
    del of_servers_begun
    run = make_gpu_run()
    at_peak, at_end = Script(at_peak=(HERE, GO)), Script(at_end=(HERE, GO))
    run.start(
        matrix_of(f"44.0 {''.join(map(cell, range(LATER, LOST + 1)))}"),
        {
            LATER: at_end,
            EARLIER: at_peak,
            MOVED: at_peak,
            UNEXPLAINED: at_peak,
            BLINKED: at_peak,
            BLINDED: at_peak,
            LATE: Script(late=(HERE, GO), at_end=(["tell", "end"],)),
            KEPT: at_end,
            AFTER: Script(),
            # The suite reads what was recorded some tenths of a second before.
            LOST: Script(late=(HERE, GO, ["pause", 1.0])),
        },
        "--release-timeout=3",
    )
    with subprocess.Popen(["sleep", "600"]) as stranger:
        try:
            _bring_strangers(run, stranger.pid)
            _disturb_recorders(run)
            _disturb_the_driver(run)
            run.ended()
        finally:
            stranger.kill()
    return run


@pytest.fixture(scope="module")
def of_servers(of_servers_begun: GpuRun, of_others: GpuRun) -> GpuRun:
    """The run of faulty servers at its end, which it came to beside the other one."""
    del of_others
    of_servers_begun.ended()
    return of_servers_begun


def _bring_strangers(run: GpuRun, stranger: int) -> None:
    machine = run.machine
    run.heard(LATER, "asked")
    machine.set_process(ASSIGNED, stranger, STRANGERS_MIB * MIB)
    run.listed(LATER, stranger)
    run.say(LATER, "go")

    run.heard(EARLIER, "here")
    machine.drop_process(ASSIGNED, stranger)
    run.listed(EARLIER, stranger, still=False)
    run.say(EARLIER, "go")

    run.heard(MOVED, "here")
    machine.set_process(0, stranger, 300 * MIB)
    run.listed(MOVED, stranger)
    machine.drop_process(0, stranger)
    run.say(MOVED, "go")

    run.heard(UNEXPLAINED, "here")
    machine.set_used(0, 300 * MIB)
    run.say(UNEXPLAINED, "go")


def _disturb_recorders(run: GpuRun) -> None:
    run.heard(BLINKED, "here")
    recorder = run.recorder()
    recorder.send_signal(signal.SIGSTOP)
    time.sleep(STOPPED_S)
    recorder.send_signal(signal.SIGCONT)
    run.say(BLINKED, "go")

    run.heard(BLINDED, "here")
    run.recorder().kill()
    run.say(BLINDED, "go")


def _disturb_the_driver(run: GpuRun) -> None:
    run.heard(LATE, "here")
    run.machine.set_used(ASSIGNED, KEPT_MIB * MIB)
    run.say(LATE, "go")
    run.heard(LATE, "end")
    time.sleep(FREED_AFTER_S)
    run.machine.set_used(ASSIGNED, 0)

    run.heard(KEPT, "here")
    run.machine.set_used(ASSIGNED, KEPT_MIB * MIB)
    run.say(KEPT, "go")

    run.heard(LOST, "here")
    run.machine.lose(ASSIGNED)
    run.say(LOST, "go")


def test_a_peak_over_the_budget_fails_in_its_phase(of_servers: GpuRun) -> None:
    """An instant of the profile is over, what stays is not: the cell fails, and says where."""
    record = of_servers.cells()[OVER]
    outcome, reason = verdict_of(record, "peak memory")
    assert outcome == "fail"
    assert reason.startswith("peak 29,798 MiB, budget 25,600 MiB: 4,198 MiB over, in encoder-prof")
    steady = memory_of(record).steady_bytes
    assert isinstance(steady, int)
    assert steady < record.budget_bytes
    assert reason in of_servers.output
    assert of_servers.ended() == pytest.ExitCode.TESTS_FAILED


def test_a_phase_over_its_own_budget_fails(of_servers: GpuRun) -> None:
    """A peak under the cell's budget fails all the same where a phase is held to less."""
    outcome, reason = verdict_of(of_servers.cells()[OVER_IN_PHASE], "peak memory")
    assert outcome == "fail"
    assert reason == "encoder-profile 29,798 MiB of 20,480 MiB: 9,318 MiB over"


def test_a_profile_that_the_log_hides_is_found_in_memory(of_servers: GpuRun) -> None:
    """Where its line does not come it begins where memory leaves the level of the weights."""
    record = of_servers.cells()[SILENT_PROFILE]
    weights, profile = phase_of(record, "weights"), phase_of(record, "encoder-profile")
    assert (weights.told_by, profile.told_by) == ("log", "series")
    assert weights.end_s == profile.start_s
    assert weights.peak_bytes == pytest.approx(WEIGHTS_GIB * GIB, rel=0.01)
    assert profile.peak_bytes == pytest.approx(PROFILE_GIB * GIB, rel=0.01)
    assert memory_of(record).peak_phase == "encoder-profile"
    assert phase_of(record, "kv-cache").told_by == "log"
    assert verdict_of(record, "peak memory")[0] == "pass"


def test_a_cache_that_the_log_hides_is_found_in_memory(of_servers: GpuRun) -> None:
    """Where its line does not come it begins after the profile's fall, and has no part of it."""
    record = of_servers.cells()[SILENT_CACHE]
    profile, cache = phase_of(record, "encoder-profile"), phase_of(record, "kv-cache")
    assert (profile.told_by, cache.told_by) == ("log", "series")
    assert profile.end_s == cache.start_s
    assert profile.peak_bytes == pytest.approx(PROFILE_GIB * GIB, rel=0.01)
    assert cache.peak_bytes == pytest.approx(STEADY_GIB * GIB, rel=0.01)
    assert verdict_of(record, "peak memory")[0] == "pass"


def test_a_server_on_another_gpu_fails(of_servers: GpuRun) -> None:
    """A bare context on a GPU that it was not given is enough, and the GPU is named."""
    record = of_servers.cells()[STRAY]
    outcome, reason = verdict_of(record, "other GPUs")
    assert outcome == "fail"
    name = f"GPU 0 ({of_servers.machine.uuid(0)}, NVIDIA L4)"
    assert reason == f"{name}: a process of the server was on it, its use moved by +300 MiB"
    assert verdict_of(record, "peak memory")[0] == "pass"


def test_an_instant_that_the_driver_accounted_for_is_judged(of_servers: GpuRun) -> None:
    """A rise that sampling has missed is over the budget, and who says so is told."""
    record = of_servers.cells()[FLASH]
    outcome, reason = verdict_of(record, "peak memory")
    assert outcome == "fail"
    assert "peak 34,918 MiB, budget 32,768 MiB: 2,150 MiB over" in reason
    memory = memory_of(record)
    words = {word.witness: word.peak_bytes for word in memory.witnesses}
    assert words["nvml-accounting"] == memory.peak_bytes
    # Some microseconds long, it can be seen by chance; then both say the same.
    if words["nvml-device"] != memory.peak_bytes:
        assert memory.judged_by == "nvml-accounting"
        assert "in a phase that nvml-accounting does not know" in reason
        said = [text for text in memory.disagreements if text.startswith("nvml-device ")]
        assert "5,120 MiB below nvml-accounting" in said[0]
        assert said[0] in of_servers.output


@pytest.mark.parametrize("planted", [LATER, EARLIER], ids=["later", "earlier"])
def test_a_stranger_on_the_servers_gpu_makes_its_peak_doubtful(
    of_others: GpuRun, planted: int
) -> None:
    """Whether it came while serving or was there before: nobody can tell whose memory it was."""
    outcome, reason = verdict_of(of_others.cells()[planted], "peak memory")
    assert outcome == "inconclusive"
    assert f"not alone on GPU 1 ({of_others.machine.uuid(ASSIGNED)}): pid " in reason
    assert f"sleep ({STRANGERS_MIB} MiB)" in reason


def test_a_strangers_memory_is_not_blamed_on_the_stop(of_others: GpuRun) -> None:
    """What is held after the stop, and may be another's, is doubtful and no failure."""
    outcome, reason = verdict_of(of_others.cells()[LATER], "shutdown")
    assert outcome == "inconclusive"
    assert f"{STRANGERS_MIB} MiB were still held" in reason
    assert "maybe by others: pid " in reason


def test_another_gpu_that_a_stranger_moved_is_his(of_others: GpuRun) -> None:
    """What somebody else's process held there explains as much of a movement, and he is named."""
    outcome, reason = verdict_of(of_others.cells()[MOVED], "other GPUs")
    assert outcome == "pass"
    assert reason.startswith(f"GPU 0 ({of_others.machine.uuid(0)}, ")
    assert "its use moved by +300 MiB, of others' processes there: pid " in reason


def test_another_gpu_that_moved_without_a_stranger_fails(of_others: GpuRun) -> None:
    """A movement that nobody else explains is the server's."""
    outcome, reason = verdict_of(of_others.cells()[UNEXPLAINED], "other GPUs")
    assert outcome == "fail"
    assert "its use moved by +300 MiB, more than 64 MiB, and nobody else's process" in reason


def test_a_recorder_that_was_stopped_for_a_while_makes_the_peak_doubtful(of_others: GpuRun) -> None:
    """What came and went meanwhile can have been missed."""
    record = of_others.cells()[BLINKED]
    outcome, reason = verdict_of(record, "peak memory")
    assert outcome == "inconclusive"
    assert "but nobody looked for " in reason
    assert "ms while starting (limit " in reason
    gap_s = memory_of(record).starting_gap_s
    assert isinstance(gap_s, float)
    assert gap_s >= STOPPED_S


@pytest.mark.parametrize("about", ["peak memory", "other GPUs", "shutdown"])
def test_a_recorder_that_was_killed_has_measured_nothing(of_others: GpuRun, about: str) -> None:
    """However much it saw, no gate passes on it, and that it ended is told."""
    record = of_others.cells()[BLINDED]
    assert verdict_of(record, "start")[0] == "pass"
    assert verdict_of(record, about)[0] == "unmeasured"
    assert record.memory == Unmeasured(unmeasured="the GPU recorder ended before the server did")


def test_memory_that_comes_back_late_is_waited_for(of_others: GpuRun) -> None:
    """A driver that takes its time to free is no leak."""
    record = of_others.cells()[LATE]
    assert verdict_of(record, "shutdown")[0] == "pass"
    assert isinstance(record.stop, StopRecord)
    assert isinstance(record.stop.memory_back_after_s, float)
    assert record.stop.memory_back_after_s > FREED_AFTER_S / 2


def test_memory_that_does_not_come_back_fails_its_own_cell(of_others: GpuRun) -> None:
    """Nobody is listed who would hold it: the server that had it last has left it."""
    outcome, reason = verdict_of(of_others.cells()[KEPT], "shutdown")
    assert outcome == "fail"
    assert f"{KEPT_MIB} MiB were still held" in reason


def test_memory_that_a_server_left_is_not_blamed_on_the_next(of_others: GpuRun) -> None:
    """The next cell begins with more in use, has the same figures, and passes."""
    record = of_others.cells()[AFTER]
    assert memory_of(record).baseline_bytes == KEPT_MIB * MIB
    assert memory_of(record).peak_bytes == pytest.approx(PROFILE_GIB * GIB, rel=0.01)
    assert {verdict.outcome for verdict in record.verdicts} == {"pass"}


@pytest.mark.parametrize("about", ["peak memory", "other GPUs", "shutdown"])
def test_a_gpu_that_is_lost_while_starting_passes_nothing(of_others: GpuRun, about: str) -> None:
    """Its server got ready all the same; what was seen until then is no measurement."""
    record = of_others.cells()[LOST]
    assert isinstance(record.start, StartRecord)
    assert record.start.outcome == "ready"
    outcome, reason = verdict_of(record, about)
    assert outcome == "unmeasured"
    assert ("no sample while it stopped" if about == "shutdown" else "GPU is lost") in reason
    nodes = [line for line in of_others.output.splitlines() if line.startswith("FAILED")]
    of_start = [node for node in nodes if "test_start_up_peak_stays" in node]
    assert any(f"seqs={LOST}-" in node for node in of_start)
