"""The page's line and its squares come to the same: two tellings of one run must not differ."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.records.part import Unmeasured
from fixtures.records.runs import Run
from fixtures.reports.html.headline import headline
from fixtures.reports.html.states import BESIDE, GREEN, states_of
from fixtures.verdicts.verdict import Outcome
from suites.selftest.reports.runs import CASE, a_failure, a_run, judged
from suites.selftest.reports.test_upgrade_table import RECORD

pytestmark = pytest.mark.selftest

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
GOES_ON = Unmeasured(unmeasured="the run goes on, or was killed")


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """A cell, a comparison, both or nothing, with tests that failed within, beside or without."""
    cases = draw(st.lists(st.sampled_from(OUTCOMES), max_size=1))
    answers = draw(st.lists(st.sampled_from(["ship", "do not ship", "cannot tell"]), max_size=1))
    comparisons = [
        RECORD.model_copy(update={"answer": answer, "case_id": "cpu-tiny-seqs=1-len=1-alloc=glibc"})
        for answer in answers
    ]
    own = [*([CASE] if cases else []), *(one.case_id for one in comparisons)]
    failed = draw(st.lists(st.sampled_from(["", *own]), max_size=2))
    failures = [a_failure(f"E   broke {n}", case_id) for n, case_id in enumerate(failed)]
    changes: dict[str, object] = {"failures": failures, "exit_code": 1 if failures else 0}
    if draw(st.booleans()):
        changes |= {"ended_at": GOES_ON, "exit_code": GOES_ON}
    return a_run(*(judged(one) for one in cases), comparisons=comparisons, **changes)


def _is_fine(run: Run) -> bool:
    """Something was looked at, to its end, and all of it is well."""
    assert not isinstance(run.record, Unmeasured)
    outcomes = {verdict.outcome for case in run.cases for verdict in case.verdicts}
    answers = {one.answer for one in run.comparisons}
    looked = bool(outcomes or answers)
    return looked and outcomes <= GREEN and answers <= {"ship"} and run.record.exit_code == 0


@given(runs())
def test_the_page_ships_where_no_square_is_red(run: Run) -> None:
    """Whatever failed, and whatever it looked at; and it does so where nothing is wrong at all."""
    ships = headline(run).answer == "ships"
    assert ships == _is_fine(run)
    assert not ships or {state.mark for state in states_of(run)} <= GREEN | BESIDE
