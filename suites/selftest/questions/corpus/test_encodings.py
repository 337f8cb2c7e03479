"""Files of every kind show the scene that they are made from."""

import io
import struct
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from fixtures.cells.manner import PLAIN
from fixtures.questions.asked import grade_of
from fixtures.questions.catalogue import PLACES, UNIT, answers
from fixtures.questions.corpus.encodings import SEEING, encoding, filed
from fixtures.questions.corpus.file_kinds import KINDS, MISREAD, ON_WHITE, FileKind
from fixtures.questions.corpus.item import Picture
from fixtures.questions.corpus.picture_files import WILD, margin_of
from fixtures.questions.corpus.png_chunks import png_file
from fixtures.questions.scenes import Pixels, Scene, draw

pytestmark = pytest.mark.selftest

ALL: Final = (*KINDS, *ON_WHITE, *MISREAD)
LOSSY: Final = ("jpeg", "webp lossy")
NEAR: Final = 12.0
"""Mean difference of a lossy file in levels of 255: it smooths noise, of up to 20 levels."""


def _name(kind: FileKind) -> str:
    return kind.name


EVERY_KIND = pytest.mark.parametrize("kind", ALL, ids=_name)


def _viewed(file: bytes) -> Pixels:
    """What a viewer shows of a file, before a white page."""
    image: Image.Image = Image.open(io.BytesIO(file))
    image = ImageOps.exif_transpose(image)
    if image.mode == "I;16":
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    seen = image.convert("RGBA")
    page = Image.new("RGBA", seen.size, "white")
    return np.asarray(Image.alpha_composite(page, seen).convert("RGB"))


def _expected(kind: FileKind, scene: Scene) -> Pixels:
    pixels = draw(scene)
    if "holes" in kind.name or "key" in kind.name:
        # The white of things is nearly the page's.
        pixels[(pixels == 250).all(axis=2)] = 255
    if "border" in kind.name:
        margin = margin_of(scene)
        framed = np.full_like(pixels, 255)
        inner = slice(margin, -margin)
        framed[inner, inner] = pixels[inner, inner]
        return framed
    return pixels


@EVERY_KIND
def test_a_file_shows_its_scene(kind: FileKind) -> None:
    """Pixel by pixel where the format keeps them, nearly so where it does not."""
    for number in range(8):
        scene = filed(number, (kind,)).question.pictures[0]
        shown, meant = _viewed(kind.write(scene)), _expected(kind, scene)
        if kind.name == "png 1 bit":
            meant = np.where(meant < 128, np.uint8(0), np.uint8(255))
        assert shown.shape == meant.shape
        apart = np.abs(shown.astype(int) - meant.astype(int))
        if kind.name.startswith(LOSSY):
            assert apart.mean() < NEAR, number
        else:
            assert apart.max() == 0, number


@EVERY_KIND
def test_a_question_stays_true_of_what_its_file_shows(kind: FileKind) -> None:
    """The answer is among those that the scene in the file has, and is graded right."""
    for number in range(12):
        question = filed(number, (kind,)).question
        assert question.answer in answers(question.pictures[0]).values()
        assert question.skill in kind.skills
    item = encoding(0, kinds=(kind,))
    assert grade_of(item, item.answer).correct


@EVERY_KIND
def test_a_file_is_of_the_format_that_it_is_declared_as(kind: FileKind) -> None:
    """The media type is that of the bytes."""
    (picture,) = encoding(0, PLAIN, (kind,)).pictures
    assert isinstance(picture, Picture)
    assert Image.open(io.BytesIO(picture.data)).get_format_mimetype() == picture.media_type


@given(st.integers(0, 10_000))
def test_every_manner_has_the_same_scene_and_truth(number: int) -> None:
    """Enlarged and instructed, an item has the answer and the guard that it has bare."""
    bare, said = encoding(number, PLAIN), encoding(number)
    assert (bare.answers, bare.guards, bare.id) == (said.answers, said.guards, said.id)
    assert said.text.startswith(bare.text)
    small, large = (_viewed(_file(item.pictures[0])) for item in (bare, said))
    assert small.shape == (UNIT, UNIT, 3)
    assert large.shape == (UNIT * SEEING.enlargement, UNIT * SEEING.enlargement, 3)


