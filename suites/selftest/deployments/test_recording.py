import dataclasses

import pytest

from fixtures.cells.cards import CARDS, MIB, Gpu
from fixtures.deployments.recording import (
    emulation_told,
    graded_record,
    tallied,
)
from fixtures.questions.asking import Answer
from fixtures.questions.catalogue import held_out
from fixtures.records.schema import Unmeasured
from fixtures.runtimes.launching import Launch
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest

ASKED = held_out("colour", "single", 1)[0]
PROMISED = {"colour": 0.97}


def _answer(text: str, tokens: int | None = 2, error: str | None = None) -> Answer:
    return Answer(ASKED, text, 0.0, 0.1, 0.5, tokens, tokens, "stop", error)


def test_answers_are_graded_and_wrong_ones_kept() -> None:
    """Right, wrong and failed are counted by skill; what was not right can be looked at."""
    answers = [_answer(ASKED.answer), _answer("mauve"), _answer("", error="APITimeoutError: x")]
    record = tallied(answers, concurrency=4, promised=PROMISED)
    skill = record.skills["colour"]
    assert (record.concurrency, skill.asked, skill.correct, skill.failed) == (4, 3, 1, 1)
    assert [wrong.reason for wrong in record.wrong] == [
        f"expected {ASKED.answer!r}, got 'mauve'",
        "APITimeoutError: x",
    ]
    assert record.wrong[0].seed == ASKED.seed


def test_an_answer_that_failed_is_not_right_by_what_came_before() -> None:
    """A stream that broke off after the right word is a failed request."""
    record = tallied([_answer(ASKED.answer, error="broke off")], 1, PROMISED)
    assert record.skills["colour"].correct == 0
    assert record.skills["colour"].failed == 1


def test_a_flood_of_wrong_answers_stays_readable() -> None:
    """All are counted, and of each skill only so many told as a person would look at."""
    (other,) = held_out("shape", "single", 1)
    flood = [_answer("mauve")] * 500
    record = tallied([*flood, _answer("mauve")._replace(question=other)], 1, PROMISED)
    assert record.skills["colour"].asked == 500
    assert [wrong.skill for wrong in record.wrong] == ["colour"] * 10 + ["shape"]
    assert len(record.graded) == 501


def test_every_answer_is_kept_with_its_grade() -> None:
    """A later run finds the question, the raw reply, the grade and what the reply cost."""
    (right, wrong) = tallied([_answer(ASKED.answer), _answer(" Mauve.\n")], 1, PROMISED).graded
    assert (right.skill, right.layout, right.seed) == ("colour", "single", ASKED.seed)
    assert (right.correct, right.reason, right.expected) == (True, "", ASKED.answer)
    assert (right.prompt_tokens, right.completion_tokens, right.finish_reason) == (2, 2, "stop")
    assert (wrong.correct, wrong.given) == (False, " Mauve.\n")
    assert "got 'Mauve.'" in wrong.reason


def test_what_a_response_did_not_tell_is_unmeasured() -> None:
    """Token counts that did not come are neither 0 nor nothing, and say why."""
    untold, failed = tallied(
        [_answer("red", tokens=None), _answer("", tokens=None, error="broke off")], 1, PROMISED
    ).graded
    assert untold.prompt_tokens == Unmeasured(unmeasured="the response did not tell")
    assert failed.completion_tokens == Unmeasured(unmeasured="no whole answer: broke off")
    assert (failed.correct, failed.reason) == (False, "broke off")


def test_pictures_are_told_apart() -> None:
    """Two questions have one picture exactly when they show the same."""
    other, again = held_out("colour", "single", 2)[1], dataclasses.replace(ASKED, text="And it?")
    pictures = [
        graded_record(_answer("red")._replace(question=question)).picture
        for question in (ASKED, again, other)
    ]
    assert pictures[0] == pictures[1] != pictures[2]


def test_each_skill_has_its_interval() -> None:
    """The record holds the exact bounds of the accuracy, failed requests counted as wrong."""
    skill = tallied([_answer(ASKED.answer)] * 29 + [_answer("", error="x")], 1, PROMISED).skills[
        "colour"
    ]
    assert (skill.low, skill.high) == pytest.approx((0.8278, 0.9992), abs=1e-4)


def test_raw_tokens_around_the_right_word_are_wrong() -> None:
    """A reply that people would not read as the answer is no right answer."""
    record = tallied([_answer(f"\u0120{ASKED.answer}")], 1, PROMISED)
    assert record.skills["colour"].correct == 0
    assert "gibberish: raw token" in record.wrong[0].reason


def test_a_thousand_long_replies_keep_the_record_small() -> None:
    """A model that does not stop fills no disk: the beginning of each reply is kept."""
    record = tallied([_answer("word and " * 300)] * 1000, 1, PROMISED)
    assert len(record.model_dump_json()) < 2 << 20
    assert record.graded[0].given.startswith("word and word")


def test_symptoms_are_looked_for_where_something_is_promised() -> None:
    """Answers that all ended at the token limit show it; without a promise nothing is told."""
    answers = [_answer(ASKED.answer)._replace(finish_reason="length")] * 30
    found = tallied(answers, 4, PROMISED).symptoms
    assert not isinstance(found, Unmeasured)
    assert [symptom.name for symptom in found] == ["stop token ignored"]
    assert isinstance(tallied(answers, 4, {}).symptoms, Unmeasured)


def test_an_emulated_card_is_told_with_gpu_ballast_and_share() -> None:
    """What the server is told to plan with is read from its command line."""
    h100 = CARDS["gpu48"].on(Gpu(0, "GPU-0", "NVIDIA H100 80GB HBM3", 81_559 * MIB))
    launch = Launch(("python", "--gpu-memory-utilization", "0.5083", "--seed", "0"), {})
    held = "on NVIDIA H100 80GB HBM3 (81,559 MiB): 35,491 MiB held by a ballast"
    assert emulation_told(h100, launch) == f"{held}, utilization rescaled to 0.5083"
    assert emulation_told(h100, NOT_SEEN) == held


def test_a_card_that_is_not_emulated_is_told_as_that() -> None:
    """A GPU that is the card, and a card that is no GPU."""
    l40s = CARDS["gpu48"].on(Gpu(0, "GPU-0", "NVIDIA L40S", 46_068 * MIB))
    assert emulation_told(l40s, NOT_SEEN) is False
    assert emulation_told(None, NOT_SEEN) is False
