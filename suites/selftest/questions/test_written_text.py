import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.questions.grading import edit_distance, grade_text, similarity

pytestmark = pytest.mark.selftest

TEXTS = st.text("abc", max_size=8)


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("kitten", "sitting", 3),
        ("", "abc", 3),
        ("abc", "abc", 0),
        ("ab", "ba", 2),
        ("flaw", "lawn", 2),
    ],
)
def test_the_distance_is_levenshteins(one: str, other: str, distance: int) -> None:
    """Insertions, deletions and replacements cost one each; a swap is two."""
    assert edit_distance(one, other) == distance


@given(TEXTS, TEXTS, TEXTS)
def test_the_distance_is_a_metric(one: str, other: str, third: str) -> None:
    """It is 0 for equals alone, the same both ways, and no detour is shorter."""
    between = edit_distance(one, other)
    assert (between == 0) == (one == other)
    assert between == edit_distance(other, one)
    assert between <= edit_distance(one, third) + edit_distance(third, other)
    assert abs(len(one) - len(other)) <= between <= max(len(one), len(other))


@pytest.mark.parametrize(
    ("expected", "said", "score"),
    # 1 - distance / longer, by hand; 0 from half of the letters on.
    [
        ("STOP", "stop", 1.0),
        ("STOP", "STOR", 0.75),
        ("kitten", "sitting", 4 / 7),
        ("abcd", "abxy", 0.0),
        ("abcd", "xyzw", 0.0),
        ("OPEN 24 HOURS", "open  24\nhours", 1.0),
        ("stop", "The sign says stop", 0.0),
        ("stop", "", 0.0),
    ],
)
def test_the_score_is_that_of_anls(expected: str, said: str, score: float) -> None:
    """One less the normalised distance, and 0 where half of the letters or more differ."""
    assert grade_text(expected, said).score == pytest.approx(score)
    assert grade_text(expected, said).correct == (score > 0)


@given(TEXTS, TEXTS)
def test_a_score_is_1_for_equals_and_else_0_or_above_half(one: str, other: str) -> None:
    """Nothing lies between wrong and half right."""
    score = similarity(one, other)
    assert (score == 1.0) == (one == other)
    assert score == 0.0 or 0.5 < score <= 1.0


def test_a_misreading_may_be_held_to_more() -> None:
    """A lower threshold lets fewer letters differ."""
    assert grade_text("STOP", "STOR").correct
    assert not grade_text("STOP", "STOR", threshold=0.25).correct
