"""The search goes on after any interruption as if there had been none."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from fixtures.frontier.memory_model import learned
from fixtures.frontier.search import Budget, Done, known, propose
from suites.selftest.frontier.landscapes import (
    KINDS,
    SPACE,
    landscape,
    searched,
    terms_on,
)

pytestmark = pytest.mark.selftest


@settings(max_examples=10)
@given(kind=some.sampled_from(KINDS), seed=some.integers(0, 10_000), cut=some.floats(0, 1))
def test_a_killed_search_goes_on_with_the_same_starts(kind: str, seed: int, cut: float) -> None:
    """Cut at a random moment, its observations in another order, it ends in the same frontier."""
    land = landscape(kind, seed)
    whole = searched(land)
    kept = whole.starts[: int(cut * len(whole.starts))]
    shuffled = list(kept)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - any order will do
    again = searched(land, before=tuple(shuffled))
    assert [start.point for start in again.starts[len(kept) :]] == [
        start.point for start in whole.starts[len(kept) :]
    ]
    assert again.frontier == whole.frontier


@settings(max_examples=10)
@given(kind=some.sampled_from(KINDS), seed=some.integers(0, 10_000), most=some.integers(0, 40))
def test_what_is_known_when_starts_run_out_was_run(kind: str, seed: int, most: int) -> None:
    """With a bound on starts the search ends there, claims what it ran, and says what is open."""
    land = landscape(kind, seed)
    search = searched(land, most=most)
    assert len(search.starts) <= most
    fitting = {start.point for start in search.starts if start.fits is True}
    claimed = [value for claim in search.frontier.claims for value in claim.fitting]
    assert len(claimed) == len(fitting)
    if not search.frontier.complete:
        assert len(search.starts) == most
        assert any(claim.state == "open" for claim in search.frontier.claims)


def test_what_is_known_can_be_asked_at_any_moment() -> None:
    """In the middle of a search, all columns not yet begun are open, or not expected to fit."""
    land = landscape("monotonic", 3)
    some_starts = searched(land, most=5).starts
    word = learned(some_starts, terms_on(land, SPACE)).expects_each
    now = known(SPACE, some_starts, word, Budget(land.budget_bytes))
    assert not now.complete
    assert now.starts == 5
    assert {claim.state for claim in now.claims} <= {"open", "skipped", "whole", "bounded"}
    assert not isinstance(propose(SPACE, some_starts, word, Budget(land.budget_bytes)), Done)
