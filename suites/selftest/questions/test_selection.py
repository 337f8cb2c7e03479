"""A model is asked of what it promises, and of nothing else."""

from collections import Counter

import pytest

from fixtures.cells.manner import PLAIN, Manner
from fixtures.questions.catalogue import LAYOUTS, SKILLS, held_out
from fixtures.questions.selection import questions_of

pytestmark = pytest.mark.selftest


def test_each_promised_skill_is_asked_as_often() -> None:
    """All layouts take turns, and a skill that nothing is promised of is left alone."""
    asked = questions_of(("position", "colour"), 20, PLAIN)
    assert Counter(question.skill for question in asked) == {"position": 20, "colour": 20}
    layouts = Counter(question.layout for question in asked)
    assert layouts == {"single": 14, "sliced": 14, "pair": 12}


def test_scenes_are_the_held_out_ones_in_the_models_size() -> None:
    """A model with larger slices sees the same scenes, larger."""
    small = questions_of(SKILLS, 3, PLAIN)
    large = questions_of(SKILLS, 3, Manner(enlargement=4))
    assert small == [held_out(skill, layout, 1)[0] for skill in SKILLS for layout in LAYOUTS]
    assert [q.answer for q in large] == [q.answer for q in small]
    assert {q.pictures[0].width for q in large if hasattr(q.pictures[0], "width")} >= {448}


def test_what_nobody_can_ask_is_not_asked() -> None:
    """A promise without questions is left to the verdict, which calls it unmeasured."""
    assert questions_of(("telepathy",), 5, PLAIN) == []
