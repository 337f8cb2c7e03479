"""The generator still draws what it drew when the gallery was made."""

import json

import numpy as np
import pytest
from PIL import Image

from fixtures.questions.gallery import FOLDER, exhibits
from fixtures.questions.scenes import draw

pytestmark = pytest.mark.selftest


def test_generator_draws_the_gallery_pixel_by_pixel() -> None:
    """Each picture in images/generated is what its seed gives today."""
    drawn = {name: scene for exhibit in exhibits() for name, scene in exhibit.files.items()}

    assert {path.name for path in FOLDER.glob("*.png")} == set(drawn)
    for name, scene in drawn.items():
        with Image.open(FOLDER / name) as kept:
            assert np.array_equal(np.asarray(kept.convert("RGB")), draw(scene)), name


def test_generator_asks_the_gallery_word_by_word() -> None:
    """Each question of the gallery has today's text, answer and seed."""
    kept = json.loads((FOLDER / "questions.json").read_text())

    assert kept == [exhibit.card for exhibit in exhibits()]
