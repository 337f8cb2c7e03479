"""Pictures are cut into slices as the model was trained to see them."""

import pytest

from fixtures.deployments.deployment import Deployment
from fixtures.deployments.token_section import counted, token_plan
from fixtures.plugin.preparation import source_of
from fixtures.plugin.serving import Judge
from fixtures.questions.asking import ask_all
from fixtures.questions.geometry import GeometryError, marks_of, overridden, slicing_of
from fixtures.records.schema import Unmeasured
from fixtures.runtimes.model_files import ModelError, find_model
from fixtures.verdicts.tokens import judge_tokens

pytestmark = pytest.mark.needs_answers
_TIMEOUT_S = 120.0


def test_prompt_tokens_follow_from_the_pictures_sizes(
    serving: Deployment, judge: Judge, pytestconfig: pytest.Config
) -> None:
    """Every size costs the tokens of its grid of slices, and not one more or less."""
    case = serving.case
    try:
        folder = find_model(source_of(pytestconfig, case.model), weights=False).path
        slicing = overridden(slicing_of(folder), case.cell.extra_flags)
    except (ModelError, GeometryError) as error:
        serving.keep_tokens(Unmeasured(unmeasured=str(error)))
    else:
        plan = token_plan(slicing, marks_of(folder), case.cell.max_model_len)
        concurrency = case.cell.max_num_seqs
        answers = ask_all(
            serving.endpoint, plan.questions, concurrency, _TIMEOUT_S, serving.why_down
        )
        serving.keep_tokens(counted(plan, answers))
    judge(judge_tokens(serving.record.tokens))
