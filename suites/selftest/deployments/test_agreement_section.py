"""Cells that were asked the same must answer the same."""

import pytest

from fixtures.deployments.agreement_section import EVERY_CELL, agreement, first_like
from fixtures.records.schema import AnswersRecord, CaseRecord, GradedRecord
from fixtures.verdicts.invariants import judge_invariants
from suites.selftest.specimens import NOT_SEEN, a_record

pytestmark = pytest.mark.selftest


def _graded(seed: int, given: str, expected: str = "red") -> GradedRecord:
    return GradedRecord(
        skill="colour",
        layout="single",
        seed=seed,
        picture=str(seed),
        expected=expected,
        given=given,
        correct=given == expected,
        reason="",
        prompt_tokens=80,
        completion_tokens=2,
        finish_reason="stop",
    )


def _outcome(earlier: list[GradedRecord], now: list[GradedRecord]) -> str:
    told = agreement(earlier, now)
    return judge_invariants({"colour": 0.97}, [told], [EVERY_CELL])[0].outcome


def _cell(case_id: str, began: str, answers: list[GradedRecord], **changes: object) -> CaseRecord:
    record = a_record()
    kept = AnswersRecord(concurrency=4, skills={}, wrong=[], graded=answers)
    provenance = record.provenance.model_copy(update={"started_at": began, **changes})
    return record.model_copy(update={"case_id": case_id, "answers": kept, "provenance": provenance})


RIGHT = [_graded(seed, "red") for seed in range(40)]


def test_cells_that_answer_alike_agree() -> None:
    """The same answers pass, and one other is scatter."""
    assert _outcome(RIGHT, RIGHT) == "pass"
    assert _outcome(RIGHT, [_graded(0, "blue"), *RIGHT[1:]]) == "pass"


def test_a_cell_that_answers_otherwise_fails() -> None:
    """Eight of 40 that another cell answered right are no scatter."""
    assert _outcome(RIGHT, [*(_graded(seed, "blue") for seed in range(8)), *RIGHT[8:]]) == "fail"


def test_what_the_first_cell_did_not_know_is_not_held_against_the_next() -> None:
    """Questions that the earlier cell answered wrong do not count."""
    told = agreement([_graded(0, "blue"), *RIGHT[1:]], RIGHT)
    assert (told.asked, told.counted, told.consistent) == (40, 39, 39)


def test_questions_of_one_cell_alone_are_left_out() -> None:
    """Another seed, or another truth, is another question; with too few left nothing is told."""
    other = [_graded(seed, "red") for seed in range(35, 60)]
    assert agreement(RIGHT, other).asked == 5
    assert _outcome(RIGHT, other) == "inconclusive"
    assert agreement(RIGHT, [_graded(0, "blue", expected="blue")]).asked == 0


def test_nothing_in_common_is_unmeasured() -> None:
    """No question that both were asked is no agreement."""
    assert _outcome(RIGHT, [_graded(99, "red")]) == "unmeasured"


def test_the_first_cell_of_the_same_model_and_version_is_compared_with() -> None:
    """Other models, versions and the cell itself are not; of several the first."""
    this = _cell("this", "2026-01-31T12:30:00Z", RIGHT)
    late = _cell("late", "2026-01-31T12:20:00Z", RIGHT)
    first = _cell("first", "2026-01-31T12:00:00Z", RIGHT)
    foreign = _cell("foreign", "2026-01-31T11:00:00Z", RIGHT, model_digest="another")
    older = _cell("older", "2026-01-31T11:00:00Z", RIGHT, vllm_version="0.1.0")
    unasked = _cell("unasked", "2026-01-31T11:00:00Z", RIGHT).model_copy(
        update={"answers": NOT_SEEN}
    )
    run = [late, this, foreign, older, unasked, first]
    assert first_like(this, run) == first
    assert first_like(this, [this, foreign, older, unasked]) is None
