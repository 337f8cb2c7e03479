"""What is done to a question: its pictures change as said, and its truth is read from them."""

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
    SKILLS,
    UNIT,
    Question,
    place,
)
from fixtures.questions.scenes import Encoding, Pixels, Scene, draw, encoded
from fixtures.questions.variants import (
    PAD,
    Change,
    Posed,
    clean,
    encoded_as,
    mirrored,
    padded,
    pose,
    recoloured,
    shrunk,
    swapped,
    turned,
)

pytestmark = pytest.mark.selftest

SEEDS = st.integers(HELD_OUT, 2 * HELD_OUT)
POSED = st.builds(pose, SEEDS, st.sampled_from(SKILLS), st.sampled_from(LAYOUTS))
SINGLE = st.builds(pose, SEEDS, st.sampled_from(SKILLS), st.just("single"))
PAIRS = st.builds(pose, SEEDS, st.sampled_from(SKILLS), st.just("pair"))
OPPOSITE = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}


def _truth(asked: Question) -> str:
    """Read the answer from the words and the things, in another way than the catalogue."""
    scene = asked.pictures[1 if "second" in asked.text else 0]
    words = set(re.findall(r"[a-z]+", asked.text.lower()))
    things = [
        thing
        for thing in scene.things
        if {thing.colour, thing.shape, f"{thing.shape}s", "shapes"} & words
    ]
    if asked.skill == "count":
        return NUMBERS[len(things)]
    (thing,) = things
    if asked.skill == "position":
        return str(place(scene, thing))
    return thing.colour if asked.skill == "colour" else thing.shape


def _pixels(posed: Posed) -> list[Pixels]:
    return [draw(scene) for scene in clean(posed).pictures]


@pytest.mark.parametrize("change", [mirrored, turned, recoloured, swapped, clean])
@given(posed=PAIRS | POSED)
def test_the_answer_is_true_of_the_changed_pictures(change: Change, posed: Posed) -> None:
    """The words of a variant and its things lead to its answer, and to one only."""
    assert _truth(posed.question) == posed.question.answer
    if change is swapped and len(posed.pictures) == 1:
        return
    if variant := change(posed):
        assert _truth(variant.question) == variant.question.answer


@given(POSED)
def test_a_mirrored_place_is_across(posed: Posed) -> None:
    """Left is exchanged for right and nothing else is; every pixel of a thing moves along."""
    variant = mirrored(posed)
    if variant is None:
        return
    sides = {"left", "right"}
    expected = OPPOSITE[str(posed.answer)] if posed.answer in sides else posed.answer
    assert variant.answer == expected
    for before, after in zip(_pixels(posed), _pixels(variant), strict=True):
        assert np.array_equal(np.fliplr(before), after)


@given(POSED)
def test_an_upside_down_place_is_across(posed: Posed) -> None:
    """Top is exchanged for bottom and nothing else is; triangles stay upright."""
    variant = turned(posed)
    if variant is None:
        return
    sides = {"top", "bottom"}
    expected = OPPOSITE[str(posed.answer)] if posed.answer in sides else posed.answer
    assert variant.answer == expected
    shapes = {thing.shape for scene in posed.pictures for thing in scene.things}
    if "triangle" not in shapes:
        for before, after in zip(_pixels(posed), _pixels(variant), strict=True):
            assert np.array_equal(np.flipud(before), after)


@given(POSED)
def test_only_the_asked_thing_changes_its_colour(posed: Posed) -> None:
    """It gets a colour that its picture had not; all other things keep theirs."""
    variant = recoloured(posed)
    if variant is None:
        assert posed.skill != "colour"
        return
    changed = [
        (old.colour, new.colour)
        for old, new in zip(posed.scene.things, variant.scene.things, strict=True)
        if old != new
    ]
    assert len(changed) == 1
    assert changed[0][1] not in {thing.colour for thing in posed.scene.things}
    assert (variant.answer == posed.answer) == (posed.skill != "colour")


@given(PAIRS)
def test_swapped_pictures_are_asked_for_by_their_new_place(posed: Posed) -> None:
    """First and second are exchanged in pictures and words, and the answer stays."""
    variant = swapped(posed)
    assert variant is not None
    before, after = posed.question, variant.question
    assert after.pictures == before.pictures[::-1]
    assert after.answer == before.answer
    assert ("first" in after.text) == ("second" in before.text)


@given(SINGLE)
def test_padding_adds_ground_around_the_same_picture(posed: Posed) -> None:
    """The middle of the padded picture is the original, which was one slice as it is now."""
    small = shrunk(posed)
    if small is None:
        return
    large = padded(small)
    assert large is not None
    (before,), (after,) = _pixels(small), _pixels(large)
    half = PAD // 2
    assert before.shape == (UNIT - PAD, UNIT - PAD, 3)
    assert after.shape == (UNIT, UNIT, 3)
    assert np.array_equal(after[half:-half, half:-half], before)
    assert (after[:half] == posed.scene.background).all()
    assert _truth(large.question) == large.question.answer


@pytest.mark.parametrize("encoding", ["png", "webp", "bmp", "gif"])
@given(posed=POSED)
def test_a_lossless_file_keeps_the_pixels(encoding: Encoding, posed: Posed) -> None:
    """Whatever the format, what is decoded is what was drawn."""
    for scene in clean(posed).pictures:
        assert np.array_equal(_decoded(scene, encoding), draw(scene))


@given(POSED)
def test_a_jpeg_file_is_near_to_the_pixels(posed: Posed) -> None:
    """It is not the same, and on average a channel is off by a few of 255 values."""
    for scene in clean(posed).pictures:
        off = np.abs(_decoded(scene, "jpeg").astype(int) - draw(scene))
        assert 0 < off.mean() < 4


def _decoded(scene: Scene, encoding: Encoding) -> Pixels:
    picture = Image.open(io.BytesIO(encoded(scene, encoding)))
    assert picture.format == encoding.upper()
    return np.asarray(picture.convert("RGB"))


def test_noise_is_not_squeezed_into_few_colours() -> None:
    """A GIF file of a noisy scene would be another picture, and is refused."""
    with pytest.raises(ValueError, match="more colours than a GIF file"):
        encoded(Scene(UNIT, UNIT, 128, 5, 0, ()), "gif")


def test_a_question_says_how_its_pictures_are_sent() -> None:
    """The format reaches the question; whatever says none is PNG."""
    posed = pose(HELD_OUT, "colour", "single")
    assert posed.question.encoding == "png"
    assert encoded_as(posed, "bmp").question.encoding == "bmp"


def test_what_is_arguable_has_no_words() -> None:
    """A question whose thing is gone cannot be put."""
    posed = pose(HELD_OUT, "colour", "single")
    empty = Scene(UNIT, UNIT, 128, 0, 0, ())
    with pytest.raises(ValueError, match="cannot be asked"):
        _ = posed._replace(pictures=(empty,)).question
