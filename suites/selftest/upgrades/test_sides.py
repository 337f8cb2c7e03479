import pytest

from fixtures.cells.cards import GIB
from fixtures.upgrades.sides import fit_together, order
from suites.selftest.specimens import a_case

pytestmark = pytest.mark.selftest


def test_the_sides_take_turns_in_being_first() -> None:
    """A B B A A B: of any even number of pairs each is first in half."""
    assert [order(pair)[0] for pair in range(4)] == [
        "baseline",
        "candidate",
        "baseline",
        "candidate",
    ]
    assert all(set(order(pair)) == {"baseline", "candidate"} for pair in range(4))


def test_two_servers_are_up_at_once_only_where_both_fit() -> None:
    """Two budgets and a reserve, of a host's memory; never on a GPU."""
    case = a_case()
    assert fit_together(case, 9 * GIB)
    assert not fit_together(case, 9 * GIB - 1)
    assert not fit_together(case.model_copy(update={"card_name": "gpu48"}), 900 * GIB)
