import io
import struct
import tracemalloc
import warnings
from itertools import islice

import numpy as np
import pytest
from PIL import Image, ImageOps, UnidentifiedImageError

from fixtures.cells.manner import Manner
from fixtures.questions.asking import extras_of
from fixtures.questions.catalogue import HELD_OUT, answers
from fixtures.questions.hostile import pictures
from fixtures.questions.hostile.probe import LEGAL, RIGHT, Target, asked
from fixtures.questions.hostile.probes import candidates, probes, variants
from fixtures.questions.scenes import draw

pytestmark = pytest.mark.selftest

TARGET = Target("minicpm-v", 2048, 2)
CONTROL = candidates()[0]
PIXELS = draw(CONTROL.pictures[0])
PNG = pictures.saved(PIXELS, "PNG")


def _opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def test_probes_are_the_same_ever_after() -> None:
    """The same deployment and question make the same requests, each with a name of its own."""
    made = probes(TARGET, CONTROL)
    assert made == probes(TARGET, CONTROL)
    names = [probe.name for probe in made]
    assert len(set(names)) == len(names) >= 50
    assert all(probe.guards for probe in made)


def test_a_right_answer_is_known_where_one_may_come() -> None:
    """Probes with a right answer have it, and no others."""
    for probe in probes(TARGET, CONTROL):
        assert bool(probe.word) == (probe.may in (LEGAL, RIGHT)), probe.name


def test_what_is_not_limited_is_not_overstepped() -> None:
    """Too many pictures are only sent where it is known how many are too many."""
    limited = {probe.name for probe in probes(TARGET, CONTROL)}
    free = {probe.name for probe in probes(TARGET._replace(images_per_prompt=None), CONTROL)}
    assert limited - free == {"too many pictures"}


def test_a_control_question_is_held_out_and_without_noise() -> None:
    """No checkpoint was trained on a candidate, and a palette holds its colours."""
    for candidate in candidates():
        assert candidate.seed >= HELD_OUT
        assert candidate.skill == "colour"
        assert [scene.noise for scene in candidate.pictures] == [0]


def test_variants_ask_the_same_of_other_pictures() -> None:
    """No two have the same picture, so that no cache answers; the differences cannot be seen."""
    fresh = list(islice(variants(CONTROL), 5))
    assert {(question.text, question.answer) for question in fresh} == {
        (CONTROL.text, CONTROL.answer)
    }
    drawn = [draw(question.pictures[0]) for question in fresh]
    assert len({pixels.tobytes() for pixels in drawn}) == 5
    assert all(np.abs(pixels.astype(int) - PIXELS).max() == 1 for pixels in drawn)


@pytest.mark.parametrize(
    ("data", "form", "mode"),
    [
        (pictures.sixteen_bit_png(PIXELS), "PNG", "RGB"),
        (pictures.interlaced_png(PIXELS), "PNG", "RGB"),
        (pictures.palette_png(PIXELS), "PNG", "P"),
        (pictures.animated_gif(PIXELS), "GIF", "P"),
        (pictures.saved(PIXELS, "PNG", "RGBA"), "PNG", "RGBA"),
    ],
    ids=["16-bit", "interlaced", "palette", "GIF", "alpha"],
)
def test_an_odd_picture_shows_the_same(data: bytes, form: str, mode: str) -> None:
    """A lossless form is read as what it says it is, pixel for pixel."""
    image = _opened(data)
    assert image.format == form
    assert image.mode == mode
    assert np.array_equal(np.asarray(image.convert("RGB")), PIXELS)


def test_odd_pictures_are_odd() -> None:
    """Bits, passes, frames and colours are what the names say."""
    assert pictures.sixteen_bit_png(PIXELS)[24:26] == bytes([16, 2])
    assert pictures.grey_sixteen_bit_png(PIXELS)[24:26] == bytes([16, 0])
    assert pictures.interlaced_png(PIXELS)[28] == 1
    assert getattr(_opened(pictures.animated_gif(PIXELS)), "n_frames", 1) == 2
    assert _opened(pictures.saved(PIXELS, "JPEG", "CMYK")).mode == "CMYK"
    assert _opened(pictures.grey_sixteen_bit_png(PIXELS)).mode.startswith("I")


def test_a_turned_picture_is_upright_by_its_exif() -> None:
    """Turned as the EXIF says it shows the scene, but for a JPEG's loss."""
    image = _opened(pictures.turned_jpeg(PIXELS))
    upright = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    assert np.abs(upright - PIXELS).mean() < 3
    assert np.abs(np.asarray(image).astype(int) - PIXELS).mean() > 3


def test_a_broken_crc_is_broken_and_nothing_else() -> None:
    """One bit differs, and a reader that checks says so."""
    broken = pictures.png_with_broken_crc(PNG)
    differing = [(a ^ b).bit_count() for a, b in zip(PNG, broken, strict=True)]
    assert sum(differing) == 1
    with pytest.raises(SyntaxError, match="broken PNG file"), Image.open(io.BytesIO(broken)) as png:
        png.verify()


def test_broken_exif_leaves_the_picture_whole() -> None:
    """Only the EXIF block cannot be read, and Pillow says so."""
    data = pictures.jpeg_with_broken_exif(PIXELS)
    # Pillow says so where it reads the EXIF: in which words depends on how much it read.
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        image = _opened(data)
    assert [warning.category for warning in told] == [UserWarning] * len(told)
    assert told
    assert np.abs(np.asarray(image).astype(int) - PIXELS).mean() < 3


def test_a_bomb_is_made_without_its_pixels() -> None:
    """20,000 x 20,000 pixels take less than 100 kB, and 4 MiB to make; Pillow refuses them."""
    tracemalloc.start()
    bomb = pictures.black_png(20_000, 20_000)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert struct.unpack(">LL", bomb[16:24]) == (20_000, 20_000)
    assert len(bomb) < 100_000
    assert peak_bytes < 4 << 20
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(bomb))


def test_small_black_pictures_are_whole() -> None:
    """A row that is no multiple of eight pixels is padded as PNG wants it."""
    for size in ((1, 1), (7, 1_400), (65_535, 1)):
        image = _opened(pictures.black_png(*size))
        assert image.size == size
        assert image.getextrema() == (0, 0)


def test_a_truncated_picture_cannot_be_read() -> None:
    """Half of the file is not enough, and a text is no picture."""
    with pytest.raises(OSError, match="truncated"):
        _opened(PNG[: len(PNG) // 2])
    with pytest.raises(UnidentifiedImageError):
        _opened(b"this is no picture")


def test_the_control_question_is_in_the_models_manner() -> None:
    """It says what form is wanted, on larger pictures, and each request has what is sent always."""
    manner = Manner(instructed=True, enlargement=4, stop_token_ids=(7,))
    target = TARGET._replace(extras=extras_of(manner))
    for control in candidates(manner):
        assert control.text.endswith(" Answer with one word.")
        assert [scene.width for scene in control.pictures] == [448]
        assert control.answer in answers(control.pictures[0]).values()
        assert asked(target, control)["stop_token_ids"] == [7]
    assert "stop_token_ids" not in asked(TARGET, CONTROL)
