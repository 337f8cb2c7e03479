"""A planted fault: the answer key is wrong, so that every right answer is graded as wrong.

A pytest plugin (`-p wrong_key`), imported before any suite takes hold of the questions.
"""

from dataclasses import replace

from fixtures.questions import catalogue

_OTHER = {"colour": "brown", "shape": "star", "count": "nine", "position": "outside"}
_honest = catalogue.held_out


def held_out(skill: str, layout: str, n: int, start: int = 0) -> list[catalogue.Question]:
    """The honest questions, each with an answer that is never right."""
    return [replace(q, answer=_OTHER[q.skill]) for q in _honest(skill, layout, n, start)]


catalogue.held_out = held_out
