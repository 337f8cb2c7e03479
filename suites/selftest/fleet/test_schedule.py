"""In which order cells start: invariants of any schedule, and a night on 64 GPUs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import GIB
from fixtures.fleet.needs import Offer, needs_of
from fixtures.fleet.plan import Work
from fixtures.fleet.schedule import Schedule, crowded, lower_bound_s, schedule

pytestmark = pytest.mark.selftest

TOOK_S = (87.6, 84.3, 86.6, 83.6, 46.9, 51.5, 36.7)
"""Of the cells of a real run on two cores."""
CPU_HOST = Offer(cores=8, memory_bytes=15 * GIB, gpus=0, cards={"cpu": 1})
GPU_HOST = Offer(cores=64, memory_bytes=200 * GIB, gpus=8, cards={"gpu24": 8, "gpu48": 8})


def _works(*cells: tuple[str, float, bool]) -> list[Work]:
    of = len(cells)
    works = [
        Work(f"{card}-{n}", card, n, of, takes_s, is_known=True, timed=timed)
        for n, (card, takes_s, timed) in enumerate(cells, 1)
    ]
    return sorted(works, key=lambda work: (-work.takes_s, work.shard))


CELLS = st.lists(
    st.tuples(st.sampled_from(["cpu", "gpu24", "gpu48"]), st.floats(1, 1000), st.booleans()),
    min_size=1,
    max_size=30,
).map(lambda cells: _works(*cells))
HOSTS = st.lists(st.sampled_from([CPU_HOST, GPU_HOST]), min_size=1, max_size=4)


@given(CELLS, HOSTS)
def test_every_cell_runs_once_or_has_no_host(works: list[Work], offers: list[Offer]) -> None:
    """Nothing is left out in silence, and nothing that a host has room for is homeless."""
    made = schedule(works, offers)
    assert sorted([*(one.work for one in made.placed), *made.homeless]) == sorted(works)
    cards = {card for offer in offers for card in offer.cards}
    assert {work.card for work in made.homeless} == {work.card for work in works} - cards


@given(CELLS, HOSTS)
def test_no_host_bears_more_than_it_has(works: list[Work], offers: list[Offer]) -> None:
    """At the start of each cell, all that run beside it on its host fit into it together."""
    made = schedule(works, offers)
    for one in made.placed:
        beside = [
            needs_of(other.work.card, timed=other.work.timed)
            for other in made.placed
            if other.host == one.host and other.start_s <= one.start_s < other.end_s
        ]
        offer = offers[one.host]
        assert sum(needs.gpus for needs in beside) <= offer.gpus
        assert sum(needs.memory_bytes for needs in beside) <= offer.memory_bytes
        for card, count in offer.cards.items():
            assert sum(needs.amount for needs in beside if needs.card == card) <= count


@given(CELLS, HOSTS)
def test_nothing_beats_the_bound(works: list[Work], offers: list[Offer]) -> None:
    """The lower bound is one."""
    made = schedule(works, offers)
    assert made.makespan_s >= lower_bound_s([one.work for one in made.placed], offers) - 1e-6


def test_a_timed_cell_has_its_host_to_itself() -> None:
    """On the cpu card two that are timed follow each other, two that are not run at once."""
    timed = schedule(_works(("cpu", 10, True), ("cpu", 10, True)), [CPU_HOST])
    assert timed.makespan_s == 20
    untimed = schedule(_works(("cpu", 10, False), ("cpu", 10, False)), [CPU_HOST])
    assert untimed.makespan_s == 10


def test_only_as_many_as_the_memory_holds_run_at_once() -> None:
    """Two cards of 6 GiB and what is beside them fit into 15 GiB, three do not."""
    made = schedule(_works(*[("cpu", 10, False)] * 3), [CPU_HOST])
    assert made.makespan_s == 20


def test_cells_that_would_slow_each_other_down_follow_each_other() -> None:
    """On two cores there is one at a time, whatever the memory."""
    small = CPU_HOST._replace(cores=2)
    assert schedule(_works(("cpu", 10, False), ("cpu", 10, False)), [small]).makespan_s == 20


def test_small_cells_do_not_starve_a_large_one() -> None:
    """A timed cell that waits for a whole host is not passed by those that a part would do for."""
    works = _works(("cpu", 9, False), ("cpu", 8, True), ("cpu", 7, False))
    starts = {one.work.shard: one.start_s for one in schedule(works, [CPU_HOST]).placed}
    assert starts == {1: 0, 2: 9, 3: 17}


def test_the_driver_hands_over_what_there_is_room_for() -> None:
    """A second timed cell of one host waits, on two hosts it does not."""
    first, second = _works(("cpu", 9, True), ("cpu", 8, True))
    assert crowded(second, [first], [CPU_HOST])
    assert not crowded(second, [first], [CPU_HOST, CPU_HOST])
    assert crowded(first, [], [GPU_HOST])


def _took_s(chance: np.random.Generator) -> float:
    return float(chance.choice(TOOK_S) * chance.uniform(0.9, 1.1))


def _night(seed: int) -> tuple[list[Work], Schedule]:
    """500 cells on 8 hosts with 8 GPUs each; a tenth is apart, and takes ten minutes more."""
    chance = np.random.default_rng(seed)
    cells = [
        (
            "gpu48",
            float(chance.choice(TOOK_S)) * chance.uniform(0.9, 1.1) + 600 * (number % 10 == 0),
            True,
        )
        for number in range(500)
    ]
    works = _works(*cells)
    return works, schedule(works, [GPU_HOST] * 8)


@pytest.mark.parametrize("seed", range(5))
def test_a_night_is_as_short_as_it_can_be(seed: int) -> None:
    """500 cells on 64 GPUs take at most 5 % longer than the bound, which is 17 minutes."""
    works, made = _night(seed)
    bound_s = lower_bound_s(works, [GPU_HOST] * 8)
    assert bound_s <= made.makespan_s <= 1.05 * bound_s
    assert made.homeless == []
