import pytest

from fixtures.verdicts.throughput import judge_throughput
from suites.selftest.specimens import NOT_SEEN, a_round, a_throughput

pytestmark = pytest.mark.selftest


def test_measured_rounds_pass_with_their_medians() -> None:
    """The reason has the median of the rounds, so that one odd round does not show."""
    rounds = a_throughput(
        a_round(tokens_per_s=80.0, requests_per_s=40.0),
        a_round(tokens_per_s=100.0, requests_per_s=50.0),
        a_round(tokens_per_s=3.0, requests_per_s=1.5),
    )
    verdict = judge_throughput(rounds)
    assert (verdict.outcome, verdict.reason) == ("pass", "80.0 tokens/s, 40.0 requests/s")


def test_one_failed_request_fails() -> None:
    """A request that failed is told with the number of all requests."""
    verdict = judge_throughput(a_throughput(a_round(), a_round(failed=1)))
    assert (verdict.outcome, verdict.reason) == ("fail", "1 of 48 requests failed")


def test_failed_requests_weigh_more_than_missing_counts() -> None:
    """A failure is a failure even where the tokens were not counted."""
    assert judge_throughput(a_throughput(a_round(1, NOT_SEEN))).outcome == "fail"


def test_a_round_without_token_counts_is_unmeasured() -> None:
    """A rate that is missing in one round is not made up from the others."""
    verdict = judge_throughput(a_throughput(a_round(), a_round(tokens_per_s=NOT_SEEN)))
    assert verdict.outcome == "unmeasured"
    assert "nobody looked" in verdict.reason


def test_no_round_and_no_section_are_unmeasured() -> None:
    """Nothing that was run is nothing that passes."""
    assert judge_throughput(a_throughput()).outcome == "unmeasured"
    assert judge_throughput(NOT_SEEN).outcome == "unmeasured"
