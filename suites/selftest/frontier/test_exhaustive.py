"""The search against every start of its space, as they were measured, on cards of four sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.cells.cards import MIB
from fixtures.cells.case import Case
from fixtures.frontier.observed import observation_of
from fixtures.frontier.point import Point
from fixtures.frontier.searching import search
from fixtures.frontier.spaces import Searchable
from fixtures.records.frontier_schema import FrontierRecord
from fixtures.records.schema import CaseRecord
from suites.selftest.frontier.exhaustive import measured
from suites.selftest.frontier.replayed import record_of, searchable, searching_in

pytestmark = pytest.mark.selftest

CARDS = ("cpu4", "cpu5", "cpu", "cpu8")
MOST = 0.35
MEASURED = measured()


def shown(case: Case) -> CaseRecord:
    """What the start showed, on this card."""
    cell = case.cell
    point = Point(cell.max_num_seqs, cell.max_model_len, "glibc", int(cell.extra_flags[-1]))
    peaks = MEASURED[point]
    return record_of(case, "run/searched", peaks.profile / MIB, peaks.settled / MIB)


def truth(what: Searchable) -> dict[tuple[object, object], int]:
    """The largest max_num_seqs that fits of each column, by all of its starts; 0 for none."""
    found: dict[tuple[object, object], int] = {}
    for point in what.space.points():
        column = (point.max_model_len, point.max_num_batched_tokens)
        fits = observation_of(shown(what.case_at(point))).fits is True
        found[column] = max(found.get(column, 0), point.max_num_seqs if fits else 0)
    return found


def claimed(record: FrontierRecord) -> dict[tuple[object, object], object]:
    """The same, as the search claims it."""
    return {
        (one.beside["max_model_len"], one.beside["max_num_batched_tokens"]): one.largest or 0
        for one in record.claims
    }


def test_every_point_of_the_space_was_started() -> None:
    """The record is exhaustive, of the space that is committed."""
    assert set(MEASURED) == set(searchable("cpu-wide").space.points())


@pytest.mark.parametrize("card", CARDS)
def test_the_search_finds_what_all_starts_tell(card: str, tmp_path: Path) -> None:
    """The frontier of each card is that of the exhaustive search, by a third of its starts."""
    what = searchable(f"{card}-wide")
    ran: list[str] = []

    def run(case: Case) -> CaseRecord:
        ran.append(case.id)
        return shown(case)

    record = search(searching_in(tmp_path, what, run))
    assert claimed(record) == truth(what)
    assert len(ran) == len(set(ran)) <= MOST * len(MEASURED), len(ran)


def test_the_cards_differ() -> None:
    """No two of them have the same frontier, so that each is a question of its own."""
    frontiers = [tuple(truth(searchable(f"{card}-wide")).values()) for card in CARDS]
    assert len(set(frontiers)) == len(CARDS)
