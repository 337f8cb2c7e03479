"""What spoils rounds of load is named: each fault planted between the client and a real server."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from urllib.parse import urlsplit

import pytest

from fixtures.deployments.deployment import Deployment
from fixtures.deployments.load_findings import with_findings
from fixtures.deployments.load_section import Load, load_record
from fixtures.load.session import Loaded, LoadSession
from fixtures.load.shots import fresh_shots
from fixtures.questions.asking import Endpoint
from fixtures.records.schema import Unmeasured
from fixtures.records.throughput_schema import ThroughputRecord
from fixtures.runtimes.environments import CHECKOUT
from fixtures.verdicts.throughput import judge_throughput
from suites.selftest.standin.load_proxy import FAULTS, Fault

# The cell that other selftests question too: no further server is started.
pytestmark = [
    pytest.mark.selftest,
    pytest.mark.only_case("cpu-tiny-seqs=16-len=4096-alloc=arena1"),
]
_NOT_ASKED = Unmeasured(unmeasured="not asked")
_OUTPUT_TOKENS = 16
_ROUNDS = 3


@contextmanager
def _through(server: Endpoint, fault: Fault) -> Iterator[Endpoint]:
    url = urlsplit(server.base_url)
    argv = [sys.executable, "-m", "suites.selftest.standin.load_proxy"]
    with subprocess.Popen(
        [*argv, str(url.hostname), str(url.port), fault],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as proxy:
        assert proxy.stdin is not None
        assert proxy.stdout is not None
        port = int(proxy.stdout.readline())
        yield server._replace(base_url=f"http://127.0.0.1:{port}/v1")
        proxy.stdin.close()


@contextmanager
def _stalled() -> Iterator[None]:
    """The client's process is busy with something that lets nobody else run, again and again."""
    enough = threading.Event()
    hay = b"x" * 400_000_000

    def hold() -> None:
        while not enough.wait(0.1):
            hay.count(b"y")

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def _measured(serving: Deployment, fault: Fault, *, stalled: bool = False) -> ThroughputRecord:
    concurrency = serving.case.cell.max_num_seqs
    with _through(serving.endpoint, fault) as endpoint:
        make = fresh_shots(endpoint, _OUTPUT_TOKENS)
        session = LoadSession(Loaded(endpoint, concurrency, 60.0, serving.why_down), make)
        session.warm_up()
        with _stalled() if stalled else nullcontext():
            session.repeat(_ROUNDS)
        rounds = session.end()
    load = Load(concurrency, 1, "distinct", _OUTPUT_TOKENS, None, 2)
    record = load_record(load, rounds.warm_up, rounds.rounds, _NOT_ASKED, _NOT_ASKED)
    return with_findings(record, rounds, distinct=True)


def test_tokens_that_are_held_on_their_way_are_named(serving: Deployment) -> None:
    """Twenty milliseconds for each: the server's own clock knows nothing of them."""
    verdict = judge_throughput(_measured(serving, "tokens held"))
    assert (verdict.outcome, "tokens delayed: " in verdict.reason) == ("fail", True), verdict.reason


def test_one_failed_request_in_fifty_is_named(serving: Deployment) -> None:
    """Two of a hundred fail the verdict, with how many and why."""
    verdict = judge_throughput(_measured(serving, "one in fifty fails"))
    assert verdict.outcome == "fail"
    assert "requests failed, the first: HTTP 500: oops" in verdict.reason


def test_answers_from_a_cache_are_named(serving: Deployment) -> None:
    """A cache before the server that takes other pictures for the same question's."""
    verdict = judge_throughput(_measured(serving, "answers from a cache"))
    assert verdict.outcome == "fail"
    assert "the server generated none" in verdict.reason or "output tokens" in verdict.reason


def test_a_client_that_stalls_is_told_from_a_server_that_does(serving: Deployment) -> None:
    """The figures are nobody's: inconclusive, and not a slow server."""
    verdict = judge_throughput(_measured(serving, "none", stalled=True))
    assert verdict.outcome == "inconclusive", verdict.reason
    assert "the load generator was the bottleneck in 3 of 3 rounds" in verdict.reason


def test_a_path_without_a_fault_is_quiet(serving: Deployment) -> None:
    """Through the same proxy nothing is found, whatever a busy machine makes of the figures."""
    record = _measured(serving, "none")
    assert record.findings == []
    assert judge_throughput(record).outcome != "fail", judge_throughput(record).reason


def test_every_fault_that_can_be_planted_is() -> None:
    """No fault of the proxy goes without a test."""
    assert set(FAULTS) == {"none", "tokens held", "one in fifty fails", "answers from a cache"}
