"""What the search proposes, on small spaces of one column."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from fixtures.cells.cards import GIB
from fixtures.frontier.memory_model import Expected
from fixtures.frontier.point import Growing, Observation, Point, Space
from fixtures.frontier.search import Budget, Done, Expects, propose
from fixtures.records.part import Unmeasured

pytestmark = pytest.mark.selftest

ONE = Space(tuple(range(1, 129)), (4096,), ("default",))
BUDGET = Budget(10 * GIB)
ODD = Unmeasured(unmeasured="the port was taken")


def at(seqs: int) -> Point:
    """A point of the column."""
    return Point(seqs, 4096, "default")


def ran(seqs: int, fits: bool | Unmeasured) -> Observation:  # noqa: FBT001
    """A start there."""
    never = Unmeasured(unmeasured="not looked at")
    return Observation(at(seqs), fits, never, never)


def expecting(peak_gib: Callable[[int], float], off_gib: float = 0.0) -> Expects:
    """A model that always says so."""

    def expects(points: Sequence[Point]) -> list[Expected]:
        peaks = [peak_gib(point.max_num_seqs) for point in points]
        return [
            Expected((peak - off_gib) * GIB, peak * GIB, (peak + off_gib) * GIB) for peak in peaks
        ]

    return expects


def starts(fits: Callable[[int], bool | Unmeasured], expects: Expects) -> tuple[list[int], Done]:
    """All starts of a search in their order, and its end."""
    seen: list[Observation] = []
    while not isinstance(found := propose(ONE, seen, expects, BUDGET), Done):
        seen.append(ran(found.max_num_seqs, fits(found.max_num_seqs)))
    return [start.point.max_num_seqs for start in seen], found


KNOWS_NOTHING = expecting(lambda seqs: 0 if seqs == 0 else 5, off_gib=1000)
KNOWS_ALL = expecting(lambda seqs: seqs / 10)


def test_without_a_model_it_doubles_and_halves() -> None:
    """From one on, doubling up to the first failure, then by halves; the neighbours are run."""
    order, done = starts(lambda seqs: seqs <= 37, KNOWS_NOTHING)
    assert order[:7] == [1, 2, 4, 8, 16, 32, 64]
    assert len(order) < 20
    assert {36, 37, 38, 39} <= set(order)
    assert str(done.frontier.claims[0]) == (
        "len=4096-alloc=default: max_num_seqs fits up to 37, 38, 39 do not"
    )


def test_a_sure_model_goes_to_the_boundary_at_once() -> None:
    """Two starts: the largest that fits, and the next larger one."""
    order, done = starts(lambda seqs: seqs <= 100, KNOWS_ALL)
    assert order == [100, 101]
    assert done.frontier.claims[0].state == "bounded"


def test_a_model_that_is_wrong_is_not_believed() -> None:
    """What it says is run, found wrong, and bracketed by halves."""
    order, done = starts(lambda seqs: seqs <= 9, KNOWS_ALL)
    assert done.frontier.claims[0].largest == 9
    assert len(order) < 20
    order, done = starts(lambda seqs: seqs <= 120, expecting(lambda seqs: seqs / 2))
    assert done.frontier.claims[0].largest == 120
    assert len(order) < 20


def test_a_hole_is_found_and_said() -> None:
    """69 fails where 70 serves (vllm-project/vllm#9352)."""
    unsure = expecting(lambda seqs: seqs / 6.9, off_gib=0.5)
    order, done = starts(lambda seqs: seqs not in (69, 80) and seqs <= 90, unsure)
    assert {69, 70} <= set(order)
    claim = done.frontier.claims[0]
    assert claim.largest == 90
    assert claim.holes == (69,)
    assert str(claim).endswith("max_num_seqs fits up to 90, 91, 92 do not; hole at 69")


def test_two_failures_in_a_row_end_the_growth_where_one_may_be_chance() -> None:
    """The second above the boundary is run where the model holds it for possible."""
    order, _ = starts(lambda seqs: seqs <= 100, expecting(lambda seqs: seqs / 10, off_gib=0.15))
    assert {99, 101} <= set(order)
    order, _ = starts(lambda seqs: seqs <= 100, expecting(lambda seqs: seqs / 10, off_gib=0.5))
    assert {99, 101, 102} <= set(order)


def test_a_column_that_cannot_fit_is_left_out_and_says_so() -> None:
    """Where the lower end of what is expected of the smallest is above the budget."""
    order, done = starts(lambda _: False, expecting(lambda _: 20.0))
    assert order == []
    assert done.frontier.claims[0].state == "skipped"
    assert str(done.frontier.claims[0]).endswith("not run, for nothing is expected to fit")


def test_a_column_that_may_fit_is_run_before_it_is_given_up() -> None:
    """The two smallest fail, and nothing fits is then a claim of runs."""
    order, done = starts(lambda _: False, expecting(lambda _: 20.0, off_gib=15))
    assert order == [1, 2]
    assert done.frontier.claims[0].state == "nothing"
    assert str(done.frontier.claims[0]).endswith("no max_num_seqs was seen to fit: 1, 2 did not")


def test_what_failed_for_another_reason_is_neither_claimed_nor_held_against_it() -> None:
    """It is not started again, its neighbours are, and the claim names it."""
    order, done = starts(lambda seqs: ODD if seqs == 100 else seqs <= 100, KNOWS_ALL)
    claim = done.frontier.claims[0]
    assert order.count(100) == 1
    assert claim.largest == 99
    assert claim.odd == (100,)
    assert "100 failed for another reason than memory" in str(claim)


def test_where_all_that_is_larger_failed_oddly_the_boundary_is_not_known() -> None:
    """It is no claim that the next larger one does not fit."""
    few = ONE._replace(max_num_seqs=(1, 2))
    seen = [ran(1, fits=True), ran(2, ODD)]
    found = propose(few, seen, KNOWS_ALL, BUDGET)
    assert isinstance(found, Done)
    assert found.frontier.claims[0].state == "unclear"


def test_a_point_that_failed_once_is_not_claimed() -> None:
    """Whatever else was seen of it."""
    few = ONE._replace(max_num_seqs=(1, 2))
    seen = [ran(1, fits=True), ran(2, fits=True), ran(2, fits=False)]
    found = propose(few, seen, KNOWS_ALL, BUDGET)
    assert isinstance(found, Done)
    assert found.frontier.claims[0].largest == 1


def test_no_start_is_left_ends_the_search_as_it_stands() -> None:
    """The claim says that it is so far."""
    seen = [ran(1, fits=True), ran(2, fits=True)]
    found = propose(ONE, seen, KNOWS_NOTHING, BUDGET._replace(starts=2))
    assert isinstance(found, Done)
    assert not found.frontier.complete
    assert str(found.frontier.claims[0]).endswith("fits up to 2 (so far)")


def test_the_largest_length_is_found_for_each_number_of_sequences() -> None:
    """Along another axis the same observations count."""
    space = Space((8, 16), (1024, 2048, 4096, 8192), ("default",))

    def expects(points: Sequence[Point]) -> list[Expected]:
        peaks = [point.max_num_seqs * point.max_model_len / 4096 * GIB for point in points]
        return [Expected(peak, peak, peak) for peak in peaks]

    seen: list[Observation] = []
    while not isinstance(found := propose(space, seen, expects, BUDGET, "max_model_len"), Done):
        fits = found.max_num_seqs * found.max_model_len <= 9 * 4096
        never = Unmeasured(unmeasured="not looked at")
        seen.append(Observation(found, fits, never, never))
    assert [str(claim) for claim in found.frontier.claims] == [
        "seqs=8-alloc=default: max_model_len fits up to 4096, 8192 does not",
        "seqs=16-alloc=default: max_model_len fits up to 2048, 4096 does not",
    ]


def test_the_largest_share_of_the_card_is_found_without_leaps() -> None:
    """0.95 is no doubling of 0.5 on a card: each next share is run, where nothing is known."""
    shares = (0.5, 0.8, 0.9, 0.95)
    space = Space((32,), (4096,), ("default",), gpu_memory_utilization=shares)
    seen: list[Observation] = []
    along: Growing = "gpu_memory_utilization"
    while not isinstance(found := propose(space, seen, KNOWS_NOTHING, BUDGET, along), Done):
        never = Unmeasured(unmeasured="not looked at")
        seen.append(Observation(found, (found.gpu_memory_utilization or 0) < 0.95, never, never))
    assert [start.point.gpu_memory_utilization for start in seen] == list(shares)
    assert found.frontier.claims[0].largest == 0.9


def test_a_step_smaller_than_the_sequences_is_never_proposed() -> None:
    """VLLM refuses max_num_batched_tokens below max_num_seqs."""
    space = Space((1, 512, 1024), (4096,), ("default",), max_num_batched_tokens=(512, 1024))
    assert [len(column) for column in space.columns()] == [2, 3]
