import pytest

from fixtures.deployments.crosscheck_section import of_result, of_round
from fixtures.load.generator import OwnTrace, Round, Timeline
from fixtures.load.reply import Reply, failed
from fixtures.records.crosscheck_schema import ClientRecord, CrosscheckRecord
from fixtures.records.schema import Unmeasured
from fixtures.verdicts.crosscheck import judge_crosscheck
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest


def _client(tokens_per_s: float, lost: int = 0) -> ClientRecord:
    return ClientRecord(
        requests=64,
        failed=lost,
        requests_per_s=tokens_per_s / 32,
        output_tokens_per_s=tokens_per_s,
    )


def _outcome(theirs: ClientRecord | Unmeasured, *ours: ClientRecord) -> str:
    record = CrosscheckRecord(concurrency=4, ours=list(ours), theirs=theirs, result="")
    return judge_crosscheck(record).outcome


@pytest.mark.parametrize(
    ("theirs", "outcome"), [(100, "pass"), (112, "pass"), (90, "pass"), (120, "fail"), (80, "fail")]
)
def test_two_clients_may_differ_by_15_percent(theirs: float, outcome: str) -> None:
    """As a factor, either way, from the mean of ours."""
    assert _outcome(_client(theirs), _client(98), _client(102)) == outcome


def test_a_machine_that_is_not_steady_does_not_tell() -> None:
    """Where ours differ by more than two clients may, nothing is disproved."""
    assert _outcome(_client(100), _client(80), _client(120)) == "inconclusive"


def test_failed_requests_fail_and_missing_figures_are_unmeasured() -> None:
    """Whichever client lost one; and a benchmark that did not run does not pass."""
    assert _outcome(_client(100, lost=1), _client(100)) == "fail"
    assert _outcome(_client(100), _client(100, lost=1)) == "fail"
    assert _outcome(_client(0), _client(100)) == "unmeasured"
    assert _outcome(NOT_SEEN, _client(100)) == "unmeasured"
    assert judge_crosscheck(NOT_SEEN).outcome == "unmeasured"


def test_the_result_of_vllm_s_benchmark_is_read() -> None:
    """What did not complete has failed, and a result without a figure is none."""
    told = {"num_prompts": 64, "completed": 63, "request_throughput": 3.0}
    read = of_result(told | {"output_throughput": 96.0})
    assert read == ClientRecord(requests=64, failed=1, requests_per_s=3.0, output_tokens_per_s=96.0)
    assert of_result(told) == Unmeasured(unmeasured="its result has no usable 'output_throughput'")


def test_our_rates_are_over_the_whole_round() -> None:
    """From the first sending to the last end; what failed counts in no rate."""
    answer = Reply("red", (), 9, 32, "length", None)
    lines = (
        Timeline(1.0, 1.0, 3.0, (), answer),
        Timeline(2.0, 2.0, 5.0, (), answer),
        Timeline(1.0, 1.0, 4.0, (), failed("HTTP 500")),
    )
    ours = of_round(Round(lines, OwnTrace(5.0, 0.1, ())))
    assert ours == ClientRecord(requests=3, failed=1, requests_per_s=0.5, output_tokens_per_s=16.0)


def test_an_answer_without_its_count_is_no_zero() -> None:
    """A round in which usage is missing once has no rate of tokens, and does not pass."""
    lines = [Timeline(1.0, 1.0, 3.0, (), Reply("red", (), 9, n, "stop", None)) for n in (32, None)]
    ours = of_round(Round(tuple(lines), OwnTrace(5.0, 0.1, ())))
    assert isinstance(ours.output_tokens_per_s, Unmeasured)
    assert _outcome(_client(100), ours, _client(100)) == "unmeasured"
