"""Tokens and requests per second, latency, and right answers, at the cell's concurrency."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fixtures.deployments.deployment import Deployment
from fixtures.load.arrivals import Closed
from fixtures.load.generator import run_load
from fixtures.load.session import Loaded, LoadSession
from fixtures.load.shots import MakeShots, Shot, answers_of, fresh_questions, fresh_shots, shots_of
from fixtures.plugin.serving import Judge
from fixtures.records.schema import ThroughputRecord
from fixtures.verdicts.answers import judge_answers_under_load
from fixtures.verdicts.symptoms import judge_symptoms_under_load
from fixtures.verdicts.throughput import ABOUT_REPEATED, judge_throughput

pytestmark = pytest.mark.needs_answers
_ROUNDS = 5
_WARM_ROUNDS = 3
_OUTPUT_TOKENS = 16
_QUESTIONS = 72
"""18 a skill: enough to show answers that were given to another's question."""
_TIMEOUT_S = 120.0


def _session(serving: Deployment, make: MakeShots) -> LoadSession:
    concurrency = serving.case.cell.max_num_seqs
    loaded = Loaded(serving.endpoint, concurrency, _TIMEOUT_S, serving.why_down, serving.gpu_uuid)
    return LoadSession(loaded, make)


def test_throughput_is_measured(
    serving: Deployment, judge: Judge, benchmark: BenchmarkFixture
) -> None:
    """Every request of every round has its answer, and the server's counters agree."""
    session = _session(serving, fresh_shots(serving.endpoint, _OUTPUT_TOKENS))
    session.warm_up()
    benchmark.pedantic(  # type: ignore[no-untyped-call]
        session.run, setup=session.prepare, rounds=_ROUNDS, iterations=1
    )
    session.repeat_where_they_tell_little(_ROUNDS)
    serving.keep_load(session.end(), "distinct", _OUTPUT_TOKENS)
    measured = serving.record.throughput
    assert isinstance(measured, ThroughputRecord)
    kept = {"concurrency", "rounds", "figures", "per_gib"}
    benchmark.extra_info |= measured.model_dump(include=kept)
    judge(judge_throughput(measured))


def test_throughput_with_warm_caches_is_measured(serving: Deployment, judge: Judge) -> None:
    """The same pictures in every round: what caches of prompts and pictures make of it."""
    fresh = fresh_shots(serving.endpoint, _OUTPUT_TOKENS)
    shots: list[Shot] = []

    def same(number: int) -> list[Shot]:
        shots.extend(fresh(number - len(shots)))
        return shots[:number]

    session = _session(serving, same)
    session.warm_up()
    session.repeat(_WARM_ROUNDS)
    session.repeat_where_they_tell_little(_WARM_ROUNDS)
    serving.keep_load(session.end(), "repeated", _OUTPUT_TOKENS)
    judge(judge_throughput(serving.record.throughput_repeated, ABOUT_REPEATED))


def test_answers_stay_right_under_load(serving: Deployment, judge: Judge) -> None:
    """One client more than max_num_seqs, so that one has always to wait; answers are graded."""
    concurrency = serving.case.cell.max_num_seqs + 1
    questions = fresh_questions(_QUESTIONS, serving.endpoint.manner.enlargement)
    shots = shots_of(questions, serving.endpoint)
    bodies = [shot.body for shot in shots]
    load = run_load(
        serving.endpoint.base_url, bodies, Closed(concurrency), _TIMEOUT_S, serving.why_down
    )
    serving.keep_answers_under_load(answers_of(shots, load), concurrency)
    throughput = serving.record.throughput
    judge(
        judge_answers_under_load(serving.case.model.accuracy_of_scenes, throughput),
        judge_symptoms_under_load(throughput),
    )
