import pytest

from fixtures.load.shots import fresh_questions
from fixtures.questions.catalogue import HELD_OUT, LAYOUTS, SKILLS, answers, held_out

pytestmark = pytest.mark.selftest


def test_no_picture_is_sent_twice() -> None:
    """Pictures of one round, and of the next, all differ: no cache can have seen one."""
    first, second = fresh_questions(24), fresh_questions(24)
    pictures = [picture for asked in first + second for picture in asked.pictures]
    assert len(first) == len(second) == 24
    assert len(set(pictures)) == len(pictures)


def test_no_picture_is_one_of_the_answers_suite() -> None:
    """Seeds lie far above those that the answers suite draws, and those are held out too."""
    asked_before = [
        asked.seed for skill in SKILLS for layout in LAYOUTS for asked in held_out(skill, layout, 5)
    ]
    seeds = {asked.seed for asked in fresh_questions(24)}
    assert min(seeds) > max(asked_before) + 1_000_000
    assert min(asked_before) >= HELD_OUT


def test_skills_take_turns() -> None:
    """Every round asks each skill equally often."""
    skills = [asked.skill for asked in fresh_questions(24)]
    assert {skills.count(skill) for skill in SKILLS} == {24 // len(SKILLS)}


def test_pictures_are_as_large_as_a_model_wants_them() -> None:
    """Enlarged four times, with the same answer as before."""
    for asked in fresh_questions(8, enlargement=4):
        assert {(scene.width, scene.height) for scene in asked.pictures} == {(448, 448)}
        assert asked.answer in answers(asked.pictures[0]).values()
