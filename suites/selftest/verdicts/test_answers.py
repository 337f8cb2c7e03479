from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.records.schema import AnswersRecord, SkillRecord
from fixtures.verdicts.answers import judge_answers, judge_answers_under_load
from fixtures.verdicts.binomial import smallest_drop, tail
from suites.selftest.specimens import NOT_SEEN, a_round, a_throughput, an_answers

pytestmark = pytest.mark.selftest

PROMISED = {"colour": 0.9}


def _all_skills(correct: int, asked: int = 30) -> AnswersRecord:
    skill = SkillRecord(asked=asked, correct=correct, failed=0)
    skills = dict.fromkeys(("colour", "shape", "count", "position"), skill)
    return an_answers(correct, asked).model_copy(update={"skills": skills})


@given(st.integers(1, 200), st.data())
def test_as_many_right_answers_as_promised_never_fail(asked: int, data: st.DataObject) -> None:
    """A share of right answers that reaches the promise passes, if enough were asked to tell."""
    least = ceil(asked * PROMISED["colour"])
    correct = data.draw(st.integers(least, asked))
    enough = smallest_drop(PROMISED["colour"], asked, 0.001) <= 0.25
    outcome = judge_answers(PROMISED, an_answers(correct, asked)).outcome
    assert outcome == ("pass" if enough else "inconclusive")


@pytest.mark.parametrize(
    ("correct", "asked", "outcome"),
    # Binomial tails at 90 %: P(20 of 30 or fewer) = 4.5e-4, P(21) = 2.0e-3; P(174 of 210) =
    # 9.8e-4, P(175) = 1.9e-3. A drop by 0.25 shows from 38 questions on.
    [
        (20, 30, "fail"),
        (21, 30, "inconclusive"),
        (174, 210, "fail"),
        (175, 210, "pass"),
        (0, 2, "inconclusive"),
        (0, 4, "fail"),
    ],
)
def test_scatter_is_no_failure_and_a_lack_of_skill_is(
    correct: int, asked: int, outcome: str
) -> None:
    """Fewer than promised fail where that is chance once in 1000 runs or less."""
    assert judge_answers(PROMISED, an_answers(correct, asked)).outcome == outcome


def test_the_skills_share_what_may_go_wrong() -> None:
    """Four skills fail a good model as seldom as one: each is held to a quarter of the chance."""
    four = dict.fromkeys(("colour", "shape", "count", "position"), 0.97)
    one = {"colour": 0.97}
    fails = {
        len(promised): max(
            correct
            for correct in range(31)
            if judge_answers(promised, _all_skills(correct)).outcome == "fail"
        )
        for promised in (one, four)
    }
    chances = [tail(fails[1], 30, 0.97), tail(fails[4], 30, 0.97)]
    assert chances[0] <= 0.001 < tail(fails[1] + 1, 30, 0.97)
    assert chances[1] <= 0.00025 < tail(fails[4] + 1, 30, 0.97)


def test_a_pass_tells_what_would_have_been_seen() -> None:
    """The default 75 questions show a drop of 0.13 from 97 % in each of four skills."""
    four = dict.fromkeys(("colour", "shape", "count", "position"), 0.97)
    verdict = judge_answers(four, _all_skills(75, 75))
    assert verdict.outcome == "pass"
    assert "colour 75/75" in verdict.reason
    assert "a drop by 0.13 in any would be seen in 80% of runs" in verdict.reason


@pytest.mark.parametrize(("asked", "outcome"), [(26, "inconclusive"), (27, "pass"), (30, "pass")])
def test_too_few_questions_are_inconclusive(asked: int, outcome: str) -> None:
    """A drop from 97 % by 0.25 must be visible, which takes 27 questions in each of four skills."""
    four = dict.fromkeys(("colour", "shape", "count", "position"), 0.97)
    verdict = judge_answers(four, _all_skills(asked, asked))
    assert verdict.outcome == outcome
    assert ("27 questions would show a drop by 0.25" in verdict.reason) == (asked < 27)


def test_a_low_promise_must_show_a_drop_to_nothing() -> None:
    """Where less is promised than the drop to be seen, an accuracy of 0 must be visible."""
    assert judge_answers({"colour": 0.2}, an_answers(20, 100)).outcome == "pass"
    assert judge_answers({"colour": 0.2}, an_answers(4, 20)).outcome == "inconclusive"
    assert "drop by 0.20 from 20%" in judge_answers({"colour": 0.2}, an_answers(4, 20)).reason


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


def test_what_was_not_asked_hides_no_failure() -> None:
    """A skill that fails is told, whatever else is missing."""
    judged = judge_answers({"colour": 0.97, "count": 0.9}, an_answers(10, 30))
    assert (judged.outcome, judged.reason.startswith("colour 10/30")) == ("fail", True)


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


def test_the_few_answers_under_load_need_only_show_a_large_drop() -> None:
    """The 18 questions a skill of three small rounds tell enough there, and not by themselves."""
    four = dict.fromkeys(("colour", "shape", "count", "position"), 0.97)
    loaded = a_throughput(a_round()).model_copy(update={"answers": _all_skills(18, 18)})
    assert judge_answers_under_load(four, loaded).outcome == "pass"
    assert judge_answers(four, loaded.answers).outcome == "inconclusive"
