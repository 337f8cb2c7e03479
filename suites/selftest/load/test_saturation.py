import pytest

from fixtures.load.saturation import Saturation, saturation

pytestmark = pytest.mark.selftest


def _around(rate: float, scatter: float = 0.01) -> list[float]:
    return [rate * (1 - scatter), rate, rate * (1 + scatter)]


def test_it_is_where_more_clients_buy_nothing() -> None:
    """16 clients get 2 % more than 8, and 4 get much less."""
    rates = {1: _around(20), 4: _around(70), 8: _around(98), 16: _around(100), 32: _around(97)}
    assert saturation(rates) == Saturation(8, surpassed=True)


def test_a_server_that_still_rises_is_not_saturated() -> None:
    """The largest concurrency that was tried may not be the best there is."""
    assert saturation({1: _around(20), 4: _around(70)}) == Saturation(4, surpassed=False)


def test_scatter_gives_a_smaller_one() -> None:
    """What cannot be told from 95 % of the best reaches it."""
    rates = {4: _around(90, scatter=0.1), 8: _around(100)}
    assert saturation(rates) == Saturation(4, surpassed=True)
    assert saturation(rates | {4: _around(90)}) == Saturation(8, surpassed=False)


def test_the_order_of_trying_does_not_matter() -> None:
    """The smallest is the smallest number, not the first tried."""
    rates = {16: _around(100), 8: _around(99), 1: _around(20)}
    assert saturation(rates) == Saturation(8, surpassed=True)


def test_too_few_rounds_tell_nothing() -> None:
    """One concurrency without an interval might be the best."""
    assert saturation({}) is None
    assert saturation({4: _around(70), 8: [100.0, 100.0]}) is None
