import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.load.percentiles import latency_of, values_for

pytestmark = pytest.mark.selftest


@pytest.mark.parametrize(("share", "values"), [(0.5, 6), (0.9, 29), (0.95, 59), (0.99, 299)])
def test_a_percentile_needs_the_values_of_the_tables(share: float, values: int) -> None:
    """The numbers are those of the tables of distribution-free intervals."""
    assert values_for(share) == values


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_the_ends_are_no_percentiles(share: float) -> None:
    """No number of values shows where a distribution ends."""
    with pytest.raises(ValueError, match="no percentile"):
        values_for(share)


@pytest.mark.parametrize(
    ("values", "known"), [(1, 0), (5, 0), (6, 1), (28, 1), (29, 2), (298, 2), (299, 3)]
)
def test_what_so_few_values_do_not_support_is_none(values: int, known: int) -> None:
    """The worst is always told; a percentile from its number of values on."""
    latency = latency_of([1.0] * values)
    assert latency is not None
    told = [latency.p50_s, latency.p90_s, latency.p99_s]
    assert told == [1.0] * known + [None] * (3 - known)
    assert (latency.worst_s, latency.values) == (1.0, values)


@given(st.lists(st.floats(0, 1e6), min_size=299, max_size=320))
def test_percentiles_are_in_order(seconds: list[float]) -> None:
    """Each is at least the one before, and the worst is one of the values."""
    latency = latency_of(seconds)
    assert latency is not None
    assert latency.p50_s is not None
    assert latency.p90_s is not None
    assert latency.p99_s is not None
    assert latency.p50_s <= latency.p90_s <= latency.p99_s <= latency.worst_s == max(seconds)


def test_no_value_has_no_percentile() -> None:
    """Nothing is None, and not 0."""
    assert latency_of([]) is None
