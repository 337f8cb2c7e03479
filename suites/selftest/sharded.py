"""Hand-made runs of the same cells: of all of them, and of the shards of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from fixtures.cells.models import PROFILES
from fixtures.deployments.agreement_section import EVERY_CELL, agreement, first_like
from fixtures.records.run_schema import (
    WITHOUT_CELL,
    FailureRecord,
    LeftOutRecord,
    PlannedCell,
    RunRecord,
    ShardRecord,
    cells_of_shard,
)
from fixtures.records.runs import Run
from fixtures.records.schema import AnswersRecord, CaseRecord, VerdictRecord
from fixtures.records.store import RunStore
from fixtures.records.upgrade_schema import StartOfSide, UpgradeRecord
from fixtures.verdicts.invariants import judge_invariants
from suites.selftest.histories import graded, measured, memory_of
from suites.selftest.specimens import an_invariant

CELLS: Final = tuple(f"cpu-tiny-{name}" for name in ("a", "b", "c", "d", "e"))
DEALT: Final = (CELLS[0:5:3], CELLS[1:5:3], CELLS[2:5:3])
"""The cells of three shards."""
RED: Final = CELLS[3]
NIGHTLY: Final = LeftOutRecord(what="4 further cpu cells", why="they are of the night")


def a_case(case_id: str, run_id: str, earlier: Sequence[CaseRecord] = ()) -> CaseRecord:
    """A cell with figures of its own, judged beside those that were served before it in its run."""
    place = CELLS.index(case_id)
    record = measured(
        run_id,
        case_id=case_id,
        memory=memory_of(3000 + place),
        answers=graded(75 - place),
        invariants=[an_invariant()],
        judged_as="tiny",
        took_s=80.0 + place,
    )
    verdicts = [
        VerdictRecord(about="start", outcome="pass", reason="ready"),
        VerdictRecord(about="invariant: mirrored", outcome="pass", reason="23/24 consistent"),
    ]
    record = record.model_copy(
        update={
            "provenance": record.provenance.model_copy(
                update={"started_at": f"2026-02-01T03:0{place}:00+00:00"}
            )
        }
    )
    if first := first_like(record, earlier):
        assert isinstance(first.answers, AnswersRecord)
        assert isinstance(record.answers, AnswersRecord)
        told = agreement(first.answers.graded, record.answers.graded)
        promised = PROFILES["tiny"].accuracy_of_scenes
        (verdict,) = judge_invariants(promised, [told], [EVERY_CELL])
        verdicts.append(VerdictRecord(**verdict._asdict()))
        record = record.model_copy(update={"invariants": [an_invariant(), told]})
    outcome = "fail" if case_id == RED else "pass"
    peak = VerdictRecord.model_validate(
        {"about": "peak memory", "outcome": outcome, "reason": "3,003 of 2,900 MiB"}
    )
    return record.model_copy(update={"verdicts": [*verdicts, peak]})


def cases_of(cells: Sequence[str], run_id: str) -> list[CaseRecord]:
    """The cells of one run, one after the other."""
    cases: list[CaseRecord] = []
    for case_id in cells:
        cases.append(a_case(case_id, run_id, cases))
    return cases


def a_run_record(
    run_id: str, cells: Sequence[str], shard: tuple[int, int] | None = None, **changes: object
) -> RunRecord:
    """The record of a run of some of `CELLS`; the tests of the suite are in the first shard."""
    red = RED in cells
    args = ["-m", "selftest or cpu", f"--records=/somewhere/{run_id}"]
    left_out = [NIGHTLY]
    if shard:
        number, of = shard
        args += ["--shard", f"{number}/{of}"]
        left_out += [
            LeftOutRecord(what=cells_of_shard(other, of), why="theirs")
            for other in range(1, of + 1)
            if other != number
        ]
        if number > 1:
            left_out.append(LeftOutRecord(what=WITHOUT_CELL, why="shard 1/3 has them"))
    failure = FailureRecord(
        test=f"suites/memory/test_peak.py::test_it[{RED}]", case_id=RED, when="call", reason="peak"
    )
    counts = {"passed": 4 * len(cells) - red, **({"failed": 1} if red else {})}
    record = RunRecord(
        run_id=run_id,
        suite_version="0.7.0",
        started_at="2026-02-01T03:00:00+00:00",
        ended_at="2026-02-01T04:00:00+00:00",
        args=args,
        variables={"MINICPMV_SHARD": "x"} if shard else {},
        shard=ShardRecord(number=shard[0], of=shard[1]) if shard else None,
        planned=[PlannedCell(case_id=case_id, card="cpu") for case_id in CELLS],
        own=list(cells),
        compared=[],
        exit_code=1 if red else 0,
        tests=counts,
        failures=[failure] if red else [],
        left_out=left_out,
    )
    return record.model_copy(update=changes)


def a_run(
    run_id: str, cells: Sequence[str], shard: tuple[int, int] | None = None, **changes: object
) -> Run:
    """A run of some of `CELLS`, as `read_whole` gives it."""
    record = a_run_record(run_id, cells, shard, **changes)
    return Run(Path("/runs") / run_id, record, cases_of(cells, run_id), ())


def three_shards() -> list[Run]:
    """A run of `CELLS` in three parts."""
    return [a_run(f"run-{n}", cells, (n, 3)) for n, cells in enumerate(DEALT, 1)]


def a_comparison(run_id: str, case_id: str, base: UpgradeRecord) -> UpgradeRecord:
    """A comparison with one pair of starts, numbered as in every run."""
    starts = [
        StartOfSide(pair=1, side="baseline", record=f"01-baseline/{case_id}.json", values={}),
        StartOfSide(pair=1, side="candidate", record=f"02-candidate/{case_id}.json", values={}),
    ]
    return base.model_copy(update={"run_id": run_id, "case_id": case_id, "starts": starts})


def write(root: Path, run: Run) -> Path:
    """The run as it lies on disk, each case with a log of its server."""
    assert isinstance(run.record, RunRecord)
    store = RunStore(root, run.record.run_id)
    store.write_run(run.record)
    for case in run.cases:
        store.write(case)
        (store.case_folder(case.case_id) / "server.log").write_text(f"log of {case.case_id}\n")
    return store.folder


def changed(run: Run, **changes: object) -> Run:
    """The same with other figures in the run's own record."""
    assert isinstance(run.record, RunRecord)
    return run._replace(record=run.record.model_copy(update=changes))


def with_provenance(run: Run, changes: Mapping[str, object]) -> Run:
    """The same on another vLLM, model or commit."""
    cases = [
        case.model_copy(update={"provenance": case.provenance.model_copy(update=dict(changes))})
        for case in run.cases
    ]
    return run._replace(cases=cases)
