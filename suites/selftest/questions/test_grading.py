from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.questions.catalogue import NUMBERS, PLACES
from fixtures.questions.grading import Grade, SkillScore, grade, tally
from fixtures.questions.scenes import COLOURS, SHAPES

pytestmark = pytest.mark.selftest

WORDS = sorted({*COLOURS, *SHAPES, *NUMBERS[1:], *PLACES})
ANSWERS = st.sampled_from(WORDS)
CASES: st.SearchStrategy[Callable[[str], str]] = st.sampled_from([str.lower, str.upper, str.title])
AROUND = st.text(" \t\n.,!?;:'\"*()-", max_size=5)


@given(ANSWERS, CASES, AROUND, AROUND)
def test_the_word_alone_is_right(
    answer: str, case: Callable[[str], str], before: str, after: str
) -> None:
    """The expected word is right in any case and with any punctuation around it."""
    assert grade(answer, before + case(answer) + after).correct


@given(ANSWERS)
def test_a_sentence_around_the_word_is_right(answer: str) -> None:
    """A sentence that names nothing else is as good as the word."""
    for sentence in ("It is {}.", "The shape is a {}", "There are {} in the picture.", "{}, {}"):
        assert grade(answer, sentence.format(answer, answer)).correct


@given(ANSWERS, ANSWERS)
def test_another_word_is_wrong(answer: str, other: str) -> None:
    """Only the expected word is right."""
    assert grade(answer, other).correct == (answer == other)


@given(ANSWERS, ANSWERS, st.sampled_from([" ", " or ", ", ", " and ", "/"]))
def test_two_different_words_are_wrong(answer: str, other: str, between: str) -> None:
    """An answer that names two things has not decided, whichever comes first."""
    if answer != other:
        assert not grade(answer, answer + between + other).correct
        assert not grade(answer, other + between + answer).correct


@given(ANSWERS, st.text(" \n\t.,!?-", max_size=8))
def test_no_word_is_wrong(answer: str, nothing: str) -> None:
    """An empty answer is wrong and said to be without a word."""
    result = grade(answer, nothing)
    assert not result.correct
    assert "no word" in result.reason


@given(ANSWERS, st.sampled_from(["not {}", "no {}", "un{}", "{}ish", "{}{}"]))
def test_a_word_that_says_otherwise_is_wrong(answer: str, form: str) -> None:
    """A negation, or a word that only contains the expected one, is not it."""
    assert not grade(answer, form.format(answer, answer)).correct


@pytest.mark.parametrize("number", range(1, len(NUMBERS)))
def test_a_digit_is_its_word(number: int) -> None:
    """A count may be answered in digits, and another digit is wrong."""
    assert grade(NUMBERS[number], f"{number}.").correct
    assert not grade(NUMBERS[number], str(number + 1)).correct
    assert not grade(NUMBERS[number], f"{number}{number}").correct


@pytest.mark.parametrize("shape", SHAPES)
def test_a_plural_is_its_shape(shape: str) -> None:
    """A model that answers in the plural has named the shape."""
    assert grade(shape, f"{shape}s").correct


def test_a_wrong_answer_is_told_with_both_words() -> None:
    """The reason has what was expected and what was given."""
    assert grade("red", "Blue.") == Grade(correct=False, reason="expected 'red', got 'Blue.'")
    assert grade("red", "Red.") == Grade(correct=True, reason="")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([True, False, None]))))
def test_a_tally_counts_each_mark_once(marks: list[tuple[str, bool | None]]) -> None:
    """Right, wrong and failed add up to what was asked, skill by skill."""
    scores = tally(marks)
    assert set(scores) == {skill for skill, _ in marks}
    for skill, score in scores.items():
        of_skill = [mark for name, mark in marks if name == skill]
        assert score == (len(of_skill), of_skill.count(True), of_skill.count(None))


def test_a_failed_request_counts_against_the_accuracy() -> None:
    """A question without an answer is not left out of the share."""
    assert tally([("a", True), ("a", None)])["a"].accuracy == 0.5


def test_nothing_asked_has_no_accuracy() -> None:
    """An accuracy of nothing is an error, neither 0 nor 1."""
    with pytest.raises(ZeroDivisionError):
        _ = SkillScore(0, 0, 0).accuracy
