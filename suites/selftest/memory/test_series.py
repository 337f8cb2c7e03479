import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.memory.recorder import SAMPLE
from fixtures.memory.series import Peak, SampleSeries, parse_samples, phase_at
from fixtures.servers.startup_log import PhaseSpan

pytestmark = pytest.mark.selftest

STEPS_NS = st.lists(st.integers(0, 10**9), max_size=30)
SIZES = st.integers(0, 2**50)


def _raw(samples: list[tuple[int, int]]) -> bytes:
    return b"".join(SAMPLE.pack(ns, resident, -1, 1) for ns, resident in samples)


def _series(*samples: tuple[float, int]) -> SampleSeries:
    return parse_samples(_raw([(round(at_s * 1e9), size) for at_s, size in samples]), 0.0).resident


SERIES = st.builds(
    lambda steps, sizes: (
        parse_samples(_raw(list(zip(np.cumsum(steps).tolist(), sizes, strict=False))), 0.0).resident
    ),
    STEPS_NS,
    st.lists(SIZES, min_size=30, max_size=30),
)


@given(SERIES)
def test_the_peak_is_the_first_of_the_largest(series: SampleSeries) -> None:
    """No sample is above the peak, and none before it is as large."""
    peak = series.peak()
    if peak is None:
        assert not len(series)
    else:
        assert peak.bytes == max(series.held_bytes)
        assert all(series.held_bytes[series.times_s < peak.at_s] < peak.bytes)


@given(SERIES, st.floats(0, 40), st.floats(0, 40))
def test_between_holds_its_samples_and_no_others(
    series: SampleSeries, one_s: float, other_s: float
) -> None:
    """A cut has the samples from its start up to, not including, its end."""
    start_s, end_s = sorted((one_s, other_s))
    cut = series.between(start_s, end_s)
    assert all((cut.times_s >= start_s) & (cut.times_s < end_s))
    outside = (series.times_s < start_s) | (series.times_s >= end_s)
    assert len(cut) + int(np.sum(outside)) == len(series)


@given(SERIES, st.lists(st.floats(0, 40), max_size=4))
def test_adjacent_phases_share_no_sample(series: SampleSeries, borders: list[float]) -> None:
    """Phases that cover everything have, together, the peak of the whole."""
    edges = [0.0, *sorted(borders), 1e9]
    spans = [PhaseSpan(str(i), edges[i], edges[i + 1]) for i in range(len(edges) - 1)]
    sizes = [level.peak_bytes for level in series.levels(spans)]
    whole = series.peak()
    known = [size for size in sizes if size is not None]
    assert max(known, default=None) == (whole.bytes if whole else None)
    if whole:
        assert sizes[int(phase_at(spans, whole.at_s))] == whole.bytes


def test_a_phase_without_a_sample_has_no_peak() -> None:
    """A phase in which nobody looked is None, not 0."""
    series = _series((1.0, 5), (3.0, 7))
    spans = [PhaseSpan("boot", 0, 1.5), PhaseSpan("weights", 1.5, 2.5), PhaseSpan("warm", 2.5, 9)]
    assert [level.peak_bytes for level in series.levels(spans)] == [5, None, 7]


def test_times_count_from_the_given_zero() -> None:
    """Nanoseconds of the monotonic clock become seconds since the process start."""
    series = parse_samples(_raw([(12 * 10**9, 5)]), 10.0).resident
    assert series.peak() == Peak(5, 2.0)


def test_gaps_are_the_longest_and_the_usual() -> None:
    """The largest gap is the longest time without a sample, the median the usual one."""
    series = _series((0.0, 1), (0.1, 1), (0.2, 1), (1.2, 1))
    assert series.largest_gap_s() == pytest.approx(1.0)
    assert series.median_interval_s() == pytest.approx(0.1)


@pytest.mark.parametrize("samples", [[], [(1.0, 5)]], ids=["none", "one"])
def test_fewer_than_two_samples_have_no_gap(samples: list[tuple[float, int]]) -> None:
    """Without two samples there is no interval: None, not 0."""
    series = _series(*samples)
    assert series.largest_gap_s() is None
    assert series.median_interval_s() is None


def test_an_empty_series_has_no_peak() -> None:
    """Nothing recorded is no peak of 0 bytes."""
    assert parse_samples(b"", 0.0).resident.peak() is None


@given(st.integers(1, SAMPLE.size - 1))
def test_a_record_cut_short_is_left_out(cut: int) -> None:
    """A file that ends in the middle of a record loses that record only."""
    raw = _raw([(1, 5), (2, 6), (3, 7)])
    assert parse_samples(raw[:-cut], 0.0).resident.held_bytes.tolist() == [5, 6]


@given(st.lists(st.integers(0, 10**12), min_size=2, unique=True))
def test_a_clock_that_runs_backwards_is_refused(times: list[int]) -> None:
    """Samples out of the order of time are damage, wherever in the file they are."""
    raw = _raw([(ns, 5) for ns in times])
    if times == sorted(times):
        assert len(parse_samples(raw, 0.0).resident) == len(times)
    else:
        with pytest.raises(ValueError, match="order of time"):
            parse_samples(raw, 0.0)


def test_a_moment_after_all_phases_is_in_the_last() -> None:
    """The last phase goes on; without phases there is no name to give."""
    spans = [PhaseSpan("boot", 0, 1), PhaseSpan("weights", 1, 2)]
    assert [phase_at(spans, at_s) for at_s in (0, 1, 5)] == ["boot", "weights", "weights"]
    assert phase_at([], 0) == "unknown"
