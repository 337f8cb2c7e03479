"""Counts that a server tells become a record, and a server that slices otherwise goes red."""

from collections.abc import Callable

import pytest

from fixtures.deployments.token_section import TokenPlan, counted, token_plan
from fixtures.questions.asked import Askable
from fixtures.questions.asking import Answer
from fixtures.questions.geometry import Marks, Size, Slicing, beyond_one_slice, grid_of
from fixtures.records.schema import TokensRecord, Unmeasured
from fixtures.verdicts.tokens import judge_tokens

pytestmark = pytest.mark.selftest

SLICING = Slicing(scale_resolution=112, max_slice_nums=9, visual_tokens=64)
MARKS = Marks(around_slice=2, row_break=1)
Cost = Callable[[Size], int]
"""Prompt tokens of a picture beyond one slice, as a server counts them."""


def _right(size: Size) -> int:
    return beyond_one_slice(SLICING, MARKS, size)


def _sides_swapped(size: Size) -> int:
    return _right(Size(size.height, size.width))


def _rows_run_together(size: Size) -> int:
    return grid_of(SLICING, size).slices * 66


def _one_slice_fewer(size: Size) -> int:
    return beyond_one_slice(SLICING._replace(max_slice_nums=8), MARKS, size)


def _never_cut(size: Size) -> int:
    return 0 * size.width


def _answer(question: Askable, tokens: int | None, error: str | None = None) -> Answer:
    return Answer(question, "zero", 0.0, 0.1, 0.2, tokens, 2, "stop", error)


def _asked(plan: TokenPlan, cost: Cost) -> list[Answer]:
    """Answer as a server does whose prompts have 30 tokens, and 70 for each picture of a slice."""
    return [
        _answer(question, 30 + sum(70 + cost(size) for size in sizes))
        for question, sizes in zip(plan.questions, plan.prompts, strict=True)
    ]


@pytest.mark.parametrize("known", [MARKS, None])
def test_a_server_that_slices_right_passes(known: Marks | None) -> None:
    """With marks that the tokenizer tells, and with calibrated ones, all is as predicted."""
    plan = token_plan(SLICING, known, 4096)
    record = counted(plan, _asked(plan, _right))
    assert judge_tokens(record).outcome == "pass"
    assert isinstance(record, TokensRecord)
    assert not isinstance(record.marks, Unmeasured)
    assert (record.marks.around_slice, record.marks.row_break) == MARKS
    assert record.marks_told_by == ("tokenizer" if known else "calibration")


@pytest.mark.parametrize("known", [MARKS, None])
@pytest.mark.parametrize("wrong", [_sides_swapped, _one_slice_fewer, _never_cut])
def test_a_server_that_slices_otherwise_fails(wrong: Cost, known: Marks | None) -> None:
    """Width and height exchanged, fewer slices or none: each fails, calibrated or not."""
    plan = token_plan(SLICING, known, 4096)
    assert judge_tokens(counted(plan, _asked(plan, wrong))).outcome == "fail"


def test_rows_without_breaks_fail_where_the_tokenizer_tells() -> None:
    """A lost newline is a token of difference."""
    plan = token_plan(SLICING, MARKS, 4096)
    assert judge_tokens(counted(plan, _asked(plan, _rows_run_together))).outcome == "fail"


def test_a_calibration_is_contradicted_by_a_third_size() -> None:
    """Two sizes cannot make a wrong third one right."""
    plan = token_plan(SLICING, None, 4096)
    tall = Size(112, 336)

    def wrong(size: Size) -> int:
        return _right(size) + (size == tall)

    verdict = judge_tokens(counted(plan, _asked(plan, wrong)))
    assert verdict.outcome == "fail"
    assert verdict.reason.startswith("112x336: 1 columns x 3 rows: 200 tokens")


@pytest.mark.parametrize("lost", range(4))
def test_what_everything_is_compared_with_must_be_counted(lost: int) -> None:
    """A reference without usage leaves all unmeasured, and a calibration what is predicted."""
    plan = token_plan(SLICING, None, 4096)
    answers = _asked(plan, _right)
    answers[lost] = _answer(answers[lost].question, None)
    assert judge_tokens(counted(plan, answers)).outcome == "unmeasured"


def test_a_failed_request_is_kept_with_its_error() -> None:
    """One size that is refused fails, and its figure is not 0."""
    plan = token_plan(SLICING, MARKS, 4096)
    answers = _asked(plan, _right)
    answers[-1] = _answer(answers[-1].question, None, "BadRequestError: no")
    record = counted(plan, answers)
    assert isinstance(record, TokensRecord)
    assert record.counts[-1].told == Unmeasured(unmeasured="BadRequestError: no")
    assert judge_tokens(record).outcome == "fail"


def test_prompts_that_do_not_fit_are_named() -> None:
    """A short context leaves out the largest, and says which."""
    plan = token_plan(SLICING, MARKS, 1024)
    record = counted(plan, _asked(plan, _right))
    assert isinstance(record, TokensRecord)
    assert "112x1008 and 1008x112" in record.too_long
    assert judge_tokens(record).outcome == "pass"
