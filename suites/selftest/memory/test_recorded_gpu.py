"""What the readers make of real GPU traces."""

import pytest

from fixtures.cells.cards import MIB
from fixtures.deployments.gpu_section import baseline_bytes, device_series, gpu_records
from fixtures.memory import allocator
from fixtures.memory.agreement import Known, believed, disagreements
from fixtures.memory.gpu_testimony import nvml_testimonies
from fixtures.memory.testimony import Statement
from suites.selftest.memory.recordings import LOOKS_EVERY_S, RECORDED_STARTS, RecordedStart

pytestmark = pytest.mark.selftest

PEAKS_MIB = {"gpu48-sized": 41_390, "gpu24-tiny-eager": 21_398}
# What the ballast has to take of the H200's 143,771 MiB, in whole grains.
BALLAST_MIB = {"gpu48-sized": 97_703, "gpu24-tiny-eager": 121_040}
GRAIN_MIB = 2


@pytest.fixture(params=RECORDED_STARTS)
def name(request: pytest.FixtureRequest) -> str:
    """Of one of the starts."""
    return str(request.param)


@pytest.fixture
def start(name: str) -> RecordedStart:
    """One of the starts."""
    return RECORDED_STARTS[name]


def _words(start: RecordedStart) -> dict[str, Statement]:
    nvml = nvml_testimonies(start.gpu, start.uuid, start.server_pids, 0.0, whole=True)
    return {word.witness: word for word in (*nvml, allocator.testify(start.allocator))}


def _mib(size: int | None) -> int:
    assert size is not None
    return round(size / MIB)


def test_the_device_and_the_list_of_processes_agree_to_a_few_mib(
    start: RecordedStart, name: str
) -> None:
    """Two counts of the same memory: of the whole GPU less the ballast, and of the engine."""
    words = _words(start)
    device, listed = words["nvml-device"], words["nvml-processes"]
    assert _mib(device.peak_bytes) == PEAKS_MIB[name]
    assert 0 <= _mib(device.peak_bytes) - _mib(listed.peak_bytes) < 8
    assert believed(tuple(words.values())) == device
    baseline = baseline_bytes(start.gpu.series(start.uuid))
    assert isinstance(baseline, int)
    assert BALLAST_MIB[name] - GRAIN_MIB <= _mib(baseline) <= BALLAST_MIB[name]


def test_torch_knows_all_but_the_context_and_graphs(start: RecordedStart) -> None:
    """Its allocator lies half a GiB to one beneath the device, and the record says why."""
    words = _words(start)
    below = _mib(words["nvml-device"].peak_bytes) - _mib(words["engine-allocator"].peak_bytes)
    assert 512 < below < 1_024
    (said,) = disagreements(tuple(words.values()), Known(None, None))
    assert said.startswith("engine-allocator (")
    assert said.endswith("the CUDA context, libraries and graphs are outside of torch's allocator")


def test_accounting_that_was_off_says_so(start: RecordedStart) -> None:
    """A machine that nobody prepared keeps no account, which is no figure."""
    word = _words(start)["nvml-accounting"]
    assert word.peak_bytes is None
    assert "nvidia-smi --accounting-mode=1" in word.cannot


def test_nobody_but_a_ballast_that_is_known_is_foreign(start: RecordedStart) -> None:
    """The suite's own ballast is no stranger; one of which the suite knows nothing is."""
    (known,) = gpu_records(start.gpu, start.uuid, start.server_pids, [start.ballast_pid])
    assert (known.foreign, known.foreign_bytes, known.own_processes) == ([], 0, True)
    assert (known.name, known.driver_version) == ("NVIDIA H200", "580.159.04")
    (unknown,) = gpu_records(start.gpu, start.uuid, start.server_pids, [])
    assert [said.split()[:2] for said in unknown.foreign] == [["pid", str(start.ballast_pid)]]


def test_the_kv_cache_is_there_before_its_line_is_read(start: RecordedStart) -> None:
    """Within one look it takes GiB: a phase that began then would leave them to the profile."""
    series = device_series(start.gpu, start.uuid)
    late = {level.span.name: level.peak_bytes for level in series.levels(start.spans)}
    early = {level.span.name: level.peak_bytes for level in series.levels(start.looked_before())}
    added = _mib(late["encoder-profile"]) - _mib(early["encoder-profile"])
    assert added > 1_024
    profiled = start.allocator.peak_in("reserved", start.spans[0].start_s, _cache_begins_s(start))
    assert profiled is not None
    outside = _mib(early["encoder-profile"]) - _mib(profiled.bytes)
    assert 512 < outside < 1_024


def _cache_begins_s(start: RecordedStart) -> float:
    spans = {span.name: span for span in start.looked_before()}
    return spans["kv-cache"].start_s


def test_a_start_is_sampled_without_a_gap_that_matters(start: RecordedStart) -> None:
    """All but one in 500 samples within 6 ms, and never less often than the log is looked at."""
    ready_s = next(span.start_s for span in start.spans if span.name == "serving")
    starting = device_series(start.gpu, start.uuid).between(0.0, ready_s)
    within, *later = starting.gaps()
    assert sum(later) < within / 500
    gap_s = starting.largest_gap_s()
    assert gap_s is not None
    assert gap_s < LOOKS_EVERY_S


def test_all_memory_came_back() -> None:
    """After the stop the device holds what it held before, to the MiB."""
    start = RECORDED_STARTS["gpu48-sized"]
    released = start.spans[-1]
    assert released.name == "released"
    after = device_series(start.gpu, start.uuid).between(released.start_s, float("inf"))
    assert _mib(int(after.held_bytes[-1])) == 0
