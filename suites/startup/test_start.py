"""It starts, or fails as it should, and says why."""

from fixtures.deployments.deployment import Deployment
from fixtures.plugin.serving import Judge
from fixtures.verdicts.start import judge_start


def test_start_goes_as_expected(deployment: Deployment, judge: Judge) -> None:
    """The server gets ready, or dies of memory in the phase that the matrix names."""
    record = deployment.record
    judge(judge_start(deployment.case, record.start, record.memory, enforced=record.card_enforced))
