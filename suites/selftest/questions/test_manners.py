"""The same is asked of every model, in the manner that it wants."""

import pytest

from fixtures.cells.manner import PLAIN, Manner
from fixtures.cells.models import PROFILES
from fixtures.questions.asked import content_of
from fixtures.questions.asking import extras_of
from fixtures.questions.catalogue import held_out
from fixtures.questions.corpus.item import Item, Picture

pytestmark = pytest.mark.selftest

ITEM = Item(
    skill="next-to-text",
    number=0,
    difficulty="easy",
    guards="",
    parts=("abc", Picture(b"one"), "def"),
    answers=("yes",),
    grading="yes-no",
    inline=True,
)


def _kinds(manner: Manner) -> list[str]:
    return [part["type"] for part in content_of(ITEM, manner)]


def test_a_picture_within_a_sentence_is_a_placeholder_where_the_template_has_none() -> None:
    """The picture comes first, and the one text says where it belongs."""
    assert _kinds(PLAIN) == ["image_url", "text"]
    assert content_of(ITEM, PLAIN)[1]["text"] == "abc(<image>./</image>)def"


def test_a_template_that_places_pictures_itself_gets_the_parts_in_order() -> None:
    """A placeholder would be a second picture there."""
    manner = PROFILES["minicpmv-4.6"].manner
    assert _kinds(manner) == ["text", "image_url", "text"]
    assert "<" not in "".join(part.get("text", "") for part in content_of(ITEM, manner))


def test_a_released_model_is_told_the_form_of_the_answer() -> None:
    """The words say it; a tiny checkpoint hears the bare question."""
    (question,) = held_out("count", "single", 1)
    said = content_of(question, PROFILES["minicpmv-2.6"].manner)[-1]["text"]
    assert said == f"{question.text} Answer with one number."
    assert content_of(question, PLAIN)[-1]["text"] == question.text


@pytest.mark.parametrize("version", ["4.5", "4.6", "4.7"])
def test_a_model_that_can_think_is_asked_not_to(version: str) -> None:
    """A thought would be cut off before the answer."""
    extras = extras_of(PROFILES[f"minicpmv-{version}"].manner)
    assert extras["chat_template_kwargs"] == {"enable_thinking": False}


def test_no_word_of_an_answer_ends_it() -> None:
    """Of the first tokens, which are signs in Qwen's vocabulary, only MiniCPM4's </s> is one."""
    ends = [end for profile in PROFILES.values() for end in profile.manner.stop_token_ids]
    assert {end for end in ends if end < 100} == {2}
