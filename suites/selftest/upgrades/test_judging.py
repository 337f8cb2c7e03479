import pytest

from fixtures.records.schema import CaseRecord, DiagnosisRecord, Unmeasured
from fixtures.servers.expected_facts import DID_NOT_COME
from fixtures.upgrades.judging import Judged, judge_pairs
from fixtures.upgrades.observed import NAMES
from fixtures.upgrades.sides import PairOfRecords
from fixtures.verdicts.upgrade.gated import GATED
from fixtures.verdicts.upgrade.looks import Plan
from suites.selftest.specimens import DIED, NOT_SEEN, a_case, a_round
from suites.selftest.upgrades.starts import Shown, a_start, alike

pytestmark = pytest.mark.selftest

PLAN = Plan(looks=(4, 8))


def _judged(pairs: list[PairOfRecords]) -> Judged:
    return judge_pairs(pairs, {"baseline": a_case(), "candidate": a_case()}, PLAN)


def _with(pair: PairOfRecords, **changes: object) -> PairOfRecords:
    return pair._replace(candidate=pair.candidate.model_copy(update=changes))


def _death(record: CaseRecord) -> DiagnosisRecord:
    return DiagnosisRecord(
        cause="crash",
        phase="serving",
        detail="the engine died",
        remedy="",
        evidence=["RuntimeError: no such operator"],
        last_lines=[],
        log="server.log",
        peak_bytes=NOT_SEEN,
        after_s=record.start.after_s if not isinstance(record.start, Unmeasured) else 0.0,
    )


def test_every_gated_metric_is_read() -> None:
    """And nothing else: a renamed one would be compared no more."""
    assert {metric.name for metric in GATED} == set(NAMES)


def test_two_that_are_alike_may_ship() -> None:
    """At the last look at the latest; before the first one nothing is decided."""
    early = _judged(alike(3))
    assert (early.goes_on, early.comparisons) == (True, [])
    judged = _judged(alike(8))
    assert judged.answer.says == "ship", judged.answer.reasons
    assert not judged.goes_on
    compared = {one.metric.name for one in judged.comparisons}
    assert compared == set(NAMES) - {"peak, encoder-profile", "peak, graph-capture"}


@pytest.mark.parametrize(
    ("metric", "shown"),
    [
        ("tokens/s", Shown(rate=500.0)),
        ("peak, whole life", Shown(peak_bytes=(3 << 30) + (256 << 20))),
        ("KV cache tokens", Shown(kv_tokens=54_000)),
        ("time to start", Shown(after_s=45.0)),
    ],
)
def test_what_got_worse_is_named(metric: str, shown: Shown) -> None:
    """By its metric, with from what to what; there is nothing more to start."""
    pairs = [pair._replace(candidate=a_start(i, shown)) for i, pair in enumerate(alike(8))]
    judged = _judged(pairs)
    assert judged.answer.says == "do not ship"
    assert any(reason.startswith(f"{metric}: worse") for reason in judged.answer.reasons)
    assert not judged.goes_on


def test_a_candidate_that_dies_is_decided_by_one_pair() -> None:
    """With the line that tells why."""
    pair = alike(1)[0]
    judged = _judged([_with(pair, death=_death(pair.candidate))])
    assert (judged.answer.says, judged.goes_on) == ("do not ship", False)
    assert "RuntimeError: no such operator" in judged.answer.reasons[0]


def test_a_candidate_that_does_not_start_is_decided_by_one_pair() -> None:
    """Nothing of what comes after a start is asked of it."""
    judged = _judged([_with(alike(1)[0], start=DIED, throughput=NOT_SEEN, answers=NOT_SEEN)])
    assert (judged.answer.says, judged.goes_on) == ("do not ship", False)
    assert len(judged.answer.reasons) == 1
    assert "no such model" in judged.answer.reasons[0]


def test_a_baseline_that_does_not_start_compares_nothing() -> None:
    """Whatever the candidate does then, nobody can tell, and more pairs would not help."""
    pair = alike(1)[0]
    dead = pair.baseline.model_copy(update={"start": DIED})
    for candidate in (pair.candidate, dead):
        judged = _judged([PairOfRecords(dead, candidate)])
        assert (judged.answer.says, judged.goes_on) == ("cannot tell", False)


def test_a_failed_request_of_the_candidate_alone_is_one_too_many() -> None:
    """Even where every figure is as it was."""
    pair = alike(1)[0]
    load = pair.candidate.throughput
    assert not isinstance(load, Unmeasured)
    failing = load.model_copy(update={"rounds": [a_round(failed=1)]})
    judged = _judged([_with(pair, throughput=failing)])
    assert judged.answer.says == "do not ship"
    assert "requests failed" in judged.answer.reasons[0]


def test_a_lost_line_of_the_log_is_named() -> None:
    """Where its version should tell it; what a version never tells is left out, and said."""
    lost = Unmeasured(unmeasured=f"the log should tell the KV cache, but {DID_NOT_COME}")
    pairs = [
        pair._replace(candidate=a_start(i, Shown(kv_tokens=lost)))
        for i, pair in enumerate(alike(1))
    ]
    judged = _judged(pairs)
    assert judged.answer.says == "do not ship"
    assert "the candidate: the log should tell the KV cache" in judged.answer.reasons[0]
    never = Unmeasured(unmeasured="vLLM 0.5.4 tells no KV cache")
    pairs = [
        pair._replace(baseline=a_start(i, Shown(kv_tokens=never)))
        for i, pair in enumerate(alike(8))
    ]
    judged = _judged(pairs)
    assert judged.answer.says == "ship"
    assert judged.left_out == ["KV cache tokens: vLLM 0.5.4 tells no KV cache"]


def test_three_points_less_on_one_skill_are_seen() -> None:
    """4 or 5 of 140 questions a pair, while all others are answered as before."""
    pairs = [pair._replace(candidate=a_start(i, Shown(wrong=5))) for i, pair in enumerate(alike(8))]
    judged = _judged(pairs)
    assert judged.answer.says == "do not ship"
    assert any("colour 1120 -> 1080 of 1120 right" in one for one in judged.answer.reasons)


def test_what_is_missing_in_one_start_is_not_a_pass() -> None:
    """A figure that a single start lacks leaves its metric unmeasured."""
    pairs = alike(8)
    pairs[3] = _with(pairs[3], throughput_alone=NOT_SEEN)
    judged = _judged(pairs)
    assert judged.answer.says == "cannot tell"
    assert any("nobody looked" in reason for reason in judged.answer.reasons)
