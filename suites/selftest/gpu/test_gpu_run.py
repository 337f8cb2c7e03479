"""A run on a GPU of which nothing is wrong: everything is seen, told, and passes."""

from typing import Final

import pytest

from fixtures.cells.cards import GIB
from fixtures.records.schema import (
    CaseRecord,
    MemoryRecord,
    PhaseRecord,
    StopRecord,
    Unmeasured,
    WitnessRecord,
)
from suites.selftest.gpu.conftest import (
    ASSIGNED,
    GpuRun,
    MakeGpuRun,
    cell,
    matrix_of,
    memory_of,
    phase_of,
)
from suites.selftest.gpu.scripts import (
    GRAPHS_GIB,
    PROFILE_GIB,
    STEADY_GIB,
    WEIGHTS_GIB,
    Script,
)

pytestmark = pytest.mark.selftest

UNACCOUNTED, ACCOUNTED = 32, 64
# The second fills the card, as a vLLM does: its KV cache is larger than its profile's peak.
STEADY: Final = {UNACCOUNTED: STEADY_GIB, ACCOUNTED: 40.0}


@pytest.fixture(scope="module")
def quiet(make_gpu_run: MakeGpuRun) -> GpuRun:
    """A run to its end, whose GPU keeps account of processes from the second cell on."""
    run = make_gpu_run()
    waits = Script(at_end=(["tell", "here"], ["wait", "go"]))
    matrix = matrix_of(f"44.0 {cell(UNACCOUNTED)}{cell(ACCOUNTED)}")
    run.start(matrix, {UNACCOUNTED: waits, ACCOUNTED: Script(steady_gib=STEADY[ACCOUNTED])})
    run.heard(UNACCOUNTED, "here")
    run.machine.set_accounting(ASSIGNED, "enabled")
    run.say(UNACCOUNTED, "go")
    run.ended()
    return run


@pytest.fixture(params=[UNACCOUNTED, ACCOUNTED], ids=["accounting=off", "accounting=on"])
def record(quiet: GpuRun, request: pytest.FixtureRequest) -> CaseRecord:
    """Of one of its cells."""
    return quiet.cells()[request.param]


def _gib(figure: int | Unmeasured) -> float:
    assert isinstance(figure, int), figure
    return figure / GIB


def _sequences(record: CaseRecord) -> int:
    return int(record.cell["max_num_seqs"])


def _witnesses(record: CaseRecord) -> dict[str, WitnessRecord]:
    return {word.witness: word for word in memory_of(record).witnesses}


def test_every_promise_is_kept(quiet: GpuRun, record: CaseRecord) -> None:
    """No verdict is missing, none is red, and the run is green."""
    assert quiet.ended() == 0, quiet.output
    assert {verdict.about: verdict.outcome for verdict in record.verdicts} == {
        "start": "pass",
        "peak memory": "pass",
        "other GPUs": "pass",
        "shutdown": "pass",
    }


def test_each_phase_has_its_peak(record: CaseRecord) -> None:
    """Weights, the profile's instant, and what stays are each told with the phase's name.

    What the KV cache takes is in use before the suite has read its line, and is not the profile's;
    nor are graphs the KV cache's.
    """
    steady_gib = STEADY[_sequences(record)]
    for name, gib in (
        ("weights", WEIGHTS_GIB),
        ("encoder-profile", PROFILE_GIB),
        ("kv-cache", steady_gib - GRAPHS_GIB),
        ("graph-capture", steady_gib),
        ("serving", steady_gib),
    ):
        assert _gib(phase_of(record, name).peak_bytes) == pytest.approx(gib, rel=0.005), name
    phases: list[PhaseRecord] = memory_of(record).phases
    assert {phase.name: phase.told_by for phase in phases} == {
        "idle": "suite",
        "boot": "suite",
        "weights": "log",
        "encoder-profile": "log",
        "kv-cache": "log",
        "graph-capture": "log",
        "warm": "log",
        "serving": "suite",
        "stopping": "suite",
        "released": "suite",
    }


