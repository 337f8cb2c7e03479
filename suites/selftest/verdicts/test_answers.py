from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.records.schema import SkillRecord
from fixtures.verdicts.answers import judge_answers, judge_answers_under_load, tail
from suites.selftest.specimens import NOT_SEEN, a_round, a_throughput, an_answers

pytestmark = pytest.mark.selftest

PROMISED = {"colour": 0.9}


@given(st.integers(1, 200), st.data())
def test_as_many_right_answers_as_promised_pass(asked: int, data: st.DataObject) -> None:
    """A share of right answers that reaches the promise never fails."""
    least = ceil(asked * PROMISED["colour"])
    correct = data.draw(st.integers(least, asked))
    assert judge_answers(PROMISED, an_answers(correct, asked)).outcome == "pass"


@pytest.mark.parametrize(
    ("correct", "asked", "outcome"),
    # Binomial tails at 90 %: P(20 of 30 or fewer) = 4.5e-4, P(21) = 2.0e-3; P(173 of 210) = 5e-4.
    [(20, 30, "fail"), (21, 30, "pass"), (173, 210, "fail"), (0, 2, "pass"), (0, 4, "fail")],
)
def test_scatter_passes_and_a_lack_of_skill_fails(correct: int, asked: int, outcome: str) -> None:
    """Fewer than promised fail where that is chance once in 1000 runs or less."""
    assert judge_answers(PROMISED, an_answers(correct, asked)).outcome == outcome


@given(st.integers(1, 60), st.floats(0.5, 0.99))
def test_the_tail_is_a_distribution(asked: int, promised: float) -> None:
    """More right answers are never less likely to be undercut, and all of them are certain."""
    tails = [tail(correct, asked, promised) for correct in range(asked + 1)]
    assert tails == sorted(tails)
    assert tails[-1] == pytest.approx(1.0)


def test_a_question_without_an_answer_always_fails() -> None:
    """One failed request of hundreds is no scatter."""
    answers = an_answers(299, 300)
    failed = SkillRecord(asked=300, correct=299, failed=1)
    verdict = judge_answers(PROMISED, answers.model_copy(update={"skills": {"colour": failed}}))
    assert verdict.outcome == "fail"
    assert "1 without an answer" in verdict.reason


def test_a_broken_promise_is_told_with_an_example() -> None:
    """The reason names the skill, the counts, the promise and a question to look at."""
    reason = judge_answers(PROMISED, an_answers(20, 30)).reason
    assert "colour 20/30, 90% promised (chance of so few: 0.0005)" in reason
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
