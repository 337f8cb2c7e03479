"""Runs made by hand, and a page as its parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

from fixtures.records.run_schema import FailureRecord, PlannedCell, RunRecord
from fixtures.records.runs import Run
from fixtures.records.schema import CaseRecord, VerdictRecord
from fixtures.reports.html.page import Curves, page
from fixtures.reports.html.rendering import rendered
from suites.selftest.specimens import a_record

NO_CURVES: Final = Curves({}, {})
CASE: Final = a_record().case_id
PASSED: Final = VerdictRecord(about="start", outcome="pass", reason="ready after 21 s")


def judged(case_id: str = CASE, *verdicts: VerdictRecord, **changes: object) -> CaseRecord:
    """A record with these verdicts; with none of them one that passed."""
    more = {"case_id": case_id, "verdicts": list(verdicts) or [PASSED], **changes}
    return a_record().model_copy(update=more)


def a_run_record(planned: Iterable[str], **changes: Any) -> RunRecord:  # noqa: ANN401 - fields
    """The record of a run that ended well; its cells are on the card that their ids begin with."""
    ids = list(planned)
    plain: dict[str, Any] = {
        "run_id": "20260131T120000Z-1a2b",
        "suite_version": "0.6.0",
        "started_at": "2026-01-31T12:00:00+00:00",
        "ended_at": "2026-01-31T12:30:00+00:00",
        "args": ["-m", "cpu"],
        "variables": {},
        "planned": [PlannedCell(case_id=one, card=one.partition("-")[0]) for one in ids],
        "own": ids,
        "compared": [],
        "exit_code": 0,
        "tests": {"passed": 20},
    }
    return RunRecord(**plain | changes)


def a_run(*cases: CaseRecord, planned: Sequence[str] | None = None, **changes: object) -> Run:
    """A run in a folder that is not there."""
    ids = [case.case_id for case in cases] if planned is None else planned
    return Run(Path("/nowhere/run"), a_run_record(ids, **changes), cases, ())


def a_failure(case_id: str = "", reason: str = "AssertionError: no") -> FailureRecord:
    """A test that failed, outside of cells where no cell is named."""
    return FailureRecord(test="suites/x.py::test_x", case_id=case_id, when="call", reason=reason)


def html_of(run: Run, curves: Curves = NO_CURVES) -> str:
    """The page of a run."""
    return rendered(page(run, curves))


class Parts(HTMLParser):
    """Every element of a page, and the text that is read."""

    _VOID: Final = ("meta", "link", "img", "input", "br", "use", "path", "line", "circle", "rect")

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.read = ""
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self._VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element without contents."""
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """It ends; what is not closed in order is no page of ours."""
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1] == tag, f"</{tag}> closes {self._open[-1]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        """Text, of scripts apart."""
        if self._open[-1:] == ["script"]:
            self.scripts.append(data)
        elif self._open[-1:] != ["style"]:
            self.read += data

    @property
    def left_open(self) -> list[str]:
        """Elements that were never closed."""
        return self._open

    def of(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every element of a kind."""
        return [attrs for name, attrs in self.elements if name == tag]

    def classed(self, name: str) -> list[dict[str, str]]:
        """The attributes of every element of a class."""
        return [attrs for _, attrs in self.elements if name in attrs.get("class", "").split()]
