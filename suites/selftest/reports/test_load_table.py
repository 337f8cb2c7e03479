"""The table of load shows rates and times of each cell, with their intervals."""

import io

import pytest
from rich.console import Console

from fixtures.records.schema import CaseRecord, LatencyRecord, ThroughputRecord
from fixtures.records.throughput_schema import FigureRecord
from fixtures.reports.load_table import load_table
from fixtures.reports.table import render_table
from suites.selftest.specimens import NOT_SEEN, a_record, a_round, a_throughput

pytestmark = pytest.mark.selftest


def _loaded(**changes: object) -> CaseRecord:
    section = a_throughput(a_round(), a_round(), a_round())
    changed = ThroughputRecord.model_validate({**dict(section), **changes})
    return a_record().model_copy(update={"case_id": "one", "throughput": changed})


def _row(record: CaseRecord) -> str:
    table = load_table([record])
    assert table is not None
    out = io.StringIO()
    Console(file=out, width=200).print(table)
    return " ".join(out.getvalue().splitlines()[1].split())


def test_a_row_shows_rates_and_times_with_intervals() -> None:
    """Seconds are shown as milliseconds, and a pace that nobody measured as a dash."""
    figures = {
        "requests_per_s": FigureRecord(mean=80.12, low=78.0, high=82.24, rounds=5),
        "completion_tokens_per_s": FigureRecord(mean=1234.5, low=1200.0, high=1269.0, rounds=5),
        "ttft.p50_s": FigureRecord(mean=0.1234, low=0.12, high=0.1268, rounds=5),
        "ttft.p90_s": FigureRecord(mean=0.25, low=0.2, high=0.3, rounds=5),
        "e2e.p50_s": FigureRecord(mean=0.5, low=NOT_SEEN, high=NOT_SEEN, rounds=2),
    }
    assert _row(_loaded(figures=figures)) == (
        "one 4 80.1 ±2.1 1,234 ±34 123.4 ±3.4 / 250.0 ±50.0 - 500.0 / -"
    )


def test_what_single_rounds_are_too_small_for_is_of_all_together() -> None:
    """It has no interval."""
    together = LatencyRecord(p50_s=0.1, p90_s=0.2, p99_s=NOT_SEEN, worst_s=0.3)
    figures = {"ttft.p50_s": FigureRecord(mean=0.11, low=0.1, high=0.12, rounds=3)}
    row = _row(_loaded(figures=figures, over_all={"ttft": together, "e2e": together}))
    assert row == "one 4 - - 110.0 ±10.0 / 200.0 - 100.0 / 200.0"


def test_warm_caches_are_named() -> None:
    """Figures of pictures that were sent before look like others, and are not."""
    assert _row(_loaded(kind="repeated")).startswith("one (repeated) 4 ")


def test_an_interval_that_is_cut_at_0_shows_its_upper_half() -> None:
    """The lower bound would be below 0."""
    figures = {"requests_per_s": FigureRecord(mean=2.0, low=0.0, high=5.0, rounds=3)}
    assert _row(_loaded(figures=figures)).startswith("one 4 2.00 ±3.00 ")


def test_without_figures_there_is_no_table() -> None:
    """What was not loaded, and records of before figures were kept, are no row of dashes."""
    assert load_table([a_record().model_copy(update={"throughput": NOT_SEEN})]) is None
    assert load_table([_loaded(figures={})]) is None


def test_the_run_prints_it() -> None:
    """It stands below the cells."""
    text = render_table([a_record()], 120, color=False)
    assert "86.7 ±28.7" in text.split("under load")[1]
