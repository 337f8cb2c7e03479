"""The peak stays under the budget; suites/shutdown looks again when everything is over."""

from fixtures.deployments.deployment import Deployment
from fixtures.plugin.serving import Judge
from fixtures.verdicts.budget import judge_budget


def test_start_up_peak_stays_under_budget(deployment: Deployment, judge: Judge) -> None:
    """From the first process to readiness, the whole tree stays under the cell's budget."""
    record = deployment.record
    memory = deployment.measure_memory()
    limit_s = deployment.plan.gap_limit_s
    judge(judge_budget(deployment.case, record.start, memory, limit_s, of_start=True))
