import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.verdicts.upgrade.bounds import bounds_of, ruled
from fixtures.verdicts.upgrade.looks import Levels
from fixtures.verdicts.upgrade.needed import MOST, needed

pytestmark = pytest.mark.selftest

LAST = Levels(0.004, 0.016)
MATTERS = 0.05


@pytest.mark.parametrize("change", [0.0, 0.02, 0.05])
def test_so_many_pairs_decide_in_most_runs(change: float) -> None:
    """80 % of 5,000 or more, where noise and change are as they seemed."""
    pairs = needed(change, 0.06, MATTERS, LAST)
    assert pairs is not None
    drawn = np.random.default_rng(3).normal(change, 0.06, (5000, pairs))
    says = ruled(bounds_of(drawn, LAST), MATTERS)
    assert (says != "open").mean() > 0.77


@given(st.floats(-0.1, 0.2), st.floats(0.001, 0.2))
def test_more_scatter_needs_more_pairs(change: float, scatter: float) -> None:
    """Or as many."""
    less, more = (needed(change, factor * scatter, MATTERS, LAST) for factor in (1, 2))
    assert (less or MOST + 1) <= (more or MOST + 1)


def test_scatter_beyond_reason_is_told() -> None:
    """No run is planned with more than a thousand pairs."""
    assert needed(0.025, 1.0, MATTERS, LAST) is None
