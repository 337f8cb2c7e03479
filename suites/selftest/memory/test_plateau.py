import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import GIB, MIB
from fixtures.memory.plateau import Plateau, plateau_of

pytestmark = pytest.mark.selftest

LEVELS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 60)), min_size=1, max_size=8)


def _plateau(*stretches: tuple[int, int]) -> Plateau | None:
    """Of stretches of (GiB, samples), one sample every 10 ms."""
    held = np.concatenate([np.full(samples, gib * GIB) for gib, samples in stretches])
    return plateau_of(np.arange(len(held)) / 100, held)


def test_the_level_held_longest_is_the_plateau() -> None:
    """A spike is no level, however high it is."""
    found = _plateau((16, 50), (29, 20), (19, 90))
    assert found == Plateau(19 * GIB, 0.7, 1.59)


def test_a_level_may_be_uneasy() -> None:
    """Unrest within the band is one level; its median is told."""
    held = np.array([20 * GIB + (i % 3) * 30 * MIB for i in range(100)])
    found = plateau_of(np.arange(100) / 100, held)
    assert found == Plateau(20 * GIB + 30 * MIB, 0.0, 0.99)


def test_a_steady_climb_has_no_plateau() -> None:
    """Memory that never rests for 0.1 s is at no level."""
    assert plateau_of(np.arange(100) / 100, np.arange(100) * GIB) is None
    assert plateau_of(np.empty(0), np.empty(0, np.int64)) is None


@given(LEVELS)
def test_a_plateau_is_a_level_that_was_there(stretches: list[tuple[int, int]]) -> None:
    """Its level is one of the series', and no single level was held longer."""
    merged: list[tuple[int, int]] = []
    for gib, samples in stretches:
        if merged and merged[-1][0] == gib:
            merged[-1] = (gib, merged[-1][1] + samples)
        else:
            merged.append((gib, samples))
    longest = max(samples for _, samples in merged)
    found = _plateau(*merged)
    if found is None:
        assert longest <= 11
    else:
        assert found.level_bytes in [gib * GIB for gib, _ in merged]
        assert found.end_s - found.start_s >= (longest - 1) / 100 - 1e-9


def test_a_long_series_is_looked_at_in_blocks() -> None:
    """A hundred thousand samples have the plateau that they have, to a block."""
    held = np.repeat([16 * GIB, 29 * GIB, 19 * GIB], [20_000, 20_000, 60_000])
    found = plateau_of(np.arange(100_000) / 200, held)
    assert found is not None
    assert found.level_bytes == 19 * GIB
    assert found.start_s == pytest.approx(200, abs=0.2)
