"""Nothing is worse than what was accepted before."""

import pytest

from fixtures.deployments.agreement_section import EVERY_CELL
from fixtures.deployments.deployment import Deployment
from fixtures.plugin.past import Past
from fixtures.plugin.serving import Judge
from fixtures.verdicts.history.against_baseline import judge_against_baseline
from fixtures.verdicts.history.presence import judge_promises

pytestmark = pytest.mark.needs_baseline
_BY_COMPANY = (f"invariant: {EVERY_CELL}",)
"""Only cells that come later in a run have it."""


def test_nothing_is_worse_than_the_baseline(
    deployment: Deployment, judge: Judge, past: Past, *, is_whole: bool
) -> None:
    """Against the last accepted one and the anchor; what is missing is worse."""
    deployment.close()
    record, baseline = deployment.record, past.baselines[deployment.case.id]
    verdicts = [judge_against_baseline(record, baseline, past.tolerances, past.waivers, past.today)]
    if is_whole:
        verdicts += judge_promises(record, baseline, _BY_COMPANY)
    judge(*verdicts)
