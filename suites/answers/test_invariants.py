"""What is done to a question changes its answer as it must, and in no other way."""

import pytest

from fixtures.deployments.agreement_section import EVERY_CELL
from fixtures.deployments.deployment import Deployment
from fixtures.plugin.serving import Judge
from fixtures.questions.pairs import INVARIANTS, ask_pairs
from fixtures.verdicts.invariants import judge_invariants

pytestmark = pytest.mark.needs_answers
_PAIRS = 24
"""Of each invariant. Five flips then fail a model that promises 97 %; who does not look flips all
24 of those whose answer changes."""
_TIMEOUT_S = 120.0


def test_changed_questions_have_the_changed_answer(serving: Deployment, judge: Judge) -> None:
    """Mirrored, recoloured, re-encoded, crowded and repeated questions keep their truth."""
    pairs = ask_pairs(
        serving.endpoint, _PAIRS, serving.case.cell.max_num_seqs, _TIMEOUT_S, serving.why_down
    )
    serving.keep_invariants(pairs)
    # The first cell of a run has no other to agree with.
    wanted = (*INVARIANTS, EVERY_CELL) if serving.answers_before else INVARIANTS
    promised = serving.case.model.accuracy_of_scenes
    judge(*judge_invariants(promised, serving.record.invariants, wanted))
