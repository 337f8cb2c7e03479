"""Cells of several runs are held against each other as cells of one run are."""

import pytest

from fixtures.deployments.rejoined import rejoin
from fixtures.records.schema import CaseRecord, VerdictRecord
from suites.selftest.histories import graded
from suites.selftest.sharded import CELLS, DEALT, a_case, cases_of
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest

ABOUT = "invariant: the same in every cell"


def _apart() -> list[CaseRecord]:
    """Each cell as its own shard leaves it, in the order of the plan."""
    cases = [case for cells in DEALT for case in cases_of(cells, "run")]
    return sorted(cases, key=lambda case: CELLS.index(case.case_id))


def _verdict(case: CaseRecord) -> VerdictRecord | None:
    return next((one for one in case.verdicts if one.about == ABOUT), None)


def test_cells_of_shards_are_told_as_those_of_one_run() -> None:
    """The same invariants, with the same counts, and the same verdicts in the same order."""
    assert _apart() != cases_of(CELLS, "run")
    rejoined = rejoin(_apart())
    assert rejoined.cases == cases_of(CELLS, "run")
    assert rejoined.red == []


def test_one_that_answers_otherwise_than_all_others_is_found() -> None:
    """Its own shard had nothing to hold it against."""
    cases = _apart()
    odd = cases[1].model_copy(update={"answers": graded(40)})
    assert _verdict(odd) is None
    rejoined = rejoin([cases[0], odd, *cases[2:]])
    ((case_id, verdict),) = rejoined.red
    assert (case_id, verdict.about, verdict.outcome) == (CELLS[1], ABOUT, "fail")
    assert _verdict(rejoined.cases[1]) == VerdictRecord(**verdict._asdict())


def test_what_was_red_in_its_shard_stays_red() -> None:
    """Another cell to hold it against, with which it agrees, makes it no greener."""
    first, late = a_case(CELLS[0], "run"), cases_of(DEALT[0], "run")[1]
    failed = VerdictRecord(about=ABOUT, outcome="fail", reason="40/75 consistent")
    kept = [failed if one.about == ABOUT else one for one in late.verdicts]
    late = late.model_copy(update={"verdicts": kept})
    rejoined = rejoin([first, late])
    assert rejoined.cases == [first, late]
    assert rejoined.red == []


def test_a_cell_that_was_not_asked_is_left_as_it_is() -> None:
    """And one of another model is compared with none."""
    first = a_case(CELLS[0], "run")
    unasked = a_case(CELLS[1], "run").model_copy(
        update={"invariants": NOT_SEEN, "answers": NOT_SEEN}
    )
    foreign = a_case(CELLS[2], "run").model_copy(update={"model": "wide"})
    assert rejoin([first, unasked, foreign]).cases == [first, unasked, foreign]
