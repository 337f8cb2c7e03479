"""The memory model learns from few starts, and says how sure it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from fixtures.cells.cards import GIB, MIB
from fixtures.frontier.memory_model import learned, leave_one_out
from fixtures.frontier.point import AtLeast, Observation, Point, Space
from fixtures.frontier.terms import Prior, terms_for
from fixtures.records.part import Unmeasured
from suites.selftest.frontier.landscapes import SPACE, landscape, pictures, searched, terms_on, wide

pytestmark = pytest.mark.selftest

NEVER = Unmeasured(unmeasured="never reached")
TERMS = terms_for(SPACE, pictures, 6 * GIB)


def start(seqs: int, length: int, batched: int) -> Observation:
    """A start of `wide` in simulation, on a card that holds all of it."""
    return wide(100).seen[Point(seqs, length, "glibc", batched)]


def test_with_nothing_seen_everything_is_possible() -> None:
    """The interval reaches from nothing to far more than the budget."""
    expected = learned([], TERMS).expects(Point(1, 2048, "glibc", 16384))
    assert expected.low == 0
    assert expected.high > 6 * GIB


def test_three_starts_tell_what_a_picture_costs() -> None:
    """22.3 MiB each, beside what does not grow; the points between and beyond are foretold."""
    model = learned([start(1, 2048, 16384), start(2, 4096, 16384), start(4, 2048, 16384)], TERMS)
    a_picture, off = model.coefficients()["profile: dummy picture"]
    assert a_picture == pytest.approx(22.3 * MIB, rel=0.02)
    assert off < 2 * MIB
    seen = start(4, 4096, 16384).peak_bytes
    assert seen is not None
    expected = model.expects(Point(4, 4096, "glibc", 16384))
    assert expected.best == pytest.approx(seen, rel=0.02)
    assert expected.low < seen < expected.high


def test_the_interval_grows_with_the_distance() -> None:
    """Twice as far from what was seen it is wider."""
    model = learned([start(1, 1024, 2048), start(2, 1024, 2048)], TERMS)
    near, far = (model.expects(Point(seqs, 4096, "glibc", 16384)) for seqs in (1, 3))
    assert far.high - far.low > near.high - near.low


def test_what_died_of_memory_lifts_what_is_expected() -> None:
    """A start that held so much and was killed is not expected to take less."""
    base = [start(1, 2048, 16384), start(1, 1024, 16384)]
    point = Point(8, 4096, "glibc", 16384)
    killed = Observation(point, fits=False, profile_bytes=AtLeast(12 * GIB), settled_bytes=NEVER)
    before, after = (learned(seen, TERMS).expects(point) for seen in (base, [*base, killed]))
    assert before.best < 12 * GIB
    assert after.best > 0.97 * 12 * GIB


def test_a_bound_below_what_is_expected_changes_nothing() -> None:
    """That it took at least a GiB is no news."""
    base = [start(1, 2048, 16384), start(2, 4096, 16384)]
    point = Point(8, 8192, "glibc", 16384)
    weak = Observation(point, fits=False, profile_bytes=AtLeast(GIB), settled_bytes=NEVER)
    assert learned([*base, weak], TERMS).expects(point) == learned(base, TERMS).expects(point)


def test_a_start_that_measured_nothing_teaches_nothing() -> None:
    """Nor does it break anything."""
    nothing = Observation(Point(4, 1024, "glibc", 2048), NEVER, NEVER, NEVER)
    point = Point(1, 2048, "glibc", 2048)
    assert learned([nothing], TERMS).expects(point) == learned([], TERMS).expects(point)


def test_allocators_are_learned_apart_and_share_what_is_alike() -> None:
    """One start with another allocator that loses 300 MiB moves its points, and not the others'."""
    space = SPACE._replace(allocator=("glibc", "arena1"))
    terms = terms_for(space, pictures, 6 * GIB)
    own = [start(1, 2048, 16384), start(2, 4096, 16384), start(4, 2048, 16384)]
    lossy = own[0]._replace(point=own[0].point._replace(allocator="arena1"))
    assert isinstance(lossy.profile_bytes, int)
    lossy = lossy._replace(profile_bytes=lossy.profile_bytes + 300 * MIB)
    model = learned([*own, lossy], terms)
    glibc, arena = (model.expects(Point(2, 4096, name, 16384)) for name in ("glibc", "arena1"))
    assert arena.best - glibc.best == pytest.approx(300 * MIB, rel=0.35)
    assert glibc.best == pytest.approx(own[1].peak_bytes, rel=0.03)


def test_what_was_expected_before_counts_until_something_was_seen() -> None:
    """A prior of a picture's cost is believed, and given up for what is seen."""
    prior = Prior(start=(2 * GIB, 0.1 * GIB), picture=(100 * MIB, 50 * MIB))
    terms = terms_for(SPACE, pictures, 6 * GIB, prior)
    point = Point(2, 4096, "glibc", 16384)
    assert learned([], terms).expects(point).best == pytest.approx(2 * GIB + 12_800 * MIB, rel=0.01)
    seen = [start(1, 2048, 16384), start(4, 2048, 16384)]
    assert learned(seen, terms).expects(point).best == pytest.approx(5088 * MIB, rel=0.05)


def test_each_start_is_foretold_by_the_others() -> None:
    """Of the search of a simulated card all but a few lie in the interval; the error is small."""
    land = landscape("monotonic", 5)
    search = searched(land)
    missed = leave_one_out(search.starts, terms_on(land, SPACE))
    assert len(missed) > 5
    assert np.mean([one.within for one in missed]) > 0.8
    assert np.median([abs(one.off) for one in missed]) < 0.05


@settings(max_examples=25)
@given(some.lists(some.sampled_from(SPACE.points()), max_size=8), some.integers(0, 100))
def test_whatever_was_seen_the_interval_is_one(points: list[Point], seed: int) -> None:
    """Low, best and high are in order and finite, and no order of the starts matters."""
    land = landscape("holes", seed)
    seen = [land.seen[point] for point in points]
    model = learned(seen, terms_on(land, SPACE))
    for expected in model.expects_each(SPACE.points()[::17]):
        assert 0 <= expected.low <= expected.high < float("inf")
        assert expected.best <= expected.high
    backwards = learned(seen[::-1], terms_on(land, SPACE))
    assert backwards.expects_each(SPACE.points()[:5]) == model.expects_each(SPACE.points()[:5])


def test_a_share_of_the_card_is_learned_where_it_is_searched() -> None:
    """What is settled grows with utilization as fast as the card is large."""
    space = Space((32,), (4096,), ("default",), (None,), (0.5, 0.6, 0.7, 0.8, 0.9))
    terms = terms_for(space, lambda _: 32, 44 * GIB)
    points = [points[0] for points in space.columns()]
    seen = [
        Observation(point, fits=True, profile_bytes=20 * GIB, settled_bytes=int(share * 48 * GIB))
        for point in points
        if (share := point.gpu_memory_utilization or 0) in (0.5, 0.7)
    ]
    assert learned(seen, terms).expects(points[3]).best == pytest.approx(0.8 * 48 * GIB, rel=0.03)
