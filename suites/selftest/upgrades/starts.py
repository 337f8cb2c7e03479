"""Records of starts to be compared, with figures of a reader's choice."""

from collections.abc import Sequence
from typing import NamedTuple

from fixtures.cells.cards import GIB, MIB
from fixtures.records.schema import (
    AnswersRecord,
    CaseRecord,
    GradedRecord,
    LatencyRecord,
    ThroughputRecord,
    Unmeasured,
)
from fixtures.upgrades.sides import PairOfRecords
from suites.selftest.specimens import NOT_SEEN, READY, a_memory, a_phase, a_record, a_round

QUESTIONS = 140


def graded(pair: int, skill: str, wrong: int) -> list[GradedRecord]:
    """The questions of a skill that a pair is asked, the first so many answered wrong."""
    return [
        GradedRecord(
            skill=skill,
            layout="single",
            seed=1000 * pair + i,
            picture=f"{skill} {pair} {i}",
            expected="red",
            given="red" if i >= wrong else "blue",
            correct=i >= wrong,
            reason="",
            prompt_tokens=100,
            completion_tokens=2,
            finish_reason="stop",
        )
        for i in range(QUESTIONS)
    ]


def _load(rate: float, ttft_s: float) -> ThroughputRecord:
    ttft, tpot = (
        LatencyRecord(p50_s=each_s, p90_s=each_s, worst_s=each_s) for each_s in (ttft_s, 4 / rate)
    )
    part = a_round(tokens_per_s=rate).model_copy(update={"ttft": ttft, "tpot": tpot})
    return ThroughputRecord(concurrency=4, rounds=[part], answers=NOT_SEEN)


class Shown(NamedTuple):
    """What a start shows."""

    rate: float = 600.0
    peak_bytes: int = 3 * GIB
    wrong: int = 0
    """Answers about colour."""
    kv_tokens: float | Unmeasured = 60_000
    after_s: float = 30.0


USUAL = Shown()


def a_start(pair: int = 0, shown: Shown = USUAL) -> CaseRecord:
    """A start that went well."""
    rate, peak_bytes, wrong, kv_tokens, after_s = shown
    phases = [a_phase("boot", NOT_SEEN)] + [
        a_phase(name, peak_bytes - 100 * MIB) for name in ("weights", "kv-cache", "serving")
    ]
    answers = AnswersRecord(
        concurrency=4,
        skills={},
        wrong=[],
        graded=[*graded(pair, "colour", wrong), *graded(pair, "shape", 0)],
        symptoms=[],
    )
    return a_record().model_copy(
        update={
            "start": READY.model_copy(
                update={"after_s": after_s, "facts": {"kv_cache.tokens": kv_tokens}}
            ),
            "memory": a_memory(peak_bytes).model_copy(update={"phases": phases}),
            "answers": answers,
            "throughput": _load(rate, 0.04),
            "throughput_alone": _load(rate / 2, 0.02),
        }
    )


def alike(
    pairs: int, *, scatter: Sequence[float] = (0.0, 0.01, -0.01, 0.005)
) -> list[PairOfRecords]:
    """Pairs of two that differ by what a machine does to them."""
    told = []
    for pair in range(pairs):
        share = scatter[pair % len(scatter)]
        old = a_start(pair, Shown(rate=600 * (1 + share), after_s=30 - 20 * share))
        new = a_start(pair, Shown(rate=600 * (1 - share), after_s=30 + 20 * share))
        told.append(PairOfRecords(old, new))
    return told
