import numpy as np
import pytest

from fixtures.verdicts.upgrade.bounds import Bounds, Floats, bounds_of, ruled
from fixtures.verdicts.upgrade.looks import Levels

pytestmark = pytest.mark.selftest

RUNS = 20_000
LEVELS = Levels(0.01, 0.05)


def _found(low: float, high: float, top: float) -> Bounds:
    arrays = [np.array(one) for one in (low, low, high, top, 1.0)]
    return Bounds(*arrays)


@pytest.mark.parametrize("pairs", [4, 6, 12])
def test_bounds_are_wrong_as_often_as_they_may(pairs: int) -> None:
    """Of 20,000 runs, 1 % of lower and 5 % of upper bounds are on the wrong side."""
    drawn: Floats = np.random.default_rng(pairs).normal(0.03, 0.03, (RUNS, pairs))
    found = bounds_of(drawn, LEVELS)
    # Five standard errors to either side.
    assert 0.0065 < (found.low > 0.03).mean() < 0.0135
    assert 0.0425 < (found.high < 0.03).mean() < 0.0575
    assert 0.0065 < (found.top < 0.03).mean() < 0.0135


def test_long_tails_raise_fewer_false_alarms() -> None:
    """With one pair in ten a fifth off, lower bounds above 0 get rarer."""
    rng = np.random.default_rng(5)
    drawn = rng.normal(0, 0.03, (RUNS, 12))
    drawn += 0.2 * rng.choice([-1, 1], drawn.shape) * (rng.random(drawn.shape) < 0.1)
    assert (bounds_of(drawn, LEVELS).low > 0).mean() < 0.01


def test_pairs_that_are_all_alike_have_no_width() -> None:
    """Up to what floating point makes of it."""
    found = bounds_of(np.log(np.full(4, 1.02)), LEVELS)
    assert found.scatter == 0
    assert found.low == found.change == found.high


def test_a_level_of_none_knows_no_bound() -> None:
    """Neither in scatter nor without."""
    for values in ([0.1, 0.1, 0.1, 0.1], [0.1, 0.2, 0.1, 0.2]):
        found = bounds_of(np.array(values), Levels(0, 0.05))
        assert found.low == -np.inf
        assert found.top == np.inf
        assert np.isfinite(found.high)


@pytest.mark.parametrize(
    ("low", "high", "top", "says"),
    [
        (0.01, 0.06, 0.07, "worse"),
        (0.06, 0.10, 0.12, "worse"),
        (0.01, 0.04, 0.06, "not worse"),
        (-0.02, 0.04, 0.06, "not worse"),
        (-0.05, -0.02, -0.01, "better"),
        (-0.02, 0.06, 0.08, "open"),
        (0.0, 0.06, 0.08, "open"),
        (-np.inf, 0.04, np.inf, "not worse"),
        (-np.inf, 0.06, np.inf, "open"),
    ],
)
def test_the_rule(low: float, high: float, top: float, says: str) -> None:
    """Where 5 % matter: each way in which the bounds may lie about 0 and 5 %."""
    assert str(ruled(_found(low, high, top), 0.05)) == says
