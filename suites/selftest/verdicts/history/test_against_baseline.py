from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.records.baseline import Baseline, accept
from fixtures.records.schema import CaseRecord, Unmeasured
from fixtures.records.waivers import Waiver
from fixtures.verdicts.history.acceptance import left_out, refusal
from fixtures.verdicts.history.against_baseline import judge_against_baseline
from fixtures.verdicts.verdict import Verdict
from suites.selftest.histories import (
    TODAY,
    TOLERANCES,
    a_waiver,
    baseline_of,
    graded,
    loaded_at,
    measured,
    memory_of,
    of_model,
    on_host,
)
from suites.selftest.specimens import NOT_SEEN, READY, a_round, a_throughput

pytestmark = pytest.mark.selftest

BASELINE = baseline_of(measured())
KV_LOST = READY.model_copy(update={"facts": {"kv_cache.tokens": 921}})
SLOW_START = READY.model_copy(update={"after_s": 32.1, "facts": {"kv_cache.tokens": 1024}})


def judged(
    record: CaseRecord, baseline: Baseline = BASELINE, waivers: tuple[Waiver, ...] = ()
) -> Verdict:
    """The verdict of today."""
    return judge_against_baseline(record, baseline, TOLERANCES, waivers, TODAY)


def test_the_same_again_passes() -> None:
    """A run like the baseline's passes, and tells which that was and what changed most."""
    verdict = judged(measured("later", throughput=loaded_at(97.0)))
    assert verdict.outcome == "pass"
    assert "as on 2026-02-01 (20260201T030000Z-0001, vLLM 0.29.0)" in verdict.reason
    assert "tokens_per_s -3.0 %" in verdict.reason


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (measured(memory=memory_of(3256)), "peak_bytes 3,000 MiB -> 3,256 MiB (+8.5 %, 64 MiB"),
        (measured(start=KV_LOST), "kv_cache_tokens 1,024 -> 921"),
        (measured(answers=graded(70)), "accuracy.count 98.7 % -> 93.3 %"),
        (measured(throughput=loaded_at(89.0)), "tokens_per_s 100.0/s -> 89.0/s (-11.0 %"),
        (measured(start=SLOW_START), "start_s 21.4 s -> 32.1 s (+50.0 %"),
    ],
    ids=["peak", "kv-cache", "accuracy", "tokens-per-s", "start"],
)
def test_what_is_worse_than_tolerated_fails(record: CaseRecord, said: str) -> None:
    """Each kind of metric that lost more than its tolerance is named with both values."""
    verdict = judged(record)
    assert verdict.outcome == "fail"
    assert said in verdict.reason
    assert "against the last baseline of 2026-02-01" in verdict.reason


def test_three_answers_of_75_are_borne() -> None:
    """A loss of just what is tolerated is within it, whatever floating point makes of it."""
    assert judged(measured(answers=graded(71))).outcome == "pass"


@given(st.floats(0.902, 1.098))
def test_what_is_within_the_tolerance_passes(factor: float) -> None:
    """No rate that is less than a tenth away is red, or better."""
    assert judged(measured(throughput=loaded_at(100 * factor))).outcome == "pass"


def test_what_is_better_is_told_and_does_not_fail() -> None:
    """A peak that dropped is shown: the KV cache grows into it."""
    verdict = judged(measured(memory=memory_of(2500)))
    assert (verdict.outcome, verdict.ships) == ("better", True)
    assert "peak_bytes 3,000 MiB -> 2,500 MiB (-16.7 %" in verdict.reason


def test_one_slow_round_is_no_slower_server() -> None:
    """A mean that is worse, of rounds that scatter so much that it may not be, is inconclusive."""
    rates = (100.0, 101.0, 99.0, 100.0, 30.0)
    rounds = a_throughput(*(a_round(tokens_per_s=rate) for rate in rates))
    verdict = judged(measured(throughput=rounds))
    assert (verdict.outcome, verdict.ships) == ("inconclusive", False)
    assert "the rounds scatter too much to tell: tokens_per_s 100.0/s -> 86.0/s" in verdict.reason
    waived = judged(measured(throughput=rounds), waivers=(a_waiver("tokens_per_s", TODAY),))
    assert waived.outcome == "pass"
    large = judged(measured(throughput=rounds, memory=memory_of(3256)))
    assert large.outcome == "fail"
    assert "tokens_per_s" not in large.reason


def test_small_steps_do_not_add_up_unseen() -> None:
    """Three per cent slower, accepted week by week, is red once the anchor is a tenth away."""
    baseline, outcomes = BASELINE, []
    for week in range(1, 5):
        record = measured(str(week), throughput=loaded_at(100 * 0.97**week))
        verdict = judged(record, baseline)
        outcomes.append(verdict.outcome)
        baseline = accept(record, baseline, "weekly", f"2026-02-{7 * week:02}")
    assert outcomes == ["pass", "pass", "pass", "fail"]
    assert "against the anchor baseline of 2026-02-01" in verdict.reason


