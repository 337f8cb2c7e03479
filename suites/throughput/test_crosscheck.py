"""vLLM's own benchmark, given the same load, measures what ours does."""

import pytest

from fixtures.deployments.deployment import Deployment
from fixtures.plugin.serving import Judge
from fixtures.verdicts.crosscheck import judge_crosscheck

pytestmark = [pytest.mark.needs_answers, pytest.mark.crosscheck]
_REQUESTS = 256
"""Some ten seconds of the fastest cpu cell: rounds of two differed by 7 % among themselves."""


def test_another_client_measures_the_same(serving: Deployment, judge: Judge) -> None:
    """Tokens and requests a second of `vllm bench serve` are ours, to 15 %."""
    serving.crosscheck(max(_REQUESTS, 8 * serving.case.cell.max_num_seqs))
    judge(judge_crosscheck(serving.record.crosscheck))
