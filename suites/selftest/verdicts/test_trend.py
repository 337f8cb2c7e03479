import numpy as np
import pytest

from fixtures.verdicts.trend import Floats, ratio, slope

pytestmark = pytest.mark.selftest

RUNS = 200


def noise(seed: int, number: int, memory: float, spread: float) -> Floats:
    """Noise in which each value remembers so much of the one before it."""
    rng = np.random.default_rng(seed)
    fresh = rng.normal(0, spread * np.sqrt(1 - memory**2), number)
    values = np.empty(number)
    last = rng.normal(0, spread)
    for turn, new in enumerate(fresh):
        last = values[turn] = memory * last + new
    return values


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
def test_the_interval_holds_the_true_slope_in_noise_that_remembers(memory: float) -> None:
    """A bound that may be wrong once in 40 is wrong in few of 200 runs, whatever the memory."""
    at = np.linspace(0, 1, 60)
    wrong = 0
    for seed in range(RUNS):
        found = slope(at, 7 * at + noise(seed, 60, memory, 1.0), 0.975)
        assert found is not None
        wrong += not found.low <= 7 <= found.high
    # In noise without memory 5 % are expected. Hamed and Rao report up to 10 % in such memory.
    assert wrong <= 0.2 * RUNS if memory else wrong <= 0.1 * RUNS


def test_wild_points_do_not_move_the_slope() -> None:
    """A fifth of points far away leaves the slope where it was."""
    at = np.linspace(0, 1, 50)
    values = 3 * at + noise(1, 50, 0.0, 0.01)
    values[::5] += 1000
    found = slope(at, values, 0.999)
    assert found is not None
    assert abs(found.value - 3) < 0.5


def test_a_flat_line_has_no_slope_and_no_width() -> None:
    """Values that are all the same are certain."""
    assert slope(np.arange(20.0), np.full(20, 5.0), 0.999) == (0.0, 0.0, 0.0)


def test_few_points_tell_nothing() -> None:
    """Nine points are none."""
    assert slope(np.arange(9.0), np.arange(9.0), 0.999) is None
    assert ratio(np.ones(4), np.ones(5), 0.999) is None
    assert ratio(np.ones(2), np.ones(20), 0.999) is None


def test_many_points_are_joined() -> None:
    """Ten thousand points have the slope that they have."""
    at = np.linspace(0, 1, 10_000)
    found = slope(at, 5 * at + noise(3, 10_000, 0.5, 1.0), 0.999)
    assert found is not None
    assert found.low < 5 < found.high
    assert found.high - found.low < 1


def test_a_ratio_is_found_with_its_interval() -> None:
    """What takes 1.5 times as long is seen to, and what takes as long is not seen to take more."""
    before = np.exp(noise(5, 20, 0.3, 0.05))
    slower = ratio(before, 1.5 * np.exp(noise(6, 20, 0.3, 0.05)), 0.999)
    same = ratio(before, np.exp(noise(7, 20, 0.3, 0.05)), 0.999)
    assert slower is not None
    assert same is not None
    assert 1.3 < slower.low < 1.5 < slower.high
    assert same.low < 1 < same.high
