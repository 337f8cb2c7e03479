"""Hand-made runs for tests of what is told of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from fixtures.records.run_schema import FailureRecord, PlannedCell, RunRecord
from fixtures.records.runs import Run
from fixtures.records.schema import CaseRecord, VerdictRecord
from fixtures.records.upgrade_schema import UpgradeRecord
from fixtures.verdicts.verdict import Outcome
from suites.selftest.histories import measured

CASE = measured().case_id
When = Literal["setup", "call", "teardown"]


def a_run(*cases: CaseRecord, comparisons: Sequence[UpgradeRecord] = (), **changes: object) -> Run:
    """A green run that was to look at just these cases, and ended."""
    own = [*(case.case_id for case in cases), *(one.case_id for one in comparisons)]
    record = RunRecord(
        run_id="20260201T030000Z-0001",
        suite_version="0.6.0",
        started_at="2026-02-01T03:00:00+00:00",
        ended_at="2026-02-01T03:10:00+00:00",
        args=["-c", "pyproject.toml", "-p", "fixtures.plugin", "-m", "cpu"],
        variables={},
        planned=[PlannedCell(case_id=case_id, card="cpu") for case_id in own],
        own=own,
        compared=[one.case_id for one in comparisons],
        exit_code=0,
        tests={"passed": len(cases)},
    )
    return Run(
        Path("/records/20260201T030000Z-0001"),
        record.model_copy(update=changes),
        cases,
        comparisons,
    )


def judged(outcome: Outcome, reason: str = "because", case_id: str = CASE) -> CaseRecord:
    """A cell with one verdict on its peak."""
    verdict = VerdictRecord(about="peak memory", outcome=outcome, reason=reason)
    return measured(case_id=case_id, verdicts=[verdict])


def a_failure(reason: str, case_id: str = "", when: When = "call") -> FailureRecord:
    """A failed test; of no cell without a case."""
    test = f"suites/startup/test_start.py::test_it[{case_id}]"
    return FailureRecord(test=test, case_id=case_id, when=when, reason=reason)
