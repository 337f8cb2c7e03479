"""Everything comes back, and the whole life of the server stayed under the budget."""

from fixtures.deployments.deployment import Deployment
from fixtures.plugin.serving import Judge
from fixtures.verdicts.budget import judge_budget
from fixtures.verdicts.stop import judge_stop


def test_nothing_is_left_behind(deployment: Deployment, judge: Judge) -> None:
    """After the stop no process, port, shared memory or cgroup of the server is there."""
    deployment.close()
    judge(judge_stop(deployment.record.stop))


def test_peak_over_the_whole_life_stays_under_budget(deployment: Deployment, judge: Judge) -> None:
    """Start, questions, load and stop together stay under the cell's budget."""
    deployment.close()
    record = deployment.record
    judge(judge_budget(deployment.case, record.start, record.memory, deployment.plan.gap_limit_s))
