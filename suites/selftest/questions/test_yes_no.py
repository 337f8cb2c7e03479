import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.questions.grading import grade_yes_no, read_yes_no

pytestmark = pytest.mark.selftest


@pytest.mark.parametrize("form", ["{}", "{}.", "**{}**", "{}, there is a dog", "I say {}!"])
@pytest.mark.parametrize(("word", "other"), [("yes", "no"), ("No", "Yes")])
def test_the_expected_word_alone_is_right(word: str, other: str, form: str) -> None:
    """Yes is right for yes and wrong for no, whatever stands around it."""
    assert grade_yes_no(word, form.format(word)).correct
    assert not grade_yes_no(other, form.format(word)).correct


@pytest.mark.parametrize("said", ["", "maybe", "It is not.", "yes and no", "nothing", "yesterday"])
def test_unknown_is_wrong_either_way(said: str) -> None:
    """Neither word, both, and words that only begin like one are wrong for both."""
    for expected in ("yes", "no"):
        assert "neither yes nor no, or both" in grade_yes_no(expected, said).reason


@given(st.text(max_size=30))
def test_no_answer_is_right_for_both(said: str) -> None:
    """Whatever is said, at most one of the two is right."""
    right = [grade_yes_no(expected, said).correct for expected in ("yes", "no")]
    assert sum(right) == (read_yes_no(said) != "unknown")


def test_yes_or_no_must_be_expected() -> None:
    """A question with another kind of answer is graded by another grader."""
    with pytest.raises(ValueError, match="yes or no must be expected, not 'red'"):
        grade_yes_no("red", "yes")
