from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from fixtures.verdicts.history.change_points import LEAST_POINTS, ONCE_IN, change_points

pytestmark = pytest.mark.selftest

SERIES = 4_000
Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]


def _normal(random: np.random.Generator, count: int) -> Floats:
    return random.normal(100, 3, count)


def _heavy(random: np.random.Generator, count: int) -> Floats:
    return 100 + random.standard_t(2, count)


def _few_values(random: np.random.Generator, count: int) -> Floats:
    return random.integers(60_000, 60_003, count).astype(np.float64)


@pytest.mark.parametrize("draw", [_normal, _heavy, _few_values])
def test_series_without_a_change_are_told_to_have_one_as_seldom_as_said(draw: Draw) -> None:
    """Of 4,000 series of 30 nights no more have a change than chance gives at the stated rate.

    More than that come once in 10,000 times from a rate of 0.001.
    """
    random = np.random.default_rng(7)
    alarms = sum(bool(change_points(draw(random, 30).tolist())) for _ in range(SERIES))
    assert special.bdtrc(alarms - 1, SERIES, ONCE_IN) > 0.0001 if alarms else True


def test_a_tenth_slower_is_told_after_four_nights() -> None:
    """At a noise of 3 %, most of such series are told to have one change, at the right night."""
    random = np.random.default_rng(11)
    found = []
    for _ in range(200):
        values = _normal(random, 30)
        values[26:] *= 0.9
        found.append(change_points(values.tolist()))
    seen = [changes for changes in found if changes]
    assert len(seen) > 160
    assert sum(abs(changes[0].at - 26) <= 1 for changes in seen) > 0.9 * len(seen)


def test_levels_are_told_one_by_one() -> None:
    """Up and down again are two changes, each with the medians beside it."""
    values = [100.0] * 20 + [105.0] * 20 + [90.0] * 20
    assert change_points(values) == [(20, 100.0, 105.0), (40, 105.0, 90.0)]


def test_one_bad_night_is_no_level_and_hides_none() -> None:
    """A night far off does not count as a change, and one after it is still seen."""
    random = np.random.default_rng(3)
    values = _normal(random, 40)
    values[8] = 1_000.0
    assert change_points(values.tolist()) == []
    values[25:] *= 1.15
    (change,) = change_points(values.tolist())
    assert change.at == 25


def test_few_nights_tell_nothing() -> None:
    """The clearest change is told from the first number of nights on that can show one."""
    half = LEAST_POINTS // 2
    assert change_points([1.0] * half + [2.0] * half) == [(half, 1.0, 2.0)]
    assert change_points([1.0] * half + [2.0] * (half - 1)) == []
    assert change_points([]) == []


@given(st.floats(-1e6, 1e6), st.integers(0, 60))
def test_a_flat_line_has_no_change(value: float, count: int) -> None:
    """Values that are all the same have one level."""
    assert change_points([value] * count) == []


def test_the_same_series_has_the_same_changes() -> None:
    """Nothing depends on how often, or in which order, series are looked at."""
    values = _normal(np.random.default_rng(1), 40)
    values[20:] *= 1.05
    first = change_points(values.tolist())
    change_points(_normal(np.random.default_rng(2), 40).tolist())
    assert change_points(values.tolist()) == first
