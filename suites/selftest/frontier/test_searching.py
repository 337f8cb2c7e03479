"""The loop around the search: what it keeps, how it ends, and how it goes on after a kill."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fixtures.cells.cards import MIB
from fixtures.cells.case import Case
from fixtures.frontier.accepted import read_accepted, read_all_accepted, write_accepted
from fixtures.frontier.earlier import EarlierError, other_start, starts_of
from fixtures.frontier.recorded import claim_of, frontier_of, searchable_of
from fixtures.frontier.searching import search
from fixtures.records.baseline import BaselineError
from fixtures.records.frontier_schema import (
    FRONTIERS,
    STARTS,
    FrontierRecord,
    ModelErrorRecord,
    RecommendedRecord,
)
from fixtures.records.part import Unmeasured
from fixtures.records.schema import CaseRecord
from fixtures.reports.frontier_words import column_told, outcome_told
from fixtures.reports.prometheus import prometheus_text
from suites.selftest.frontier.replayed import kept, record_of, searchable, searching_in
from suites.selftest.reports.runs import a_run
from suites.selftest.standin.pretend_cpu import videos

pytestmark = pytest.mark.selftest

WIDE = searchable("cpu-wide")
LARGEST = {
    (1024, 4096): 16,
    (1024, 16384): 8,
    (2048, 4096): 16,
    (2048, 16384): 4,
    (4096, 4096): 16,
    (4096, 16384): 2,
    (8192, 4096): 16,
    (8192, 16384): 1,
}
"""By max_model_len and max_num_batched_tokens, where 2,300 MiB and 400 a video are taken."""


def peaks(case: Case) -> tuple[float, float]:
    """Of `wide` in round figures: while profiling and from then on."""
    batched = int(case.cell.extra_flags[-1])
    encoded = videos(case.cell.max_num_seqs, case.cell.max_model_len, batched)
    return 2300 + 400 * encoded, 3400


def runs_below(folder: Path, ran: list[str]) -> Callable[[Case], CaseRecord]:
    """Makes starts that are kept below a folder, and counts them."""

    def run(case: Case) -> CaseRecord:
        ran.append(case.id)
        return kept(folder, record_of(case, "run/searched", *peaks(case)))

    return run


class Found(NamedTuple):
    """A search to its end."""

    record: FrontierRecord
    ran: list[str]
    folder: Path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """On the cpu card."""
    folder, ran = tmp_path_factory.mktemp("whole"), list[str]()
    record = search(searching_in(folder, WIDE, runs_below(folder, ran)))
    return Found(record, ran, folder)


def largest(record: FrontierRecord) -> dict[tuple[object, object], object]:
    """What it claims."""
    return {
        (claim.beside["max_model_len"], claim.beside["max_num_batched_tokens"]): claim.largest
        for claim in record.claims
    }


def test_the_frontier_is_found_in_a_third_of_the_starts(whole: Found) -> None:
    """Every column's largest, and no cell twice."""
    assert largest(whole.record) == LARGEST
    assert len(whole.ran) == len(set(whole.ran)) <= 0.35 * whole.record.points
    assert outcome_told(whole.record) == "pass"


def test_its_record_is_written_after_every_start(tmp_path: Path) -> None:
    """A reader finds all starts so far, and that it goes on."""
    ran: list[str] = []
    seen: list[tuple[int, object]] = []
    path = tmp_path / "run" / FRONTIERS / "cpu-wide.json"

    def run(case: Case) -> CaseRecord:
        told = FrontierRecord.model_validate_json(path.read_text())
        seen.append((len(told.tried), told.ended))
        return runs_below(tmp_path, ran)(case)

    search(searching_in(tmp_path, WIDE, run))
    assert [number for number, _ in seen] == list(range(len(ran)))
    assert all(isinstance(ended, Unmeasured) for _, ended in seen)
    told = FrontierRecord.model_validate_json(path.read_text())
    assert told.ended == "all is known"


def test_expectations_are_those_of_before_each_start(whole: Found) -> None:
    """The model's error is of starts that it had not seen, and what to take leaves a margin."""
    error, best = whole.record.model_error, whole.record.recommended
    assert isinstance(error, ModelErrorRecord)
    assert 0 < error.starts < len(whole.ran)
    assert error.median < 0.2
    assert isinstance(best, RecommendedRecord)
    assert best.knobs["max_num_seqs"] == 16
    assert best.left_bytes >= 0.03 * whole.record.budget_bytes


