"""Pictures of every geometry, and questions that a wrong slicing would answer wrong."""

import io
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fixtures.questions.asked import grade_of
from fixtures.questions.corpus.geometries import GEOMETRIES, Geometry, asks_of, geometry, posed
from fixtures.questions.corpus.geometry_pictures import fields
from fixtures.questions.corpus.item import Item, Picture
from fixtures.questions.geometry import Grid, Size, Slicing, grid_of
from fixtures.questions.grading import grade_exact
from fixtures.questions.scenes import COLOURS

pytestmark = pytest.mark.selftest

REAL = Slicing(scale_resolution=448, max_slice_nums=9, visual_tokens=64)


def _image(item: Item) -> Image.Image:
    (picture,) = item.pictures
    assert isinstance(picture, Picture)
    return Image.open(io.BytesIO(picture.data))


@pytest.mark.parametrize("turn", range(len(GEOMETRIES)), ids=lambda i: str(GEOMETRIES[i].size))
def test_a_picture_has_its_size_in_a_small_file(turn: int) -> None:
    """Even 4K is few kilobytes, so that a request with it is no upload test."""
    item = geometry(turn)
    image = _image(item)
    assert image.size == GEOMETRIES[turn].size
    assert image.mode == "RGB"
    assert len(item.pictures[0].url) < 120_000


def test_sizes_are_cut_into_grids_of_every_kind() -> None:
    """Uncut, wide, tall and full grids of the real models are all among them."""
    cut = {grid_of(REAL, shape.size) for shape in GEOMETRIES}
    assert {
        Grid(0, 0),
        Grid(1, 3),
        Grid(3, 1),
        Grid(2, 3),
        Grid(3, 2),
        Grid(1, 9),
        Grid(9, 1),
    } < cut


@pytest.mark.parametrize("shape", [g for g in GEOMETRIES if g.size.width // 448 * 448 > 448])
def test_no_field_is_narrower_than_what_stands_in_it(shape: Geometry) -> None:
    """A word and a thing are within the picture, with ground on every side of it."""
    number = GEOMETRIES.index(shape)
    image = np.asarray(_image(geometry(number)))
    ground = image[0, 0]
    for edge in (image[0], image[-1], image[:, 0], image[:, -1]):
        assert (edge == ground).all()


@given(st.integers(0, 5_000))
def test_what_stands_in_a_grid_is_told_apart(number: int) -> None:
    """No thing and no word comes twice, and of up to seven things no colour."""
    for grid in {shape.grid for shape in GEOMETRIES}:
        shown = fields(np.random.default_rng(number), grid)
        assert len(shown) == grid.slices
        assert len({field.thing for field in shown}) == len({field.word for field in shown})
        assert len({field.thing for field in shown}) == grid.slices
        if grid.slices < len(COLOURS):
            assert len({field.colour for field in shown}) == grid.slices
        assert not {field.word.lower() for field in shown} & set(COLOURS)


def test_words_are_read_in_order_where_rows_and_columns_could_be_exchanged() -> None:
    """A transposed reading of such a grid is another answer."""
    orders = 0
    for number in range(50 * len(GEOMETRIES)):
        shape, shown, asked = posed(number)
        if not asked.text.startswith("Read"):
            continue
        orders += 1
        turned = sorted(shown, key=lambda field: (field.column, field.row))
        transposed = " ".join(field.word for field in turned)
        assert min(shape.grid) > 1
        assert grade_exact(asked.answer, asked.answer).correct
        assert not grade_exact(asked.answer, transposed).correct
    assert orders > 50


def test_places_are_told_by_the_grid() -> None:
    """Seen from one thing another is where its column and row say."""
    for number in range(50 * len(GEOMETRIES)):
        _, shown, asked = posed(number)
        if not asked.text.startswith("Seen from"):
            continue
        here, there = sorted(
            (field for field in shown if f"the {field.thing}" in asked.text),
            key=lambda field: asked.text.index(field.thing),
        )
        away = (there.column - here.column, there.row - here.row)
        where = {(1, 0): "right", (-1, 0): "left", (0, 1): "below", (0, -1): "above"}
        assert where[int(np.sign(away[0])), int(np.sign(away[1]))] == asked.answer


def test_no_answer_is_worth_guessing() -> None:
    """Of each kind of question, no answer is given in more than half of the cases."""
    answers: dict[str, Counter[str]] = {}
    for number in range(50 * len(GEOMETRIES)):
        asked = posed(number).asked
        answers.setdefault(asked.text.split()[0], Counter())[asked.answer] += 1
    for begins, found in answers.items():
        assert max(found.values()) <= found.total() * 0.5, begins


def test_each_geometry_is_asked_in_each_way() -> None:
    """As many laps as there are ways give as many questions, each with an answer graded right."""
    for turn, shape in enumerate(GEOMETRIES):
        ways = len(asks_of(shape))
        asked = [posed(turn + lap * len(GEOMETRIES)).asked for lap in range(ways)]
        assert len({question.text for question in asked}) == ways or shape.size == Size(1, 1)
        item = geometry(turn)
        assert item.text == asked[0].text
        assert grade_of(item, item.answer).correct
