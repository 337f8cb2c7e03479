import io

import pytest
from rich.console import Console

from fixtures.cells.cards import MIB
from fixtures.records.schema import CaseRecord
from fixtures.reports.memory_table import memory_table, unexplained
from fixtures.reports.table import render_table
from suites.selftest.specimens import NOT_SEEN, a_memory, a_phase, a_record

pytestmark = pytest.mark.selftest


def _lines(record: CaseRecord) -> list[str]:
    table = memory_table([record])
    assert table is not None
    out = io.StringIO()
    Console(file=out, width=200).print(table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def _with_memory(**changes: object) -> CaseRecord:
    return a_record().model_copy(update={"memory": a_memory().model_copy(update=changes)})


def test_a_row_reads_as_the_incident() -> None:
    """The phases stand in the order of a start, each with its peak, then the steady level."""
    phases = [
        a_phase("boot", 500 * MIB),
        a_phase("weights", 16_179 * MIB),
        a_phase("encoder-profile", 29_798 * MIB),
        a_phase("kv-cache", NOT_SEEN),
    ]
    head, row = _lines(_with_memory(phases=phases, steady_bytes=19_456 * MIB))
    assert head.split()[4:] == [
        *("weights", "encoder-profile", "kv-cache", "steady", "judged", "by", "gap")
    ]
    assert row.split()[1:] == ["16,179", "29,798", "-", "19,456", "tree-marks", "30", "ms"]


def test_nothing_measured_is_no_table() -> None:
    """Without any memory there is no empty table that looks like one."""
    record = a_record().model_copy(update={"memory": NOT_SEEN})
    assert memory_table([record]) is None
    assert "peak by phase" not in render_table([record], 120, color=False)


def test_only_what_nobody_can_explain_is_told() -> None:
    """A disagreement with its reason is in the record; one without is in front of people."""
    record = _with_memory(disagreements=["a is below b: known", "c is above d: unexplained"])
    (said,) = unexplained([record])
    assert said == f"{record.case_id}: witnesses disagree: c is above d: unexplained"
    assert said in render_table([record], 120, color=False)
