from math import hypot

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.load.intervals import interval_of

pytestmark = pytest.mark.selftest

RUNS = 2000
RATES = st.lists(st.floats(0.001, 1e6), min_size=3, max_size=10)


def _rounds(seed: int, number: int, noise: str) -> list[list[float]]:
    """Many runs of so many rounds, of which the true mean is 100."""
    random, size = np.random.default_rng(seed), (RUNS, number)
    if noise == "skewed":
        drawn = 100 * np.exp(random.normal(-0.02, 0.2, size))
    elif noise == "of two kinds":
        drawn = random.choice([95.0, 105.0], size) + random.normal(0, 1, size)
    else:
        drawn = random.normal(100, 3, size)
    return [row.tolist() for row in drawn]


@pytest.mark.parametrize("number", [3, 5, 8])
def test_95_of_100_intervals_hold_the_true_mean(number: int) -> None:
    """Simulated, from few rounds as well."""
    found = [interval_of(values) for values in _rounds(1, number, "even on both sides")]
    share = sum(interval.low <= 100 <= interval.high for interval in found if interval) / RUNS
    assert 0.935 < share < 0.965


@pytest.mark.parametrize("noise", ["skewed", "of two kinds"])
def test_other_noise_costs_little(noise: str) -> None:
    """Rounds do not scatter as in a book: the interval of five still is one of about 95 %."""
    found = [interval_of(values) for values in _rounds(2, 5, noise)]
    share = sum(interval.low <= 100 <= interval.high for interval in found if interval) / RUNS
    assert 0.92 < share < 0.98


@pytest.mark.parametrize("scatter", [0.03, 0.15])
def test_what_is_known_of_starts_widens_the_interval_enough(scatter: float) -> None:
    """Starts whose true means scatter by a tenth: two of them agree in 95 of 100 cases."""
    random = np.random.default_rng(8)
    means = 100 * (1 + random.normal(0, 0.1, (2, RUNS, 1)))
    first, second = (means * (1 + random.normal(0, scatter, (2, RUNS, 5)))).tolist()

    def share(between: float) -> float:
        runs = [[interval_of(values, between) for values in side] for side in (first, second)]
        agree = [
            abs(one.mean - other.mean) < hypot(one.high - one.mean, other.high - other.mean)
            for one, other in zip(*runs, strict=True)
            if one and other
        ]
        return agree.count(True) / RUNS

    assert share(0.1) > 0.94
    assert share(0.0) < share(0.1) - 0.05


def test_resampled_means_could_not_hold_it() -> None:
    """Why it is no bootstrap of percentiles: they never leave the range of so few rounds."""
    runs = _rounds(7, 3, "even on both sides")
    assert sum(min(values) <= 100 <= max(values) for values in runs) < 0.8 * RUNS


@given(RATES)
def test_an_interval_is_around_its_mean_and_never_negative(values: list[float]) -> None:
    """The same rounds give the same one, in any order."""
    interval = interval_of(values)
    assert interval is not None
    assert 0 <= interval.low <= interval.mean * (1 + 1e-9)
    assert interval.high >= interval.mean * (1 - 1e-9)
    assert interval_of(values[::-1]) == pytest.approx(interval)


def test_rounds_that_are_all_alike_have_no_width() -> None:
    """Three times the same is a figure without scatter."""
    assert interval_of([2.0] * 3) == (2.0, 2.0, 2.0)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0]])
def test_fewer_than_three_rounds_tell_no_interval(values: list[float]) -> None:
    """None, and not one of no width."""
    assert interval_of(values) is None
