"""Simulated cards: what a start at each point of a space would show."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from packaging.version import Version

from fixtures.cells.cards import GIB, MIB
from fixtures.frontier.claim import Claim
from fixtures.frontier.dummy_items import DummyItems, Encoder, dummy_items
from fixtures.frontier.least_squares import Floats
from fixtures.frontier.memory_model import learned
from fixtures.frontier.point import AtLeast, Axis, Observation, Point, Space, Value
from fixtures.frontier.search import Budget, Done, Expects, Frontier, propose
from fixtures.frontier.terms import UNTOLD, Prior, Terms, terms_for
from fixtures.records.part import Unmeasured
from fixtures.servers.expected_facts import StartedAs

SPACE: Final = Space(
    max_num_seqs=tuple(range(1, 17)),
    max_model_len=(1024, 2048, 4096, 8192),
    allocator=("glibc",),
    max_num_batched_tokens=(2048, 4096, 8192, 16384),
)
LARGE: Final = SPACE._replace(
    max_num_seqs=(1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256),
    allocator=("default", "expandable"),
)
KINDS: Final = ("monotonic", "holes", "noise", "cliff", "crooked")
_STARTED: Final = StartedAs(Version("0.29.0"), "cgroup", eager=False)
# The last percents of a card are never handed out.
_CARD: Final = 1.02


@cache
def pictures(point: Point) -> float:
    """Dummy pictures of 0.29.0 on the CPU."""
    found = dummy_items(point, Encoder(), _STARTED)
    assert isinstance(found, DummyItems)
    return float(found.pictures)


class Landscape(NamedTuple):
    """What each start shows, always the same."""

    name: str
    budget_bytes: int
    seen: dict[Point, Observation]
    fitting: frozenset[Point]
    """What fits but for the scatter: of a point at the very edge a start shows only its luck."""

    def largest(self, claim: Claim) -> int:
        """What the column of a claim really ends in; 0 where nothing fits."""
        return _largest(self.fitting).get(claim.beside, 0)


@cache
def _largest(fitting: frozenset[Point]) -> dict[tuple[tuple[Axis, Value], ...], int]:
    found: dict[tuple[tuple[Axis, Value], ...], int] = {}
    for point in fitting:
        beside = point.beside("max_num_seqs")
        found[beside] = max(found.get(beside, 0), point.max_num_seqs)
    return found


def landscape(kind: str, seed: int, space: Space = SPACE) -> Landscape:
    """A card of one kind. Its budget is one that some points fit into and some do not."""
    rng = np.random.default_rng((KINDS.index(kind), seed))
    points = space.points()
    profile, settled = _peaks(points, space, rng)
    if kind == "crooked":
        # Not the terms of the model: a product, and a power.
        seqs = np.array([point.max_num_seqs for point in points])
        length = np.array([point.max_model_len for point in points])
        settled += rng.uniform(0, 1.5) * GIB * seqs * length / (seqs * length).max()
        profile += rng.uniform(0, 2) * GIB * (profile / profile.max()) ** 2
    if kind == "cliff":
        edge = rng.choice([point.max_num_seqs for point in points])
        settled[[point.max_num_seqs >= edge for point in points]] += rng.uniform(0.5, 2) * GIB
    if kind == "holes":
        profile[rng.random(len(points)) < 0.05] *= rng.uniform(1.1, 1.5)
    real = np.maximum(profile, settled)
    # Seventeen starts of one cell of the tiny checkpoint scattered by 1.7 % until the KV cache, and
    # by 1.2 % from then on.
    scatter = {"monotonic": 0.0, "noise": 0.03}.get(kind, 0.01)
    profile *= 1 + rng.normal(0, scatter, len(points))
    settled *= 1 + rng.normal(0, scatter, len(points))
    budget = int(np.quantile(np.maximum(profile, settled), rng.uniform(0.05, 0.95)))
    seen = {
        point: shown(point, int(first), int(then), budget)
        for point, first, then in zip(points, profile, settled, strict=True)
    }
    fitting = frozenset(point for point, peak in zip(points, real, strict=True) if peak <= budget)
    return Landscape(kind, budget, seen, fitting)


def wide(card_gib: int, space: Space = SPACE) -> Landscape:
    """`wide` on a cgroup of so many GiB, put together from its three real starts of 0.29.0.

    Of the peaks while profiling, 2,944 MiB with 32 pictures and 5,088 with 128 (README): 22.3 MiB
    a picture beside 2,230, 14 KiB a token of a step among them. 3,410 MiB at most from then on.
    """
    points, budget = space.points(), card_gib * GIB
    peaks = {point: _wide(point) for point in points}
    fitting = frozenset(point for point, peak in peaks.items() if max(peak) <= budget)
    seen = {point: shown(point, *peak, budget) for point, peak in peaks.items()}
    return Landscape(f"wide in {card_gib} GiB", budget, seen, fitting)


def _wide(point: Point) -> tuple[int, int]:
    step = 14 * 1024 * (point.max_num_batched_tokens or 0)
    return int((2006 + 22.3 * pictures(point)) * MIB + step), 3410 * MIB


def shown(point: Point, profile_bytes: int, settled_bytes: int, budget_bytes: int) -> Observation:
    """What a start with such peaks shows on a card that is a little larger than the budget."""
    card = int(_CARD * budget_bytes)
    fits = max(profile_bytes, settled_bytes) <= budget_bytes
    if profile_bytes > card:
        never = Unmeasured(unmeasured="never reached")
        return Observation(point, fits, AtLeast(card), never, "encoder-profile")
    if settled_bytes > card:
        return Observation(point, fits, profile_bytes, AtLeast(card), "warm")
    return Observation(point, fits, profile_bytes, settled_bytes)


def _peaks(points: list[Point], space: Space, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """While profiling, and from the KV cache on."""
    base = rng.uniform(1, 4) * GIB
    encoded = np.array([pictures(point) for point in points])
    batched = np.array([point.max_num_batched_tokens or 0 for point in points])
    seqs = np.array([point.max_num_seqs for point in points])
    length = np.array([point.max_model_len for point in points])
    profile = base + rng.uniform(1, 12) * GIB * encoded / encoded.max()
    profile += rng.uniform(0, 1) * GIB * batched / batched.max()
    settled = base + rng.uniform(0.5, 2) * GIB + rng.uniform(0, 2) * GIB * seqs / seqs.max()
    settled += rng.uniform(0, 0.5) * GIB * length / length.max()
    for name in space.allocator[1:]:
        lost = np.array([point.allocator == name for point in points])
        profile[lost] *= rng.uniform(0.9, 1.1)
    return profile, settled


def terms_on(land: Landscape, space: Space, prior: Prior = UNTOLD) -> Terms:
    """Of a model that is to learn it."""
    return terms_for(space, pictures, land.budget_bytes, prior)


class Searched(NamedTuple):
    """A whole search: its starts in their order, and what it ends in."""

    starts: tuple[Observation, ...]
    frontier: Frontier

    def share(self, land: Landscape) -> float:
        """Of what really fits, summed over the columns, what was found."""
        real = sum(land.largest(claim) for claim in self.frontier.claims)
        found = sum(min(largest(claim), land.largest(claim)) for claim in self.frontier.claims)
        return found / real if real else 1.0


def largest(claim: Claim) -> int:
    """As a number: 0 where nothing was seen to fit."""
    return claim.largest if isinstance(claim.largest, int) else 0


def searched(
    land: Landscape,
    space: Space = SPACE,
    before: tuple[Observation, ...] = (),
    expects: Callable[[tuple[Observation, ...]], Expects] | None = None,
    most: int | None = None,
) -> Searched:
    """Search a card to the end, or for so many starts, going on after those `before`."""
    terms = terms_on(land, space)
    starts = before
    while True:
        word = expects(starts) if expects else learned(starts, terms).expects_each
        next_one = propose(space, starts, word, Budget(land.budget_bytes, most))
        if isinstance(next_one, Done):
            return Searched(starts, next_one.frontier)
        starts = (*starts, land.seen[next_one])
