from typing import Literal

import pytest

from fixtures.records.run_schema import ShardRecord
from fixtures.records.runs import Run
from fixtures.records.schema import Unmeasured, VerdictRecord
from fixtures.reports.html.headline import headline
from fixtures.reports.html.states import states_of
from suites.selftest.reports.html.pages import CASE, a_failure, a_run, judged
from suites.selftest.reports.test_upgrade_table import RECORD

pytestmark = pytest.mark.selftest

OTHER = "cpu-tiny-seqs=16-len=2048-alloc=glibc"
GOES_ON = Unmeasured(unmeasured="the run goes on, or was killed")
Outcome = Literal["pass", "fail", "better", "inconclusive", "unmeasured", "unsupported"]


def _verdict(outcome: Outcome) -> VerdictRecord:
    return VerdictRecord(about="peak memory", outcome=outcome, reason="so it is")


def test_a_run_ships_where_all_that_was_planned_was_seen_to_pass() -> None:
    """And says what came nearest to its budget."""
    line = headline(a_run(judged()))
    assert line.answer == "ships"
    assert line.said == f"1 of 1 planned cells pass; nearest to its budget is {CASE} with 75\u00a0%"
    assert line.against == ()


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        ("better", "ships"),
        ("fail", "does not ship"),
        ("inconclusive", "cannot tell"),
        ("unmeasured", "cannot tell"),
        ("unsupported", "cannot tell"),
    ],
)
def test_the_heaviest_verdict_decides(outcome: Outcome, answer: str) -> None:
    """One verdict that does not pass among those that do."""
    run = a_run(judged(CASE, _verdict("pass"), _verdict(outcome)), judged(OTHER))
    assert headline(run).answer == answer


@pytest.mark.parametrize(
    "changes",
    [
        {"planned": [CASE, OTHER]},
        {"failures": [a_failure()], "exit_code": 1},
        {"failures": [a_failure(CASE)], "exit_code": 1},
        {"ended_at": GOES_ON, "exit_code": GOES_ON},
        {"exit_code": 2},
        {"planned": [CASE, OTHER], "compared": [OTHER]},
        {"searched": ["frontier-cpu"]},
    ],
    ids=[
        *("no record", "outside of cells", "in a cell", "killed", "interrupted"),
        *("a comparison without a record", "a search without a record"),
    ],
)
def test_nothing_is_green_by_absence(changes: dict[str, object]) -> None:
    """What was planned and has no record, a failed test without a verdict, no end of its own."""
    run = a_run(judged(), **changes)  # type: ignore[arg-type]
    assert headline(run).answer == "does not ship"


@pytest.mark.parametrize(
    "run",
    [
        a_run(planned=[]),
        a_run(judged())._replace(record=Unmeasured(unmeasured="kept by an older suite")),
        a_run(judged(), planned=[CASE, OTHER], own=[CASE], shard=ShardRecord(number=1, of=2)),
        a_run(judged(verdicts=[])),
    ],
    ids=["nothing", "no record of the run", "a shard", "not judged"],
)
def test_what_is_not_known_is_not_green(run: Run) -> None:
    """What cannot speak for the whole does not ship it."""
    assert headline(run).answer == "cannot tell"


def test_cells_of_other_shards_are_not_missing() -> None:
    """They are named as such, and of the shard's own a missing one is red all the same."""
    shard = ShardRecord(number=1, of=2)
    run = a_run(planned=[CASE, OTHER], own=[CASE], shard=shard)
    assert [state.mark for state in states_of(run)] == ["no record", "elsewhere"]


def test_a_server_that_only_selftests_looked_at_is_beside_the_run() -> None:
    """Neither good nor bad: it was not planned."""
    run = a_run(judged(), judged(OTHER, verdicts=[]), planned=[CASE])
    assert [state.mark for state in states_of(run)] == ["pass", "not judged"]
    assert headline(run).answer == "ships"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("ship", "ships"),
        ("do not ship", "does not ship"),
        ("cannot tell", "cannot tell"),
        (GOES_ON, "cannot tell"),
    ],
)
def test_a_comparison_answers_for_its_cell(answer: str | Unmeasured, expected: str) -> None:
    """A cell that is only compared has no record of its own, and is not missing."""
    run = a_run(planned=[RECORD.case_id], compared=[RECORD.case_id])
    compared = run._replace(comparisons=[RECORD.model_copy(update={"answer": answer})])
    assert states_of(compared) == ()
    assert headline(compared).answer == expected