def test_what_is_kept_is_what_was_found(whole: Found) -> None:
    """Claims and space come back from the record as they were."""
    assert [str(claim_of(one)) for one in whole.record.claims] == [
        one.said for one in whole.record.claims
    ]
    assert frontier_of(whole.record).complete
    assert searchable_of(whole.record) == WIDE


def test_dashboards_have_the_largest_of_each_column(whole: Found) -> None:
    """A column in which nothing fits has no value, and above all no 0."""
    nothing = whole.record.claims[0].model_copy(update={"largest": None, "beside": {"a": 1}})
    claims = [*whole.record.claims, nothing]
    record = whole.record.model_copy(update={"claims": claims})
    text = prometheus_text(a_run()._replace(frontiers=(record,)))
    samples = [one for of in text_string_to_metric_families(text) for one in of.samples]
    told = {
        one.labels["column"]: one.value
        for one in samples
        if one.name == "minicpmv_search_largest" and one.labels["knob"] == "max_num_seqs"
    }
    assert told == {column_told(claim): claim.largest for claim in whole.record.claims}
    came_to = {
        one.labels["outcome"]: one.value for one in samples if one.name == "minicpmv_search_verdict"
    }
    assert came_to.pop("pass") == 1
    assert set(came_to.values()) == {0}


def test_time_that_is_up_ends_it_before_a_start(tmp_path: Path) -> None:
    """What is known then is told as inconclusive, and is no baseline."""
    ran: list[str] = []
    record = search(searching_in(tmp_path, WIDE, runs_below(tmp_path, ran))._replace(within_s=0.0))
    assert outcome_told(record) == "inconclusive"
    assert len(ran) <= 1
    with pytest.raises(BaselineError, match="not all is known"):
        write_accepted(tmp_path, record)


def test_every_cell_is_run_where_that_is_asked_for(tmp_path: Path, whole: Found) -> None:
    """The exhaustive search finds the same, with all starts."""
    ran: list[str] = []
    record = search(
        searching_in(tmp_path, WIDE, runs_below(tmp_path, ran))._replace(exhaustive=True)
    )
    assert len(ran) == record.points
    assert largest(record) == largest(whole.record)


def test_nothing_that_fits_fails(tmp_path: Path) -> None:
    """A card that is too small for everything is red, and so is one nobody could tell of."""

    def run(case: Case) -> CaseRecord:
        return record_of(case, "run/searched", 9000, 9000)

    record = search(searching_in(tmp_path, WIDE, run))
    assert outcome_told(record) == "fail"
    assert isinstance(record.recommended, Unmeasured)


def test_that_nothing_fits_is_never_the_models_word(tmp_path: Path) -> None:
    """A budget below all that is expected: the smallest is run, fits, and the search goes on."""
    small = WIDE._replace(budget_bytes=800 * MIB)
    ran: list[str] = []

    def run(case: Case) -> CaseRecord:
        ran.append(case.id)
        batched = int(case.cell.extra_flags[-1])
        encoded = videos(case.cell.max_num_seqs, case.cell.max_model_len, batched)
        return record_of(case, "run/searched", 100 + 50 * encoded, 120)

    record = search(searching_in(tmp_path, small, run))
    assert ran[0] == small.first.id
    assert outcome_told(record) == "pass"
    assert all(claim.largest is not None for claim in record.claims)


def killed_while_searching(folder: Path, before: Iterable[Path]) -> None:
    """A search in a process of its own, killed at a random moment."""
    pid = os.fork()
    if not pid:
        try:
            known = starts_of("run", folder, WIDE) if any(before) else {}

            def run(case: Case) -> CaseRecord:
                time.sleep(0.02)
                record = record_of(case, "run/searched", *peaks(case))
                # As a deployment does: first without an end, then with one.
                begun = {"took_s": Unmeasured(unmeasured="not over"), "verdicts": []}
                kept(folder, record.model_copy(update=begun))
                time.sleep(0.01)
                with (folder / "ran").open("a") as out:
                    kept(folder, record)
                    out.write(f"{case.id}\n")
                return record

            search(searching_in(folder, WIDE, run, known))
        finally:
            os._exit(0)
    time.sleep(random.uniform(0.1, 0.5))  # noqa: S311 - any moment
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_killed_at_five_moments_it_repeats_no_start(tmp_path: Path, whole: Found) -> None:
    """What had come to its end is not made again, and the frontier is the same."""
    path = tmp_path / "run" / FRONTIERS / "cpu-wide.json"
    for _ in range(5):
        killed_while_searching(tmp_path, [path] if path.exists() else [])
    ran: list[str] = []
    known = starts_of("run", tmp_path, WIDE) if path.exists() else {}
    ended = {WIDE.case_at(point).id for point in known}
    record = search(searching_in(tmp_path, WIDE, runs_below(tmp_path, ran), known))
    written = (tmp_path / "ran").read_text().split() if (tmp_path / "ran").exists() else []
    assert len(written) == len(set(written))
    assert not ended & set(ran)
    assert largest(record) == largest(whole.record)
    assert {one.case_id for one in record.tried} == set(whole.ran)


