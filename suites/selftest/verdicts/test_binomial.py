from math import comb, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fixtures.verdicts.binomial import (
    interval,
    most_that_fails,
    questions_for,
    smallest_drop,
    tail,
)

pytestmark = pytest.mark.selftest

ASKED = st.integers(1, 400)
PROMISES = st.floats(0.3, 0.995)
LEVELS = st.floats(1e-5, 0.05)


def _summed(correct: int, asked: int, promised: float) -> float:
    return sum(
        comb(asked, k) * promised**k * (1 - promised) ** (asked - k) for k in range(correct + 1)
    )


@given(ASKED, PROMISES, st.data())
def test_the_tail_is_the_sum_of_its_terms(asked: int, promised: float, data: st.DataObject) -> None:
    """The library's tail is what the definition adds up to."""
    correct = data.draw(st.integers(0, asked))
    assert tail(correct, asked, promised) == pytest.approx(
        _summed(correct, asked, promised), rel=1e-6, abs=1e-12
    )


@given(ASKED, PROMISES, LEVELS)
def test_the_most_that_fails_is_the_last(asked: int, promised: float, alpha: float) -> None:
    """So many right answers disprove the promise, and one more do not."""
    most = most_that_fails(promised, asked, alpha)
    assert most == -1 or tail(most, asked, promised) <= alpha
    assert tail(most + 1, asked, promised) > alpha


@given(ASKED, PROMISES, LEVELS, st.floats(0.5, 0.95))
def test_the_smallest_drop_is_caught_as_often_as_said(
    asked: int, promised: float, alpha: float, power: float
) -> None:
    """A model with that drop fails in the share `power` of runs, and one with less in fewer."""
    drop = smallest_drop(promised, asked, alpha, power)
    most = most_that_fails(promised, asked, alpha)
    if drop == inf:
        assert tail(0, asked, promised) > alpha
    else:
        assert 0 < drop <= promised
        assert tail(most, asked, promised - drop) == pytest.approx(power, abs=1e-6)
        assert tail(most, asked, promised - 0.9 * drop) < power


@pytest.mark.parametrize(
    ("promised", "asked", "drop"),
    # At 0.001 over four skills: P(24 of 30 or fewer) at 97 % is 0.0002, and so on.
    [(0.97, 18, 0.32), (0.97, 27, 0.25), (0.97, 30, 0.22), (0.97, 75, 0.13), (0.97, 300, 0.06)],
)
def test_more_questions_see_smaller_drops(promised: float, asked: int, drop: float) -> None:
    """The drops that the limits are chosen by, rounded to a point."""
    assert smallest_drop(promised, asked, 0.001 / 4) == pytest.approx(drop, abs=0.005)


def test_too_few_questions_see_no_drop() -> None:
    """Two questions cannot disprove 97 % at a level of 1 in 4000, however they are answered."""
    assert smallest_drop(0.97, 2, 0.001 / 4) == inf


def test_a_perfect_model_is_disproved_by_one_wrong_answer() -> None:
    """Where everything is promised, the drop to be seen is one that a run hardly misses."""
    assert most_that_fails(1.0, 30, 0.001) == 29
    assert smallest_drop(1.0, 30, 0.001) == pytest.approx(1 - 0.2 ** (1 / 30))


@given(st.floats(0.05, 0.5), st.floats(0.5, 1.0), LEVELS)
def test_the_questions_for_a_drop_are_the_fewest(
    drop: float, promised: float, alpha: float
) -> None:
    """So many show the drop, and one fewer do not."""
    asked = questions_for(drop, promised, alpha)
    assert smallest_drop(promised, asked, alpha) <= drop
    assert asked == 1 or smallest_drop(promised, asked - 1, alpha) > drop


def test_what_cannot_be_tested_is_refused() -> None:
    """A drop below nothing, a promise of nothing, a level above the power."""
    with pytest.raises(ValueError, match=r"cannot drop from 0\.2 by 0\.3"):
        questions_for(0.3, 0.2, 0.001)
    with pytest.raises(ValueError, match="no test of 0"):
        smallest_drop(0.0, 30, 0.001)
    with pytest.raises(ValueError, match=r"at the level 0\.9"):
        smallest_drop(0.9, 30, 0.9)


@given(ASKED, st.data())
def test_an_interval_is_clopper_and_pearsons(asked: int, data: st.DataObject) -> None:
    """It is the one that the library's own exact test gives, and holds the share seen."""
    correct = data.draw(st.integers(0, asked))
    low, high = interval(correct, asked)
    exact = stats.binomtest(correct, asked).proportion_ci(0.95, method="exact")
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=1e-9)
    assert 0 <= low <= correct / asked <= high <= 1


def test_an_interval_by_hand() -> None:
    """All right of 30: the low end is the accuracy that does so in 2.5 % of runs."""
    assert interval(30, 30) == pytest.approx((0.025 ** (1 / 30), 1.0))
    assert interval(0, 30) == pytest.approx((0.0, 1 - 0.025 ** (1 / 30)))
    assert interval(29, 30) == pytest.approx((0.8278, 0.9992), abs=1e-4)


@pytest.mark.parametrize(("correct", "asked"), [(0, 0), (2, 1), (-1, 3)])
def test_nothing_asked_has_no_interval(correct: int, asked: int) -> None:
    """An impossible count is refused, not bounded."""
    with pytest.raises(ValueError, match="no share"):
        interval(correct, asked)
