"""Minutes of mixed load leave nothing behind, and slow nothing down."""

import pytest

from fixtures.deployments.deployment import Deployment
from fixtures.load.mixture import mixture_for
from fixtures.load.soaking import Site, soak
from fixtures.plugin.options import value_of
from fixtures.plugin.serving import Judge
from fixtures.verdicts.soak import judge_soak

pytestmark = [pytest.mark.needs_answers, pytest.mark.soak]


def test_minutes_of_mixed_load_leave_nothing_behind(
    serving: Deployment, judge: Judge, pytestconfig: pytest.Config
) -> None:
    """Memory does not grow, answers do not get slower, none fails, and who left is forgotten."""
    minutes = value_of(pytestconfig, "soak-minutes")
    cell = serving.case.cell
    mixture = mixture_for(serving.endpoint, cell.max_model_len)
    site = Site(serving.endpoint.base_url, cell.max_num_seqs + 1)
    soaked = soak(site, mixture, minutes * 60, serving.why_down)
    serving.keep_soak(soaked, minutes, site.clients, mixture.pictures)
    judge(*judge_soak(serving.record.soak, list(serving.held())))
