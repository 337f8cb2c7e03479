"""How long a cell took before is how long it is expected to take; what is not known is no time."""

from pathlib import Path

import pytest

from fixtures.records.durations import (
    LAST,
    UNKNOWN,
    Earlier,
    expected,
    expected_comparisons,
    sum_of,
    took_s,
    total_s,
)
from fixtures.records.part import NOT_KEPT, Unmeasured
from fixtures.records.recent import read_recent
from fixtures.records.schema import CaseRecord
from suites.selftest.histories import measured, write_run
from suites.selftest.reports.test_upgrade_table import RECORD
from suites.selftest.specimens import DIED, NOT_SEEN, OUT_OF_MEMORY, READY

pytestmark = pytest.mark.selftest

CASE = measured().case_id
EVERY = ("answers", "throughput", "robustness")


def _took(*seconds: float, **sections: object) -> list[CaseRecord]:
    return [measured(f"run-{s}", took_s=s, **sections) for s in seconds]


def _expected(cases: list[CaseRecord], stages: tuple[str, ...] = EVERY) -> float | Unmeasured:
    return expected({CASE: stages}, Earlier(cases, ()))[CASE].whole_s


def test_it_is_the_median_of_the_newest() -> None:
    """One slow night moves it little, and what is long ago not at all."""
    assert _expected(_took(80.0, 200.0, 84.0)) == 84.0
    assert _expected(_took(*[80.0] * LAST, *[500.0] * 9)) == 80.0


def test_what_went_less_far_or_further_does_not_count() -> None:
    """A start alone is short, and a soak takes long: each tells of its like only."""
    start = _took(30.0, answers=NOT_SEEN, throughput=NOT_SEEN, robustness=NOT_SEEN)
    assert _expected(start) == UNKNOWN.whole_s
    assert _expected([*start, *_took(80.0)]) == 80.0
    assert _expected([*start, *_took(80.0)], ()) == 30.0
    assert _expected(_took(80.0, verdicts=[])) == UNKNOWN.whole_s


def test_a_cell_of_which_nothing_is_known_has_no_time() -> None:
    """Neither 0 nor another cell's."""
    other = [case.model_copy(update={"case_id": "other"}) for case in _took(80.0)]
    assert expected({CASE: EVERY}, Earlier(other, ()))[CASE] == UNKNOWN


@pytest.mark.parametrize(
    ("expect", "start", "ready_s"),
    [
        ("fits", READY, READY.after_s),
        ("fits", DIED, None),
        ("out-of-memory", OUT_OF_MEMORY, OUT_OF_MEMORY.after_s),
        ("out-of-memory", READY, None),
    ],
)
def test_only_starts_that_went_as_they_should_tell_how_long_one_takes(
    expect: str, start: object, ready_s: float | None
) -> None:
    """A server that died after three seconds does not promise a quick start."""
    earlier = Earlier([measured(start=start, expect=expect)], ())
    told = expected({CASE: EVERY}, earlier)[CASE].ready_s
    assert told == (UNKNOWN.ready_s if ready_s is None else ready_s)


def test_an_older_record_tells_by_its_last_phase() -> None:
    """From the server's start to the last sample; one that was not ended tells nothing."""
    assert took_s(measured()) == 9.0
    assert took_s(measured(memory=NOT_SEEN)) == NOT_KEPT
    assert took_s(measured(stop=NOT_SEEN)) == NOT_KEPT
    assert took_s(measured(took_s=81.0)) == 81.0


def test_a_comparison_that_goes_on_tells_no_time() -> None:
    """Only one that came to an answer does."""
    going_on = RECORD.model_copy(update={"answer": NOT_SEEN, "took_s": 10.0})
    earlier = Earlier((), [going_on, RECORD])
    assert expected_comparisons([RECORD.case_id], earlier) == {RECORD.case_id: RECORD.took_s}


def test_a_sum_says_of_how_many_it_is_not() -> None:
    """What is unknown is counted, and not added as nothing."""
    assert total_s([80.0, NOT_SEEN, 20.0]) == (100.0, 1)
    assert sum_of(80.0, 20.0) == 100.0
    assert sum_of(80.0, NOT_SEEN) == UNKNOWN.whole_s


def test_the_newest_runs_are_read_and_copies_once(tmp_path: Path) -> None:
    """What cannot be read, or is of another schema, is passed over."""
    old = write_run(tmp_path / "20260101", measured("a", took_s=1.0))
    write_run(tmp_path / "20260102", measured("a", took_s=2.0))
    write_run(tmp_path / "20260103-joined", measured("a", took_s=2.0))
    write_run(tmp_path / ".half", measured("b", took_s=3.0))
    (old.parent / "20260104").mkdir()
    (old.parent / "20260104" / f"{CASE}.json").write_text('{"schema_version": 2}')
    told = read_recent(tmp_path, frozenset({CASE}))
    assert [case.took_s for case in told.cases] == [2.0]
    assert read_recent(tmp_path / "nowhere", frozenset({CASE})) == Earlier([], [])
    assert read_recent(tmp_path, frozenset({"other"})).cases == []
