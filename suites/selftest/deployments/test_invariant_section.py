"""Answered pairs become a record: only right originals count, and what flipped is kept."""

from collections.abc import Callable

import pytest

from fixtures.deployments.invariant_section import compared
from fixtures.questions.asking import Answer
from fixtures.questions.catalogue import Question
from fixtures.questions.pairs import INVARIANTS, AskedPair, pairs_of
from fixtures.records.schema import InvariantRecord
from fixtures.verdicts.invariants import judge_invariants

pytestmark = pytest.mark.selftest

PAIRS = pairs_of(24)
CHANGED = INVARIANTS[:-2]


def _answer(question: Question, text: str, error: str | None = None) -> Answer:
    return Answer(question, text, 0.0, 0.1, 0.2, 70, 2, "stop", error)


def _asked(variant_text: Callable[[Question, Question], str]) -> list[AskedPair]:
    """Originals are answered right, and variants by what is told of both."""
    return [
        AskedPair(
            pair.invariant,
            _answer(pair.original, pair.original.answer),
            _answer(pair.variant, variant_text(pair.original, pair.variant)),
        )
        for pair in PAIRS
    ]


def _outcomes(asked: list[AskedPair]) -> dict[str, str]:
    judged = judge_invariants({"colour": 0.97}, compared(asked), CHANGED)
    return {v.about.removeprefix("invariant: "): v.outcome for v in judged}


def test_a_model_that_sees_the_change_passes() -> None:
    """Who answers every variant right keeps every invariant."""
    seen = _asked(lambda _, variant: variant.answer)
    assert _outcomes(seen) == dict.fromkeys(CHANGED, "pass")


def test_a_model_that_does_not_look_fails_where_the_answer_changes() -> None:
    """Who repeats the original's answer fails what is mirrored, turned and recoloured."""
    repeated = _outcomes(_asked(lambda original, _: original.answer))
    failed = {name for name, outcome in repeated.items() if outcome == "fail"}
    assert failed == {"mirrored", "upside down", "recoloured"}


def test_a_format_that_is_decoded_wrong_fails() -> None:
    """Of four formats one is enough, since all of its answers are wrong."""
    garbled = _asked(lambda _, variant: "red" if variant.encoding == "bmp" else variant.answer)
    outcomes = _outcomes(garbled)
    assert outcomes.pop("re-encoded") == "fail"
    assert set(outcomes.values()) == {"pass"}


def _record(*pairs: AskedPair) -> InvariantRecord:
    (record,) = compared(pairs)
    return record


def test_a_wrong_original_does_not_count() -> None:
    """Whatever became of its variant, such a pair tells nothing."""
    pair = PAIRS[0]
    wrong = _answer(pair.original, "purple")
    for text in (pair.variant.answer, "purple"):
        record = _record(AskedPair("mirrored", wrong, _answer(pair.variant, text)))
        assert (record.asked, record.counted, record.consistent, record.flips) == (1, 0, 0, [])


def test_a_flip_is_kept_to_be_looked_at() -> None:
    """Seed, words, both answers and what was expected are in the record."""
    pair = PAIRS[0]
    right, same = pair.original.answer, _answer(pair.variant, pair.original.answer)
    record = _record(AskedPair("mirrored", _answer(pair.original, right), same))
    (flip,) = record.flips
    assert (flip.seed, flip.question) == (pair.variant.seed, pair.variant.text)
    assert (flip.original, flip.expected, flip.given) == (right, pair.variant.answer, right)


@pytest.mark.parametrize("lost", [0, 1])
def test_a_request_without_an_answer_is_a_failed_pair(lost: int) -> None:
    """On either side; the pair is not counted, and its error is kept first."""
    pair = PAIRS[0]
    texts: list[str | None] = [None, None]
    texts[lost] = "no whole answer within 1 s"
    record = _record(
        AskedPair(
            "mirrored",
            _answer(pair.original, pair.original.answer, texts[0]),
            _answer(pair.variant, pair.variant.answer, texts[1]),
        )
    )
    assert (record.failed, record.counted) == (1, 0)
    assert record.flips[0].error == "no whole answer within 1 s"
