import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.load.arrivals import bursts, constant, poisson, ramp

pytestmark = pytest.mark.selftest

NUMBERS = st.integers(0, 300)
RATES = st.floats(0.01, 10_000)


@given(NUMBERS, RATES, RATES, st.integers(0, 2**32), st.integers(1, 50))
def test_every_schedule_has_a_moment_for_each_request(
    number: int, rate: float, other: float, seed: int, size: int
) -> None:
    """As many as asked for, none too, beginning at 0 and never going back."""
    for arrivals in (
        constant(number, rate),
        poisson(number, rate, seed),
        ramp(number, rate, other),
        bursts(number, size, 1 / rate),
    ):
        assert len(arrivals.at_s) == number
        assert not number or arrivals.at_s[0] == 0
        assert all(before <= after for before, after in pairwise(arrivals.at_s))
        assert all(math.isfinite(at_s) for at_s in arrivals.at_s)


@given(st.integers(2, 300), RATES)
def test_a_constant_rate_has_equal_distances(number: int, rate: float) -> None:
    """Each request comes one period after the one before."""
    for before, after in pairwise(constant(number, rate).at_s):
        assert after - before == pytest.approx(1 / rate, rel=1e-6)


@given(st.integers(0, 2**32), RATES)
def test_poisson_keeps_its_mean_rate(seed: int, rate: float) -> None:
    """Over 2,000 distances the mean is within six of its standard errors, and none is the next."""
    at_s = poisson(2001, rate, seed).at_s
    assert at_s[-1] / 2000 == pytest.approx(1 / rate, rel=6 / math.sqrt(2000))
    assert len(set(at_s)) == 2001


def test_poisson_is_the_same_for_the_same_seed() -> None:
    """A round can be run again."""
    assert poisson(50, 3.0, seed=1) == poisson(50, 3.0, seed=1)
    assert poisson(50, 3.0, seed=1) != poisson(50, 3.0, seed=2)


@given(RATES, st.floats(0.2, 5))
def test_a_ramp_begins_and_ends_at_its_rates(rate: float, factor: float) -> None:
    """The first and last of 1,000 distances are those of the two rates, but for a few per cent."""
    at_s = ramp(1000, rate, rate * factor).at_s
    assert at_s[-1] == pytest.approx(2 * 999 / (rate + rate * factor), rel=1e-6)
    ends = [at_s[1] - at_s[0], at_s[-1] - at_s[-2]]
    assert ends == pytest.approx([1 / rate, 1 / (rate * factor)], rel=0.05)


def test_a_ramp_between_nearly_the_same_rates_is_even() -> None:
    """A difference that is smaller than what numbers can tell scatters nothing."""
    assert ramp(100, 1.0, 1.0 + 1e-15).at_s == pytest.approx(constant(100, 1.0).at_s)


@given(st.integers(1, 300), st.integers(1, 50), st.floats(0.01, 10))
def test_bursts_come_together(number: int, size: int, every_s: float) -> None:
    """As many as a burst has share a moment, but for the last burst, and the next is one later."""
    at_s = bursts(number, size, every_s).at_s
    moments = sorted(set(at_s))
    assert moments == [burst * every_s for burst in range(math.ceil(number / size))]
    assert [at_s.count(moment) for moment in moments[:-1]] == [size] * (len(moments) - 1)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan])
def test_a_rate_that_never_sends_is_refused(rate: float) -> None:
    """Said when the schedule is made, not by a round without end."""
    with pytest.raises(ValueError, match="must be above 0"):
        constant(1, rate)
    with pytest.raises(ValueError, match="must be above 0"):
        poisson(1, rate, seed=0)
    with pytest.raises(ValueError, match="must be above 0"):
        ramp(2, 1.0, rate)
