"""The largest deployment that fits a card."""

from collections.abc import Callable

import pytest

from fixtures.frontier.searching import Searching, search
from fixtures.records.frontier_schema import FrontierRecord

pytestmark = pytest.mark.frontier


def test_frontier_is_known(
    searching: Searching, judge_frontier: Callable[[FrontierRecord], None]
) -> None:
    """Something fits, the largest that does is known, and it did not move inwards."""
    judge_frontier(search(searching))
