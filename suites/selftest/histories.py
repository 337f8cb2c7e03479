"""Hand-made records and rules for tests of baselines and of history."""

from datetime import date
from pathlib import Path
from typing import Final

from fixtures.cells.cards import MIB
from fixtures.records.baseline import Baseline, accept
from fixtures.records.schema import (
    AnswersRecord,
    CaseRecord,
    GradedRecord,
    MemoryRecord,
    SkillRecord,
    Unmeasured,
    VerdictRecord,
)
from fixtures.records.tolerances import Tolerance
from fixtures.records.waivers import Waiver
from suites.selftest.specimens import (
    NOT_SEEN,
    READY,
    a_memory,
    a_phase,
    a_record,
    a_round,
    a_throughput,
)

HOST: Final = {"processor": "EPYC", "vector_extensions": ["avx2"], "cores": 2}
TODAY: Final = date(2026, 3, 1)
TOLERANCES: Final = (
    Tolerance(metrics=("*_bytes*",), better="lower", relative=0.02, absolute=64 * MIB),
    Tolerance(metrics=("kv_cache_tokens",), better="higher", relative=0.02, absolute=0),
    Tolerance(metrics=("accuracy*",), better="higher", relative=0, absolute=0.04),
    Tolerance(metrics=("*_per_s",), better="higher", relative=0.1, absolute=0),
    Tolerance(metrics=("*_s",), better="lower", relative=0.1, absolute=0),
)


def graded(correct: int, asked: int = 75, seed: int = 1_000_000_000) -> AnswersRecord:
    """Answers to the questions from `seed` on, all about count, the first `correct` ones right."""
    answers = [
        GradedRecord(
            skill="count",
            layout="single",
            seed=seed + number,
            picture=str(number),
            expected="two",
            given="two" if number < correct else "three",
            correct=number < correct,
            reason="" if number < correct else "expected 'two', got 'three'",
            prompt_tokens=NOT_SEEN,
            completion_tokens=NOT_SEEN,
            finish_reason="stop",
        )
        for number in range(asked)
    ]
    return AnswersRecord(
        concurrency=4,
        skills={"count": SkillRecord(asked=asked, correct=correct, failed=0)},
        wrong=[],
        graded=answers,
        symptoms=[],
    )


def memory_of(peak_mib: int) -> MemoryRecord:
    """A memory section with a peak, which is that of its serving phase as well."""
    section = a_memory(peak_bytes=peak_mib * MIB)
    return section.model_copy(update={"phases": [a_phase("serving", peak_mib * MIB)]})


def measured(run_id: str = "20260201T030000Z-0001", **sections: object) -> CaseRecord:
    """A record that got to its end on `HOST`, green, with 100 tokens/s and 1,024 KV tokens."""
    record = a_record()
    provenance = record.provenance.model_copy(update={"host": HOST})
    changes = {
        "run_id": run_id,
        "provenance": provenance,
        "start": READY.model_copy(update={"facts": {"kv_cache.tokens": 1024}}),
        "memory": memory_of(3000),
        "answers": graded(74),
        "throughput": a_throughput(*(a_round(tokens_per_s=rate) for rate in (95.0, 100.0, 105.0))),
        "verdicts": [VerdictRecord(about="start", outcome="pass", reason="ready")],
    }
    return record.model_copy(update=changes | sections)


def baseline_of(record: CaseRecord, before: Baseline | None = None) -> Baseline:
    """What `accept` makes of a record."""
    return accept(record, before, "first", "2026-02-01")


def loaded_at(rate: float) -> object:
    """A throughput section of three rounds, at so many tokens a second."""
    return a_throughput(*(a_round(tokens_per_s=rate) for _ in range(3)))


def on_host(record: CaseRecord, **facts: object) -> CaseRecord:
    """The same record from a host that differs in these facts."""
    host = HOST | facts
    provenance = record.provenance.model_copy(update={"host": host})
    return record.model_copy(update={"provenance": provenance})


def of_model(record: CaseRecord, digest: str | Unmeasured) -> CaseRecord:
    """The same record of a model with another digest."""
    provenance = record.provenance.model_copy(update={"model_digest": digest})
    return record.model_copy(update={"provenance": provenance})


def a_waiver(metric: str, until: date, cell: str = "*") -> Waiver:
    """A waiver that stands on line 3 of its file."""
    return Waiver(metric=metric, cell=cell, reason="known", until=until, place="waivers.toml:3")


def write_run(folder: Path, *records: CaseRecord) -> Path:
    """A folder with the records of one run, as the store writes them."""
    folder.mkdir(parents=True)
    for record in records:
        path = folder / f"{record.case_id}.json"
        path.write_text(record.model_dump_json(indent=1), "utf-8")
    return folder