def test_an_earlier_search_must_be_of_the_same(whole: Found) -> None:
    """Another budget or model, a run that is not there, another vLLM: each is named."""
    root = whole.folder
    assert len(starts_of("run", root, WIDE)) == len(whole.ran)
    with pytest.raises(EarlierError, match="no run 'none'"):
        starts_of("none", root, WIDE)
    with pytest.raises(EarlierError, match="has no search of cpu-tiny"):
        starts_of("run", root, searchable("cpu-tiny"))
    with pytest.raises(EarlierError, match="another budget"):
        starts_of("run", root, WIDE._replace(budget_bytes=1))
    with pytest.raises(EarlierError, match="another model"):
        starts_of("run", root, WIDE._replace(put_in_place="tiny"))
    records = [*starts_of("run", root, WIDE).values()]
    digest = records[0].provenance.model_digest
    assert other_start(records, "0.29.0", digest) == ""
    assert "another vLLM: 0.29.0, not 0.32.0" in other_start(records, "0.32.0", digest)
    assert "another model digest" in other_start(records, "0.29.0", "0")


def test_half_a_start_is_made_again(tmp_path: Path, whole: Found) -> None:
    """A record without an end or a verdict, or one that is cut, is not taken over."""
    store = tmp_path / "run"
    (store / STARTS).mkdir(parents=True)
    (store / FRONTIERS).mkdir()
    (store / FRONTIERS / "cpu-wide.json").write_text(whole.record.model_dump_json())
    good, *others = sorted((whole.folder / "run" / STARTS).glob("*.json"))[:4]
    text = good.read_text()
    (store / STARTS / good.name).write_text(text)
    begun = CaseRecord.model_validate_json(others[0].read_text())
    for name, cut in (
        (others[0].name, {"took_s": Unmeasured(unmeasured="not over")}),
        (others[1].name, {"verdicts": []}),
    ):
        (store / STARTS / name).write_text(begun.model_copy(update=cut).model_dump_json())
    (store / STARTS / others[2].name).write_text(text[:100])
    assert [WIDE.case_at(point).id for point in starts_of("run", tmp_path, WIDE)] == [good.stem]


def test_an_accepted_frontier_must_not_move_inwards(tmp_path: Path, whole: Found) -> None:
    """The same passes, a profile that takes more fails, and another budget cannot be compared."""
    write_accepted(tmp_path, whole.record)
    accepted = read_accepted(tmp_path, "cpu-wide")
    assert accepted == whole.record
    assert read_all_accepted(tmp_path) == [whole.record]
    assert read_accepted(tmp_path, "cpu-tiny") is None

    def again(factor: float, folder: str) -> FrontierRecord:
        def run(case: Case) -> CaseRecord:
            profile, settled = peaks(case)
            return record_of(case, "run/searched", profile * factor, settled)

        return search(searching_in(tmp_path / folder, WIDE, run)._replace(accepted=accepted))

    assert outcome_told(again(1.0, "same")) == "pass"
    worse = again(1.3, "worse")
    assert outcome_told(worse) == "fail"
    said = [one.reason for one in worse.verdicts if one.outcome == "fail"]
    assert any("went from 2 to 1" in reason for reason in said), said
    assert accepted is not None
    other = accepted.model_copy(update={"budget_bytes": 1})
    run = runs_below(tmp_path / "other", [])
    told = search(searching_in(tmp_path / "other", WIDE, run)._replace(accepted=other))
    assert outcome_told(told) == "unmeasured"
    assert "another budget" in told.verdicts[-1].reason


def test_a_baseline_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """With the file and the remedy."""
    folder = tmp_path / FRONTIERS
    folder.mkdir()
    (folder / "cpu-wide.json").write_text("{}")
    with pytest.raises(BaselineError, match=r"cpu-wide\.json: cannot be read: write it with"):
        read_accepted(tmp_path, "cpu-wide")
