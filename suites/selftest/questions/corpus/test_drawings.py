"""What holds of every drawn item: pixels, borders, sizes, and how answers are spread."""

import io
from collections import Counter
from functools import cache
from itertools import islice

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fixtures.questions.corpus import (
    charts,
    clock,
    moving,
    paragraph,
    shapes,
    small_print,
    table,
    written,
)
from fixtures.questions.corpus.built_in import MAKERS
from fixtures.questions.corpus.item import Item, Maker, Picture, Video
from fixtures.questions.corpus.seeds import dealt

pytestmark = pytest.mark.selftest

ROOMS = (shapes, written, paragraph, small_print, table, charts, clock, moving)
DRAWN: dict[str, Maker] = {skill: make for room in ROOMS for skill, make in room.MAKERS.items()}
MOST_FREQUENT = {
    "size": 0.2,
    "order": 0.15,
    "same-twice": 0.5,
    "next-to-text": 0.15,
    "text-paragraph": 0.1,
    "bar-chart": 0.1,
    "line-chart": 0.12,
    "table": 0.07,
    "video": 0.15,
}
"""Share that guessing the most frequent answer would score; 0.05 for the skills not named."""
JPEG_ERROR = 6
"""By how much a grey value of bare ground may differ after JPEG."""


@cache
def made(skill: str, number: int) -> Item:
    """An item that several tests look at."""
    return DRAWN[skill](number)


def pixels_of(item: Item) -> list[npt.NDArray[np.int16]]:
    """Every picture and frame of an item."""
    files = [
        data
        for shown in item.pictures
        for data in ((shown.data,) if isinstance(shown, Picture) else shown.frames)
    ]
    return [
        np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(np.int16) for data in files
    ]


def frame_of(pixels: npt.NDArray[np.int16], width: int) -> npt.NDArray[np.int16]:
    """The pixels along all borders, one after the other."""
    return np.concatenate(
        [
            strip.reshape(-1, 3)
            for strip in (pixels[:width], pixels[-width:], pixels[:, :width], pixels[:, -width:])
        ]
    )


def test_every_skill_is_in_the_built_in_corpus_under_its_own_name() -> None:
    """What a maker makes has the skill and the number that it was asked for."""
    for skill, make in DRAWN.items():
        assert MAKERS[skill] is make
        assert (make(3).skill, make(3).number) == (skill, 3)


@pytest.mark.parametrize("skill", DRAWN)
@settings(max_examples=5, deadline=None)
@given(number=st.integers(0, 1_000_000))
def test_item_is_the_same_whenever_it_is_made(skill: str, number: int) -> None:
    """Making an item twice gives the same bytes and words."""
    assert DRAWN[skill](number) == DRAWN[skill](number)


@pytest.mark.parametrize("skill", DRAWN)
@settings(max_examples=8, deadline=None)
@given(number=st.integers(0, 1_000_000))
def test_ground_remains_along_every_border(skill: str, number: int) -> None:
    """Nothing is cut off: eight pixels of one colour frame every picture that has a drawing."""
    item = DRAWN[skill](number)
    for pixels in pixels_of(item):
        tolerance = JPEG_ERROR if isinstance(item.pictures[0], Video) else 0
        assert np.abs(frame_of(pixels, 8) - pixels[0, 0]).max() <= tolerance
        assert np.abs(pixels - pixels[0, 0]).max() > 50


@pytest.mark.parametrize("skill", DRAWN)
def test_pictures_are_small_files_of_the_models_sizes(skill: str) -> None:
    """A picture has 448 to 1792 pixels a side, and no file is above 40 kB."""
    for number in range(8):
        item = made(skill, number)
        for shown in item.pictures:
            files = (shown.data,) if isinstance(shown, Picture) else shown.frames
            assert max(map(len, files)) < 40_000
        for pixels in pixels_of(item):
            assert min(pixels.shape[:2]) >= 300
            assert max(pixels.shape[:2]) <= 1792


@pytest.mark.parametrize("skill", DRAWN)
def test_guessing_one_answer_is_worth_little(skill: str) -> None:
    """No answer is more frequent in the first 60 items than its fair share and a little."""
    counted = Counter(made(skill, number).answer for number in range(60))

    assert counted.most_common(1)[0][1] / 60 <= MOST_FREQUENT.get(skill, 0.05)


@pytest.mark.parametrize("skill", DRAWN)
def test_pictures_differ_from_number_to_number(skill: str) -> None:
    """Thirty numbers are thirty pictures: no answer is learnt from another item."""
    shown = {made(skill, number).pictures for number in range(30)}

    assert len(shown) == 30


@pytest.mark.parametrize("skill", DRAWN)
def test_every_item_says_what_it_guards_and_how_to_answer(skill: str) -> None:
    """An item has a guard, an instruction at its end, and one to four pictures."""
    for number in range(12):
        item = made(skill, number)
        assert item.guards
        assert "Answer " in item.text
        assert item.text.endswith(".")
        assert 1 <= len(item.pictures) <= 4


def test_dealt_cards_come_once_a_round() -> None:
    """Each choice comes once before any comes again, and not always in the same order."""
    cards = [dealt("a deck", number, "abcdef") for number in range(60)]
    rounds = ["".join(islice(cards, i, i + 6)) for i in range(0, 60, 6)]

    assert all(sorted(one) == list("abcdef") for one in rounds)
    assert len(set(rounds)) > 5
