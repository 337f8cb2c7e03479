import pytest

from fixtures.records.schema import MarksRecord, TokenCount, TokensRecord, Unmeasured
from fixtures.verdicts.tokens import judge_tokens
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest

WIDE = TokenCount(pictures=["336x112: 3 columns x 1 rows"], predicted=198, told=198)
TALL = TokenCount(pictures=["112x336: 1 columns x 3 rows"], predicted=200, told=200)


def _tokens(*counts: TokenCount, **more: object) -> TokensRecord:
    record = TokensRecord(
        scale_resolution=112,
        max_slice_nums=9,
        visual_tokens=64,
        marks=MarksRecord(around_slice=2, row_break=1),
        marks_told_by="tokenizer",
        counts=list(counts),
    )
    return record.model_copy(update=more)


def test_counts_as_predicted_pass() -> None:
    """Every size costs what it must, and the verdict says for how many that was seen."""
    verdict = judge_tokens(_tokens(WIDE, TALL, too_long=["1008x112 and 1008x112"]))
    assert verdict == (
        "prompt tokens",
        "pass",
        "as predicted for 2 prompts, 1 too long for the cell",
    )


@pytest.mark.parametrize("told", [197, 199, 0])
def test_one_token_more_or_less_fails(told: int) -> None:
    """The reason names the size with its grid, what was expected and what was told."""
    verdict = judge_tokens(_tokens(WIDE.model_copy(update={"told": told}), TALL))
    assert verdict.outcome == "fail"
    said = f"336x112: 3 columns x 1 rows: 198 tokens beyond one slice expected, {told} told"
    assert verdict.reason == said


def test_many_wrong_sizes_are_counted() -> None:
    """A reason names a few, and says of how many prompts there are more."""
    wrong = [WIDE.model_copy(update={"told": number}) for number in range(5)]
    reason = judge_tokens(_tokens(*wrong, TALL)).reason
    assert reason.count("expected") == 3
    assert reason.endswith("; and 2 more of 6 prompts")


def test_a_refused_size_fails() -> None:
    """A request without an answer is named, whatever else was right."""
    refused = WIDE.model_copy(update={"told": NOT_SEEN, "error": "BadRequestError: too large"})
    verdict = judge_tokens(_tokens(TALL, refused))
    assert verdict.outcome == "fail"
    assert "3 columns x 1 rows: no answer (BadRequestError: too large)" in verdict.reason


def test_without_usage_nothing_is_measured() -> None:
    """An answer without its token counts does not pass, and a wrong count elsewhere still fails."""
    silent = WIDE.model_copy(update={"told": NOT_SEEN})
    assert judge_tokens(_tokens(TALL, silent)).outcome == "unmeasured"
    wrong = TALL.model_copy(update={"told": 198})
    assert judge_tokens(_tokens(wrong, silent)).outcome == "fail"


def test_marks_that_contradict_themselves_fail() -> None:
    """A calibration that nothing explains is no missing measurement: the server is wrong."""
    verdict = judge_tokens(_tokens(WIDE, marks=NOT_SEEN, contradicted="no marks explain both"))
    assert (verdict.outcome, verdict.reason) == ("fail", "no marks explain both")


def test_an_unknown_prediction_is_unmeasured() -> None:
    """Without marks nothing is predicted, and nothing passes."""
    unknown = WIDE.model_copy(update={"predicted": Unmeasured(unmeasured="no marks")})
    assert judge_tokens(_tokens(unknown, marks=NOT_SEEN)).outcome == "unmeasured"


def test_nothing_asked_is_unmeasured() -> None:
    """Neither a section that is missing nor one without prompts passes."""
    assert judge_tokens(NOT_SEEN).outcome == "unmeasured"
    assert judge_tokens(_tokens()).outcome == "unmeasured"
