"""Tokens per second, requests per second and latency at the cell's concurrency."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fixtures.deployments.deployment import Deployment
from fixtures.load.rounds import fresh_questions, run_round
from fixtures.plugin.serving import Judge
from fixtures.questions.asking import Answer
from fixtures.questions.catalogue import Question
from fixtures.records.schema import ThroughputRecord
from fixtures.verdicts.answers import judge_answers_under_load
from fixtures.verdicts.symptoms import judge_symptoms_under_load
from fixtures.verdicts.throughput import judge_throughput

pytestmark = pytest.mark.needs_answers
_ROUNDS = 3
_LEAST_REQUESTS = 24
_TIMEOUT_S = 120.0


def test_throughput_is_measured_and_answers_stay_right(
    serving: Deployment, judge: Judge, benchmark: BenchmarkFixture
) -> None:
    """Every request of every round is answered, and answered right, at full concurrency."""
    concurrency = serving.case.cell.max_num_seqs
    requests = max(_LEAST_REQUESTS, 2 * concurrency)
    rounds: list[list[Answer]] = []

    def distinct_pictures() -> tuple[tuple[list[Question]], dict[str, object]]:
        return (fresh_questions(requests, serving.endpoint.manner.enlargement),), {}

    def one_round(questions: list[Question]) -> None:
        rounds.append(
            run_round(serving.endpoint, questions, concurrency, _TIMEOUT_S, serving.why_down)
        )

    benchmark.pedantic(  # type: ignore[no-untyped-call]
        one_round, setup=distinct_pictures, rounds=_ROUNDS, iterations=1, warmup_rounds=1
    )
    serving.keep_rounds(rounds[1:], concurrency)
    record = serving.record
    assert isinstance(record.throughput, ThroughputRecord)
    benchmark.extra_info |= record.throughput.model_dump(include={"concurrency", "rounds"})
    judge(
        judge_throughput(record.throughput),
        judge_answers_under_load(serving.case.model.accuracy_of_scenes, record.throughput),
        judge_symptoms_under_load(record.throughput),
    )
