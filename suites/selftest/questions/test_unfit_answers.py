import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.questions.catalogue import NUMBERS, PLACES
from fixtures.questions.grading import gibberish_in, grade, grade_text, refusal_in, screened
from fixtures.questions.scenes import COLOURS, SHAPES

pytestmark = pytest.mark.selftest

WORDS = sorted({*COLOURS, *SHAPES, *NUMBERS, *PLACES})
REFUSALS = (
    "I cannot see the picture.",
    "I can\N{RIGHT SINGLE QUOTATION MARK}t view images",
    "Sorry, as an AI language model I have no eyes",
    "I'm unable to see it",
    "I am not able to help",
    "There is no image.",
    "No picture was attached",
    "I don't see any image",
    "The image is not provided",
    "Please upload the image",
    "I'm sorry, but no",
)
GIBBERISH = (
    "\u0120red",
    "red\u010a",
    "\u2581red",
    "<0x0A>red",
    "red<|im_end|>",
    "re\ufffdd",
    "red\x00",
    "\x1b[31mred",
    "!!!!!!!!",
    "red red red red red red",
    "redredredredredredredred",
    "?!",
)


@pytest.mark.parametrize("said", REFUSALS)
def test_a_refusal_is_wrong_with_its_words(said: str) -> None:
    """Who is not answered is told that, not that the answer was another."""
    result = screened(grade)("red", f"{said} red")
    assert not result.correct
    assert "got a refusal" in result.reason


@pytest.mark.parametrize("said", GIBBERISH)
def test_gibberish_is_wrong_even_around_the_right_word(said: str) -> None:
    """Raw tokens, broken bytes and endless repeats are no answer, whatever word is among them."""
    result = screened(grade)("red", said)
    assert not result.correct
    assert "got gibberish" in result.reason


@given(
    st.sampled_from(WORDS),
    st.sampled_from(WORDS),
    st.sampled_from(["{}", "{}.", "It is {}.", "There are {}\n", "{}, {}", " "]),
)
def test_screening_lets_ordinary_answers_through(expected: str, word: str, form: str) -> None:
    """An answer in ordinary words, and an empty one, is graded as without screening."""
    said = form.format(word, word)
    assert screened(grade)(expected, said) == grade(expected, said)


@pytest.mark.parametrize(
    "said",
    [
        "no image of a dog",
        "no picture on the wall",
        "imaginary",
        "10000000000",
        "a\tb\r\n",
        "ha ha",
    ],
)
def test_what_only_looks_like_it_is_fit(said: str) -> None:
    """Descriptions, many zeros, line ends and a word said twice are answers."""
    assert refusal_in(said) is None
    assert gibberish_in(said, "red") is None


@pytest.mark.parametrize("text", ["NO IMAGE", "\u0120u\u0121", "Name ........", "I'm sorry"])
def test_what_is_written_in_the_picture_may_be_said(text: str) -> None:
    """A sign that reads like a refusal, Maltese, and rows of dots are right when expected."""
    assert screened(grade_text)(text, text).correct


def test_digits_and_symbols_are_fit_where_no_letters_are_expected() -> None:
    """Only where words are expected must there be a letter or a digit."""
    assert gibberish_in("+", "+") is None
    assert gibberish_in("2", "two") is None
    assert gibberish_in("+", "plus") is not None


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_is_told_in_one_short_line(said: str, expected: str) -> None:
    """Whatever comes back, a reason for gibberish can be printed."""
    reason = gibberish_in(said, expected)
    assert reason is None or (len(reason) < 200 and "\n" not in reason)
