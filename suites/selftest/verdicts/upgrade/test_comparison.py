from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.records.schema import Unmeasured
from fixtures.verdicts.upgrade.comparison import Change, Comparison, Pair, compared
from suites.selftest.verdicts.upgrade.given import (
    MEMORY,
    PLAN,
    RATE,
    RETURN,
    TIME,
    judged,
    pairs_of,
    scattered,
)

pytestmark = pytest.mark.selftest

GIB = 2**30


def _change(one: Comparison) -> Change:
    assert isinstance(one.change, Change)
    return one.change


def _why(one: Comparison) -> str:
    assert one.outcome == "unmeasured"
    assert isinstance(one.change, Unmeasured)
    return one.change.unmeasured


def test_a_rate_that_falls_is_worse() -> None:
    """From 100 to 100 / 1.08 it is worse by 8 %, and the bounds are around that."""
    one = judged(RATE, scattered(8, 1 / 1.08))
    change = _change(one)
    assert one.outcome == "worse"
    assert change.mean == pytest.approx(0.08)
    assert 0 < change.low < 0.08 < change.high
    assert change.old == pytest.approx(100)
    assert change.new == pytest.approx(100 / 1.08)
    assert one.weight == pytest.approx(1.6)


def test_a_time_that_falls_is_better() -> None:
    """Told as such, and never worse."""
    assert judged(TIME, scattered(8, 1 / 1.08)).outcome == "better"


def test_nothing_that_matters_is_not_worse() -> None:
    """Four pairs exclude 5 % where they scatter by a third of a percent."""
    one = judged(RATE, scattered(4, 1.0, noise=0.003))
    assert (one.outcome, one.needs_pairs) == ("not worse", None)


def test_a_small_worsening_is_not_worse_with_a_remark() -> None:
    """2 % slower for certain, where 5 % matter."""
    one = judged(RATE, scattered(12, 1 / 1.02, noise=0.003))
    assert one.outcome == "not worse"
    assert "did get worse" in one.remark


def test_just_what_matters_is_caught_or_open() -> None:
    """An estimate just below what matters does not let a slowdown through."""
    assert judged(RATE, scattered(12, 1 / 1.049)).outcome == "worse"
    assert judged(RATE, scattered(4, 1 / 1.049)).outcome == "open"


def test_what_is_open_says_how_many_pairs_would_do() -> None:
    """More than there are."""
    one = judged(RATE, scattered(4, 1 / 1.03, noise=0.03))
    assert one.outcome == "open"
    assert one.needs_pairs is not None
    assert one.needs_pairs > 12


def test_memory_without_scatter_is_taken_at_its_word() -> None:
    """Every pair alike: 2 % more is worse, 0.5 % more is not, and the same is the same."""
    for factor, says in ((1.02, "worse"), (1.005, "not worse"), (1.0, "not worse")):
        one = judged(MEMORY, pairs_of([8.0 * GIB] * 6, [8.0 * GIB * factor] * 6))
        assert one.outcome == says
        assert _change(one).low == _change(one).high
        assert _change(one).mean == pytest.approx(factor - 1)


def test_four_pairs_alike_are_still_open() -> None:
    """It takes six to call anything worse."""
    assert judged(MEMORY, pairs_of([8.0 * GIB] * 4, [8.2 * GIB] * 4)).outcome == "open"


def test_a_small_figure_has_to_change_by_the_absolute_part() -> None:
    """2 % of 1 GiB are 20 MiB, and 32 matter."""
    one = judged(MEMORY, pairs_of([1.0 * GIB] * 6, [1.02 * GIB] * 6))
    assert one.outcome == "not worse"
    assert _change(one).matters == pytest.approx(1 / 32)


def test_differences_may_be_of_nothing() -> None:
    """A time of 0 s is a figure where differences are compared: 3 s more are worse."""
    one = judged(RETURN, pairs_of([0.0] * 6, [3.0, 3.1, 2.9, 3.0, 3.1, 2.9]))
    assert one.outcome == "worse"
    assert _change(one).mean == pytest.approx(3.0)


@pytest.mark.parametrize("value", [0.0, -1.0, nan, inf])
@pytest.mark.parametrize("side", ["old", "new"])
def test_what_is_no_figure_is_unmeasured(side: str, value: float) -> None:
    """A rate of 0 is a metric that was lost, and no infinite change."""
    pairs = scattered(4, 1.0)
    pairs[2] = pairs[2]._replace(**{side: value})
    assert f"the {side} side of pair 3" in _why(judged(RATE, pairs))


def test_a_pair_without_a_side_is_unmeasured() -> None:
    """With its reason; the other pairs do not make up for it."""
    pairs = scattered(4, 1.0)
    pairs[1] = Pair(100.0, Unmeasured(unmeasured="no round held up"))
    assert _why(judged(RATE, pairs)) == "the new side of pair 2: no round held up"


@pytest.mark.parametrize("number", [0, 1, 3])
def test_missing_pairs_are_unmeasured(number: int) -> None:
    """At a look after four, three are not enough, and none is not a pass."""
    (one,) = compared({RATE: scattered(4, 1.0)[:number]}, 4, PLAN)
    assert _why(one) == f"{number} of 4 pairs"


def test_more_pairs_than_planned_are_refused() -> None:
    """Five pairs at the look after four would be another look."""
    with pytest.raises(ValueError, match="5 pairs at a look that was planned after 4"):
        compared({RATE: scattered(5, 1.0)}, 4, PLAN)


def test_a_figure_that_cannot_fall_so_far_is_unmeasured() -> None:
    """Else it could fall to almost nothing, and not matter."""
    one = judged(RATE._replace(matters_absolute=200), scattered(4, 1.0))
    assert "cannot get worse by 200" in _why(one)


@given(
    st.lists(st.floats(0.5, 2), min_size=6, max_size=6),
    st.floats(0.001, 1000),
)
def test_the_unit_and_the_way_round_do_not_matter(ratios: list[float], unit: float) -> None:
    """A time in other units falls the same, and so does the rate that is its inverse."""
    metric = TIME._replace(matters_absolute=0)
    times = judged(metric, [Pair(1.0, ratio) for ratio in ratios])
    scaled = judged(metric, [Pair(unit, unit * ratio) for ratio in ratios])
    rates = judged(metric._replace(worse="lower"), [Pair(1.0, 1 / ratio) for ratio in ratios])
    assert _change(times)[:4] == pytest.approx(_change(scaled)[:4], rel=1e-6, abs=1e-9)
    assert _change(times)[:4] == pytest.approx(_change(rates)[:4], rel=1e-6, abs=1e-9)


@given(st.lists(st.floats(0.5, 2), min_size=6, max_size=6), st.floats(1, 2))
def test_a_worse_new_side_never_falls_milder(ratios: list[float], factor: float) -> None:
    """Every start slower by the same factor: what was worse stays so."""
    order = ("better", "not worse", "open", "worse")
    before = judged(TIME, [Pair(1.0, ratio) for ratio in ratios])
    after = judged(TIME, [Pair(1.0, ratio * factor) for ratio in ratios])
    assert order.index(after.outcome) >= order.index(before.outcome)


def test_the_metrics_of_a_gate_share_its_false_alarms() -> None:
    """The same pairs have wider bounds beside another metric."""
    pairs = scattered(6, 1.0)
    alone = judged(RATE, pairs)
    beside, _ = compared({RATE: pairs, TIME: pairs}, 6, PLAN)
    assert _change(beside).low < _change(alone).low
