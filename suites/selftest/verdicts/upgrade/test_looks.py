from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.verdicts.upgrade.gated import ANSWERS_WEIGHT, GATED
from fixtures.verdicts.upgrade.looks import Plan, levels_at, looks_until, shares_of, spent_at
from suites.selftest.verdicts.upgrade.given import PLAN, RATE, TIME

pytestmark = pytest.mark.selftest

LOOKS = st.sets(st.integers(3, 60), min_size=1, max_size=6).map(lambda one: tuple(sorted(one)))


@given(LOOKS)
def test_all_looks_together_spend_the_whole(looks: tuple[int, ...]) -> None:
    """Each its part above 0, in sum neither less nor more."""
    parts = [spent_at(Plan(looks), look) for look in looks]
    assert all(min(part) > 0 for part in parts)
    assert [sum(error) for error in zip(*parts, strict=True)] == pytest.approx([1, 1])


def test_most_false_alarms_are_kept_for_the_last_look() -> None:
    """1, 5, 14 and 80 %; what may be missed is spent evenly, so that no change ends early."""
    parts = [spent_at(PLAN, look) for look in PLAN.looks]
    assert [round(100 * part.alpha) for part in parts] == [1, 5, 14, 80]
    assert [round(100 * part.beta) for part in parts] == [33, 17, 17, 33]


def test_the_whole_gate_errs_no_more_than_was_stated() -> None:
    """Over all metrics and looks, with what the answers may, it adds up to at most 1 %."""
    shares = shares_of(GATED, ANSWERS_WEIGHT)
    answers = 1 - sum(shares.values())
    assert answers == pytest.approx(ANSWERS_WEIGHT / 100)
    levels = [levels_at(PLAN, look, share) for look in PLAN.looks for share in shares.values()]
    assert 0.98 * PLAN.alpha < sum(level.alpha for level in levels) + PLAN.alpha * answers
    assert sum(level.alpha for level in levels) + PLAN.alpha * answers <= PLAN.alpha
    assert sum(levels_at(PLAN, look, 0.1).beta for look in PLAN.looks) == pytest.approx(PLAN.beta)


def test_four_pairs_accuse_nobody() -> None:
    """Figures of two states agree four times too often."""
    assert levels_at(PLAN, 4, 1).alpha == 0
    assert levels_at(PLAN, 4, 1).beta > 0
    assert levels_at(PLAN, 6, 1).alpha > 0


def test_another_metric_leaves_less_to_each() -> None:
    """Shares are of the sum of weights."""
    assert shares_of([RATE]) == {RATE.name: 1}
    assert shares_of([RATE, TIME]) == {RATE.name: 0.5, TIME.name: 0.5}
    assert shares_of([RATE, TIME], besides=100) == {RATE.name: 0.25, TIME.name: 0.25}


@given(st.integers(6, 1_000))
def test_more_pairs_are_looked_at_more_often(most: int) -> None:
    """As early as with twelve, as late as there are, and never twice within a quarter."""
    looks = looks_until(most)
    assert looks[0] == 4
    assert looks[-1] == most
    assert all(1.25 * one <= other <= 2 * one for one, other in pairwise(looks))
    assert looks_until(12) == Plan().looks
    assert looks_until(41) == (4, 6, 8, 12, 18, 27, 41)


def test_pairs_that_could_accuse_nobody_are_refused() -> None:
    """A gate that cannot say "do not ship" in figures is none."""
    with pytest.raises(ValueError, match="5 pairs: with fewer than 6 nothing can be called worse"):
        looks_until(5)


def test_an_unplanned_look_is_refused() -> None:
    """Five pairs were none of 4, 6, 8 and 12."""
    with pytest.raises(ValueError, match="no look was planned after 5 pairs"):
        spent_at(PLAN, 5)


@pytest.mark.parametrize("looks", [(), (2, 4), (6, 4), (4, 4)])
def test_looks_that_are_no_plan_are_refused(looks: tuple[int, ...]) -> None:
    """They rise from three pairs on."""
    with pytest.raises(ValueError, match="give rising numbers from 3 on"):
        spent_at(Plan(looks), 4)


@pytest.mark.parametrize("plan", [Plan(alpha=0), Plan(alpha=0.6), Plan(beta=0), Plan(beta=1)])
def test_errors_that_are_no_shares_are_refused(plan: Plan) -> None:
    """A gate that never errs says nothing."""
    with pytest.raises(ValueError, match="give shares below a half"):
        spent_at(plan, 4)


def test_two_metrics_of_one_name_are_refused() -> None:
    """Neither would have its own share."""
    with pytest.raises(ValueError, match="twice"):
        shares_of([RATE, RATE._replace(unit="other")])
