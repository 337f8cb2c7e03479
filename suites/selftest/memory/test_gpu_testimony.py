import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.memory.gpu_testimony import (
    accounting_testimony,
    device_testimony,
    nvml_testimonies,
    processes_testimony,
)
from suites.selftest.memory.gpu_traces import (
    ONE,
    TWO,
    UNREAD,
    account,
    gpu,
    process,
    recording,
    refusal,
)

pytestmark = pytest.mark.selftest

SIZES = st.lists(st.integers(0, 2**50), min_size=1, max_size=10)


@given(SIZES, SIZES)
def test_the_device_s_peak_is_above_what_was_there_before(
    before: list[int], during: list[int]
) -> None:
    """The peak never counts the baseline, nor falls below nothing, nor comes from before."""
    sizes = [*before, *during]
    seen = recording([gpu(ONE)], [(at_s / 10, size) for at_s, size in enumerate(sizes)])
    told = device_testimony(seen, ONE, len(before) / 10)
    assert told.peak_bytes is not None
    assert max(0, max(during) - max(before)) <= told.peak_bytes
    assert told.peak_bytes <= max(0, max(during) - min(before))
    assert told.at_s == pytest.approx((len(before) + during.index(max(during))) / 10)
    assert told.resolution_s == pytest.approx(0.1)
    assert (told.exact, told.judged) == (False, True)


def test_a_single_spike_before_the_start_is_no_baseline() -> None:
    """The baseline is the median: what came and went before does not hide the server."""
    samples = [(0.0, 10), (0.1, 900), (0.2, 10), (0.3, 500), (0.4, 10)]
    assert device_testimony(recording([gpu(ONE)], samples), ONE, 0.25).peak_bytes == 490


def test_the_resolution_is_the_longest_time_that_nobody_read_the_gpu() -> None:
    """A hole between the start and the first reading counts, and one before the end."""
    early = [(0.0, 1), (0.9, UNREAD), (1.0, 5), (1.1, 5)]
    late = [(0.0, 1), (0.1, 5), (0.5, UNREAD)]
    for samples, resolution_s in ((early, 1.0), (late, 0.4)):
        told = device_testimony(recording([gpu(ONE)], samples), ONE, 0.05)
        assert told.resolution_s == pytest.approx(resolution_s)


@pytest.mark.parametrize(
    ("samples", "why"),
    [
        ([(0.0, UNREAD), (1.0, UNREAD)], "does not tell the GPU's memory: GPU is lost"),
        ([(1.0, 5), (1.1, 5)], "no sample from before the start"),
        ([(0.0, 5), (1.0, UNREAD)], "no sample from after the start: GPU is lost"),
        ([(0.0, 5), (0.6, 9), (2.0, UNREAD)], "stopped answering at 0.6 s: GPU is lost"),
    ],
)
def test_a_device_that_was_not_seen_throughout_has_no_peak(
    samples: list[tuple[float, int]], why: str
) -> None:
    """A GPU that is lost, before or during, leaves no peak that a verdict could take."""
    facts = gpu(ONE, refusals=[refusal("memory", "GPU is lost")])
    told = device_testimony(recording([facts], samples), ONE, 0.5)
    assert told.peak_bytes is None
    assert why in told.cannot


def test_the_processes_peak_is_of_all_of_ours_at_one_moment() -> None:
    """Two processes that were large one after the other are not as large as both together."""
    lists = [(0.0, ONE, {}), (1.0, ONE, {1: 50, 2: 10, 9: 99}), (2.0, ONE, {1: 10, 2: 45})]
    listed = [process(pid, 1) for pid in (1, 2, 9)]
    seen = recording([gpu(ONE, processes=listed, largest_look_gap_ns=3 * 10**8)], (), lists)
    told = processes_testimony(seen, ONE, {1, 2})
    assert (told.peak_bytes, told.at_s) == (60, 1.0)
    assert told.resolution_s == pytest.approx(0.3)
    assert (told.exact, told.judged) == (False, True)


def test_one_look_alone_tells_no_peak() -> None:
    """Without a second look nobody knows how long there was none."""
    seen = recording([gpu(ONE, processes=[process(1, 5)], looks=1)], (), [(0.0, ONE, {1: 5})])
    assert "only once" in processes_testimony(seen, ONE, {1}).cannot


def test_accounting_is_exact_and_says_that_it_is_a_sum() -> None:
    """The driver's marks need not be of one moment, and the words say so."""
    seen = recording([gpu(ONE, accounted=[account(1, 50), account(2, 45)])])
    told = accounting_testimony(seen, ONE, {1, 2})
    assert told.peak_bytes == 95
    assert (told.exact, told.judged, told.at_s, told.resolution_s) == (True, True, None, None)
    assert "summed up" in told.sees


def test_all_three_testify_each_blind_for_its_own_reason() -> None:
    """One that cannot see does not silence the others."""
    facts = gpu(ONE, accounting="disabled")
    seen = recording([facts], [(0.0, 10), (1.0, 25)])
    device, processes, accounting = nvml_testimonies(seen, ONE, {1}, 0.5, whole=True)
    assert device.peak_bytes == 15
    assert "lists no processes" in processes.cannot
    assert "accounting is off" in accounting.cannot
    assert accounting.exact


@pytest.mark.parametrize(
    ("uuid", "whole", "why"),
    [(ONE, False, "ended before the server did"), (TWO, True, f"no GPU {TWO}")],
)
def test_a_part_of_a_recording_is_no_testimony(
    uuid: str,
    whole: bool,  # noqa: FBT001 - a pytest parameter
    why: str,
) -> None:
    """A recorder that died, or never saw the GPU, has no word on its peak."""
    facts = gpu(ONE, accounted=[account(1, 50)], processes=[process(1, 50)])
    seen = recording([facts], [(0.0, 10), (1.0, 25)], [(0.0, ONE, {1: 50})])
    told = nvml_testimonies(seen, uuid, {1}, 0.5, whole=whole)
    assert [one.witness for one in told] == ["nvml-device", "nvml-processes", "nvml-accounting"]
    assert all(one.peak_bytes is None and why in one.cannot for one in told)
