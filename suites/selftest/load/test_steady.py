import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.load.steady import MOST, Steadiness, scatters, steadiness

pytestmark = pytest.mark.selftest


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([], "not yet"),
        ([50.0], "not yet"),
        ([50.0, 100.0], "not yet"),
        ([50.0, 100.0, 101.0], "steady"),
        ([100.0, 90.0], "steady"),
        ([100.0, 89.0], "not yet"),
        ([0.0, 0.0], "not yet"),
        ([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], "not steady"),
        ([1.0, 2.0, 4.0, 8.0, 16.0, 16.0], "steady"),
        ([60.0, 100.0, 60.0], "steady"),
        ([100.0, 60.0, 80.0], "steady"),
        ([60.0, 80.0, 100.0], "not yet"),
        ([0.0, 100.0, 0.0], "not yet"),
        ([99.0, 80.0, 64.0, 51.0, 41.0, 33.0], "not steady"),
        ([65.9, 83.1, 99.6, 84.2], "steady"),
    ],
)
def test_the_last_rounds_decide(rates: list[float], expected: Steadiness) -> None:
    """Two are alike, or three went up and down, or there will be another, up to six."""
    assert steadiness(rates) == expected


@given(st.lists(st.floats(0, 1e6), max_size=10))
def test_warming_up_ends(rates: list[float]) -> None:
    """After six rounds it is one or the other."""
    assert (steadiness(rates) == "not yet") <= (len(rates) < MOST)


@pytest.mark.parametrize(("scatter", "share"), [(0.03, 0.98), (0.05, 0.86)])
def test_a_warm_server_is_steady_at_once(scatter: float, share: float) -> None:
    """As often as the rule says of itself."""
    runs = np.random.default_rng(1).normal(100, 100 * scatter, (4000, 2)).tolist()
    assert sum(steadiness(run) == "steady" for run in runs) / 4000 == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("scatter", [0.1, 0.15, 0.3])
def test_a_warm_server_on_a_restless_machine_is_found_steady(scatter: float) -> None:
    """However far its rounds scatter: whether they say enough is a question of their interval."""
    runs = np.random.default_rng(2).lognormal(0, scatter, (4000, MOST)).tolist()
    ends = [
        next((n for n in range(MOST) if steadiness(run[: n + 1]) != "not yet"), 0) for run in runs
    ]
    steady = [steadiness(run[: n + 1]) == "steady" for run, n in zip(runs, ends, strict=True)]
    assert sum(steady) / 4000 > 0.99


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([], False),
        ([1.0, 9.0], False),
        ([100.0, 100.0, 80.0], True),
        ([100.0, 100.0, 90.0], False),
        ([100.0, 100.0, 100.0, 100.0, 80.0], False),
        ([100.0, 100.0, 100.0, 100.0, 30.0], True),
        ([0.0, 0.0, 0.0], False),
    ],
)
def test_rounds_that_scatter_are_worth_as_many_again(rates: list[float], *, expected: bool) -> None:
    """One of three that is a fifth slower is enough, of five it is not; of two nobody can tell."""
    assert scatters(rates) is expected
