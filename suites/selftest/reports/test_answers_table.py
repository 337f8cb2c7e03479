"""The table of answers shows each skill's lowest and highest cell, with intervals."""

import io

import pytest
from rich.console import Console

from fixtures.records.schema import AnswersRecord, CaseRecord, SkillRecord
from fixtures.reports.answers_table import answers_table
from fixtures.reports.table import render_table
from fixtures.verdicts.binomial import interval
from suites.selftest.specimens import NOT_SEEN, a_record

pytestmark = pytest.mark.selftest


def _answered(case_id: str, **skills: tuple[int, int]) -> CaseRecord:
    scores = {}
    for skill, (correct, asked) in skills.items():
        low, high = interval(correct, asked)
        scores[skill] = SkillRecord(asked=asked, correct=correct, failed=0, low=low, high=high)
    answers = AnswersRecord(concurrency=4, skills=scores, wrong=[])
    return a_record().model_copy(update={"case_id": case_id, "answers": answers})


def _rows(*records: CaseRecord) -> list[list[str]]:
    table = answers_table(records)
    assert table is not None
    out = io.StringIO()
    Console(file=out, width=200).print(table)
    return [line.split() for line in out.getvalue().splitlines()]


def test_each_skill_shows_its_lowest_and_highest_cell() -> None:
    """The interval stands after each count, and the lowest cell is named."""
    rows = _rows(_answered("one", colour=(97, 100)), _answered("two", colour=(70, 75)))
    assert rows[1] == [
        *("colour", "2", "70/75", "(85", "to", "98)", "97/100", "(91", "to", "99)", "two"),
    ]


def test_counts_are_compared_by_their_share() -> None:
    """30 of 30 is more than 70 of 75."""
    rows = _rows(_answered("one", colour=(70, 75)), _answered("two", colour=(30, 30)))
    assert rows[1][-1] == "one"


def test_a_skill_that_one_cell_was_not_asked_counts_the_others() -> None:
    """Cells of several models stand in one table."""
    rows = _rows(
        _answered("one", colour=(70, 75)), _answered("two", colour=(75, 75), clock=(9, 30))
    )
    assert [row[:2] for row in rows[1:]] == [["colour", "2"], ["clock", "1"]]


def test_without_answers_there_is_no_table() -> None:
    """Unmeasured answers are no row of zeros."""
    assert answers_table([a_record().model_copy(update={"answers": NOT_SEEN})]) is None


def test_an_interval_that_was_not_kept_is_no_figure() -> None:
    """Records of before show their counts alone."""
    skill = SkillRecord(asked=4, correct=4, failed=0)
    answers = AnswersRecord(concurrency=4, skills={"colour": skill}, wrong=[])
    rows = _rows(a_record().model_copy(update={"answers": answers}))
    assert rows[1][2:4] == ["4/4", "(-)"]


def test_the_run_prints_it() -> None:
    """It stands below the cells."""
    text = render_table([_answered("one", colour=(97, 100))], 120, color=False)
    assert "97/100 (91 to 99)" in text
