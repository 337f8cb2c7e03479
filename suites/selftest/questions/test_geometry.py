"""The slices and tokens of a picture, by its size: the same as the checkpoint's own processor's."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fixtures.cells.models import CHECKPOINTS
from fixtures.questions.geometry import (
    UNCUT,
    GeometryError,
    Marks,
    Size,
    Slicing,
    beyond_one_slice,
    calibrated,
    grid_of,
    marks_of,
    overridden,
    slicing_of,
    visual_tokens_of,
)
from fixtures.runtimes.runtime import PythonRuntime, Runtime

pytestmark = pytest.mark.selftest

TINY = CHECKPOINTS / "minicpmv-2.6-tiny"
SLICING = Slicing(scale_resolution=448, max_slice_nums=9, visual_tokens=64)
MARKS = Marks(around_slice=2, row_break=1)
SIZES = st.builds(Size, st.integers(1, 5000), st.integers(1, 5000))

SETTINGS = (
    SLICING,
    Slicing(112, 9, 64),
    Slicing(112, 4, 96),
    Slicing(300, 2, 64),
    Slicing(448, 1, 64),
)

# Prints what the checkpoint's own processor writes for each of the settings and sizes on its
# standard input: the grid, and how many words and newlines the placeholder has.
_THEIRS = """
import json, re, sys
sys.path.insert(0, sys.argv[1])
from image_processing_minicpmv import MiniCPMVImageProcessor
told = []
for settings, sizes in json.load(sys.stdin):
    processor = MiniCPMVImageProcessor(**settings)
    for size in sizes:
        text = processor.get_slice_image_placeholder(tuple(size), use_image_id=False)
        words = re.findall(r"<[^>]+>|\\n", text)
        assert "".join(words) == text
        told.append([processor.get_sliced_grid(tuple(size)) or [0, 0], len(words)])
json.dump(told, sys.stdout)
"""


def test_slices_are_those_of_the_checkpoints_processor(runtime: Runtime) -> None:
    """Grid and number of tokens agree with it for thousands of sizes, the edges among them."""
    assert isinstance(runtime, PythonRuntime)
    asked = [(slicing, size) for slicing in SETTINGS for size in _many_sizes(slicing)]
    told = subprocess.run(
        [str(runtime.python), "-c", _THEIRS, str(TINY)],
        input=json.dumps([(_theirs(slicing), _many_sizes(slicing)) for slicing in SETTINGS]),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    ours = [
        [
            list(grid_of(slicing, size)),
            slicing.visual_tokens + 2 + beyond_one_slice(slicing, MARKS, size),
        ]
        for slicing, size in asked
    ]
    theirs = json.loads(told.stdout)
    pairs = zip(asked, ours, theirs, strict=True)
    assert [differing for differing in pairs if differing[1] != differing[2]] == []


def _theirs(slicing: Slicing) -> dict[str, int]:
    """The settings in the processor's own words."""
    return {
        "scale_resolution": slicing.scale_resolution,
        "max_slice_nums": slicing.max_slice_nums,
        "image_feature_size": slicing.visual_tokens,
    }


