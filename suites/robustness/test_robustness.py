"""Bad requests are refused, bad clients hold nobody up, and the server stays up."""

import pytest

from fixtures.deployments.deployment import Deployment
from fixtures.plugin.serving import Judge
from fixtures.questions.hostile.probes import probes
from fixtures.questions.probing import probe_all
from fixtures.verdicts.robustness import judge_robustness

pytestmark = pytest.mark.needs_answers


def test_bad_requests_get_a_reason_and_do_no_harm(serving: Deployment, judge: Judge) -> None:
    """Each bad request is refused with a 4xx or answered, and the next good one answered right."""
    serving.keep_probes(probe_all(serving.endpoint, serving.target, probes, serving.why_down))
    record = serving.record
    judge(judge_robustness(record.robustness, record.provenance.vllm_version))
