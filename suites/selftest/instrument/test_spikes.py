import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import MIB
from fixtures.memory.series import SampleSeries
from suites.selftest.instrument.spikes import (
    Score,
    Spike,
    longest_missed_s,
    read_spikes,
    score,
    score_marks,
)

pytestmark = pytest.mark.selftest

BASE = 100 * MIB
SIZE = 4 * MIB
SPIKES = [Spike(10, 1.0, 1.01, SIZE, 7, 0), Spike(50, 2.0, 2.05, SIZE, 8, 0)]


def _series(interval_s: float, spikes: list[Spike]) -> SampleSeries:
    times_s = np.arange(0.0, 5.0, interval_s)
    held = np.full(len(times_s), BASE)
    for spike in spikes:
        held[(times_s >= spike.start_s) & (times_s < spike.end_s)] += spike.size_bytes
    return SampleSeries(times_s, held)


def test_a_dense_series_catches_every_spike() -> None:
    """Samples closer than a spike is long show it, in its size."""
    dense = _series(0.005, SPIKES)
    assert score(dense, SPIKES) == [Score(10, 1, 1, 0), Score(50, 1, 1, 0)]
    assert longest_missed_s(dense, SPIKES, BASE) == 0.0


def test_a_thin_series_misses_what_falls_between() -> None:
    """A poller that looks three times a second has seen neither."""
    thin = _series(0.3, SPIKES)
    assert score(thin, SPIKES) == [Score(10, 1, 0, None), Score(50, 1, 0, None)]
    assert longest_missed_s(thin, SPIKES, BASE) == pytest.approx(0.05)


def test_a_spike_shown_in_part_is_not_caught() -> None:
    """Half of a spike is no spike of that size."""
    half = [spike._replace(size_bytes=SIZE // 2) for spike in SPIKES]
    assert [found.caught for found in score(_series(0.005, half), SPIKES)] == [0, 0]


def test_no_samples_catch_nothing() -> None:
    """An empty series scores 0 of all, and no error of 0 bytes."""
    nothing = SampleSeries(np.empty(0), np.empty(0, np.int64))
    assert score(nothing, SPIKES)[0] == Score(10, 1, 0, None)


def test_a_mark_counts_for_its_own_process() -> None:
    """What was kept of each process is held against the spike of that process."""
    scores = score_marks({7: SIZE + MIB, 8: MIB}, SPIKES)
    assert scores == [Score(10, 1, 1, MIB), Score(50, 1, 0, None)]


@given(st.floats(0.001, 0.2), st.floats(0, 0.2))
def test_what_is_longer_than_the_largest_gap_is_caught(interval_s: float, offset_s: float) -> None:
    """The resolution that a series claims is one that it has."""
    length_s = interval_s * 1.01
    spike = Spike(1, 1.0 + offset_s, 1.0 + offset_s + length_s, SIZE, 7, 0)
    assert longest_missed_s(_series(interval_s, [spike]), [spike], BASE) == 0.0


def test_spikes_are_read_as_they_were_written() -> None:
    """A JSON object a line, empty lines aside."""
    line = (
        '{"wanted_ms": 10, "start_s": 1.0, "end_s": 1.01, "size_bytes": 4194304, '
        '"pid": 7, "base_bytes": 0}'
    )
    assert read_spikes([line, "\n"]) == SPIKES[:1]
