"""Questions are answered right."""

import pytest

from fixtures.deployments.deployment import Deployment
from fixtures.plugin.options import value_of
from fixtures.plugin.serving import Judge
from fixtures.questions.asking import ask_all
from fixtures.questions.corpus.folder import Corpus
from fixtures.questions.selection import questions_of
from fixtures.verdicts.answers import ABOUT, judge_answers
from fixtures.verdicts.symptoms import judge_symptoms

pytestmark = pytest.mark.needs_answers
_TIMEOUT_S = 120.0


def test_questions_are_answered_right(
    serving: Deployment, judge: Judge, corpus: Corpus | None, pytestconfig: pytest.Config
) -> None:
    """Each skill reaches the accuracy that the model, or a corpus of one's own, promises."""
    model, concurrency = serving.case.model, serving.case.cell.max_num_seqs
    skills = (*model.accuracy, *model.unpromised)
    questions = questions_of(skills, value_of(pytestconfig, "questions"), model.manner)
    own = corpus.items if corpus else ()
    answers = ask_all(
        serving.endpoint, [*questions, *own], concurrency, _TIMEOUT_S, serving.why_down
    )
    serving.keep_answers(answers, concurrency)
    told = serving.record.answers
    verdicts = [judge_answers(model.accuracy, told), judge_symptoms(told)]
    if corpus:
        about = f"{ABOUT} of {corpus.name}"
        verdicts.append(judge_answers(corpus.accuracy, told, about, corpus.visible_drop))
    judge(*verdicts)