def test_the_peak_is_the_profiles_or_what_fills_the_card(record: CaseRecord) -> None:
    """The highest figure has its phase, and what is steady is told beside it."""
    memory, steady_gib = memory_of(record), STEADY[_sequences(record)]
    assert _gib(memory.peak_bytes) == pytest.approx(max(PROFILE_GIB, steady_gib), rel=0.01)
    highest = "encoder-profile" if steady_gib < PROFILE_GIB else "graph-capture"
    assert memory.peak_phase == highest
    assert _gib(memory.steady_bytes) == pytest.approx(steady_gib, rel=0.01)
    assert memory.baseline_bytes == 0


def test_nvmls_witnesses_agree(record: CaseRecord) -> None:
    """The whole GPU and the server's processes have the same peak, and no word is against it."""
    words = _witnesses(record)
    assert words["nvml-device"].peak_bytes == memory_of(record).peak_bytes
    assert words["nvml-processes"].peak_bytes == memory_of(record).peak_bytes
    assert memory_of(record).disagreements == []


def test_accounting_that_is_off_is_blind_and_says_why(quiet: GpuRun) -> None:
    """No figure stands there, and the reason has the command that would give one."""
    word = _witnesses(quiet.cells()[UNACCOUNTED])["nvml-accounting"]
    assert isinstance(word.peak_bytes, Unmeasured)
    assert "accounting is off (root turns it on: nvidia-smi" in word.peak_bytes.unmeasured


def test_accounting_that_is_on_is_exact(quiet: GpuRun) -> None:
    """The driver's own mark is the peak to the byte."""
    record = quiet.cells()[ACCOUNTED]
    word = _witnesses(record)["nvml-accounting"]
    assert (word.exact, word.peak_bytes) == (True, memory_of(record).peak_bytes)


def test_every_gpu_of_the_machine_is_in_the_record(quiet: GpuRun, record: CaseRecord) -> None:
    """The server's is marked, and none of the others was touched."""
    gpus = memory_of(record).gpus
    assert [gpu.uuid for gpu in gpus] == [quiet.machine.uuid(number) for number in range(3)]
    assert [gpu.assigned for gpu in gpus] == [number == ASSIGNED for number in range(3)]
    assert [gpu.own_processes for gpu in gpus] == [gpu.assigned for gpu in gpus]
    assert [gpu.peak_bytes for gpu in gpus if not gpu.assigned] == [0, 0]
    assert [gpu.foreign for gpu in gpus] == [[], [], []]


def test_all_memory_is_given_back(record: CaseRecord) -> None:
    """After the stop the GPU is looked at again, and is as empty as before."""
    released = phase_of(record, "released")
    assert isinstance(released.end_s, float)
    assert isinstance(released.start_s, float)
    assert released.end_s > released.start_s
    assert released.peak_bytes == 0
    assert isinstance(record.stop, StopRecord)
    assert isinstance(record.stop.memory_back_after_s, float)
    assert (record.stop.complaints, record.stop.doubts) == ([], [])


def test_the_table_shows_it(quiet: GpuRun, record: CaseRecord) -> None:
    """A row has peak and budget, and another the phases, and nothing is said against them."""
    rows = [
        line.split() for line in quiet.output.splitlines() if line.startswith(f"{record.case_id} ")
    ]
    judged, phases = rows
    peak, cache, steady = {
        UNACCOUNTED: ("29,798", "18,944", "19,456"),
        ACCOUNTED: ("40,960", "40,448", "40,960"),
    }[_sequences(record)]
    assert judged[3:] == [peak, "/", "45,056", "-", "-", "pass"]
    assert phases[1:8] == ["16,179", "29,798", cache, steady, steady, steady, steady]
    assert phases[8] == "nvml-device"


def test_the_recording_is_one_of_the_gpu(record: CaseRecord) -> None:
    """Of two figures of a GPU's cell the host's is not the one that is judged."""
    memory: MemoryRecord = memory_of(record)
    assert memory.judged_by == "nvml-device"
    assert not _witnesses(record)["tree-marks"].judged