def _file(picture: object) -> bytes:
    assert isinstance(picture, Picture)
    return picture.data


def test_kinds_take_turns_and_ask_every_skill() -> None:
    """As many items as there are kinds have each kind once; a few laps have each of its skills."""
    assert [filed(number).kind for number in range(len(KINDS))] == list(KINDS)
    for turn, kind in enumerate(KINDS):
        asked = {filed(turn + lap * len(KINDS)).question.skill for lap in range(4)}
        assert asked == set(kind.skills)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_photograph_is_stored_turned(orientation: int) -> None:
    """Without its tag things are seen elsewhere: a fiftieth of the pixels, and more, are others."""
    kind = next(kind for kind in KINDS if kind.name == f"jpeg EXIF {orientation}")
    for number in range(6):
        scene = filed(number, (kind,)).question.pictures[0]
        stored = Image.open(io.BytesIO(kind.write(scene)))
        apart = np.abs(np.asarray(stored).astype(int) - draw(scene).astype(int))
        assert stored.getexif()[0x0112] == orientation
        assert (apart.max(axis=2) > 40).mean() > 0.02


@given(st.integers(0, 500))
def test_places_of_turned_photographs_are_those_that_turning_changes(number: int) -> None:
    """A picture that is mirrored is asked about left and right, a flipped one about the rest."""
    for orientation, places in ((2, PLACES[:2]), (4, PLACES[2:])):
        kind = next(kind for kind in KINDS if kind.name == f"jpeg EXIF {orientation}")
        assert filed(number, (kind,)).question.answer in places


@pytest.mark.parametrize(
    "kind", [kind for kind in ALL if "holes" in kind.name or "alpha g" in kind.name], ids=_name
)
def test_wild_pixels_lie_beneath_what_is_not_seen(kind: FileKind) -> None:
    """Who drops the transparency sees another picture."""
    scene = filed(0, (kind,)).question.pictures[0]
    dropped = np.asarray(Image.open(io.BytesIO(kind.write(scene))).convert("RGBA"))[:, :, :3]
    wild = int(np.dot(WILD, (299, 587, 114)) / 1000) if "grey" in kind.name else WILD
    assert (np.abs(dropped.astype(int) - wild).max(axis=2) <= 1).any()


@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 2, 3, 4]))
def test_png_files_of_any_size_are_read_back(width: int, height: int, channels: int) -> None:
    """Passes without pixels, too, are written as the specification has them."""
    samples = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)
    for interlaced in (False, True):
        image = Image.open(io.BytesIO(png_file(samples, interlaced=interlaced)))
        read: npt.NDArray[np.uint8] = np.asarray(image).reshape(samples.shape)
        assert (read == samples).all()


@pytest.mark.parametrize(
    ("name", "depth", "colour_type", "interlace"),
    [
        ("png interlaced", 8, 2, 1),
        ("png 16 bits", 16, 2, 0),
        ("png 16 bits grey", 16, 0, 0),
        ("png 1 bit", 1, 0, 0),
        ("png palette", 8, 3, 0),
        ("png grey alpha holes", 8, 4, 0),
    ],
)
def test_a_png_header_says_what_the_kind_is(
    name: str, depth: int, colour_type: int, interlace: int
) -> None:
    """Bit depth, colour type and interlacing stand in the first chunk."""
    kind = next(kind for kind in ALL if kind.name == name)
    file = kind.write(filed(0, (kind,)).question.pictures[0])
    said_depth, said_type, _, _, said_interlace = struct.unpack(">5B", file[24:29])
    # Pillow packs palettes of few colours.
    assert said_depth == depth or (name == "png palette" and said_depth <= depth)
    assert (said_type, said_interlace) == (colour_type, interlace)


def test_what_is_known_to_be_misread_is_misread_by_pillow() -> None:
    """The day that these pass, vLLM shows the pictures right and they belong to the others."""
    grey, key = MISREAD
    scene = filed(0, (grey,)).question.pictures[0]
    cut_off = np.asarray(Image.open(io.BytesIO(grey.write(scene))).convert("RGB"))
    assert (cut_off == 255).mean() > 0.5
    scene = filed(0, (key,)).question.pictures[0]
    image = Image.open(io.BytesIO(key.write(scene)))
    assert image.mode == "RGB"
    assert (np.asarray(image) == WILD).all(axis=2).any()
