"""Cells are dealt over shards: each once, evenly, and by every shard alike."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.matrix import load_matrix
from fixtures.cells.shards import Shard, deal, parse_shard, weight_s
from fixtures.runtimes.environments import CHECKOUT

pytestmark = pytest.mark.selftest

WEIGHTS = st.dictionaries(
    st.text("abc", min_size=1, max_size=6), st.sampled_from([30.0, 50.0, 80.0, 600.0]), min_size=1
)
CPU = [case for case in load_matrix(CHECKOUT / "suites" / "matrix.toml") if case.card_name == "cpu"]


def _borne(weights: dict[str, float], dealt: tuple[frozenset[str], ...]) -> list[float]:
    return [sum(weights[name] for name in ids) for ids in dealt]


@given(WEIGHTS, st.integers(1, 12))
def test_each_cell_is_in_exactly_one_shard(weights: dict[str, float], of: int) -> None:
    """None is lost, none is run twice, and there are as many shards as were asked for."""
    dealt = deal(weights, of)
    assert len(dealt) == of
    assert sorted(name for ids in dealt for name in ids) == sorted(weights)


@given(WEIGHTS, st.integers(1, 12), st.randoms(use_true_random=False))
def test_the_order_of_the_cells_does_not_matter(
    weights: dict[str, float], of: int, chance: random.Random
) -> None:
    """Shards that collected the cells in another order deal them alike."""
    names = list(weights)
    chance.shuffle(names)
    assert deal({name: weights[name] for name in names}, of) == deal(weights, of)


@given(WEIGHTS, st.integers(1, 12))
def test_shards_differ_by_no_more_than_the_largest_cell(weights: dict[str, float], of: int) -> None:
    """No two shards are further apart than one cell weighs, where there are enough of them."""
    borne = _borne(weights, deal(weights, of))
    assert max(borne) - min(borne) <= max(weights.values())
    if len(weights) >= of:
        assert all(borne)


def test_the_cpu_card_is_dealt_over_three() -> None:
    """Four cells that are asked and three that are not: the longest shard is 38 % of the whole."""
    weights = {case.id: weight_s(case, ()) for case in CPU if case.every_run}
    assert _borne(weights, deal(weights, 3)) == [160.0, 180.0, 130.0]


def test_a_cell_with_tests_by_name_weighs_more() -> None:
    """A soak outweighs all else that is done with a cell; an untrained model is not asked."""
    tiny = next(case for case in CPU if case.model.answers)
    wide = next(case for case in CPU if not case.model.answers)
    assert weight_s(wide, ()) < weight_s(tiny, ()) < weight_s(wide, ("soak",))


@pytest.mark.parametrize("text", ["1/3", "3/3", " 2/3 ", "1/1"])
def test_a_shard_is_read(text: str) -> None:
    """Its number and how many there are, and it is written as it was read."""
    assert str(parse_shard(text)) == text.strip()
    assert parse_shard("2/3") == Shard(2, 3)


@pytest.mark.parametrize("text", ["x", "1", "1/", "1/3/3", "-1/3", "1.5/3", ""])
def test_what_is_no_shard_is_refused(text: str) -> None:
    """With the form that it must have."""
    with pytest.raises(ValueError, match="a shard is written N/M: 1/3 is the first of three"):
        parse_shard(text)


@pytest.mark.parametrize("text", ["0/3", "4/3", "0/0"])
def test_a_number_that_there_is_not_is_refused(text: str) -> None:
    """With how many there are."""
    number, _, of = text.partition("/")
    with pytest.raises(ValueError, match=f"of {of} shards there is no number {number}: "):
        parse_shard(text)
