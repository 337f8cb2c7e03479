"""Photographs are those that were looked at, and their questions give nothing away."""

import io
import sys
from collections import Counter

import pytest
from PIL import Image

from fixtures.questions.asked import grade_of
from fixtures.questions.corpus import photographs
from fixtures.questions.corpus.built_in import items
from fixtures.questions.corpus.item import Picture
from fixtures.questions.corpus.photographs import (
    QUESTIONS,
    SOURCES,
    PhotographError,
    Source,
    photograph,
    picture_of,
)

pytestmark = pytest.mark.selftest


@pytest.mark.parametrize("file", SOURCES)
def test_a_photograph_is_in_the_package(file: str) -> None:
    """Each can be decoded, and is of the type that it is sent as."""
    picture = picture_of(file)
    image = Image.open(io.BytesIO(picture.data))
    image.load()
    assert image.get_format_mimetype() == picture.media_type


def test_every_photograph_is_asked_about() -> None:
    """None is listed in vain, and none is asked about that is not listed."""
    assert {file for about in QUESTIONS for file in about.files} == set(SOURCES)


def test_items_end_where_the_questions_do() -> None:
    """More are asked for than there are, and all there are come."""
    made = items("photograph", len(QUESTIONS) + 5)
    assert len(made) == len(QUESTIONS)
    assert len({(item.text, item.pictures) for item in made}) == len(made)
    for outside in (len(QUESTIONS), -1):
        with pytest.raises(IndexError, match="questions about photographs"):
            photograph(outside)


def test_every_answer_is_graded_right() -> None:
    """Each of the right ones is, by the grader of its kind."""
    for item in items("photograph", len(QUESTIONS)):
        for answer in item.answers:
            assert grade_of(item, answer).correct, item.text
        assert all(isinstance(picture, Picture) for picture in item.pictures)


def test_guessing_is_worth_no_more_than_its_share() -> None:
    """Yes and no, the letters, and the two sides are equally often right."""
    by_grading: dict[str, Counter[str]] = {}
    for about in QUESTIONS:
        by_grading.setdefault(about.grading, Counter())[about.answers[0]] += 1
    assert by_grading["yes-no"]["yes"] == by_grading["yes-no"]["no"]
    assert len({by_grading["choice"][letter] for letter in "ABCD"}) == 1
    words = by_grading["word"]
    assert words["left"] == words["right"]
    assert words["first"] == words["second"]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says which package the photographs come with."""
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(PhotographError, match=r"chelsea\.png is missing .* package scikit-image"):
        picture_of("chelsea.png")


def test_another_picture_of_that_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that was written for one picture is never graded on another."""
    other = {"chelsea.png": Source("", "0" * 16)}
    monkeypatch.setattr(photographs, "SOURCES", other)
    with pytest.raises(PhotographError, match=r"not the picture of scikit-image 0\.26"):
        picture_of("chelsea.png")
