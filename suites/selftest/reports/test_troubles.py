import pytest

from fixtures.records.runs import Run
from fixtures.records.schema import Unmeasured
from fixtures.reports.troubles import troubles, word_of
from suites.selftest.histories import measured
from suites.selftest.reports.runs import CASE, a_failure, a_run, judged
from suites.selftest.reports.test_upgrade_table import RECORD
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest

SHIPS = RECORD.model_copy(update={"answer": "ship", "reasons": []})


def _word(run: Run) -> str:
    return word_of(run, troubles(run))


def _outcomes(run: Run) -> list[str]:
    return [trouble.outcome for trouble in troubles(run)]


def test_a_green_run_has_no_trouble() -> None:
    """Every own cell was judged and passed, or did better; or the candidate may ship."""
    for run in (a_run(judged("pass")), a_run(judged("better")), a_run(comparisons=[SHIPS])):
        assert (_word(run), troubles(run)) == ("pass", [])


def test_without_a_cell_nothing_was_measured() -> None:
    """Tests alone make no run green."""
    assert _word(a_run(tests={"passed": 900})) == "nothing was measured"
    seen_by_selftests = measured(verdicts=[])
    assert _word(a_run(seen_by_selftests, own=[])) == "nothing was measured"


@pytest.mark.parametrize(
    ("run", "outcome", "word"),
    [
        (a_run(judged("pass"), ended_at=NOT_SEEN, exit_code=NOT_SEEN), "killed", "fail"),
        (a_run(judged("pass"), own=[CASE, "cpu-other"]), "missing", "fail"),
        (a_run(judged("pass"), own=[CASE, "cpu-b"], compared=["cpu-b"]), "missing", "fail"),
        (a_run(judged("pass"), failures=[a_failure("boom")], exit_code=1), "broken", "fail"),
        (a_run(judged("pass"), failures=[a_failure("boom", CASE)], exit_code=1), "broken", "fail"),
        (a_run(judged("fail"), exit_code=1), "fail", "fail"),
        (a_run(judged("inconclusive"), exit_code=1), "inconclusive", "inconclusive"),
        (a_run(judged("unsupported"), exit_code=1), "unsupported", "unsupported"),
        (a_run(measured(verdicts=[])), "unmeasured", "unmeasured"),
        (a_run(comparisons=[RECORD], exit_code=1), "do not ship", "do not ship"),
        (
            a_run(comparisons=[SHIPS.model_copy(update={"answer": NOT_SEEN})], exit_code=1),
            "unmeasured",
            "unmeasured",
        ),
        (
            a_run(comparisons=[SHIPS.model_copy(update={"answer": "cannot tell"})], exit_code=8),
            "cannot tell",
            "cannot tell",
        ),
        (a_run(judged("pass"), exit_code=2), "broken", "fail"),
        (a_run(judged("pass"), exit_code=1), "broken", "fail"),
        (a_run(judged("pass"))._replace(record=NOT_SEEN), "unmeasured", "unmeasured"),
    ],
)
def test_whatever_is_missing_or_wrong_is_told(run: Run, outcome: str, word: str) -> None:
    """Each alone suffices for a run that is not green."""
    assert _outcomes(run) == [outcome]
    assert _word(run) == word


def test_the_worst_comes_first() -> None:
    """What says nothing of a promise at all before what says that one was broken."""
    run = a_run(
        judged("inconclusive", case_id="cpu-a"),
        judged("fail", case_id="cpu-b"),
        judged("unmeasured", case_id="cpu-c"),
        comparisons=[RECORD],
        own=["cpu-a", "cpu-b", "cpu-c", "cpu-gone"],
        failures=[a_failure("in a cell", "cpu-c"), a_failure("of none")],
        ended_at=NOT_SEEN,
        exit_code=NOT_SEEN,
    )
    found = troubles(run)
    assert [(trouble.outcome, trouble.case_id) for trouble in found] == [
        ("killed", ""),
        ("missing", "cpu-gone"),
        ("broken", ""),
        ("fail", "cpu-b"),
        ("do not ship", RECORD.case_id),
        ("broken", "cpu-c"),
        ("unmeasured", "cpu-c"),
        ("inconclusive", "cpu-a"),
    ]


def test_what_a_verdict_tells_is_not_told_twice() -> None:
    """A test that failed for its verdict is the verdict; one that failed otherwise is its own."""
    own = a_failure(f"{CASE}: peak memory: \\x1b too much\nserver log: /x", CASE)
    other = a_failure("KeyError: 'x'", CASE)
    after = a_failure("peak memory: \x1b too much", CASE, when="teardown")
    run = a_run(judged("fail", "\x1b too much"), failures=[own, other, after], exit_code=1)
    assert [trouble.reason for trouble in troubles(run)] == [
        "\x1b too much",
        "KeyError: 'x'",
        "peak memory: \x1b too much",
    ]
    said = f"{RECORD.case_id}: do not ship:\nslower"
    compared = a_failure(said, RECORD.case_id)
    assert _outcomes(a_run(comparisons=[RECORD], failures=[compared], exit_code=1)) == [
        "do not ship"
    ]


def test_tests_that_fail_alike_are_told_once() -> None:
    """A server that is not up fails each test that needs it in the same words."""
    down = [a_failure("unmeasured: the server is not up\nmore", CASE, when="setup")] * 5
    (_, one) = troubles(a_run(judged("fail"), failures=down, exit_code=1))
    assert one.about == "test_it (setup) and 4 further tests"


def test_a_run_that_was_interrupted_says_so_beside_what_else_is_wrong() -> None:
    """What it found until then is not all that it would have found."""
    run = a_run(judged("fail"), exit_code=2)
    assert [trouble.reason for trouble in troubles(run)] == [
        "it ended with exit code 2: it was interrupted",
        "because",
    ]


def test_an_unmeasured_record_is_never_a_pass() -> None:
    """Of a run of an older suite nobody knows what it was to look at."""
    run = a_run(judged("pass"))._replace(record=Unmeasured(unmeasured="older"))
    assert _word(run) == "unmeasured"
