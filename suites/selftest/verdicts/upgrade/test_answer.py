import pytest

from fixtures.records.schema import Unmeasured
from fixtures.verdicts.upgrade.answer import Exact, answer, goes_on, told
from fixtures.verdicts.upgrade.comparison import Comparison, Pair
from fixtures.verdicts.verdict import Outcome
from suites.selftest.verdicts.upgrade.given import (
    MEMORY,
    PLAN,
    RATE,
    TIME,
    judged,
    pairs_of,
    scattered,
)

pytestmark = pytest.mark.selftest

SLOW = judged(RATE, scattered(12, 1 / 1.08))
SLOWER = judged(TIME, scattered(12, 1.5))
SAME = judged(RATE, scattered(12, 1.0))
FASTER = judged(TIME, scattered(12, 1 / 1.2))
UNSURE = judged(RATE, scattered(12, 1 / 1.02, noise=0.09))
EARLY = judged(RATE, scattered(4, 1 / 1.02, noise=0.09))
LOST = judged(MEMORY, [Pair(1.0, Unmeasured(unmeasured="no sample"))] * 12)
DIED = Exact("start", "fail", "the engine died at the first picture")
FINE = Exact("log lines", "pass", "all there")


def test_nothing_worse_ships() -> None:
    """With what got better as a remark."""
    found = answer([SAME, FASTER], [FINE])
    assert (found.says, found.reasons, found.more_pairs) == ("ship", (), None)
    assert found.remarks == (told(FASTER),)


def test_what_is_worse_does_not_ship_the_heaviest_first() -> None:
    """What failed, then by how many times what matters; what else is wanting is no reason."""
    found = answer([SLOW, SLOWER, UNSURE, LOST], [FINE, DIED])
    assert found.says == "do not ship"
    assert found.reasons == (
        "start: the engine died at the first picture",
        told(SLOWER),
        told(SLOW),
    )


def test_a_failure_needs_no_pairs() -> None:
    """It decides before anything was compared."""
    assert answer([], [DIED]).says == "do not ship"


def test_what_is_open_cannot_tell_and_says_what_would() -> None:
    """So many pairs more than these."""
    found = answer([SAME, UNSURE], [])
    assert found.says == "cannot tell"
    assert UNSURE.needs_pairs is not None
    assert found.more_pairs == UNSURE.needs_pairs - 12
    assert f"{UNSURE.needs_pairs} pairs would" in found.reasons[0]


def test_what_is_missing_cannot_tell_and_no_pairs_would() -> None:
    """More of the same do not bring back what was lost."""
    found = answer([SAME, UNSURE, LOST], [])
    assert (found.says, found.more_pairs) == ("cannot tell", None)
    assert found.reasons[0] == "peak: unmeasured, the new side of pair 1: no sample"


def test_nothing_compared_cannot_tell() -> None:
    """A gate that measured nothing has not passed."""
    assert answer([], [FINE]).says == "cannot tell"


@pytest.mark.parametrize("outcome", ["inconclusive", "unmeasured", "unsupported"])
def test_an_exact_finding_that_does_not_pass_cannot_tell(outcome: Outcome) -> None:
    """As with verdicts, it is not green."""
    assert answer([SAME], [Exact("answers", outcome, "too few")]).says == "cannot tell"


@pytest.mark.parametrize(
    ("comparisons", "exact", "on"),
    [
        ([], [], True),
        ([EARLY], [FINE], True),
        ([EARLY, LOST], [], True),
        ([EARLY], [DIED], False),
        ([], [DIED], False),
        ([EARLY, SLOW], [], False),
        ([SAME, FASTER], [], False),
        ([UNSURE], [], False),
    ],
)
def test_it_goes_on_only_while_that_may_help(
    comparisons: list[Comparison], exact: list[Exact], *, on: bool
) -> None:
    """Something open, nothing worse, nothing failed, and a look left."""
    assert goes_on(comparisons, exact, PLAN) is on


def test_for_all_reasons_it_goes_on_where_something_is_worse() -> None:
    """For what is open, and never after a failure."""
    plan = PLAN._replace(all_reasons=True)
    assert goes_on([EARLY, SLOW], [], plan)
    assert not goes_on([SAME, SLOW], [], plan)
    assert not goes_on([UNSURE, SLOW], [], plan)
    assert not goes_on([EARLY, SLOW], [DIED], plan)


def test_answers_that_cannot_be_told_are_waited_for() -> None:
    """As for a figure: while they are open it goes on, and where they are worse it does not."""
    unsure, worse = (Exact("answers", outcome, "") for outcome in ("inconclusive", "fail"))
    settled = judged(MEMORY, pairs_of([2.0**33] * 6, [2.0**33] * 6))
    assert not goes_on([settled], [], PLAN)
    assert goes_on([settled], [], PLAN, unsure)
    assert not goes_on([SAME], [], PLAN, unsure)
    assert not goes_on([EARLY], [], PLAN, worse)
    assert goes_on([EARLY], [], PLAN._replace(all_reasons=True), worse)


def test_a_comparison_is_told_in_words() -> None:
    """With both sides, the bounds, and what matters."""
    assert told(SLOW).startswith("tokens/s: worse, +8.0 % (+")
    assert told(SLOW).endswith("+5.0 % matters), 100.0 -> 92.6, 12 pairs")
    assert "(at most +" in told(EARLY)
    alike = judged(MEMORY, pairs_of([2.0**33] * 6, [2.0**33] * 6))
    assert told(alike).endswith("6 pairs; all pairs alike")
