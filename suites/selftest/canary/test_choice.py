"""Which requests a fault falls on."""

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fixtures.cells.manner import PLAIN
from fixtures.questions.asked import Askable, content_of
from fixtures.questions.catalogue import (
    LAYOUTS,
    LEADS,
    PHRASINGS,
    SKILLS,
    Question,
    answers,
    held_out,
    phrase,
)
from fixtures.questions.corpus.built_in import items
from suites.canary.plants.minicpmv_canary.accuracy import (
    LUCK,
    blank,
    blanked_share,
    is_drawn,
    is_of,
    white_png,
)
from suites.canary.plants.minicpmv_canary.decode import is_decode
from suites.canary.plants.minicpmv_canary.errors import falls_on

pytestmark = pytest.mark.selftest


def _body(asked: Askable, **further: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content_of(asked, PLAIN)}], **further}


@dataclass
class _Step:
    scheduled_new_reqs: list[str]
    num_scheduled_tokens: dict[str, int]


@given(st.integers(1, 1000), st.integers(0, 50))
def test_a_share_of_requests_is_exact(percent_of_ten: int, hundreds: int) -> None:
    """Of each thousand in a row, from wherever, so many fail as the share says."""
    share = Fraction(percent_of_ten, 1000)
    numbers = range(100 * hundreds + 1, 100 * hundreds + 1001)
    assert sum(falls_on(number, share) for number in numbers) == percent_of_ten


def test_of_one_percent_the_hundredth_fails() -> None:
    """And none before it."""
    assert [n for n in range(1, 301) if falls_on(n, Fraction(1, 100))] == [100, 200, 300]


@pytest.mark.parametrize(
    ("step", "decodes"),
    [
        (_Step([], {"a": 1, "b": 1}), True),
        (_Step([], {"a": 1, "b": 64}), False),
        (_Step(["b"], {"a": 1, "b": 1}), False),
        (_Step([], {}), False),
    ],
)
def test_a_step_that_reads_a_prompt_is_no_decode_step(step: _Step, *, decodes: bool) -> None:
    """Not even the last token of it, nor a step that does nothing."""
    assert is_decode(step) == decodes


def _wordings(asked: Question) -> Iterator[str]:
    """Every way to put the first thing that can be asked of this skill about its first picture."""
    ask = next(a for a in answers(asked.pictures[0]) if a.skill == asked.skill)
    for phrasing in range(len(PHRASINGS[asked.skill])):
        yield phrase(ask, phrasing)
        yield from (phrase(ask, phrasing, n, lead) for n in (0, 1) for lead in range(len(LEADS)))


@pytest.mark.parametrize("skill", SKILLS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_scene_is_known_by_its_skill(skill: str, layout: str) -> None:
    """In every wording, by its own skill and no other."""
    asked = held_out(skill, layout, 1)[0]
    body = _body(asked)
    said = body["messages"][0]["content"][-1]
    for text in _wordings(asked):
        said["text"] = text
        assert [s for s in SKILLS if is_of(body, s)] == [skill], text


def test_questions_about_file_formats_are_of_no_skill() -> None:
    """They have the scenes' words: one in twenty at most looks like a scene's plain PNG."""
    asked = items("encoding", 200, PLAIN)
    taken = [item for item in asked if any(is_of(_body(item), skill) for skill in SKILLS)]
    assert len(taken) <= len(asked) / 20


def test_the_same_question_is_always_drawn_alike() -> None:
    """Whatever else the request says: words and pictures decide."""
    for asked in held_out("count", "single", 50):
        drawn = {
            is_drawn(_body(asked, **further), Fraction(1, 2))
            for further in ({}, {"stream": True}, {"max_completion_tokens": 5, "seed": 1})
        }
        assert len(drawn) == 1


def test_a_larger_share_draws_what_a_smaller_one_does() -> None:
    """And about as many as it says, of 200 questions."""
    bodies = [_body(asked) for asked in held_out("colour", "single", 200)]
    few = {i for i, body in enumerate(bodies) if is_drawn(body, Fraction(1, 20))}
    many = {i for i, body in enumerate(bodies) if is_drawn(body, Fraction(1, 2))}
    assert few < many
    assert 1 <= len(few) <= 25
    assert 70 <= len(many) <= 130
    assert all(is_drawn(body, Fraction(1)) for body in bodies)


@pytest.mark.parametrize("skill", SKILLS)
def test_more_is_blanked_than_points_are_lost(skill: str) -> None:
    """As luck answers some blanks; and what blanks cannot cost is refused."""
    assert blanked_share(Fraction(3, 100), skill) * (1 - LUCK[skill]) == Fraction(3, 100)
    with pytest.raises(ValueError, match=f"blanks cost {skill} [0-9]+% at most, not 99%"):
        blanked_share(Fraction(99, 100), skill)


def test_a_blank_has_the_size_of_what_it_replaces() -> None:
    """Each picture of a pair, so that a prompt costs the tokens that it did."""
    for layout in LAYOUTS:
        asked = held_out("shape", layout, 1)[0]
        body = _body(asked)
        blank(body)
        urls = [p["image_url"]["url"] for p in body["messages"][0]["content"] if "image_url" in p]
        assert len(urls) == len(asked.pictures)
        for url, scene in zip(urls, asked.pictures, strict=True):
            raw = base64.b64decode(url.partition(",")[2])
            with Image.open(io.BytesIO(raw)) as picture:
                assert picture.size == (scene.width, scene.height)
                assert min(picture.tobytes()) >= 252
                assert picture.getpixel((100, 100)) == (255, 255, 255)


def test_no_two_blanks_are_alike() -> None:
    """Another picture has another blank, and the same one the same."""

    def blanks(seeds: int) -> list[str]:
        bodies = [_body(asked) for asked in held_out("shape", "single", seeds)]
        for body in bodies:
            blank(body)
        return [json.dumps(body["messages"][0]["content"][0]) for body in bodies]

    made = blanks(200)
    assert len(set(made)) == 200
    assert blanks(200) == made


def test_a_white_picture_is_a_plain_png() -> None:
    """Pillow reads it, checksums and all."""
    with Image.open(io.BytesIO(white_png(3, 2))) as picture:
        picture.verify()
        assert (picture.mode, picture.size, picture.format) == ("RGB", (3, 2), "PNG")
