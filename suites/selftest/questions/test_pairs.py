"""Pairs of questions: enough of each invariant, made alike every time, asked as said."""

from collections import Counter

import pytest

from fixtures.cells.manner import Manner
from fixtures.questions.asking import messages_of
from fixtures.questions.catalogue import HELD_OUT, SKILLS, UNIT, answers
from fixtures.questions.pairs import AMONG_OTHERS, ASKED_AGAIN, INVARIANTS, ask_pairs, pairs_of
from fixtures.questions.scenes import Scene
from suites.selftest.questions.endpoints import OpenAiHandler, serving

pytestmark = pytest.mark.selftest

PAIRS = pairs_of(24)
ALTERED = ("mirrored", "upside down", "recoloured")


def test_every_invariant_has_as_many_pairs_as_asked_for() -> None:
    """None is short, and the two that change no question are made while asking."""
    numbers = Counter(pair.invariant for pair in PAIRS)
    assert numbers == dict.fromkeys(INVARIANTS[:-2], 24)
    assert INVARIANTS[-2:] == (AMONG_OTHERS, ASKED_AGAIN)


def test_pairs_are_the_same_every_time() -> None:
    """Nothing is drawn anew, and more pairs begin with the fewer."""
    assert pairs_of(24) == PAIRS
    first = [pair for pair in PAIRS if pair.invariant == "swapped"][:3]
    assert [pair for pair in pairs_of(3) if pair.invariant == "swapped"] == first


def test_enlarged_pairs_ask_the_same_of_larger_pictures() -> None:
    """What is true of the scenes stays, whatever was done to them, and so does the file format."""
    for small, large in zip(PAIRS, pairs_of(24, enlargement=4), strict=True):
        for before, after in zip(small[1:], large[1:], strict=True):
            assert (after.text, after.answer, after.encoding) == (
                before.text,
                before.answer,
                before.encoding,
            )
            for old, new in zip(before.pictures, after.pictures, strict=True):
                assert (new.width, new.height) == (4 * old.width, 4 * old.height)
                assert answers(new) == answers(old)


def test_nothing_that_was_trained_on_is_asked() -> None:
    """Every seed is held out."""
    assert min(pair.original.seed for pair in PAIRS) >= HELD_OUT


@pytest.mark.parametrize("invariant", ALTERED)
def test_who_ignores_the_change_is_always_wrong(invariant: str) -> None:
    """The answer differs in every pair whose change can alter it, and the words do not."""
    for pair in PAIRS:
        if pair.invariant == invariant:
            assert pair.original.answer != pair.variant.answer
            assert pair.original.text == pair.variant.text


def test_what_cannot_alter_the_answer_is_tried_with_every_skill() -> None:
    """Re-encoding, padding and order keep the answer, for each skill as often as for another."""
    for invariant in set(INVARIANTS[:-2]) - set(ALTERED):
        pairs = [pair for pair in PAIRS if pair.invariant == invariant]
        assert all(pair.original.answer == pair.variant.answer for pair in pairs)
        assert set(Counter(pair.original.skill for pair in pairs)) == set(SKILLS)


def test_every_format_is_tried_with_every_skill() -> None:
    """A format that one skill suffers from is met by it."""
    tried = {(p.variant.skill, p.variant.encoding) for p in PAIRS if p.invariant == "re-encoded"}
    assert len(tried) == 4 * len(SKILLS)
    assert "png" not in {encoding for _, encoding in tried}


def test_a_server_is_asked_alone_first_and_for_the_hundredth_time() -> None:
    """Each pair is asked, the first questions before all others; one comes a hundred times."""
    with serving(OpenAiHandler) as endpoint:
        asked = ask_pairs(endpoint, 2, 4, 10.0)
        bodies = [body["messages"] for body in OpenAiHandler.requests]
    assert Counter(pair.invariant for pair in asked) == dict.fromkeys(INVARIANTS, 2)
    assert all(pair.original.error is pair.variant.error is None for pair in asked)
    again = [pair for pair in asked if pair.invariant == ASKED_AGAIN]
    assert bodies[:2] == [messages_of(pair.original.question) for pair in again]
    assert bodies.count(bodies[0]) == 100
    for pair in asked:
        if pair.invariant in (AMONG_OTHERS, ASKED_AGAIN):
            assert pair.original.question == pair.variant.question
            assert pair.original.sent_at_s < pair.variant.sent_at_s


def test_a_server_is_asked_in_its_models_manner() -> None:
    """Pictures are as large as the endpoint's manner wants them."""
    with serving(OpenAiHandler) as endpoint:
        asked = ask_pairs(endpoint._replace(manner=Manner(enlargement=2)), 1, 4, 10.0)
    scenes = [scene for pair in asked for scene in pair.original.question.pictures]
    assert all(isinstance(scene, Scene) and scene.width > UNIT for scene in scenes)
