"""What is asked is what was drawn: each skill's own promise."""

import io
from math import sqrt

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from fixtures.questions.corpus import charts, clock, moving, paragraph, shapes, small_print, table
from fixtures.questions.corpus.item import Item, Picture, Video
from fixtures.questions.corpus.paper import SIDE, extent
from fixtures.questions.geometry import Grid, Size, Slicing, grid_of
from fixtures.questions.scenes import COLOURS

pytestmark = pytest.mark.selftest

Pixels = npt.NDArray[np.int16]
REAL = Slicing(scale_resolution=448, max_slice_nums=9, visual_tokens=64)


def pixels(data: bytes) -> Pixels:
    """A file's pixels, red first."""
    with Image.open(io.BytesIO(data)) as file:
        return np.asarray(file.convert("RGB")).astype(np.int16)


def seen(item: Item) -> list[Pixels]:
    """The pixels of an item's pictures, or of a video's frames."""
    (first, *rest) = item.pictures
    if isinstance(first, Video):
        return [pixels(frame) for frame in first.frames]
    return [pixels(shown.data) for shown in (first, *rest) if isinstance(shown, Picture)]


def colours(picture: Pixels) -> dict[str, int]:
    """How many pixels each named colour has; those of a JPEG file are near to it."""
    near = {
        name: int((np.abs(picture - np.array(colour)).max(axis=2) <= 12).sum())
        for name, colour in COLOURS.items()
    }
    return {name: number for name, number in near.items() if number > 200}


def test_largest_and_smallest_are_so_by_far() -> None:
    """The asked shape has less than half, or more than 1.9 times, the area of each other one."""
    for number in range(0, 48, 2):
        item = shapes.size(number)
        areas = colours(seen(item)[0])
        own = areas.pop(item.answer)
        assert len(areas) >= 2
        if "largest" in item.text:
            assert own > 1.9 * max(areas.values())
        else:
            assert own < min(areas.values()) / 1.9


def test_ordinal_names_the_picture_with_the_colour() -> None:
    """The answer is the colour in the asked picture, and no other picture has it."""
    for number in range(18):
        item = shapes.order(number)
        asked = ("first", "second", "third", "fourth").index(item.text.split()[-6])
        found = [list(colours(picture)) for picture in seen(item)]
        assert found[asked] == [item.answer]
        assert found.count([item.answer]) == 1
        assert 2 <= len(found) <= 4


def test_the_same_picture_is_sent_byte_by_byte() -> None:
    """Yes is the same file twice; no is another shape of another colour."""
    for number in range(20):
        item = shapes.same_twice(number)
        one, other = item.pictures
        assert (one == other) == (item.answer == "yes")
        if item.answer == "no":
            first, second = seen(item)
            assert set(colours(first)).isdisjoint(colours(second))


def test_picture_next_to_text_has_no_space_beside_it() -> None:
    """What stands before and after each picture touches it."""
    for number in range(16):
        item = shapes.next_to_text(number)
        assert item.inline
        for before, part, after in zip(item.parts, item.parts[1:], item.parts[2:], strict=False):
            if isinstance(part, Picture):
                assert isinstance(before, str)
                assert isinstance(after, str)
                assert not before[-1].isspace()
                assert not after[0].isspace()
        assert list(colours(seen(item)[-1])) == [item.answer]


def test_small_print_is_cut_into_the_grid_that_it_is_made_for() -> None:
    """Each grid of slices comes up, and the models' own rule cuts the picture so."""
    grids = set()
    for number in range(len(small_print.GRIDS) * 2):
        (picture,) = seen(small_print.small_print(number))
        high, wide = picture.shape[:2]
        grid = grid_of(REAL, Size(wide, high))
        assert (grid.columns * SIDE, grid.rows * SIDE) == (wide, high)
        grids.add(grid)
    assert grids == set(small_print.GRIDS)


@pytest.mark.parametrize("grid", small_print.GRIDS, ids=str)
def test_small_print_is_legible_in_slices_alone(grid: Grid) -> None:
    """Capitals have 10 pixels or more in a slice, and fewer than 7 in the thumbnail."""
    high = extent("HEX", small_print.letters(grid))[1] - 1

    assert high >= 10
    assert high / sqrt(grid.slices) < small_print.BLURRED


