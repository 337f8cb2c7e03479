"""Saturation is a figure where it was reached, and nothing where it was not."""

import pytest

from fixtures.deployments.load_section import saturation_record
from fixtures.records.part import NOT_REACHED
from fixtures.records.schema import RoundRecord
from fixtures.verdicts.saturation import judge_saturation
from suites.selftest.specimens import a_round

pytestmark = pytest.mark.selftest


def _levels(**rates: float) -> dict[int, list[RoundRecord]]:
    """Three rounds at each concurrency ("at_4"), alike but for a little."""
    return {
        int(name.removeprefix("at_")): [
            a_round(tokens_per_s=rate * scatter) for scatter in (0.99, 1.0, 1.01)
        ]
        for name, rate in rates.items()
    }


def test_where_more_clients_do_not_help_is_told() -> None:
    """The smallest concurrency with nearly all of the best."""
    verdict = judge_saturation(saturation_record(_levels(at_1=30.0, at_4=99.0, at_8=100.0)))
    assert verdict.outcome == "pass"
    assert verdict.reason.startswith("4 clients give 95 % of the best")


def test_a_server_that_still_gained_may_have_more_to_give() -> None:
    """The largest that was tried is no saturation."""
    verdict = judge_saturation(saturation_record(_levels(at_1=30.0, at_4=60.0, at_8=120.0)))
    assert verdict.outcome == "inconclusive"


def test_failed_requests_fail() -> None:
    """A rate of requests that did not come back is none."""
    levels = _levels(at_1=30.0, at_2=31.0)
    levels[2][0] = a_round(failed=3)
    verdict = judge_saturation(saturation_record(levels))
    assert (verdict.outcome, "3 of 24 at 2" in verdict.reason) == ("fail", True)


def test_too_few_rounds_are_no_figure() -> None:
    """Two rounds have no interval; nothing at all is unmeasured too."""
    levels = {1: [a_round(), a_round()]}
    assert judge_saturation(saturation_record(levels)).outcome == "unmeasured"
    assert judge_saturation(NOT_REACHED).outcome == "unmeasured"
