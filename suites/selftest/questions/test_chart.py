import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.questions.grading import grade_chart

pytestmark = pytest.mark.selftest


@pytest.mark.parametrize(
    ("expected", "said", "correct"),
    # |said - expected| <= 5 % of |expected|, by hand.
    [
        ("100", "105", True),
        ("100", "95", True),
        ("100", "105.01", False),
        ("100", "94.99", False),
        ("1", "1.05", True),
        ("-20", "-21", True),
        ("-20", "20", False),
        ("0.2", "0.21", True),
        ("1,234", "1234", True),
        ("1234", "1,200", True),
        ("$5", "5", True),
        ("two", "2", True),
        ("0", "0.0", True),
        ("0", "0.0001", False),
        ("0%", "0", True),
    ],
)
def test_a_number_within_five_per_cent_is_right(expected: str, said: str, *, correct: bool) -> None:
    """The tolerance is a share of what was expected, its bound is right, and 0 has none."""
    assert grade_chart(expected, said).correct is correct


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("20%", "20", True),
        ("20%", "0.2", True),
        ("20%", "20 percent", True),
        ("20%", "0.2%", False),
        ("20", "0.2", False),
        ("20%", "2", False),
    ],
)
def test_a_percent_sign_may_be_a_unit_or_a_share(one: str, other: str, *, alike: bool) -> None:
    """A sign on one side only leaves both readings, in either direction."""
    assert grade_chart(one, other).correct is alike
    assert grade_chart(other, one).correct is alike


def test_words_must_match_exactly() -> None:
    """What is expected in words, a number among them or not, has no tolerance."""
    assert grade_chart("Brazil", "brazil.").correct
    assert not grade_chart("Brazil", "Brasil").correct
    assert grade_chart("Group 100", "group 100").correct
    assert not grade_chart("Group 100", "group 101").correct


def test_a_sentence_may_stand_around_the_only_number() -> None:
    """Words beside the number do not matter; two different numbers are undecided."""
    assert grade_chart("40", "The value is about 41.").correct
    assert "two different numbers" in grade_chart("40", "40 in 2019").reason
    assert "no number" in grade_chart("40", "high").reason


@given(st.integers(1, 10**9), st.floats(0.01, 0.5))
def test_the_tolerance_can_be_set(number: int, tolerance: float) -> None:
    """A tenth more is right where a tenth is allowed, and the number itself always."""
    assert grade_chart(str(number), str(number), tolerance).correct
    more = f"{number}.{number}"
    assert grade_chart(str(10 * number), str(11 * number), tolerance).correct == (tolerance >= 0.1)
    assert grade_chart(more, more, 0.0).correct
