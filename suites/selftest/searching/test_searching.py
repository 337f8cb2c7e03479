"""`-m frontier` whole: real processes and memory, a kernel that kills, a run that is killed."""

import os
import random
import signal
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from fixtures.frontier.accepted import write_accepted
from fixtures.records.frontier_schema import (
    STARTS,
    ClaimRecord,
    FrontierRecord,
    ModelErrorRecord,
)
from fixtures.records.schema import CaseRecord
from fixtures.reports.summary_md import summary_md
from fixtures.reports.troubles import troubles, word_of
from suites.selftest.searching.conftest import Bench, Search

pytestmark = pytest.mark.selftest

KILLED_AFTER = 3
LARGEST = {1024: 12, 4096: 3}
"""By max_model_len: 12 videos fit, one a sequence or four."""


class Whole(NamedTuple):
    """A search that was killed, and gone on with to its end."""

    search: Search
    ended: set[str]
    """Ids of the cells whose starts had come to their end by then."""


@pytest.fixture(scope="module")
def resumed(bench: Bench) -> Whole:
    """Killed at any moment of a start; gone on with beside a frontier that was accepted before."""
    first = bench.search("whole")
    while len(ended_starts(first.records)) < KILLED_AFTER:
        assert first.process.poll() is None, first.said
        time.sleep(0.05)
    time.sleep(random.uniform(0, 2))  # noqa: S311 - any moment
    os.killpg(first.process.pid, signal.SIGKILL)
    first.process.wait()
    ended = ended_starts(first.records)
    accepted = bench.folder / "baselines"
    write_accepted(accepted, accepted_of(first.found))
    again = bench.search("whole", f"--resume={first.folder.name}", f"--baselines={accepted}")
    assert again.ended() == 0, again.said
    return Whole(again, ended)


def accepted_of(begun: FrontierRecord) -> FrontierRecord:
    """A search of the same that had found less."""
    claims = [
        ClaimRecord(
            along="max_num_seqs",
            beside=claim.beside,
            state="bounded",
            largest=largest,
            fitting=[largest],
            failing=[largest + 1],
            said="",
        )
        for claim, largest in zip(begun.claims, (12, 2), strict=True)
    ]
    return begun.model_copy(update={"claims": claims, "ended": "all is known"})


@pytest.fixture(scope="module")
def whole(resumed: Whole) -> Search:
    """The same, as whoever reads its records finds it."""
    return resumed.search


def columns(search: Search) -> dict[object, ClaimRecord]:
    """What it claims, by max_model_len."""
    return {claim.beside["max_model_len"]: claim for claim in search.found.claims}


def ended_starts(records: Path) -> set[str]:
    """Ids of the cells whose starts came to their end and were judged, in any run there."""
    found = [
        CaseRecord.model_validate_json(path.read_text())
        for path in records.glob(f"*/{STARTS}/*.json")
    ]
    return {one.case_id for one in found if one.verdicts and isinstance(one.took_s, float)}


def test_the_frontier_is_what_the_kernel_lets_live(whole: Search) -> None:
    """In both columns the largest that fits is found, and the next one was killed."""
    found = columns(whole)
    assert {length: claim.largest for length, claim in found.items()} == LARGEST
    assert 16 in found[1024].failing
    assert 4 in found[4096].failing
    reasons = {one.knobs["max_num_seqs"]: one.reason for one in whole.found.tried if not one.fits}
    assert reasons[16].startswith("the kernel killed 1 process for memory during encoder-profile")
    assert reasons[4].startswith("its peak is above the budget")


def test_fewer_starts_than_cells_and_no_cell_twice(whole: Search) -> None:
    """Of 14 cells at most 10 are run."""
    names = [one.case_id for one in whole.found.tried]
    assert len(names) == len(set(names)) <= 10 < whole.found.points == 14


def test_the_models_error_is_told(whole: Search) -> None:
    """Of every start that told its peak but the first."""
    error = whole.found.model_error
    assert isinstance(error, ModelErrorRecord)
    assert error.starts >= 3
    assert 0 <= error.median <= error.worst


def test_reports_and_terminal_tell_it(whole: Search) -> None:
    """The run passes; table, page and summary have the columns and what to take."""
    assert word_of(whole.run, troubles(whole.run)) == "pass"
    told = summary_md(whole.run)
    assert "### Frontier: better" in told
    assert "`len=4096 batched=16384 alloc=glibc` | 3 |" in told
    assert "len=1024 batched=16384 alloc=glibc" in whole.said
    assert "take --max-num-seqs" in whole.said
    page = (whole.folder / "report" / "index.html").read_text()
    assert "largest that fits" in page
    assert "<strong>Ships:</strong>" in page


def test_it_is_held_to_what_was_accepted(whole: Search) -> None:
    """Each column has its verdict beside the frontier of before."""
    told = {one.reason: one.outcome for one in whole.found.verdicts}
    where = "max_num_seqs at len={}-batched=16384-alloc=glibc"
    assert told[f"{where.format(1024)} is still 12"] == "pass"
    assert told[f"{where.format(4096)} went from 2 to 3"] == "better"


def test_a_search_cut_short_is_not_green(bench: Bench) -> None:
    """A tenth of a minute is enough for a start or two: exit code 8, and the rest is open."""
    search = bench.search("short", "--search-minutes=0.1")
    assert search.ended() == 8, search.said
    assert any(claim.state == "open" for claim in search.found.claims)
    assert word_of(search.run, troubles(search.run)) == "inconclusive"
    assert "time is up" in search.said


def test_a_search_that_was_killed_goes_on(resumed: Whole) -> None:
    """It takes over every start that had ended, makes none of them again, and tells which."""
    tried = {one.case_id: one.taken_over for one in resumed.search.found.tried}
    assert {name for name, taken_over in tried.items() if taken_over} == resumed.ended
    assert len(resumed.ended) >= KILLED_AFTER
    made = {path.parent.name for path in resumed.search.folder.glob(f"{STARTS}/*/server.log")}
    assert made == tried.keys() - resumed.ended
