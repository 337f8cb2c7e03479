import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from fixtures.questions.asking import Answer
from fixtures.questions.catalogue import (
    LAYOUTS,
    NUMBERS,
    PLACES,
    SKILLS,
    Question,
    held_out,
)
from fixtures.questions.pair_symptoms import answer_of_the_other, picture_asked
from fixtures.questions.picture_symptoms import swapped_colour
from fixtures.questions.scenes import COLOURS, SHAPES
from fixtures.questions.symptoms import symptoms

pytestmark = pytest.mark.selftest

PROMISED = dict.fromkeys(SKILLS, 0.97)
TOKENS = {"single": 84, "sliced": 350, "pair": 160}
WORDS = {"colour": tuple(COLOURS), "shape": SHAPES, "count": NUMBERS[1:], "position": PLACES}
QUESTIONS = [q for skill in SKILLS for layout in LAYOUTS for q in held_out(skill, layout, 30)]

Scatter = Callable[[random.Random, Question], str]


class Reply(NamedTuple):
    """What a faulty path makes of a question."""

    text: str
    finish_reason: str = "stop"
    prompt_tokens: int | None = None


Fault = Callable[[Question, Question], Reply | None]
"""From a question and the one sent before it to a faulty reply; None where the fault is not felt"""


def _any_word(rng: random.Random, question: Question) -> str:
    return rng.choice([w for w in WORDS[question.skill] if w != question.answer])


def _next_word(rng: random.Random, question: Question) -> str:
    """Errors as models make them: red for orange, one too few, always the same confusion."""
    del rng
    words = WORDS[question.skill]
    return words[words.index(question.answer) - 1]


class Model(NamedTuple):
    """How often it is right, and what it says otherwise."""

    right: float = 0.97
    scatter: Scatter = _any_word


HONEST = Model()


def _answers(
    questions: Sequence[Question],
    seed: int,
    model: Model = HONEST,
    fault: Fault = lambda _, __: None,
    rate: float = 1.0,
) -> list[Answer]:
    """Answers of a model through a path with a fault that strikes at this rate."""
    rng = random.Random(seed)  # noqa: S311 - scatter, no secret
    found = []
    for i, question in enumerate(questions):
        word = question.answer if rng.random() < model.right else model.scatter(rng, question)
        reply = Reply(word)
        if rng.random() < rate:
            reply = fault(question, questions[i - 1]) or reply
        tokens = reply.prompt_tokens or TOKENS[question.layout]
        found.append(
            Answer(question, reply.text, float(i), 0.1, 0.2, tokens, 2, reply.finish_reason)
        )
    return found


def _names(answers: Sequence[Answer]) -> list[str]:
    return [symptom.name for symptom in symptoms(answers, PROMISED)]


def _swapped(question: Question, _: Question) -> Reply | None:
    return Reply(swapped_colour(question.answer)) if question.skill == "colour" else None


def _moved(to: tuple[str, ...]) -> Fault:
    def plant(question: Question, _: Question) -> Reply | None:
        if question.skill != "position":
            return None
        return Reply(to[PLACES.index(question.answer)])

    return plant


def _unseen(picture: int, tokens: int | None = None) -> Fault:
    def plant(question: Question, _: Question) -> Reply | None:
        truth = answer_of_the_other(question)
        if truth and picture_asked(question) == picture:
            return Reply(truth, prompt_tokens=tokens)
        return None

    return plant


def _reordered(question: Question, _: Question) -> Reply | None:
    if question.layout != "sliced" or question.skill not in ("position", "count"):
        return None
    return Reply(_next_word(random.Random(), question))  # noqa: S311 - not drawn from


def _small_lost(question: Question, _: Question) -> Reply | None:
    if question.skill != "count" or question.answer == "one":
        return None
    return Reply(NUMBERS[NUMBERS.index(question.answer) - 1])


def _cheap(question: Question, _: Question) -> Reply | None:
    if question.layout != "sliced":
        return None
    return Reply(question.answer, prompt_tokens=TOKENS["single"])


def _previous(_: Question, previous: Question) -> Reply:
    return Reply(previous.answer)


CASES = {
    "red and blue channels swapped": (_swapped, 0.4),
    "picture turned by 90 degrees counter-clockwise": (
        _moved(("bottom", "top", "left", "right")),
        0.25,
    ),
    "picture turned by 90 degrees clockwise": (_moved(("top", "bottom", "right", "left")), 0.25),
    "picture turned by 180 degrees": (_moved(("right", "left", "bottom", "top")), 0.25),
    "picture mirrored left to right": (_moved(("right", "left", "top", "bottom")), 0.5),
    "picture mirrored top to bottom": (_moved(("left", "right", "bottom", "top")), 0.5),
    "the first picture is not seen": (_unseen(0), 0.25),
    "the second picture is not seen": (_unseen(1), 0.25),
    "slices reordered": (_reordered, 0.7),
    "picture shrunk": (_small_lost, 0.5),
    "answers of other requests": (_previous, 0.05),
    "stop token ignored": (lambda q, _: Reply(q.answer, "length"), 0.1),
}
"""By the name that it must get: a fault, and the least rate at which it must be seen."""


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_a_planted_fault_is_named_and_nothing_else(name: str, seed: int) -> None:
    """From its least rate up to always, each fault shows as itself alone."""
    fault, least = CASES[name]
    for rate in (least, (1 + least) / 2, 1.0):
        assert _names(_answers(QUESTIONS, seed, fault=fault, rate=rate)) == [name], rate


