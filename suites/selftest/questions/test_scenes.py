"""Generated pictures and questions: reproducible, answerable, and kept apart from training."""

import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fixtures.questions.catalogue import (
    HELD_OUT,
    LAYOUTS,
    NUMBERS,
    PATCH,
    PHRASINGS,
    SKILLS,
    UNIT,
    Question,
    answers,
    held_out,
    place,
    question,
)
from fixtures.questions.scenes import COLOURS, SHAPES, Scene, Thing, covered, draw, png

pytestmark = pytest.mark.selftest

SEEDS = st.integers(0, 2 * HELD_OUT)
QUESTIONS = st.builds(question, SEEDS, st.sampled_from(SKILLS), st.sampled_from(LAYOUTS))


def _about(asked: Question) -> Scene:
    """Find the picture that the words of the question point at."""
    return asked.pictures[1 if "second" in asked.text else 0]


def _right_answer(asked: Question) -> str:
    """Read the answer from the words and the things, in another way than the catalogue."""
    scene = _about(asked)
    words = re.findall(r"[a-z]+", asked.text.lower())
    things = [
        thing
        for thing in scene.things
        if {thing.colour, thing.shape, f"{thing.shape}s", "shapes"} & set(words)
    ]
    if asked.skill == "count":
        return NUMBERS[len(things)]
    (thing,) = things
    if asked.skill == "position":
        return str(place(scene, thing))
    return thing.colour if asked.skill == "colour" else thing.shape


@given(SEEDS, st.sampled_from(SKILLS), st.sampled_from(LAYOUTS))
def test_the_same_seed_gives_the_same_question(seed: int, skill: str, layout: str) -> None:
    """A question depends on its seed, skill and layout and on nothing else."""
    assert question(seed, skill, layout) == question(seed, skill, layout)


@given(QUESTIONS)
def test_the_answer_follows_from_the_things(asked: Question) -> None:
    """The words and the things of the picture lead to the answer, and to one only."""
    assert _right_answer(asked) == asked.answer


@given(SEEDS, st.sampled_from(SKILLS))
def test_the_other_picture_of_a_pair_would_answer_differently(seed: int, skill: str) -> None:
    """A model that looks at the wrong picture of a pair is wrong."""
    asked = question(seed, skill, "pair")
    first, second = asked.pictures
    swapped = Question(skill, "pair", asked.text, "", (second, first), seed)
    assert _right_answer(swapped) != asked.answer


@given(QUESTIONS)
def test_things_do_not_overlap_and_are_whole(asked: Question) -> None:
    """No thing hides a part of another, and none is cut off by the picture's edge."""
    for scene in asked.pictures:
        masks = [covered(thing, scene.width, scene.height) for thing in scene.things]
        assert np.sum(masks, axis=0).max() == 1
        for thing in scene.things:
            assert thing.radius <= thing.x < scene.width - thing.radius
            assert thing.radius <= thing.y < scene.height - thing.radius


@given(QUESTIONS)
def test_a_layout_says_how_many_slices_its_pictures_have(asked: Question) -> None:
    """Pictures of one slice measure `UNIT`, those of a sliced layout more."""
    assert len(asked.pictures) == (2 if asked.layout == "pair" else 1)
    for scene in asked.pictures:
        assert scene.width == scene.height
        assert (scene.width > UNIT) == (asked.layout == "sliced")


@given(QUESTIONS)
def test_a_picture_is_drawn_alike_every_time(asked: Question) -> None:
    """Two drawings of a scene agree byte for byte, and the PNG file keeps the pixels."""
    for scene in asked.pictures:
        pixels = draw(scene)
        assert np.array_equal(pixels, draw(scene))
        assert png(scene) == png(scene)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(scene)))), pixels)


def test_held_out_questions_begin_where_training_ends() -> None:
    """Held-out seeds count upward from `HELD_OUT`, so that training below it sees none."""
    assert [asked.seed for asked in held_out("count", "single", 3, start=2)] == [
        HELD_OUT + 2,
        HELD_OUT + 3,
        HELD_OUT + 4,
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("skill", SKILLS)
def test_every_answer_and_phrasing_is_asked_for(skill: str, layout: str) -> None:
    """No answer is so common that guessing it would pass, and no phrasing is missing."""
    asked = held_out(skill, layout, 400)
    given_answers = [one.answer for one in asked]
    possible = {
        "colour": set(COLOURS),
        "shape": set(SHAPES),
        "count": set(NUMBERS[1:]),
        "position": {"left", "right", "top", "bottom"},
    }[skill]
    assert set(given_answers) == possible
    assert max(map(given_answers.count, possible)) < 2 * len(asked) / len(possible)
    words = " ".join(one.text.lower() for one in asked)
    for phrasing in PHRASINGS[skill]:
        assert phrasing.lower().split("{}")[0] in words


def test_what_is_arguable_is_not_asked() -> None:
    """Near the middle or a diagonal a thing is on no side; shared names name nothing."""
    middle = Thing("circle", "red", UNIT // 2, UNIT // 2, 10)
    corner = Thing("circle", "blue", UNIT // 4, UNIT // 4, 10)
    scene = Scene(UNIT, UNIT, 128, 0, 0, (middle, corner))
    assert place(scene, middle) is None
    assert place(scene, corner) is None
    assert {ask.skill for ask in answers(scene)} == {"shape", "count"}


def test_a_place_is_a_matter_of_proportion() -> None:
    """The same composition at twice the size has its things on the same sides."""
    for factor in (1, 2):
        side = UNIT * factor
        thing = Thing("circle", "red", PATCH * factor, side // 2, 5)
        assert place(Scene(side, side, 128, 0, 0, (thing,)), thing) == "left"


def test_an_unknown_skill_is_refused_with_the_known_ones() -> None:
    """A mistyped skill is told what there is."""
    with pytest.raises(ValueError, match="skills are colour, shape, count, position"):
        question(0, "color", "single")


def test_an_unknown_shape_is_refused() -> None:
    """A shape that cannot be drawn is an error, not an empty picture."""
    with pytest.raises(ValueError, match="No shape is called 'star'"):
        draw(Scene(UNIT, UNIT, 128, 0, 0, (Thing("star", "red", 50, 50, 10),)))
