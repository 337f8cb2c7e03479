import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.memory.peak import ProcessMark, tree_peak
from fixtures.memory.recorder import SAMPLE
from fixtures.memory.series import SampleSeries, parse_samples

pytestmark = pytest.mark.selftest

SIZES = st.integers(0, 2**40)
MARKS = st.lists(st.builds(ProcessMark, st.integers(1, 9), st.just("python"), SIZES, SIZES))


def _series(sizes: list[int]) -> SampleSeries:
    raw = b"".join(SAMPLE.pack(i * 10**9, size, -1, 1) for i, size in enumerate(sizes))
    return parse_samples(raw, 0.0).resident


def test_a_spike_between_two_samples_is_added() -> None:
    """What the kernel's mark shows above every sample of a process counts for the peak."""
    spiky = ProcessMark(1, "worker", hwm_bytes=900, sampled_peak_bytes=600)
    calm = ProcessMark(2, "api", hwm_bytes=200, sampled_peak_bytes=200)
    assert tree_peak(_series([500, 800, 700]), [spiky, calm]) == (1100, 800, 300, 1.0)


@given(st.lists(SIZES, min_size=1), MARKS)
def test_the_peak_is_below_neither_witness(sizes: list[int], marks: list[ProcessMark]) -> None:
    """The peak is at least the largest sample, and grows by what sampling missed, exactly."""
    peak = tree_peak(_series(sizes), marks)
    assert peak is not None
    assert peak.sampled_bytes == max(sizes)
    assert peak.missed_bytes == sum(mark.missed_bytes for mark in marks) >= 0
    assert peak.bytes == peak.sampled_bytes + peak.missed_bytes


def test_a_mark_below_the_samples_takes_nothing_away() -> None:
    """A mark read before the process grew lowers no peak."""
    assert ProcessMark(1, "x", hwm_bytes=100, sampled_peak_bytes=300).missed_bytes == 0


@given(MARKS)
def test_without_a_sample_there_is_no_peak(marks: list[ProcessMark]) -> None:
    """Marks alone make no peak, and nothing makes a peak of 0."""
    assert tree_peak(_series([]), marks) is None
