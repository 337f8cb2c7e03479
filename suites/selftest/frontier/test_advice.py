"""What is recommended, and what something else would take."""

import pytest

from fixtures.cells.cards import GIB, MIB
from fixtures.frontier.advice import Recommended, card_for, recommended, ways
from fixtures.frontier.memory_model import learned
from fixtures.frontier.point import Point
from suites.selftest.frontier.landscapes import SPACE, searched, terms_on, wide

pytestmark = pytest.mark.selftest

LAND = wide(6)
STARTS = searched(LAND).starts
EXPECTS = learned(STARTS, terms_on(LAND, SPACE)).expects_each


def test_the_deployment_that_serves_most_is_recommended_with_what_it_leaves() -> None:
    """16 requests of 8,192 tokens at once, in a step of 2,048: it was run."""
    found = recommended(STARTS, LAND.budget_bytes)
    assert isinstance(found, Recommended)
    assert found.point == Point(16, 8192, "glibc", 2048)
    assert LAND.seen[found.point] in STARTS
    assert str(found) == "seqs=16-len=8192-batched=2048-alloc=glibc: leaves 2,734 MiB"


def test_what_leaves_too_little_or_failed_once_is_not_recommended() -> None:
    """A margin of 3 % is kept; no request is too long for what is recommended."""
    found = recommended(STARTS, 3500 * MIB)
    assert found is None
    best = Point(16, 8192, "glibc", 2048)
    doubtful = [*STARTS, LAND.seen[best]._replace(fits=False)]
    other = recommended(doubtful, LAND.budget_bytes)
    assert other is not None
    assert other.point != best
    assert recommended(STARTS, LAND.budget_bytes, max_model_len=16384) is None


def test_each_knob_that_would_do_is_named_with_what_it_buys() -> None:
    """Of the incident in small: fewer sequences, shorter requests, or a smaller step."""
    found = ways(Point(4, 4096, "glibc", 16384), SPACE, EXPECTS, LAND.budget_bytes)
    assert {way.axis: way.value for way in found} == {
        "max_num_seqs": 2,
        "max_model_len": 2048,
        "max_num_batched_tokens": 8192,
    }
    for way in found:
        assert way.expected.best <= LAND.budget_bytes
        assert way.saved_bytes > GIB
        assert str(way).startswith(f"{way.axis} = {way.value} saves about ")


def test_what_fits_needs_no_way() -> None:
    """There is nothing to turn."""
    assert ways(Point(1, 1024, "glibc", 2048), SPACE, EXPECTS, LAND.budget_bytes) == []


def test_a_card_is_named_by_the_upper_end() -> None:
    """For four sequences of 4,096 tokens a little more than the 7.9 GB that it takes."""
    peak = wide(100).seen[Point(4, 4096, "glibc", 16384)].peak_bytes
    assert peak is not None
    assert peak < card_for(Point(4, 4096, "glibc", 16384), EXPECTS) < 1.2 * peak