def _many_sizes(slicing: Slicing) -> list[Size]:
    side = slicing.scale_resolution
    rng = np.random.default_rng(side)
    drawn = np.exp(rng.uniform(0, np.log(12 * side), (3000, 2))).astype(int)
    around = [side * n // m + d for n in range(1, 10) for m in (1, 2, 3) for d in (-1, 0, 1)]
    exact = [Size(width, height) for width in around for height in around]
    return [Size(1, 1), *exact, *(Size(int(w), int(h)) for w, h in drawn if min(w, h) > 0)]


@given(SIZES, st.integers(1, 12))
def test_a_turned_picture_has_a_turned_grid(size: Size, most: int) -> None:
    """Width and height are treated alike, so that a server that swaps them is told apart."""
    assume(size.width != size.height)
    slicing = SLICING._replace(max_slice_nums=most)
    assert grid_of(slicing, Size(size.height, size.width)) == grid_of(slicing, size)[::-1]


@given(SIZES, st.integers(1, 12))
def test_no_picture_has_more_slices_than_allowed(size: Size, most: int) -> None:
    """The limit holds for every size, and only a picture of one slice's area stays whole."""
    slicing = SLICING._replace(max_slice_nums=most)
    grid = grid_of(slicing, size)
    assert grid.slices <= most
    small = size.width * size.height <= slicing.scale_resolution**2
    assert (grid == UNCUT) == (small or most == 1)


def test_tokens_are_counted_as_in_the_papers_example() -> None:
    """A tall picture of 448 x 1344 has three slices in three rows, and the thumbnail."""
    tall = Size(448, 1344)
    assert grid_of(SLICING, tall) == (1, 3)
    assert visual_tokens_of(SLICING, tall) == 64 * 4
    assert beyond_one_slice(SLICING, MARKS, tall) == 3 * 66 + 2
    assert beyond_one_slice(SLICING, MARKS, Size(1344, 448)) == 3 * 66
    assert beyond_one_slice(SLICING, MARKS, Size(448, 448)) == 0


def test_settings_and_marks_are_read_from_the_model_folder() -> None:
    """The tiny checkpoint's slices are of 112 pixels; its marks are one token each."""
    assert slicing_of(TINY) == Slicing(112, 9, 64)
    assert marks_of(TINY) == MARKS


def _changed(folder: Path, name: str, **settings: object) -> Path:
    copy = folder / "model"
    copy.mkdir()
    for path in TINY.glob("*.json"):
        shutil.copy(path, copy)
    said = json.loads((copy / name).read_text()) | settings
    (copy / name).write_text(json.dumps(said))
    return copy


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("preprocessor_config.json", {"max_slice_nums": None}, "does not say max_slice_nums"),
        ("preprocessor_config.json", {"version": 4.6}, "version '4.6' is not known here"),
        ("preprocessor_config.json", {"version": "two"}, "version 'two'"),
        ("config.json", {"query_num": 96}, "image_feature_size is 64, and query_num is 96"),
    ],
)
def test_settings_that_cannot_be_predicted_from_are_refused(
    tmp_path: Path, name: str, settings: dict[str, object], says: str
) -> None:
    """What is missing, contradictory or of another kind of model is named."""
    with pytest.raises(GeometryError, match=says):
        slicing_of(_changed(tmp_path, name, **settings))


def test_an_absent_folder_is_refused(tmp_path: Path) -> None:
    """A folder without settings is an error that names the file."""
    with pytest.raises(GeometryError, match=r"preprocessor_config\.json cannot be read"):
        slicing_of(tmp_path)


def test_a_processor_that_does_not_slice_leaves_pictures_whole(tmp_path: Path) -> None:
    """`slice_mode` off means one slice, whatever the size."""
    folder = _changed(tmp_path, "preprocessor_config.json", slice_mode=False)
    assert grid_of(slicing_of(folder), Size(4000, 4000)) == UNCUT


@pytest.mark.parametrize(
    "flags",
    [
        ["--mm-processor-kwargs", '{"max_slice_nums": 4}'],
        ['--mm-processor-kwargs={"max_slice_nums": 4}'],
    ],
)
def test_a_servers_flag_overrides_the_settings(flags: list[str]) -> None:
    """A cell that cuts into fewer slices is held to those."""
    assert overridden(SLICING, flags).max_slice_nums == 4
    assert overridden(SLICING, ["--enforce-eager"]) == SLICING


def test_an_unreadable_flag_is_refused() -> None:
    """A value that is no JSON is not guessed at."""
    with pytest.raises(GeometryError, match="--mm-processor-kwargs cannot be read"):
        overridden(SLICING, ["--mm-processor-kwargs", "fewer"])


@pytest.mark.parametrize("added", [[], [{"content": "<slice>"}]])
def test_marks_that_the_tokenizer_cuts_up_are_not_known(
    tmp_path: Path, added: list[dict[str, str]]
) -> None:
    """Marks that are not words of the tokenizer have to be calibrated, as has no tokenizer.json."""
    folder = _changed(tmp_path, "tokenizer.json", added_tokens=added)
    assert marks_of(folder) is None
    (folder / "tokenizer.json").unlink()
    assert marks_of(folder) is None


@given(st.integers(0, 9), st.integers(0, 5))
def test_marks_are_found_from_two_sizes(around: int, row_break: int) -> None:
    """Two slices side by side and two stacked tell both costs."""
    marks = Marks(around, row_break)
    told = [beyond_one_slice(SLICING, marks, Size(*size)) for size in ((896, 448), (448, 896))]
    assert calibrated(SLICING, *told) == marks


@pytest.mark.parametrize(("side_by_side", "stacked"), [(133, 132), (133, 134), (126, 127), (0, 0)])
def test_two_sizes_that_no_marks_explain_are_refused(side_by_side: int, stacked: int) -> None:
    """Columns and rows exchanged, an odd token, too few tokens, no slices at all."""
    with pytest.raises(GeometryError, match="no marks around 64 visual tokens"):
        calibrated(SLICING, side_by_side, stacked)
