import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.reports.history_table import sparkline
from fixtures.verdicts.history.words import share, shown

pytestmark = pytest.mark.selftest


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [
        ("peak_bytes", 3 * 1024**3, "3,072 MiB"),
        ("peak_bytes.kv-cache", 3 * 1024**3, "3,072 MiB"),
        ("kv_cache_tokens", 524_288, "524,288"),
        ("accuracy.count", 73 / 75, "97.3 %"),
        ("accuracy_under_load.count", 1.0, "100.0 %"),
        ("tokens_per_s", 758.82, "758.8/s"),
        ("repeated.requests_per_s", 1050.4, "1,050/s"),
        ("start_s", 29.93, "29.9 s"),
        ("ttft.p50_s", 0.0335, "33.5 ms"),
        ("repeated.tpot.p50_s", 0.00331, "3.31 ms"),
    ],
)
def test_a_value_is_told_with_its_unit(metric: str, value: float, said: str) -> None:
    """The metric's name tells which."""
    assert shown(metric, value) == said


def test_a_change_is_a_share_of_what_was() -> None:
    """With its sign."""
    assert (share(100, 97), share(100, 103.14)) == ("-3.0 %", "+3.1 %")


@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=90))
def test_a_trend_has_a_character_a_run(values: list[float]) -> None:
    """Whatever the values are."""
    assert len(sparkline(values)) == len(values)


def test_a_trend_goes_from_the_least_to_the_most() -> None:
    """And noise of a hundredth is drawn as one level."""
    assert sparkline([1.0, 1.5, 2.0]) == "▁▅█"
    assert sparkline([100.0, 101.0, 99.5]) == "▅▅▅"
