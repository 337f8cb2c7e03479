"""The server touched no GPU but its own."""

import pytest

from fixtures.deployments.deployment import Deployment
from fixtures.plugin.serving import Judge
from fixtures.records.schema import Unmeasured
from fixtures.verdicts.isolation import judge_isolation

pytestmark = pytest.mark.needs_gpu


def test_no_other_gpu_was_touched(deployment: Deployment, judge: Judge) -> None:
    """From before its start to after its end, what every other GPU held stayed as it was."""
    deployment.close()
    memory = deployment.record.memory
    judge(judge_isolation(memory if isinstance(memory, Unmeasured) else memory.gpus))
