import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.questions.grading import grade_number, read_numbers
from fixtures.questions.grading.numbers import Number

pytestmark = pytest.mark.selftest

_UNDER_20: list[str] = re.findall(
    r"\w+",
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen",
)
_TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def _in_words(number: int, between: str) -> str:
    """Say a number below a thousand million."""
    for size, word in ((1_000_000, "million"), (1_000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = f" {_in_words(number % size, between)}" if number % size else ""
            return f"{_in_words(number // size, between)} {word}{rest}"
    if number < 20:
        return _UNDER_20[number]
    one = number % 10
    return _TENS[number // 10] + (f"{between}{_UNDER_20[one]}" if one else "")


@given(st.integers(0, 999_999_999), st.sampled_from([" ", "-"]))
def test_a_number_in_words_is_the_number(number: int, between: str) -> None:
    """Words and digits, with commas or without, are read alike."""
    for said in (_in_words(number, between), str(number), f"{number:,}"):
        assert [one.value for one in read_numbers(said).numbers] == [number], said
        assert grade_number(str(number), f"There are {said} of them.").correct


@given(st.decimals(-10_000, 10_000, places=2))
def test_a_decimal_is_exact(number: object) -> None:
    """No figure is rounded on its way through a binary float."""
    (read,) = read_numbers(f"{number}").numbers
    assert read.value == Fraction(str(number))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("two hundred and five", [205]),
        ("two and three", [2, 3]),
        ("two, three", [2, 3]),
        ("five six", [5, 6]),
        ("hundred", [100]),
        ("3-4", [3, 4]),
        ("\N{MINUS SIGN}4", [-4]),
        ("5.", [5]),
        (".5", [Fraction(1, 2)]),
        ("10:30", [10, 30]),
    ],
)
def test_what_is_one_number_and_what_is_two(text: str, values: list[int | Fraction]) -> None:
    """Words join where English joins them, and a minus between two numbers is none."""
    assert [one.value for one in read_numbers(text).numbers] == values


@pytest.mark.parametrize("text", ["1,5", "12,34", "1e5", "1.2k", "20kg", "B2", "1.2.3", ""])
def test_what_is_grown_together_is_no_number(text: str) -> None:
    """What could be meant in two ways, or has letters in it, is not guessed at."""
    assert read_numbers(text).numbers == ()


@pytest.mark.parametrize("text", ["20%", "20 %", "20 percent", "twenty per cent"])
def test_percent_belongs_to_its_number(text: str) -> None:
    """The sign and the word are one, and neither is a word beside the number."""
    reading = read_numbers(text)
    assert reading.numbers == (Number(Fraction(20), percent=True),)
    assert reading.alone


def test_two_numbers_are_undecided() -> None:
    """An answer that names two numbers is wrong, whichever comes first; repeats count once."""
    assert not grade_number("2", "2 or 3").correct
    assert "two different numbers" in grade_number("2", "three or two").reason
    assert grade_number("two", "2, I count 2.0").correct


def test_an_answer_without_a_number_says_so() -> None:
    """The reason tells a missing number from another one."""
    assert "no number" in grade_number("2", "many").reason
    assert "no number" not in grade_number("2", "3").reason


def test_a_number_must_be_expected() -> None:
    """A question with another kind of answer is graded by another grader."""
    with pytest.raises(ValueError, match="one number must be expected, not 'red'"):
        grade_number("red", "2")
