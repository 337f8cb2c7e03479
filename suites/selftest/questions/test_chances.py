from itertools import combinations, product
from math import comb, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.questions.chances import at_least, drawn_at_least

pytestmark = pytest.mark.selftest


@given(st.lists(st.floats(0, 1), max_size=7), st.integers(-1, 8))
def test_the_tail_is_the_sum_over_all_outcomes(chances: list[float], hits: int) -> None:
    """Enumerating every outcome gives the same probability."""
    outcomes = product((0, 1), repeat=len(chances))
    wanted = sum(
        prod(c if hit else 1 - c for c, hit in zip(chances, outcome, strict=True))
        for outcome in outcomes
        if sum(outcome) >= hits
    )
    assert at_least(hits, chances) == pytest.approx(wanted, abs=1e-12)


def test_a_far_tail_is_exact() -> None:
    """What is all but impossible is not lost in rounding."""
    assert at_least(60, [0.03] * 60) == pytest.approx(0.03**60)
    wanted = sum(comb(100, k) * 0.03**k * 0.97 ** (100 - k) for k in range(40, 101))
    assert at_least(40, [0.03] * 100) == pytest.approx(wanted)


@given(st.integers(1, 8), st.data())
def test_the_draw_is_counted_out(among: int, data: st.DataObject) -> None:
    """Going through every draw gives the same probability."""
    marked, drawn = data.draw(st.integers(0, among)), data.draw(st.integers(0, among))
    hits = data.draw(st.integers(-1, among))
    draws = [sum(ball < marked for ball in draw) for draw in combinations(range(among), drawn)]
    wanted = sum(held >= hits for held in draws) / len(draws)
    assert drawn_at_least(hits, drawn, marked, among) == pytest.approx(wanted)
