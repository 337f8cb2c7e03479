import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.records.schema import SkillRecord
from fixtures.verdicts.answers import judge_answers, judge_answers_under_load
from suites.selftest.specimens import NOT_SEEN, a_round, a_throughput, an_answers

pytestmark = pytest.mark.selftest

PROMISED = {"colour": 0.9}


@given(st.integers(1, 200), st.data())
def test_the_promise_is_kept_or_not_by_the_share_of_right_answers(
    asked: int, data: st.DataObject
) -> None:
    """The verdict passes exactly when the share of right answers reaches the promise."""
    correct = data.draw(st.integers(0, asked))
    verdict = judge_answers(PROMISED, an_answers(correct, asked))
    assert verdict.outcome == ("pass" if correct / asked >= PROMISED["colour"] else "fail")


def test_a_broken_promise_is_told_with_an_example() -> None:
    """The reason names the skill, the counts, the promise and a question to look at."""
    reason = judge_answers(PROMISED, an_answers(20, 30)).reason
    assert "colour 20/30, 90% promised" in reason
    assert "'What colour is the circle?' (seed 1000000007)" in reason


def test_one_good_skill_does_not_hide_a_bad_one() -> None:
    """Every promised skill is judged by itself."""
    answers = an_answers(30, 30)
    both = answers.model_copy(
        update={"skills": answers.skills | {"count": SkillRecord(asked=30, correct=3, failed=0)}}
    )
    verdict = judge_answers({"colour": 0.9, "count": 0.9}, both)
    assert verdict.outcome == "fail"
    assert "count 3/30" in verdict.reason


def test_a_promised_skill_that_was_not_asked_is_unmeasured() -> None:
    """No question asked is no right answer, however the skill is missing."""
    missing = judge_answers({"colour": 0.9, "count": 0.9}, an_answers())
    assert (missing.outcome, "count" in missing.reason) == ("unmeasured", True)
    assert judge_answers(PROMISED, an_answers(0, 0)).outcome == "unmeasured"


def test_without_a_promise_nothing_passes() -> None:
    """A model that promises nothing cannot keep it."""
    assert judge_answers({}, an_answers()).outcome == "unmeasured"


def test_unmeasured_answers_do_not_pass() -> None:
    """Answers that were not reached are unmeasured, alone and under load."""
    assert judge_answers(PROMISED, NOT_SEEN).outcome == "unmeasured"
    assert judge_answers_under_load(PROMISED, NOT_SEEN).outcome == "unmeasured"


def test_answers_under_load_are_judged_as_their_own() -> None:
    """The answers of the throughput rounds have a verdict of another name."""
    good = a_throughput(a_round())
    bad = good.model_copy(update={"answers": an_answers(1, 30)})
    assert judge_answers_under_load(PROMISED, good).outcome == "pass"
    assert judge_answers_under_load(PROMISED, bad).outcome == "fail"
    assert judge_answers_under_load(PROMISED, good).about == "answers under load"
