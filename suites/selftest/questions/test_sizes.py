"""The sizes that are asked about tell every other way of slicing from the right one."""

import pytest

from fixtures.questions.geometry import Grid, Marks, Size, Slicing, beyond_one_slice, grid_of
from fixtures.questions.scenes import draw
from fixtures.questions.sizes import about, calibrating, fits, references, telling

pytestmark = pytest.mark.selftest

SLICING = Slicing(scale_resolution=112, max_slice_nums=9, visual_tokens=64)
MARKS = Marks(around_slice=2, row_break=1)


def test_references_are_of_one_slice() -> None:
    """One picture, and two, which nothing is cut from."""
    one, two = references(SLICING)
    assert (len(one), len(two)) == (1, 2)
    assert all(beyond_one_slice(SLICING, MARKS, size) == 0 for size in (*one, *two))


def test_the_calibration_has_one_grid_in_both_directions() -> None:
    """Two columns, then two rows: they differ by one row break."""
    ((wide,), (tall,)) = calibrating(SLICING)
    assert grid_of(SLICING, wide) == Grid(2, 1)
    assert grid_of(SLICING, tall) == Grid(1, 2)


@pytest.mark.parametrize("side", [112, 448])
def test_edges_and_uneven_grids_are_asked_about(side: int) -> None:
    """One pixel, a slice exactly and a pixel more, strips, and each uneven grid both ways."""
    slicing = SLICING._replace(scale_resolution=side)
    prompts = telling(slicing)
    single = [sizes[0] for sizes in prompts if len(sizes) == 1]
    exact = {Size(1, 1), Size(side, side), Size(side + 1, side), Size(side, side + 1)}
    assert exact <= set(single)
    grids = {grid_of(slicing, size) for size in single}
    assert {(1, 3), (3, 1), (2, 3), (3, 2), (1, 9), (9, 1)} <= grids
    assert sum(len(sizes) == 2 for sizes in prompts) >= 5
    assert prompts == telling(slicing)


@pytest.mark.parametrize(
    "other",
    [
        SLICING._replace(max_slice_nums=8),
        SLICING._replace(max_slice_nums=10),
        SLICING._replace(scale_resolution=111),
        SLICING._replace(scale_resolution=113),
        SLICING._replace(visual_tokens=63),
    ],
)
def test_other_settings_are_told_apart(other: Slicing) -> None:
    """A slice more or less, or a pixel of its side, changes the count of some prompt."""
    assert any(
        beyond_one_slice(SLICING, MARKS, size) != beyond_one_slice(other, MARKS, size)
        for (size, *_) in telling(SLICING)
    )


def test_a_prompt_that_is_too_long_does_not_fit() -> None:
    """Ten slices are 660 tokens with their marks; the words and the answer need room too."""
    nine = (Size(1008, 112),)
    assert fits(SLICING, nine, 1024)
    assert not fits(SLICING, nine, 700)
    assert fits(SLICING, (Size(112, 112),), 700)


def test_pictures_have_the_sizes_asked_about() -> None:
    """A question's pictures are empty, and as wide and as high as said, in the same order."""
    question = about((Size(20, 400), Size(1, 1)))
    assert [draw(scene).shape for scene in question.pictures] == [(400, 20, 3), (1, 1, 3)]
    assert question.answer == "zero"
