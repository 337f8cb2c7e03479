import pytest

from fixtures.deployments.recording import round_record, tallied
from fixtures.questions.asking import Answer
from fixtures.questions.catalogue import held_out
from fixtures.records.schema import LatencyRecord, Unmeasured

pytestmark = pytest.mark.selftest

ASKED = held_out("colour", "single", 1)[0]


def _answer(text: str, tokens: int | None = 2, error: str | None = None) -> Answer:
    return Answer(ASKED, text, 0.0, 0.1, 0.5, tokens, tokens, "stop", error)


def test_answers_are_graded_and_wrong_ones_kept() -> None:
    """Right, wrong and failed are counted by skill; what was not right can be looked at."""
    answers = [_answer(ASKED.answer), _answer("mauve"), _answer("", error="APITimeoutError: x")]
    record = tallied(answers, concurrency=4)
    skill = record.skills["colour"]
    assert (record.concurrency, skill.asked, skill.correct, skill.failed) == (4, 3, 1, 1)
    assert [wrong.reason for wrong in record.wrong] == [
        f"expected {ASKED.answer!r}, got 'mauve'",
        "APITimeoutError: x",
    ]
    assert record.wrong[0].seed == ASKED.seed


def test_an_answer_that_failed_is_not_right_by_what_came_before() -> None:
    """A stream that broke off after the right word is a failed request."""
    record = tallied([_answer(ASKED.answer, error="broke off")], concurrency=1)
    assert record.skills["colour"].correct == 0
    assert record.skills["colour"].failed == 1


def test_a_flood_of_wrong_answers_stays_readable() -> None:
    """All are counted, and only so many kept as a person would look at."""
    record = tallied([_answer("mauve")] * 500, concurrency=1)
    assert record.skills["colour"].asked == 500
    assert len(record.wrong) == 20


def test_a_round_without_counts_has_no_rate() -> None:
    """A missing token count is unmeasured with its reason; latency is still known."""
    record = round_record([_answer("red"), _answer("red", tokens=None)])
    assert isinstance(record.completion_tokens_per_s, Unmeasured)
    assert isinstance(record.prompt_tokens_per_s, Unmeasured)
    assert isinstance(record.e2e, LatencyRecord)


def test_a_round_without_answers_has_no_latency() -> None:
    """Requests that all failed were not fast."""
    record = round_record([_answer("", error="refused")])
    assert (record.requests, record.failed) == (1, 1)
    assert record.ttft == record.e2e == Unmeasured(unmeasured="no request was answered")
