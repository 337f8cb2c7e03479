"""The incident's configuration and its fix, on whatever card and vLLM there is."""

import pytest

from fixtures.deployments.deployment import Deployment
from fixtures.plugin.serving import Judge
from fixtures.verdicts.incident import judge_incident

pytestmark = pytest.mark.needs_role


def test_incident_plays_as_it_should(deployment: Deployment, judge: Judge) -> None:
    """The fix gets ready; the incident does too, or dies with an explanation that helps."""
    record = deployment.record
    gpu = deployment.plan.gpus.get(deployment.case.card_name)
    judge(judge_incident(deployment.case, record.start, record.memory, gpu))
