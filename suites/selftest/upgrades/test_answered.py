import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.upgrades.answered import MATTERS, answers_compared, largest_loss
from fixtures.verdicts.pairing import Paired
from fixtures.verdicts.upgrade.looks import Levels
from suites.selftest.specimens import NOT_SEEN
from suites.selftest.upgrades.starts import Shown, a_start, alike

pytestmark = pytest.mark.selftest
LEVELS = Levels(alpha=0.0005, beta=0.01)


def test_the_same_answers_exclude_a_loss_that_matters() -> None:
    """Of 560 questions a skill not one was lost."""
    verdict = answers_compared(alike(4), LEVELS)
    assert verdict.outcome == "pass", verdict.reason


def test_a_pair_alone_cannot_exclude_it() -> None:
    """140 questions without a loss could still hide 3 points."""
    verdict = answers_compared(alike(1), LEVELS)
    assert verdict.outcome == "inconclusive"
    assert "cannot be excluded" in verdict.reason


def test_a_skill_that_lost_is_named() -> None:
    """Twenty of 560, and none gained."""
    pairs = [pair._replace(candidate=a_start(i, Shown(wrong=5))) for i, pair in enumerate(alike(4))]
    verdict = answers_compared(pairs, LEVELS)
    assert verdict.outcome == "fail"
    assert verdict.reason.startswith("colour 560 -> 540 of 560 right, 20 lost, 0 gained")


def test_answers_that_are_not_there_are_unmeasured() -> None:
    """With whose they are."""
    pairs = alike(4)
    mute = pairs[2].candidate.model_copy(update={"answers": NOT_SEEN})
    pairs[2] = pairs[2]._replace(candidate=mute)
    verdict = answers_compared(pairs, LEVELS)
    assert verdict.outcome == "unmeasured"
    assert "the candidate's answers" in verdict.reason


def test_other_questions_on_one_side_are_unmeasured() -> None:
    """Pairs whose sides were asked different things compare nothing."""
    pairs = alike(2)
    pairs[1] = pairs[1]._replace(candidate=a_start(7))
    assert answers_compared(pairs, LEVELS).outcome == "unmeasured"


@given(st.integers(0, 100), st.integers(0, 100), st.integers(200, 2000))
def test_the_bound_is_above_what_was_seen(lost: int, gained: int, pictures: int) -> None:
    """And what is gained elsewhere lowers it, but never below the net loss."""
    seen = Paired("colour", pictures, 0, 0, pictures, lost, gained, 1.0, 1.0)
    bound = largest_loss(seen, 0.05)
    assert bound > (lost - gained) / pictures
    assert bound <= largest_loss(seen._replace(gained=0), 0.05)


def test_churn_in_both_directions_is_no_loss_that_matters() -> None:
    """Eleven lost and eleven gained of 1,120: a model that is not quite deterministic."""
    churn = Paired("colour", 1120, 0, 0, 1120, 11, 11, 1.0, 1.0)
    assert largest_loss(churn, 0.05) < MATTERS