def test_no_code_is_cut_by_a_slice() -> None:
    """There is bare ground along every border between slices."""
    for number in range(28):
        (picture,) = seen(small_print.small_print(number))
        for at in range(SIDE, picture.shape[0], SIDE):
            assert (picture[at - 20 : at + 20] == picture[0, 0]).all()
        for at in range(SIDE, picture.shape[1], SIDE):
            assert (picture[:, at - 20 : at + 20] == picture[0, 0]).all()


@pytest.mark.parametrize("grid", [grid for grid in small_print.GRIDS if 1 not in grid], ids=str)
def test_swapped_grid_shows_another_code_at_the_asked_place(grid: Grid) -> None:
    """A corner that is asked holds another slice once rows and columns are swapped."""
    swapped = Grid(grid.rows, grid.columns)
    for column, row in small_print.askable(grid):
        corner = (swapped.columns - 1 if column else 0), (swapped.rows - 1 if row else 0)
        there = corner[1] * swapped.columns + corner[0]
        assert (there == row * grid.columns + column) == (grid.columns == grid.rows)


def test_paragraph_has_thirty_to_fifty_words_with_three_different_figures() -> None:
    """No text of the paragraphs is longer or shorter, and no number in it comes twice."""
    for text in paragraph.TEXTS:
        assert 30 <= len(text.split()) <= 50
        assert all(text.count(f"{{{name}}}") == 1 for name in ("code", "high", "low"))


def tops(picture: Pixels) -> list[int]:
    """Values at which the inked columns of a chart begin, from left to right."""
    inked = np.ptp(picture[:390, 80:640], axis=2) > 60
    first = np.where(inked.any(axis=0), inked.argmax(axis=0), 390)
    return [round((390 - int(y)) / 3.6) for y in first]


def test_bar_is_as_high_as_its_value() -> None:
    """One of the five bars ends on the line of the asked value; the highest is one alone."""
    for number in range(30):
        item = charts.bars(number)
        columns = tops(seen(item)[0])
        heights = {value for value in columns if value}
        assert len(heights) == 5
        if item.grading == "chart":
            assert int(item.answer) in heights
        else:
            assert columns.count(max(heights)) < 80


def test_line_passes_through_the_value_at_its_month() -> None:
    """Around the asked month's label the line's mark is at the height of the answer."""
    months = ("January", "February", "March", "April", "May", "June")
    for number in range(30):
        item = charts.line(number)
        month = next(i for i, name in enumerate(months) if f"in {name}?" in item.text)
        x, y = 72 + 96 * month + 48, 390 - int(item.answer) * 36 // 10
        assert np.ptp(seen(item)[0][y - 6 : y + 7, x]) > 60
        assert (np.ptp(seen(item)[0][y - 6 : y + 7, x], axis=1) > 60).all()


def test_every_number_of_a_table_is_another() -> None:
    """The answer is a number of two digits, as all are: exchanging row and column shows."""
    answers = {table.table(number).answer for number in range(60)}

    assert len(answers) > 30
    assert all(10 <= int(answer) <= 99 for answer in answers)


def test_hands_of_a_clock_do_not_hide_each_other() -> None:
    """Where minutes are asked the hands are 25 degrees apart or more, and no half hour is among."""
    for number in range(1, 120, 2):
        hour, minute = map(int, clock.clock(number).answer.split(":"))
        between = abs((hour % 12 * 60 + minute) - minute * 12) % 720 / 2
        assert min(between, 360 - between) >= 25
        assert minute % 30


def test_circle_of_a_video_ends_where_and_as_it_is_said() -> None:
    """Colours at the asked end, and the circle's way from the first frame to the last."""
    for number in range(16):
        item = moving.video(number)
        frames = seen(item)
        assert 4 <= len(frames) <= 8
        if number % 2 == 0:
            asked = frames[-1] if "at the end" in item.text else frames[0]
            assert list(colours(asked)) == [item.answer]
            assert list(colours(frames[0])) != list(colours(frames[-1]))
            continue
        places = []
        for frame in (frames[0], frames[-1]):
            there = np.abs(frame - frame[0, 0]).max(axis=2) > 40
            places.append(np.argwhere(there).mean(axis=0))
        down, right = places[1] - places[0]
        ways = {"right": right, "left": -right, "down": down, "up": -down}
        assert max(ways, key=lambda way: float(ways[way])) == item.answer
        assert ways[item.answer] > 200
