"""A search replayed: starts that only take their figures from what real ones showed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from packaging.version import Version

from fixtures.cells.cards import MIB
from fixtures.cells.case import Case
from fixtures.frontier.made_of import StartedWith, terms_of
from fixtures.frontier.point import Point
from fixtures.frontier.searching import Run, Searching
from fixtures.frontier.spaces import Searchable, load_spaces
from fixtures.records.frontier_schema import STARTS
from fixtures.records.schema import CaseRecord, MemoryRecord, StartRecord, VerdictRecord
from fixtures.records.store import RunStore
from fixtures.runtimes.environments import CHECKOUT
from suites.selftest.frontier.measured import RECORDS

WIDE: Final = RECORDS["wide-seqs=2-len=4096-alloc=glibc"]
VERSION: Final = "0.29.0"
_SPACES: Final = load_spaces(CHECKOUT / "suites" / "frontier" / "spaces.toml")


def searchable(name: str) -> Searchable:
    """One of the committed spaces."""
    return next(one for one in _SPACES if one.name == name)


def record_of(case: Case, run_id: str, profile_mib: float, settled_mib: float) -> CaseRecord:
    """What a start with such peaks leaves on its card."""
    card, budget = case.card.capacity_bytes, case.budget_bytes
    profile, settled = int(profile_mib * MIB), int(settled_mib * MIB)
    died = "encoder-profile" if profile > card else "warm" if settled > card else ""
    peak = min(card, max(profile, settled))
    fits = not died and peak <= budget
    reason = "out of memory" if died else f"peak of {peak / MIB:,.0f} MiB"
    provenance = WIDE.provenance.model_copy(
        update={"argv": ["python", "-m", "vllm"], "vllm_version": VERSION}
    )
    return WIDE.model_copy(
        update={
            "run_id": run_id,
            "case_id": case.id,
            "card": case.card_name,
            "card_capacity_bytes": card,
            "budget_bytes": budget,
            "cell": case.cell.model_dump(),
            "provenance": provenance,
            "start": _start(died),
            "memory": _memory(peak, min(card, profile), None if died else settled),
            "took_s": 50.0,
            "verdicts": [
                VerdictRecord(about="start", outcome="pass" if fits else "fail", reason=reason)
            ],
        }
    )


def _start(died: str) -> StartRecord:
    return StartRecord(
        outcome="out-of-memory" if died else "ready",
        after_s=40.0,
        phase=died or "serving",
        detail=f"out of memory during {died}" if died else "",
        oom_kills=int(bool(died)),
    )


def _memory(peak: int, profile: int, settled: int | None) -> MemoryRecord:
    memory = WIDE.memory
    assert isinstance(memory, MemoryRecord)
    figures = {"weights": 1900 * MIB, "encoder-profile": profile}
    if settled is not None:
        figures |= {"kv-cache": settled, "serving": settled}
    phases = [
        phase.model_copy(update={"peak_bytes": figures[phase.name]})
        for phase in memory.phases
        if phase.name in figures
    ]
    return memory.model_copy(update={"peak_bytes": peak, "phases": phases})


def searching_in(
    folder: Path, what: Searchable, run: Run, before: Mapping[Point, CaseRecord] | None = None
) -> Searching:
    """A search below a folder, whose starts are made by `run`."""
    source = str(CHECKOUT / "fixtures" / "checkpoints" / "minicpmv-2.6-wide")
    return Searching(
        searchable=what,
        terms=terms_of(what, StartedWith(Version(VERSION), source, None)),
        run=run,
        store=RunStore(folder, "run"),
        say=lambda _: None,
        runtime="replayed",
        model_source=source,
        before=before or {},
    )


def kept(folder: Path, record: CaseRecord) -> CaseRecord:
    """Write a start's record where a search writes it."""
    RunStore(folder, "run").within(STARTS).write(record)
    return record
