"""What came of a cell, in one line."""

import pytest

from fixtures.cells.shards import Shard
from fixtures.records.schema import VerdictRecord
from fixtures.reports.cell_line import cell_line
from fixtures.reports.expected_time import foretold, minutes
from suites.selftest.histories import measured
from suites.selftest.specimens import NOT_SEEN, OUT_OF_MEMORY

pytestmark = pytest.mark.selftest

CASE = measured().case_id


def test_a_cell_is_told_with_its_figures() -> None:
    """Outcome, start, peak and budget, answers with those under load, tokens/s and minutes."""
    assert cell_line(measured(took_s=81.0)) == (
        f"{CASE}: pass, start 21 s, peak 3,000 / 4,096 MiB, answers 104/105,"
        " 100.0 ±12.4 tokens/s, 1.4 min"
    )


def test_what_was_not_measured_is_left_out() -> None:
    """A cell that must not fit has no answers, and one that was not judged says so."""
    verdict = VerdictRecord(about="start", outcome="fail", reason="because")
    unasked = measured(start=OUT_OF_MEMORY, answers=NOT_SEEN, throughput=NOT_SEEN, stop=NOT_SEEN)
    failed = unasked.model_copy(update={"verdicts": [verdict]})
    assert cell_line(failed) == f"{CASE}: fail, start out-of-memory 31 s, peak 3,000 / 4,096 MiB"
    unseen = failed.model_copy(update={"start": NOT_SEEN, "memory": NOT_SEEN, "verdicts": []})
    assert cell_line(unseen) == f"{CASE}: not judged"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(44.0, "0.7 min"), (590.0, "9.8 min"), (5400.0, "90 min"), (NOT_SEEN, "unknown")],
)
def test_minutes_are_told_as_people_plan(seconds: object, told: str) -> None:
    """A tenth matters below ten of them, and what is not known is no number."""
    assert minutes(seconds) == told  # type: ignore[arg-type]


def test_cells_are_told_before_they_run() -> None:
    """How many of how many, how long as far as that is known, and of how many it is not."""
    assert foretold([60.0], None) == "1 cell, about 1.0 min as earlier runs took"
    told = foretold([60.0, 30.0, NOT_SEEN], (Shard(2, 3), 7))
    assert told == (
        "shard 2/3: 3 of 7 cells, about 1.5 min as earlier runs took, and 1 for an unknown time"
    )
    nothing = foretold([NOT_SEEN, NOT_SEEN], None)
    assert nothing == "2 cells, for an unknown time: no earlier run went as far"
