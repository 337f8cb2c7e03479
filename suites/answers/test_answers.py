"""Questions are answered right."""

import pytest

from fixtures.deployments.deployment import Deployment
from fixtures.plugin.options import value_of
from fixtures.plugin.serving import Judge
from fixtures.questions.asking import ask_all
from fixtures.questions.catalogue import LAYOUTS, SKILLS, held_out
from fixtures.verdicts.answers import judge_answers
from fixtures.verdicts.symptoms import judge_symptoms

pytestmark = pytest.mark.needs_answers
_TIMEOUT_S = 120.0


def test_questions_are_answered_right(
    serving: Deployment, judge: Judge, pytestconfig: pytest.Config
) -> None:
    """Each skill, over all layouts, reaches the accuracy that the model promises."""
    a_skill: int = value_of(pytestconfig, "questions")
    # Round robin over the layouts: the single picture first, since it is what most people send.
    shares = {layout: len(range(i, a_skill, len(LAYOUTS))) for i, layout in enumerate(LAYOUTS)}
    questions = [
        question
        for skill in SKILLS
        for layout, number in shares.items()
        for question in held_out(skill, layout, number)
    ]
    concurrency = serving.case.cell.max_num_seqs
    answers = ask_all(serving.endpoint, questions, concurrency, _TIMEOUT_S, serving.why_down)
    serving.keep_answers(answers, concurrency)
    judge(
        judge_answers(serving.case.model.accuracy, serving.record.answers),
        judge_symptoms(serving.record.answers),
    )
