import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.questions.grading import best_of, grade_exact, normal_form

pytestmark = pytest.mark.selftest


@pytest.mark.parametrize(
    ("text", "form"),
    # By hand, from the rules that the VQA challenge states.
    [
        ("The Dog.", "dog"),
        ("a dog and the cat", "dog and cat"),
        ("two", "2"),
        ("None", "0"),
        ("100,978", "100978"),
        ("3.50", "3.50"),
        ("2:50 pm", "2:50 pm"),
        ("girl's", "girl's"),
        ("dont", "don't"),
        ("don\N{RIGHT SINGLE QUOTATION MARK}t", "don't"),
        ("'red'", "red"),
        ("black-and-white", "black and white"),
        ("yes!?", "yes"),
        ("  red \n car ", "red car"),
        ("et al. 1.5 km.", "et al 1.5 km"),
    ],
)
def test_the_normal_form_is_that_of_vqa(text: str, form: str) -> None:
    """Case, articles, punctuation, number words and contractions are the published ones."""
    assert normal_form(text) == form


@given(st.text(max_size=40))
def test_a_normal_form_is_its_own(text: str) -> None:
    """Normalising twice changes nothing more."""
    once = normal_form(text)
    assert normal_form(once) == once


@given(st.text("ab1.,-' \n?", max_size=12))
def test_an_answer_is_its_own_match(text: str) -> None:
    """Whatever was expected is right when given back, unless it says nothing."""
    assert grade_exact(text, text).correct == bool(text.strip())


@pytest.mark.parametrize(
    ("expected", "given_"),
    [("isn't", "is not"), ("dog", "dogs"), ("5", "-5"), ("red", "a red car"), ("its", "it's")],
)
def test_what_says_something_else_is_no_match(expected: str, given_: str) -> None:
    """No grammar is undone: plural, sign, other words and possessives count."""
    assert not grade_exact(expected, given_).correct
    assert not grade_exact(given_, expected).correct


@pytest.mark.parametrize(("expected", "given_"), [("A", "a."), ("?", " ? "), ("the", "The")])
def test_what_is_all_article_or_punctuation_stays(expected: str, given_: str) -> None:
    """An answer that normalising would leave nothing of is compared as it is."""
    assert grade_exact(expected, given_).correct
    assert not grade_exact(expected, "!").correct


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_nothing_matches_nothing(empty: str) -> None:
    """No answer is never right, whatever was expected."""
    assert not grade_exact("red", empty).correct
    assert not grade_exact("", empty).correct


def test_the_best_of_several_accepted_answers_counts() -> None:
    """Whoever gives any of the accepted answers is right."""
    assert best_of(grade_exact, ["sofa", "couch"], "A couch.").correct
    assert not best_of(grade_exact, ["sofa", "couch"], "bed").correct
    with pytest.raises(ValueError, match="no answer is accepted"):
        best_of(grade_exact, [], "bed")
