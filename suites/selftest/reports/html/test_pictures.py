import base64
import io

import numpy as np
import pytest
from PIL import Image

from fixtures.questions.asked import shown_in
from fixtures.questions.catalogue import HELD_OUT, question
from fixtures.questions.scenes import draw
from fixtures.records.schema import AnswersRecord, GradedRecord, SkillRecord, WrongAnswer
from fixtures.reports.html.answers import MOST_SHOWN
from fixtures.reports.html.pictures import pictured_in
from suites.selftest.reports.html.pages import Parts, a_run, html_of, judged
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest


def _wrong(
    skill: str = "colour", layout: str = "pair", seed: int = HELD_OUT, name: str = ""
) -> WrongAnswer:
    return WrongAnswer(
        skill=skill,
        layout=layout,
        seed=seed,
        id=name,
        question="What?",
        expected="red",
        given="blue",
        reason="expected 'red', got 'blue'",
    )


def _answers(wrong: list[WrongAnswer], graded: list[GradedRecord]) -> AnswersRecord:
    skill = SkillRecord(asked=75, correct=60, failed=0, low=0.7, high=0.9)
    return AnswersRecord(concurrency=1, skills={"colour": skill}, wrong=wrong, graded=graded)


def _graded(wrong: WrongAnswer, picture: str) -> GradedRecord:
    return GradedRecord(
        skill=wrong.skill,
        layout=wrong.layout,
        seed=wrong.seed,
        picture=picture,
        expected=wrong.expected,
        given=wrong.given,
        correct=False,
        reason=wrong.reason,
        prompt_tokens=NOT_SEEN,
        completion_tokens=NOT_SEEN,
        finish_reason=NOT_SEEN,
    )


def test_the_pictures_of_a_generated_question_are_made_again() -> None:
    """Both of a pair, in their order, with the pixels that the model was shown."""
    album: dict[str, str] = {}
    names, why = pictured_in(album, judged())(_wrong())
    assert why == ""
    assert len(names) == len(album) == 2
    for name, scene in zip(names, question(HELD_OUT, "colour", "pair").pictures, strict=True):
        head, _, data = album[name].partition(",")
        assert head == "data:image/webp;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            shown = np.asarray(picture.convert("RGB"), dtype=int)
        assert np.abs(shown - draw(scene)).mean() < 12


def test_an_item_of_the_suites_own_corpus_is_made_again() -> None:
    """By its number; small, whatever it was."""
    album: dict[str, str] = {}
    wrong = _wrong("encoding", "single", 27, "encoding-027")
    names, why = pictured_in(album, judged())(wrong)
    assert (len(names), why) == (1, "")
    assert len(album[names[0]]) < 20_000


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (_wrong("colour", "single", 3, "mine/3"), "its files are not kept"),
        (_wrong("smell"), "nothing here can make it again"),
        (_wrong("colour", "triple"), "nothing here can make it again"),
        (_wrong("colour", "single", -1), "nothing here can make it again"),
        (_wrong("clock", "single", 3, "clock-004"), "nothing here can make it again"),
    ],
    ids=["own corpus", "skill", "layout", "seed", "number"],
)
def test_a_picture_that_cannot_be_made_again_says_so(wrong: WrongAnswer, why: str) -> None:
    """No other picture stands in for it."""
    names, said = pictured_in({}, judged())(wrong)
    assert names == ()
    assert why in said


def test_a_picture_that_would_be_another_is_not_shown() -> None:
    """The record holds a digest of what was shown, which a changed generator does not meet."""
    wrong = _wrong()
    shown = shown_in(question(HELD_OUT, "colour", "pair"))
    good = judged(answers=_answers([wrong], [_graded(wrong, shown)]))
    assert len(pictured_in({}, good)(wrong)[0]) == 2
    changed = judged(answers=_answers([wrong], [_graded(wrong, "0" * 16)]))
    names, why = pictured_in({}, changed)(wrong)
    assert names == ()
    assert "draws another picture today" in why


def test_of_many_wrong_answers_a_dozen_are_shown() -> None:
    """And that there were more is told."""
    wrong = [_wrong(seed=HELD_OUT + i) for i in range(MOST_SHOWN + 3)]
    parts = Parts(html_of(a_run(judged(answers=_answers(wrong, [])))))
    assert len(parts.classed("question")) == MOST_SHOWN
    assert (
        f"Of {MOST_SHOWN + 3} wrong answers that were kept, {MOST_SHOWN} are shown." in parts.read
    )
    pictures = [image["data-picture"] for image in parts.of("img")]
    assert len(pictures) == 2 * MOST_SHOWN
    (album,) = [text for text in parts.scripts if "data:image/webp" in text]
    assert all(name in album for name in pictures)
