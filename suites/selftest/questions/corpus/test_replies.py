"""Plausible right replies to drawn items are right, and plausible wrong ones wrong."""

from functools import cache

import pytest

from fixtures.questions.asked import grade_of
from fixtures.questions.corpus import (
    charts,
    clock,
    moving,
    paragraph,
    shapes,
    small_print,
    table,
    written,
)
from fixtures.questions.corpus.item import Item, Maker

pytestmark = pytest.mark.selftest

ROOMS = (shapes, written, paragraph, small_print, table, charts, clock, moving)
DRAWN: dict[str, Maker] = {skill: make for room in ROOMS for skill, make in room.MAKERS.items()}


@cache
def clock_at(time: str) -> Item:
    """The item of this full or half hour."""
    return next(item for item in map(clock.clock, range(0, 48, 2)) if item.answer == time)


@pytest.mark.parametrize("skill", DRAWN)
def test_answer_is_right_however_it_is_dressed(skill: str) -> None:
    """Each accepted answer is right: alone, with a full stop, in bold, among white space."""
    for number in range(16):
        item = DRAWN[skill](number)
        for answer in item.answers:
            for reply in (answer, f"{answer}.", f"  {answer}\n", answer.capitalize()):
                assert grade_of(item, reply).correct, (item.id, reply)
            assert grade_of(item, f"**{answer}**").correct, (item.id, answer)


@pytest.mark.parametrize("skill", DRAWN)
def test_another_items_answer_is_wrong(skill: str) -> None:
    """No answer of the skill is right for an item with another one."""
    made = [DRAWN[skill](number) for number in range(16)]
    for item in made:
        for other in made:
            if other.answer not in item.answers and item.grading == other.grading:
                assert not grade_of(item, other.answer).correct, (item.id, other.answer)


@pytest.mark.parametrize("skill", DRAWN)
def test_reply_that_says_nothing_is_wrong(skill: str) -> None:
    """An empty reply, a refusal and a description without the answer are wrong."""
    for number in range(6):
        item = DRAWN[skill](number)
        for reply in ("", "I cannot see the picture.", "A picture.", "There is no image."):
            assert not grade_of(item, reply).correct, (item.id, reply)


@pytest.mark.parametrize(
    "reply",
    [
        "3:30",
        "03:30",
        "15:30",
        "The time is 3:30.",
        "It is 3:30.",
        "Answer: 3:30",
        "3:30 PM",
        "3:30 p.m.",
        "half past three",
        "Half past 3.",
    ],
)
def test_time_is_right_in_every_usual_form(reply: str) -> None:
    """Half past three may be written in figures, of 12 or 24 hours, in words, or in a sentence."""
    assert grade_of(clock_at("3:30"), reply).correct


@pytest.mark.parametrize(
    "reply", ["6:15", "3:35", "4:30", "2:30", "3:03", "3", "30", "3.30 or 4:30", "half past four"]
)
def test_another_time_is_wrong(reply: str) -> None:
    """Hands taken for each other, an hour or a few minutes off, and half an answer are wrong."""
    assert not grade_of(clock_at("3:30"), reply).correct


@pytest.mark.parametrize("reply", ["12:00", "00:00", "12 o'clock", "It is 12:00."])
def test_noon_is_midnight_on_a_clock(reply: str) -> None:
    """A clock with hands does not tell the two apart."""
    assert grade_of(clock_at("12:00"), reply).correct


def test_number_is_right_in_a_sentence_and_with_its_comma() -> None:
    """Digits may stand in a sentence; spaces between them make several numbers."""
    item = next(item for item in map(written.digits, range(50)) if len(item.answer) == 5)
    assert grade_of(item, f"The number is {item.answer}.").correct
    assert grade_of(item, f"{int(item.answer):,}").correct
    assert not grade_of(item, " ".join(item.answer)).correct
    assert not grade_of(item, item.answer[::-1]).correct
    assert not grade_of(item, item.answer[:-1]).correct


def test_code_with_one_wrong_letter_is_wrong() -> None:
    """A code is right letter by letter or not at all; case does not count."""
    item = small_print.small_print(0)
    assert grade_of(item, f"The code is {item.answer}.").correct
    assert grade_of(item, item.answer.lower()).correct
    assert not grade_of(item, "Q" + item.answer[1:]).correct
    assert not grade_of(item, item.answer[:-1]).correct


@pytest.mark.parametrize("reply", ["{}wards", "To the {}.", "From left to right", "{}."])
def test_direction_is_right_in_every_usual_form(reply: str) -> None:
    """A movement to the right may be told in several ways."""
    item = next(item for item in map(moving.video, range(1, 99, 2)) if item.answer == "right")
    assert grade_of(item, reply.format("right")).correct
    assert not grade_of(item, "From right to left").correct
    assert not grade_of(item, "left").correct


def test_two_colours_are_no_answer() -> None:
    """A reply that names the right colour and another one has not decided."""
    item = shapes.order(0)
    assert grade_of(item, f"The shape is {item.answer}.").correct
    assert not grade_of(item, f"{item.answer} or pink").correct


def test_next_value_of_a_chart_is_wrong() -> None:
    """A line of the grid further is beyond what reading off a chart is granted."""
    for number in range(20):
        item = charts.line(number)
        value = int(item.answer)
        assert grade_of(item, f"The value is {value}.").correct
        assert not grade_of(item, str(value + 10)).correct
        assert not grade_of(item, str(value - 10)).correct