@pytest.mark.parametrize(
    "record",
    [measured(memory=NOT_SEEN), measured(throughput=NOT_SEEN), measured(start=READY)],
    ids=["memory", "throughput", "kv-cache"],
)
def test_a_metric_that_is_missing_fails(record: CaseRecord) -> None:
    """What the baseline has and the run did not measure is no pass, with or without a waiver."""
    verdict = judged(record, waivers=(a_waiver("*", TODAY),))
    assert verdict.outcome == "fail"
    assert "is in the baseline and was not measured: " in verdict.reason


def test_a_missing_speed_fails_on_another_host_too() -> None:
    """Not to be compared is not the same as not there."""
    assert judged(on_host(measured(throughput=NOT_SEEN), cores=8)).outcome == "fail"


@pytest.mark.parametrize(
    "facts", [{"processor": "Xeon"}, {"cores": 8}, {"vector_extensions": ["avx512f"]}]
)
def test_speed_is_not_compared_with_another_kind_of_host(facts: dict[str, object]) -> None:
    """There half the speed is a remark; memory is judged as ever."""
    slow = on_host(measured(throughput=loaded_at(50.0)), **facts)
    verdict = judged(slow)
    assert verdict.outcome == "pass"
    assert "speed not compared: " in verdict.reason
    large = on_host(measured(memory=memory_of(3256)), **facts)
    assert judged(large).outcome == "fail"


@pytest.mark.parametrize(
    ("record", "what"),
    [
        (of_model(measured(), "1" * 64), "another model digest (000000000000, not 111111111111)"),
        (of_model(measured(), Unmeasured(unmeasured="a hub id")), "no digest of the model"),
        (measured(card="gpu48"), "another card (cpu, not gpu48)"),
        (measured(answers=graded(75, seed=7)), "another set of questions"),
        (measured(schema_version=2), "another schema (3, not 2)"),
        (measured(throughput=loaded_at(100.0)), ""),
    ],
    ids=["digest", "no-digest", "card", "questions", "schema", "the-same"],
)
def test_what_cannot_be_compared_is_unmeasured(record: CaseRecord, what: str) -> None:
    """Another card, model, set of questions or schema is told, and does not pass."""
    verdict = judged(record)
    assert verdict.outcome == ("unmeasured" if what else "pass")
    assert what in verdict.reason


def test_another_load_cannot_be_compared() -> None:
    """Twice the clients are another measurement."""
    throughput = measured().throughput
    assert not isinstance(throughput, Unmeasured)
    record = measured(throughput=throughput.model_copy(update={"concurrency": 8}))
    verdict = judged(record)
    assert verdict.outcome == "unmeasured"
    assert "another load (throughput)" in verdict.reason


def test_a_metric_without_a_tolerance_fails() -> None:
    """What nothing is said about is not compared, and does not pass for that."""
    verdict = judge_against_baseline(measured(), BASELINE, TOLERANCES[:-1], (), TODAY)
    assert verdict.outcome == "fail"
    assert "start_s has no tolerance" in verdict.reason


def test_a_waiver_bears_what_it_names_until_its_day() -> None:
    """A worse figure passes with the reason, and fails from the next day on, with the line."""
    slow = measured(throughput=loaded_at(80.0))
    held = a_waiver("tokens_per_s", TODAY, "cpu-tiny-*")
    verdict = judged(slow, waivers=(held,))
    assert verdict.outcome == "pass"
    assert "waived until 2026-03-01 (known): tokens_per_s 100.0/s -> 80.0/s" in verdict.reason
    expired = a_waiver("tokens_per_s", TODAY - timedelta(days=1))
    verdict = judged(slow, waivers=(expired,))
    assert verdict.outcome == "fail"
    assert "its waiver expired on 2026-02-28 (waivers.toml:3)" in verdict.reason
    others = (a_waiver("peak_bytes", TODAY), a_waiver("tokens_per_s", TODAY, "gpu48-*"))
    assert judged(slow, waivers=others).outcome == "fail"


def test_a_red_run_is_no_baseline() -> None:
    """What did not keep its promise, or was not judged, is no measure for others."""
    red = measured().verdicts[0].model_copy(update={"outcome": "fail", "reason": "too slow"})
    for verdicts, said in (([red], "start: fail: too slow"), ([], "it was not judged")):
        record = measured(verdicts=verdicts)
        assert said in refusal(record, baseline_of(record), TOLERANCES, (), TODAY)


def test_a_red_comparison_with_the_last_one_does_not_bar_a_new_one() -> None:
    """The verdict that acceptance is about does not decide on it; the anchor does."""
    said = measured().verdicts[0].model_copy(update={"about": "history", "outcome": "fail"})
    slow = measured("slow", throughput=loaded_at(80.0), verdicts=[*measured().verdicts, said])
    made = baseline_of(slow, BASELINE)
    assert "--new-anchor" in refusal(slow, made, TOLERANCES, (), TODAY)
    anew = accept(slow, BASELINE, "as meant", "2026-02-08", new_anchor=True)
    assert refusal(slow, anew, TOLERANCES, (), TODAY) == ""
    waived = (a_waiver("tokens_per_s", TODAY),)
    assert refusal(slow, made, TOLERANCES, waived, TODAY) == ""


def test_what_must_not_fit_is_left_out() -> None:
    """A cell that is to run out of memory is no measure, and no fault either."""
    assert left_out(measured()) == ""
    assert "out-of-memory" in left_out(measured(expect="out-of-memory"))