def test_tokens_alone_show_a_shrunk_picture_and_a_missing_one() -> None:
    """Right answers do not hide prompts that cost one slice, or one picture."""
    assert _names(_answers(QUESTIONS, 0, fault=_cheap)) == ["picture shrunk"]
    (seen,) = symptoms(_answers(QUESTIONS, 0, fault=_unseen(1, TOKENS["single"])), PROMISED)
    assert seen.name == "the second picture is not seen"
    assert "prompts of two pictures have the tokens of one" in seen.evidence


def test_pictures_that_change_places_are_told_as_that() -> None:
    """Both of two pictures answered from the other one is no missing picture."""
    both = _answers(QUESTIONS, 0, fault=lambda q, p: _unseen(0)(q, p) or _unseen(1)(q, p))
    assert _names(both) == ["the two pictures are taken for each other"]


@pytest.mark.parametrize(
    "text", ["red<|im_end|>", "red red red", "red\nassistant\nred", "red blue green"]
)
def test_text_that_goes_on_shows_an_ignored_stop_token(text: str) -> None:
    """A template's words, a repeated answer and a further one each show it."""
    assert _names(_answers(QUESTIONS, 0, fault=lambda *_: Reply(text), rate=0.2)) == [
        "stop token ignored"
    ]


@pytest.mark.parametrize("scatter", [_any_word, _next_word])
def test_scatter_of_a_model_that_keeps_its_promise_is_no_symptom(scatter: Scatter) -> None:
    """97 % right, whatever the errors are like: none of 200 runs shows anything."""
    shown = [_names(_answers(QUESTIONS[::3], seed, Model(scatter=scatter))) for seed in range(200)]
    assert [names for names in shown if names] == []


@pytest.mark.parametrize("seed", range(5))
def test_a_model_that_merely_guesses_shows_no_fault_of_the_path(seed: int) -> None:
    """Wrong everywhere and at random is for the accuracy to tell."""
    assert _names(_answers(QUESTIONS, seed, Model(right=0.0))) == []


@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_model_that_always_says_the_same_shows_no_fault_of_the_path(which: int) -> None:
    """One word for everything follows no channel, side or neighbour."""
    same = _answers(QUESTIONS, 0, fault=lambda q, _: Reply(WORDS[q.skill][which]))
    assert _names(same) == []


def test_what_cannot_be_told_is_left_out() -> None:
    """No answer, a failed one, a skill without a promise and an unknown key show nothing."""
    turned = _answers(QUESTIONS, 0, fault=CASES["picture turned by 180 degrees"][0])
    assert symptoms([], PROMISED) == []
    assert symptoms([a._replace(error="refused") for a in turned], PROMISED) == []
    assert symptoms(turned, {"colour": 0.97}) == []
    assert symptoms(turned, {}) == []
    tokenless = [a._replace(prompt_tokens=None) for a in _answers(QUESTIONS, 0)]
    assert symptoms(tokenless, PROMISED) == []


def test_neighbours_are_those_in_the_order_of_sending() -> None:
    """It does not matter in which order the answers are handed over."""
    answers = _answers(QUESTIONS, 0, fault=_previous, rate=0.05)
    shuffled = random.Random(0).sample(answers, len(answers))  # noqa: S311 - no secret
    assert symptoms(shuffled, PROMISED) == symptoms(answers, PROMISED)
    elsewhere = [
        answer._replace(sent_at_s=other.sent_at_s)
        for answer, other in zip(answers, shuffled, strict=True)
    ]
    assert _names(elsewhere) == []


def test_swapped_colours_are_the_nearest_that_have_a_name() -> None:
    """What is red becomes blue, and the greys, green and purple stay."""
    swapped = {name: swapped_colour(name) for name in COLOURS}
    stay = {name for name, to in swapped.items() if name == to}
    assert stay == {"green", "purple", "black", "white"}
    assert (swapped["red"], swapped["orange"], swapped["blue"]) == ("blue", "blue", "red")


@pytest.mark.parametrize("skill", SKILLS)
def test_the_other_picture_of_a_pair_answers_otherwise(skill: str) -> None:
    """Each question about one of two pictures has another answer in the other one."""
    for question in held_out(skill, "pair", 20):
        assert picture_asked(question) is not None
        assert answer_of_the_other(question) not in (None, question.answer)
    assert answer_of_the_other(held_out(skill, "single", 1)[0]) is None
