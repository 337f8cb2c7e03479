"""The search on simulated cards; `-m landscapes` tries 1,000 of them and prints what it found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from fixtures.frontier.memory_model import learned
from fixtures.frontier.point import Space
from suites.selftest.frontier.landscapes import (
    KINDS,
    LARGE,
    SPACE,
    Landscape,
    Searched,
    landscape,
    searched,
    terms_on,
    wide,
)

FEW, MANY = 20, 200
MOST_STARTS = 0.35


class Tally(NamedTuple):
    """What came of the searches of one kind of card. Shares, one a card."""

    starts: list[float]
    found: list[float]
    held: list[float]
    """Of the points that were not run, those whose peak lies in the model's interval."""


@pytest.fixture
def show(pytestconfig: pytest.Config) -> Callable[[Table], None]:
    """Print a table as it is, whatever pytest captures."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def show(table: Table) -> None:
        with capture.global_and_fixture_disabled():
            Console(width=140).print("", table)

    return show


def tally(lands: Sequence[Landscape], space: Space, *, of_intervals: bool = False) -> Tally:
    """Search each card to the end, and hold every claim to what was run."""
    found = Tally([], [], [])
    for land in lands:
        search = searched(land, space)
        assert_claims_were_run(search)
        found.starts.append(len(search.starts) / len(land.seen))
        found.found.append(search.share(land))
        if of_intervals:
            found.held.append(held(land, search, space))
    return found


def assert_claims_were_run(search: Searched) -> None:
    """No point is started twice, and all that is said to fit was started and fitted."""
    seen = {start.point: start for start in search.starts}
    assert len(seen) == len(search.starts)
    assert search.frontier.complete
    for claim in search.frontier.claims:
        here = {
            point.max_num_seqs: start
            for point, start in seen.items()
            if point.beside(claim.along) == claim.beside
        }
        assert all(here[value].fits is True for value in claim.fitting if isinstance(value, int))
        if claim.state == "bounded":
            above = [value for value in here if value not in claim.fitting]
            assert any(value > (claim.fitting[-1] or 0) for value in above)  # type: ignore[operator]


def held(land: Landscape, search: Searched, space: Space) -> float:
    """How often the model's interval holds the peak of what was not run."""
    run = {start.point for start in search.starts}
    rest = [point for point in land.seen if point not in run]
    if not rest:
        return 1.0
    model = learned(search.starts, terms_on(land, space))
    inside = [
        expected.low <= (land.seen[point].peak_bytes or 0) <= expected.high
        for point, expected in zip(rest, model.expects_each(rest), strict=True)
        if land.seen[point].died_at is None
    ]
    return float(np.mean(inside)) if inside else 1.0


@pytest.mark.selftest
@pytest.mark.parametrize("kind", KINDS)
def test_few_starts_find_nearly_all_that_fits(kind: str) -> None:
    """A third of all starts is never needed, and half of the searches lose 5 % at most."""
    found = tally([landscape(kind, seed) for seed in range(FEW)], SPACE)
    assert max(found.starts) < MOST_STARTS
    assert np.median(found.found) > 0.95 if kind != "noise" else np.median(found.found) > 0.9
    if kind == "monotonic":
        assert min(found.found) == 1.0


@pytest.mark.selftest
@pytest.mark.parametrize("card_gib", [4, 5, 6, 8])
def test_wide_is_searched_in_a_tenth_of_all_starts(card_gib: int) -> None:
    """Of 256 points: the frontier of the incident in small is found whole on each card."""
    land = wide(card_gib)
    search = searched(land)
    assert_claims_were_run(search)
    assert search.share(land) == 1.0
    assert len(search.starts) < 0.1 * len(land.seen)


def row(name: str, found: Tally) -> list[str]:
    """Of one kind of card, for people."""
    return [
        name,
        str(len(found.starts)),
        f"{np.median(found.starts):.1%}",
        f"{np.quantile(found.starts, 0.9):.1%}",
        f"{max(found.starts):.1%}",
        f"{np.median(found.found):.1%}",
        f"{np.mean(found.found):.1%}",
        f"{np.mean(np.array(found.found) == 1.0):.0%}",
        f"{np.mean(found.held):.1%}",
    ]


@pytest.mark.landscapes
@pytest.mark.timeout(3600)
def test_a_thousand_cards_are_searched(show: Callable[[Table], None]) -> None:
    """No claim without its start; half of the searches take less than a third of all starts."""
    table = Table(title="simulated cards: starts of all points, and what was found of what fits")
    for column in ("card", "cards", "starts: median", "p90", "most"):
        table.add_column(column)
    for column in ("found: median", "mean", "all of it", "held by the interval"):
        table.add_column(column)
    for kind in KINDS:
        found = tally([landscape(kind, seed) for seed in range(MANY)], SPACE, of_intervals=True)
        table.add_row(*row(kind, found))
        assert np.median(found.starts) < MOST_STARTS
    for kind in KINDS:
        lands = [landscape(kind, seed, LARGE) for seed in range(MANY // 10)]
        table.add_row(*row(f"{kind}, large", tally(lands, LARGE, of_intervals=True)))
    for card_gib in (4, 5, 6, 8):
        found = tally([wide(card_gib)], SPACE, of_intervals=True)
        table.add_row(*row(f"wide in {card_gib} GiB", found))
    show(table)
