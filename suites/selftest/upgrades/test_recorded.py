"""The gate's statistics on pairs of starts that really were: see `recorded/README.md`."""

import json
from pathlib import Path

import pytest

from fixtures.upgrades.observed import PHASES
from fixtures.verdicts.upgrade.comparison import Comparison, Pair, compared
from fixtures.verdicts.upgrade.gated import ANSWERS_WEIGHT, GATED
from fixtures.verdicts.upgrade.looks import Plan

pytestmark = pytest.mark.selftest

RECORDED = Path(__file__).parent / "recorded"
SPEED = {"tokens/s", "TPOT p50", "TTFT p50", "TPOT p50, one client", "TTFT p50, one client"}


def _compared(name: str, slower: float = 1.0) -> dict[str, Comparison]:
    """What the recorded pairs say at the look after six, the candidate so many times as slow."""
    pairs = json.loads((RECORDED / name).read_text(encoding="utf-8"))
    measured = {
        metric: [
            Pair(
                pair["baseline"][metric.name],
                pair["candidate"][metric.name]
                * (
                    1.0
                    if metric.name not in SPEED
                    else slower
                    if metric.unit == "s"
                    else 1 / slower
                ),
            )
            for pair in pairs
        ]
        for metric in GATED
        if not (metric.name in PHASES and metric.name not in pairs[0]["baseline"])
    }
    plan = Plan()
    return {one.metric.name: one for one in compared(measured, len(pairs), plan, ANSWERS_WEIGHT)}


def _worse(told: dict[str, Comparison]) -> set[str]:
    return {name for name, one in told.items() if one.outcome == "worse"}


def test_two_that_are_alike_are_not_called_worse() -> None:
    """0.29.0 against itself; memory is decided by then, and speed is not called anything false."""
    told = _compared("alike.json")
    assert _worse(told) == set()
    assert told["KV cache tokens"].outcome == "not worse"
    assert not any(one.outcome in ("better", "unmeasured") for one in told.values())


def test_a_fifth_slower_is_seen_in_the_same_pairs() -> None:
    """In what real pairs scatter, with their own figures made so much slower."""
    assert "TPOT p50, one client" in _worse(_compared("alike.json", slower=1.2))


def test_planted_faults_are_named_for_what_they_are() -> None:
    """+256 MiB, 10 % less KV cache, a start half as long again, decode steps 10 % slower."""
    worse = _worse(_compared("faulty.json"))
    assert {"KV cache tokens", "peak, whole life", "peak, serving", "steady memory"} <= worse
    assert {"time to start", "TPOT p50, one client"} <= worse
    assert not worse & {"TTFT p50", "TTFT p50, one client"}
