import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.questions.grading import grade_choice, letters_chosen

pytestmark = pytest.mark.selftest

LETTERS = st.sampled_from("ABCDEF")
FORMS = (
    "{}",
    "({})",
    "{}.",
    "{})",
    "**{}**",
    "{}: a red circle",
    "{}) a red circle",
    "({}) a red circle",
    "The answer is {}",
    "The answer is {}.",
    "The answer is ({}).",
    "Answer: {}",
    "option {}",
    "{} is right",
    "I choose {}.",
)


@given(LETTERS, st.sampled_from(FORMS))
def test_a_letter_is_found_in_whatever_form(letter: str, form: str) -> None:
    """Alone, in brackets, before a stop, after "answer": the letter is chosen."""
    assert grade_choice(letter, form.format(letter)).correct, form.format(letter)


@given(LETTERS, LETTERS, st.sampled_from(FORMS))
def test_another_letter_is_wrong(letter: str, other: str, form: str) -> None:
    """Only the expected letter is right."""
    assert grade_choice(letter, form.format(other)).correct == (letter == other)


@given(LETTERS, st.sampled_from(["{}", "({})", "{}.", "The answer is {}."]))
def test_a_small_letter_is_chosen_where_it_is_no_word(letter: str, form: str) -> None:
    """Case does not count where nothing but a letter can be meant."""
    assert grade_choice(letter, form.format(letter.lower())).correct


@pytest.mark.parametrize(
    "said",
    [
        "A red circle",
        "a circle",
        "The answer is a red circle",
        "The answer is A red one",
        "I see a",
    ],
)
def test_the_article_is_no_choice(said: str) -> None:
    """A capital or small A before a noun chooses nothing."""
    assert letters_chosen(said) == set()
    assert "no letter" in grade_choice("A", said).reason


@given(LETTERS, LETTERS, st.sampled_from(["{} or {}", "{}, not {}", "({}) and ({})", "{}/{}"]))
def test_two_different_letters_are_undecided(one: str, other: str, form: str) -> None:
    """Whichever letter is meant, an answer that names two has not decided."""
    if one != other:
        assert "undecided" in grade_choice(one, form.format(one, other)).reason
        assert not grade_choice(other, form.format(one, other)).correct


@pytest.mark.parametrize("said", ["not B", "It is not (b).", "It isn't B"])
def test_a_denied_letter_is_not_chosen(said: str) -> None:
    """A letter after "not" is wrong, and the reason says so."""
    assert "denied" in grade_choice("B", said).reason


@pytest.mark.parametrize("said", ["I think so", "e.g. red", "Because", "", "G"])
def test_what_names_no_option_is_wrong(said: str) -> None:
    """A pronoun, an abbreviation, a word, nothing, and a letter that is no option."""
    assert "no letter" in grade_choice("B", said).reason


def test_options_can_be_other_letters() -> None:
    """A question may have more options, or fewer, and what it expects must be one of them."""
    assert grade_choice("I", "(I)", "ABCDEFGHI").correct
    assert grade_choice("A", "A", "A").correct
    with pytest.raises(ValueError, match="one of the letters AB must be expected, not 'C'"):
        grade_choice("C", "C", "AB")
