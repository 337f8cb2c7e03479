import pytest

from fixtures.load.yardstick import yardstick_s

pytestmark = pytest.mark.selftest


def test_an_interruption_does_not_count() -> None:
    """The median of five: two that took a second are none of the machine's pace."""
    took_s = iter([1.0, 0.05, 0.07, 1.0, 0.06])
    now_s = 0.0

    def work() -> None:
        nonlocal now_s
        now_s += next(took_s)

    assert yardstick_s(work, lambda: now_s) == pytest.approx(0.07)
    assert next(took_s, None) is None


def test_the_work_takes_time() -> None:
    """A yardstick of length 0 would make everything a drift."""
    assert yardstick_s() > 0
