"""The tokens of a picture of 4.6, by its size: the same as those of transformers' own processor."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.deployments.token_section import token_plan
from fixtures.questions.geometry import (
    GeometryError,
    Marks,
    Size,
    Slicing,
    beyond_one_slice,
    calibrated,
    grid_of,
    overridden,
    slicing_of,
    visual_tokens_of,
)
from fixtures.runtimes.runtime import PythonRuntime, Runtime

pytestmark = pytest.mark.selftest

# As in the preprocessor_config.json of openbmb/MiniCPM-V-4.6.
SETTINGS = {"max_slice_nums": 9, "scale_resolution": 448, "patch_size": 14}
SLICING = Slicing(448, 9, 64, token_side=56)
MARKS = Marks(around_slice=2, row_break=1)
OTHERS = (
    SLICING,
    SLICING._replace(max_slice_nums=4),
    SLICING._replace(max_slice_nums=1),
    # 336 pixels are six tokens.
    Slicing(336, 9, 36, token_side=56),
)

# Prints, for each of the settings and sizes on its standard input, the grid that transformers'
# image processor cuts a real picture into, and how many words and newlines its processor writes.
_THEIRS = """
import json, re, sys, types
from PIL import Image
from transformers.models.minicpmv4_6 import image_processing_pil_minicpmv4_6 as pictures
from transformers.models.minicpmv4_6.processing_minicpmv4_6 import MiniCPMV4_6Processor
words = types.SimpleNamespace(
    slice_mode=True, image_token="<x>", image_start_token="<image>", image_end_token="</image>",
    slice_start_token="<slice>", slice_end_token="</slice>",
)
told = []
for settings, sizes in json.load(sys.stdin):
    processor = pictures.MiniCPMV4_6ImageProcessorPil(**settings)
    for size in sizes:
        cut = processor([Image.new("RGB", tuple(size))], return_tensors="np")
        text = MiniCPMV4_6Processor.replace_image_token(
            words, cut, image_idx=0, image_token_divisor=16
        )
        parts = re.findall(r"<[^>]+>|\\n", text)
        assert "".join(parts) == text
        told.append([[int(n) for n in cut["grids"][0]], parts.count("<x>"), len(parts)])
json.dump(told, sys.stdout)
"""


def _many_sizes(slicing: Slicing) -> list[Size]:
    """Edges, exact grids, and sizes drawn on a logarithmic scale; none too large to be resized."""
    side = slicing.scale_resolution
    rng = np.random.default_rng(side + slicing.max_slice_nums)
    drawn = np.exp(rng.uniform(np.log(8), np.log(4 * side), (40, 2))).astype(int)
    around = [side * n // m + d for n, m in ((1, 1), (3, 2), (3, 1)) for d in (-1, 0, 1)]
    exact = [Size(width, height) for width in around for height in around]
    return [Size(1, 1), Size(56, 1792), *exact, *(Size(int(w), int(h)) for w, h in drawn)]


def test_tokens_are_those_of_transformers_processor(runtime: Runtime) -> None:
    """Grid, visual tokens and words agree with it for hundreds of sizes, edges among them."""
    assert isinstance(runtime, PythonRuntime)
    asked = [(slicing, size) for slicing in OTHERS for size in _many_sizes(slicing)]
    told = subprocess.run(
        [str(runtime.python), "-c", _THEIRS],
        input=json.dumps([(_theirs(slicing), _many_sizes(slicing)) for slicing in OTHERS]),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-2000:]
    ours = [
        [
            list(grid_of(slicing, size)[::-1]),
            visual_tokens_of(slicing, size),
            slicing.visual_tokens + 2 + beyond_one_slice(slicing, MARKS, size),
        ]
        for slicing, size in asked
    ]
    pairs = zip(asked, ours, json.loads(told.stdout), strict=True)
    assert [differing for differing in pairs if differing[1] != differing[2]] == []


def _theirs(slicing: Slicing) -> dict[str, int]:
    return {
        "scale_resolution": slicing.scale_resolution,
        "max_slice_nums": slicing.max_slice_nums,
        "patch_size": 14,
    }


def _folder(folder: Path, config: dict[str, Any], **settings: object) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps(SETTINGS | settings))
    return folder


@pytest.mark.parametrize("version", ["4_6", "4_7"])
def test_settings_are_read_from_the_model_folder(tmp_path: Path, version: str) -> None:
    """The architecture tells the kind, the processor's file the figures."""
    config = {"model_type": f"minicpmv{version}"}
    assert slicing_of(_folder(tmp_path, config)) == SLICING


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"downsample_mode": "4x"}, "tokens of downsample_mode '4x' are not known"),
        ({"patch_size": None}, "does not say patch_size"),
    ],
)
def test_what_cannot_be_predicted_from_is_refused(
    tmp_path: Path, settings: dict[str, object], says: str
) -> None:
    """Another number of tokens a slice, in the folder or by a flag, is not guessed at."""
    with pytest.raises(GeometryError, match=says):
        slicing_of(_folder(tmp_path, {"model_type": "minicpmv4_6"}, **settings))
    with pytest.raises(GeometryError, match="downsample_mode '4x'"):
        overridden(SLICING, ["--mm-processor-kwargs", '{"downsample_mode": "4x"}'])


def test_the_shape_of_a_slice_tells_its_tokens() -> None:
    """A wide picture's thumbnail is 14 x 5 tokens, and each of its three slices 8 x 8."""
    assert grid_of(SLICING, Size(1344, 448)) == (3, 1)
    assert visual_tokens_of(SLICING, Size(1344, 448)) == 14 * 5 + 3 * 64
    assert visual_tokens_of(SLICING, Size(448, 448)) == 64


@given(st.integers(0, 9), st.integers(0, 5))
def test_marks_are_found_from_two_sizes(around: int, row_break: int) -> None:
    """Two slices side by side and two stacked tell both costs, whatever their thumbnails have."""
    marks = Marks(around, row_break)
    told = [beyond_one_slice(SLICING, marks, Size(*size)) for size in ((896, 448), (448, 896))]
    assert calibrated(SLICING, *told) == marks


def test_rows_and_columns_exchanged_are_told_apart() -> None:
    """Half of the prompts at least have another count where the grid is laid on its side."""
    plan = token_plan(SLICING, MARKS, 8192)
    sizes = [size for prompt in plan.prompts for size in prompt]
    turned = [
        size
        for size in sizes
        if beyond_one_slice(SLICING, MARKS, size)
        != beyond_one_slice(SLICING, MARKS, Size(size.height, size.width))
    ]
    assert len(turned) > len(sizes) / 2
