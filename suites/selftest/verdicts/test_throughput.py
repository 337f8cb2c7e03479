import pytest

from fixtures.records.schema import RoundRecord
from fixtures.records.throughput_schema import OwnRecord, WarmUpRecord
from fixtures.verdicts.throughput import judge_throughput
from suites.selftest.specimens import NOT_SEEN, a_round, a_throughput

pytestmark = pytest.mark.selftest

STALLED = "it stood still for 10% of the round, 200 ms at the longest"


def _rounds(number: int = 3) -> list[RoundRecord]:
    return [a_round(tokens_per_s=80.0 + i, requests_per_s=40.0 + i / 2) for i in range(number)]


def _stalled() -> RoundRecord:
    own = OwnRecord(
        stalled_share=0.1,
        largest_stall_s=0.2,
        cpu_share=0.01,
        lateness_p99_s=0.0,
        bottleneck=STALLED,
    )
    return a_round(tokens_per_s=3.0, requests_per_s=1.5).model_copy(update={"own": own})


def test_measured_rounds_pass_with_their_intervals() -> None:
    """The reason has the mean of the rounds, and how far it can be trusted."""
    verdict = judge_throughput(a_throughput(*_rounds()))
    assert (verdict.outcome, verdict.reason) == (
        "pass",
        "81.0 ±2.5 tokens/s, 40.5 ±1.2 requests/s (95 %, 3 rounds)",
    )


def test_one_failed_request_fails() -> None:
    """A request that failed is told with the number of all requests."""
    verdict = judge_throughput(a_throughput(a_round(), a_round(failed=1)))
    assert (verdict.outcome, verdict.reason) == ("fail", "1 of 48 requests failed")


def test_a_share_of_2_percent_fails_with_the_first_reason() -> None:
    """Two of 96 are not rounded away, and one of them can be looked into."""
    failed = a_round(failed=2).model_copy(update={"first_failure": "HTTP 503: busy"})
    verdict = judge_throughput(a_throughput(*_rounds(), failed))
    assert verdict.outcome == "fail"
    assert verdict.reason == "2 of 96 requests failed, the first: HTTP 503: busy"


def test_a_finding_fails_though_every_request_was_answered() -> None:
    """What contradicts the figures is told beside what failed."""
    counters = "the server counted 70 requests, and 72 were answered"
    told = a_throughput(*_rounds()).model_copy(update={"findings": [counters]})
    assert judge_throughput(told)[1:] == ("fail", counters)
    both = a_throughput(a_round(failed=1)).model_copy(update={"findings": [counters]})
    assert judge_throughput(both).reason == f"1 of 24 requests failed; {counters}"


def test_failed_requests_weigh_more_than_missing_counts() -> None:
    """A failure is a failure even where the tokens were not counted."""
    assert judge_throughput(a_throughput(a_round(1, NOT_SEEN))).outcome == "fail"


def test_a_round_without_token_counts_is_unmeasured() -> None:
    """A rate that is missing in one round is not made up from the others."""
    verdict = judge_throughput(a_throughput(*_rounds(), a_round(tokens_per_s=NOT_SEEN)))
    assert verdict.outcome == "unmeasured"
    assert "nobody looked" in verdict.reason


def test_two_rounds_are_unmeasured() -> None:
    """They tell a figure, and nothing about how far it can be trusted."""
    verdict = judge_throughput(a_throughput(*_rounds(2)))
    assert verdict.outcome == "unmeasured"
    assert "an interval needs 3 rounds" in verdict.reason


def test_rounds_that_measured_the_generator_do_not_count() -> None:
    """Three others are enough, and the reason says what was left out."""
    verdict = judge_throughput(a_throughput(*_rounds(), _stalled()))
    assert verdict.outcome == "pass"
    assert verdict.reason.startswith("81.0 ±2.5 tokens/s")
    assert verdict.reason.endswith(
        f"left out: the load generator was the bottleneck in 1 of 4 rounds: {STALLED}"
    )


@pytest.mark.parametrize("good", [0, 2])
def test_a_generator_that_seldom_held_up_is_inconclusive(good: int) -> None:
    """Fewer than three rounds of the server itself are no figure of it."""
    verdict = judge_throughput(a_throughput(*_rounds(good), _stalled(), _stalled()))
    assert verdict.outcome == "inconclusive"
    assert f"the bottleneck in 2 of {good + 2} rounds: {STALLED}" in verdict.reason


def test_a_server_that_did_not_settle_is_inconclusive() -> None:
    """What it gave while it warmed up is told."""
    warm_up = WarmUpRecord(requests_per_s=[10.0, 20.0, 30.0, 40.0, 50.0, 60.0], steady=False)
    verdict = judge_throughput(a_throughput(*_rounds()).model_copy(update={"warm_up": warm_up}))
    assert verdict.outcome == "inconclusive"
    assert verdict.reason.startswith("not steady after 6 rounds to warm up: 10.0, 20.0")
    settled = warm_up.model_copy(update={"steady": True})
    told = a_throughput(*_rounds()).model_copy(update={"warm_up": settled})
    assert judge_throughput(told).outcome == "pass"


def test_rounds_that_scatter_too_much_are_inconclusive() -> None:
    """An interval that reaches half of the figure does not show a server of half the speed."""
    rates = (80.0, 100.0, 3.0)
    verdict = judge_throughput(a_throughput(*(a_round(tokens_per_s=rate) for rate in rates)))
    assert verdict.outcome == "inconclusive"
    assert verdict.reason == "rounds scatter too much: 61.0 ±127.2 tokens/s"


def test_no_round_and_no_section_are_unmeasured() -> None:
    """Nothing that was run is nothing that passes."""
    assert judge_throughput(a_throughput())[1:] == ("unmeasured", "unmeasured: no round was run")
    assert judge_throughput(NOT_SEEN).outcome == "unmeasured"
