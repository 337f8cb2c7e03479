import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import MIB
from fixtures.memory.series import SampleSeries
from fixtures.reports.html.thinning import gaps_of, pieces, sparkline, thinned

pytestmark = pytest.mark.selftest

HELD = st.lists(st.integers(0, 10_000), min_size=1, max_size=400)


def _series(held_mib: list[int], every_s: float = 0.01) -> SampleSeries:
    times_s = np.arange(len(held_mib), dtype=np.float64) * every_s
    return SampleSeries(times_s, np.array(held_mib, np.int64) * MIB)


@given(HELD, st.integers(4, 60))
def test_no_peak_is_lost(held: list[int], most: int) -> None:
    """The most, the least, the first and the last are kept, at their moments, in so many points."""
    series = _series(held)
    thin = thinned(series, most)
    assert len(thin) <= max(most, 4)
    assert thin.peak() == series.peak()
    assert thin.held_bytes.min() == series.held_bytes.min()
    assert thin.times_s[0] == series.times_s[0]
    assert thin.times_s[-1] == series.times_s[-1]
    assert (np.diff(thin.times_s) > 0).all()
    assert {*zip(*thin, strict=True)} <= {*zip(*series, strict=True)}


@given(st.integers(0, 9_999), st.integers(0, 9_999), st.integers(8, 200))
def test_spikes_of_one_sample_are_kept_wherever_they_are(one: int, other: int, most: int) -> None:
    """Not only the largest: a smaller one in another stretch of time is seen beside it."""
    held = [100] * 10_000
    held[one], held[other] = 200, 300
    thin = thinned(_series(held), most)
    spikes = {round(at_s * 100) for at_s, held in zip(*thin, strict=True) if held > 100 * MIB}
    assert other in spikes
    assert one in spikes or abs(one - other) <= 2 * 10_000 / (most - 2)


def _undone(parts: list[list[list[int]]]) -> list[tuple[int, int]]:
    return [
        (int(ms), int(mib))
        for times, held in parts
        for ms, mib in zip(np.cumsum(times), np.cumsum(held), strict=True)
    ]


@given(HELD)
def test_pieces_tell_the_series(held: list[int]) -> None:
    """Differences add up to the samples; what is left out lies on a level between two of them."""
    series = _series(held)
    kept = dict(_undone(pieces(series, (), 2000)))
    at = sorted(kept)
    for i, mib in enumerate(held):
        before = max(ms for ms in at if ms <= 10 * i)
        after = min(ms for ms in at if ms >= 10 * i)
        assert mib in (kept[before], kept[after])
        assert 10 * i in kept or kept[before] == kept[after] == mib


def test_gaps_cut_the_series() -> None:
    """Each longer than the limit, and none that is shorter; both ends are samples."""
    times_s = np.array([0.0, 0.01, 0.02, 0.10, 0.11, 0.30])
    series = SampleSeries(times_s, np.arange(6, dtype=np.int64) * MIB)
    gaps = gaps_of(series, 0.05)
    assert gaps == ((0.02, 0.10), (0.11, 0.30))
    cut = pieces(series, gaps, 2000)
    assert [_undone([piece]) for piece in cut] == [
        [(0, 0), (10, 1), (20, 2)],
        [(100, 3), (110, 4)],
        [(300, 5)],
    ]


def test_of_a_thousand_gaps_the_longest_are_told() -> None:
    """A recorder that hardly ever ran makes no page of shapes."""
    lengths_s = np.linspace(0.06, 0.2, 1000)
    series = SampleSeries(np.cumsum(lengths_s), np.ones(1000, np.int64))
    gaps = gaps_of(series, 0.05)
    assert len(gaps) == 50
    assert gaps[-1].end_s == series.times_s[-1]


def test_a_small_curve_shows_the_most_of_each_stretch() -> None:
    """One sample at the top of 10,000 is drawn at the top."""
    held = [10] * 10_000
    held[5_000] = 100
    drawn = sparkline(_series(held), 100 * MIB, 120, 20)
    assert [point for point in drawn.split() if point.endswith(",0")] == ["60,0"]
    assert sparkline(_series([5]), MIB, 120, 20) == ""
