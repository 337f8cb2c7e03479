"""An old and a new vLLM, or model, in turns on the same device."""

from collections.abc import Callable

import pytest

from fixtures.records.upgrade_schema import UpgradeRecord
from fixtures.upgrades.gate import Compared, run_gate

pytestmark = pytest.mark.upgrade


def test_candidate_may_ship(
    compared: Compared, judge_upgrade: Callable[[UpgradeRecord], None]
) -> None:
    """It starts, answers and serves as well as the baseline, and takes no more memory."""
    judge_upgrade(run_gate(compared))
