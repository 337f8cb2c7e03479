"""Whatever can be asked has a message, a grade and a name for its pictures."""

from dataclasses import replace

import pytest

from fixtures.cells.manner import PLAIN, Manner
from fixtures.questions.asked import content_of, grade_of, id_of, longest_answer, shown_in
from fixtures.questions.asking import extras_of
from fixtures.questions.catalogue import SKILLS, held_out
from fixtures.questions.corpus.item import Item, Picture, Video
from fixtures.questions.scenes import draw, png

pytestmark = pytest.mark.selftest

(SCENE,) = held_out("position", "single", 1)
PICTURE = Picture(png(SCENE.pictures[0]))
INSTRUCTED = Manner(instructed=True, placeholder="<picture>")


def _item(*parts: str | Picture | Video, inline: bool = False) -> Item:
    return Item("clock", 3, "easy", "nothing", parts, ("3:30", "03:30"), "exact", inline=inline)


def test_an_items_parts_are_sent_in_their_order() -> None:
    """Text before a picture stays before it."""
    content = content_of(_item("First:", PICTURE, "What time is it?"), PLAIN)
    assert [part["type"] for part in content] == ["text", "image_url", "text"]
    assert content[1]["image_url"]["url"] == PICTURE.url


def test_a_picture_within_a_sentence_is_a_placeholder_in_one_text() -> None:
    """The model's own placeholder stands where the picture does, with no space around it."""
    content = content_of(_item("abc", PICTURE, "def", inline=True), INSTRUCTED)
    assert content == [
        {"type": "image_url", "image_url": {"url": PICTURE.url}},
        {"type": "text", "text": "abc<picture>def"},
    ]


def test_a_scene_next_to_text_is_written_so() -> None:
    """What stands before the picture and the question meet its placeholder."""
    content = content_of(replace(SCENE, before="abc"), PLAIN)
    assert content[-1]["text"] == f"abc(<image>./</image>){SCENE.text}"
    assert len(content) == 2


@pytest.mark.parametrize("skill", SKILLS)
def test_only_models_that_want_it_are_told_how_to_answer(skill: str) -> None:
    """The tiny checkpoint has never seen an instruction; others would answer in sentences."""
    (question,) = held_out(skill, "single", 1)
    assert content_of(question, PLAIN)[-1]["text"] == question.text
    told = content_of(question, INSTRUCTED)[-1]["text"]
    assert told.startswith(f"{question.text} Answer with one ")


def test_a_video_is_one_url_with_all_frames() -> None:
    """Frames are joined by commas, as vLLM takes them apart."""
    (part,) = content_of(_item(Video((b"one", b"two"))), PLAIN)
    assert part["video_url"]["url"] == "data:video/jpeg;base64,b25l,dHdv"


def test_any_accepted_answer_is_right() -> None:
    """The first is shown, and each counts; raw tokens beside it do not."""
    item = _item(PICTURE, "What time is it?")
    assert item.answer == "3:30"
    assert grade_of(item, "03:30").correct
    assert not grade_of(item, "4:30").correct
    assert not grade_of(item, "3:30<|im_end|>").correct


def test_a_text_with_too_many_wrong_letters_is_not_read() -> None:
    """ANLS forgives half of them; reading is held to fewer than a fifth."""
    item = replace(_item(PICTURE, "Read it."), answers=("abcdefghij",), grading="text")
    assert grade_of(item, "abcdefghiX").correct
    assert not grade_of(item, "abcdefghXX").correct


def test_pictures_are_named_by_what_they_show() -> None:
    """The same for the same bytes, whatever is asked about them."""
    one, other = _item(PICTURE, "What time is it?"), _item(PICTURE, "Is it late?")
    assert shown_in(one) == shown_in(other)
    assert shown_in(one) != shown_in(_item(PICTURE, PICTURE, "What time is it?"))


def test_items_are_named_and_scenes_have_seeds() -> None:
    """A user's corpus stands before its items' names."""
    item = _item(PICTURE, "What time is it?")
    assert (id_of(item), id_of(replace(item, corpus="mine"))) == ("clock-003", "mine/clock-003")
    assert id_of(SCENE) == ""
    assert longest_answer(item) > longest_answer(SCENE)


def test_a_larger_scene_has_the_same_truth() -> None:
    """Four times the picture is the same picture, seen from nearer."""
    large = SCENE.enlarged(4)
    assert large.answer == SCENE.answer
    small, big = (replace(q.pictures[0], noise=0) for q in (SCENE, large))
    assert (big.width, big.height) == (4 * small.width, 4 * small.height)
    # Edges fall between pixels; what is well within a thing is of its colour in both.
    for thing in small.things:
        assert (draw(big)[4 * thing.y, 4 * thing.x] == draw(small)[thing.y, thing.x]).all()


def test_a_plain_manner_adds_nothing_to_a_request() -> None:
    """Fields that only vLLM knows are sent where a model needs them."""
    assert extras_of(PLAIN) == {}
    thinking = Manner(stop_token_ids=(1, 2), chat_template_kwargs={"enable_thinking": False})
    assert extras_of(thinking) == {
        "stop_token_ids": [1, 2],
        "chat_template_kwargs": {"enable_thinking": False},
    }
