import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from fixtures.records.runs import read_whole
from fixtures.records.schema import VerdictRecord
from fixtures.reports.html import write_report
from fixtures.reports.html.writing import ReportError
from suites.selftest.reports.html.pages import CASE, Parts, a_failure, a_run, html_of, judged
from suites.selftest.specimens import a_memory, a_phase

pytestmark = pytest.mark.selftest

RECORDED = Path(__file__).parent / "recorded"
WIDE = "cpu-wide-seqs=4-len=4096-alloc=glibc"
MISSING = "cpu-tiny-seqs=4-len=2048-alloc=glibc"
MIB = 1 << 20
IDLE = a_phase("idle", 0).model_copy(update={"start_s": -0.5, "end_s": 0.0})


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the recorded run."""
    run = read_whole(str(RECORDED), RECORDED)
    return write_report(run, tmp_path_factory.mktemp("report") / "of it")


def test_a_report_is_a_page_and_plotly_and_nothing_else(recorded: Path) -> None:
    """Both lie in a folder of their own, which can be taken elsewhere."""
    files = {path.name: path.stat().st_size for path in recorded.parent.iterdir()}
    assert set(files) == {"index.html", "plotly.min.js"}
    assert files["plotly.min.js"] > MIB > files["index.html"]


def test_every_planned_cell_has_a_square_that_leads_to_it(recorded: Path) -> None:
    """One without a record too: it is red, and says that nothing was kept."""
    parts = Parts(recorded.read_text("utf-8"))
    assert parts.left_open == []
    sections = {cell["id"]: cell for cell in parts.classed("cell")}
    squares = {square["href"].removeprefix("#"): square for square in parts.classed("square")}
    assert set(squares) == set(sections) == {f"cell-{WIDE}", f"cell-{MISSING}"}
    assert "no-record" in squares[f"cell-{MISSING}"]["class"].split()
    assert "pass" in squares[f"cell-{WIDE}"]["class"].split()
    assert "open" in sections[f"cell-{MISSING}"]
    assert "open" not in sections[f"cell-{WIDE}"]
    assert "nothing was kept of it" in parts.read
    assert "the disk was full" in parts.read


def test_ids_are_unique_and_links_lead_somewhere(recorded: Path) -> None:
    """Each `#name` of the page is an element of it."""
    parts = Parts(recorded.read_text("utf-8"))
    ids = [attrs["id"] for _, attrs in parts.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [attrs["href"] for _, attrs in parts.elements if attrs.get("href", "").startswith("#")]
    assert len(links) > 5
    assert {link[1:] for link in links} <= set(ids)


def test_nothing_outside_is_asked_for(recorded: Path) -> None:
    """Sources are data or the one file beside it, and the page itself forbids all else."""
    text = recorded.read_text("utf-8")
    parts = Parts(text)
    asked = [attrs.get(name, "") for _, attrs in parts.elements for name in ("src", "href")]
    assert all(one == "" or one.startswith(("#", "data:")) for one in asked)
    assert re.findall(r"url\(|@import|//[a-z]+\.[a-z]+/", text) == []
    (policy,) = [m["content"] for m in parts.of("meta") if "http-equiv" in m]
    assert policy.startswith("default-src 'none'; ")
    assert not re.search(r"unsafe-eval|script-src[^;]*unsafe-inline|https?:|\*", policy)


def test_the_curve_has_the_peak_of_the_record(recorded: Path) -> None:
    """What is drawn of the samples goes as high as the record says, and at that moment."""
    parts = Parts(recorded.read_text("utf-8"))
    plots = [json.loads(text) for text in parts.scripts if text.startswith('{"pieces"')]
    (plot,) = plots
    at_s, peak = plot["peak"]
    record = json.loads((RECORDED / f"{WIDE}.json").read_text("utf-8"))
    assert peak == record["memory"]["peak_bytes"] / MIB
    held = _summed(plot["pieces"], 1)
    assert max(held) == pytest.approx(peak, abs=1)
    highest_ms = _summed(plot["pieces"], 0)[held.index(max(held))]
    assert highest_ms / 1000 == pytest.approx(at_s, abs=0.05)
    spans = [[one["name"], one["start_s"], one["end_s"]] for one in record["memory"]["phases"]]
    assert plot["phases"] == spans
    assert "encoder-profile" in [name for name, *_ in spans]


def _summed(pieces: list[list[list[int]]], which: int) -> list[int]:
    values = []
    for piece in pieces:
        value = 0
        for step in piece[which]:
            value += step
            values.append(value)
    return values


def test_a_failed_start_tells_cause_phase_remedy_and_lines(recorded: Path) -> None:
    """All that the diagnosis says is on the page."""
    read = Parts(recorded.read_text("utf-8")).read
    record = json.loads((RECORDED / f"{WIDE}.json").read_text("utf-8"))
    said = record["start"]["diagnosis"]
    for part in (said["cause"], said["phase"], said["detail"], said["remedy"], said["evidence"][0]):
        assert part in read


def test_headings_are_in_order_and_tables_have_heads(recorded: Path) -> None:
    """No level is left out, and each head says of what it is one."""
    parts = Parts(recorded.read_text("utf-8"))
    levels = [int(tag[1]) for tag, _ in parts.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert all(head.get("scope") in ("row", "col", "colgroup") for head in parts.of("th"))
    assert len(parts.of("caption")) == len(parts.of("table"))


def test_a_missing_figure_says_why(recorded: Path) -> None:
    """The record's own reasons stand where figures would."""
    read = Parts(recorded.read_text("utf-8")).read
    assert "it never served" not in read.partition("Phases")[0]
    assert "torch 2.13.0+cpu has no CUDA" in read
    assert "Not measured: not reached." in read


def test_a_cell_without_samples_says_why_there_is_no_plot(tmp_path: Path) -> None:
    """The figures of its record are there all the same."""
    case = judged(memory=a_memory().model_copy(update={"phases": [IDLE]}))
    run = a_run(case)._replace(folder=tmp_path)
    read = Parts(write_report(run, tmp_path / "out").read_text("utf-8")).read
    assert "No plot: its samples are not here: no marks.json." in read
    assert "3,072 / 4,096" in read


def test_the_worst_cells_come_first() -> None:
    """Whatever the plan's order: first what failed, last what is none of the run's business."""
    fail, doubt = (
        VerdictRecord(about="answers", outcome=outcome, reason="so it is")
        for outcome in ("fail", "inconclusive")
    )
    ids = [f"cpu-tiny-seqs={n}-len=2048-alloc=glibc" for n in range(1, 5)]
    cases = (
        judged(ids[0]),
        judged(ids[1], doubt),
        judged(ids[2], verdicts=[]),
        judged(ids[3], fail),
    )
    parts = Parts(html_of(a_run(*cases, planned=[ids[0], ids[1], ids[3]])))
    marks = [cell["data-mark"] for cell in parts.classed("cell")]
    assert marks == ["fail", "inconclusive", "pass", "not judged"]


def test_failures_outside_of_cells_are_told() -> None:
    """They are named with their reasons, above everything else."""
    parts = Parts(html_of(a_run(judged(), failures=[a_failure(reason="E  disk is full")])))
    assert "1 test failed outside of cells" in parts.read
    assert "E  disk is full" in parts.read


def test_what_was_left_out_and_how_to_repeat_it_is_told() -> None:
    """Provenance of the whole run."""
    left = [{"what": "all gpu48 cells", "why": "no such GPU"}]
    args = ["-m", "cpu and nightly"]
    read = Parts(html_of(a_run(judged(), left_out=left, args=args, merged_from=["r-1"]))).read
    assert "all gpu48 cells" in read
    assert "ci/suite -m 'cpu and nightly'" in read
    assert f"ci/suite -m cpu --cell={CASE}" in read
    assert "r-1" in read


def test_hosts_of_a_fleet_are_told_and_which_is_unlike_the_others() -> None:
    """How many cells each ran, and in what its control differs."""
    like = {"name": "host-a", "cells": [CASE], "control": CASE, "unlike": []}
    odd = {"name": "host-b", "cells": [], "control": CASE, "unlike": ["worse: 100 -> 70", "heat"]}
    read = Parts(html_of(a_run(judged(), hosts=[like, odd]))).read
    assert "0 cells. Unlike the others: worse: 100 -> 70; heat" in " ".join(read.split())
    assert read.count("Unlike the others") == 1
    assert "Hosts" not in Parts(html_of(a_run(judged()))).read


def test_two_hundred_cells_are_a_page_of_some_mib() -> None:
    """The pictures of the same wrong answer are in it once."""
    reason = "x" * 200
    failed = VerdictRecord(about="answers", outcome="fail", reason=reason)
    ids = [f"cpu-tiny-seqs={n}-len={2048 * m}-alloc=glibc" for n in range(1, 21) for m in range(10)]
    wrong = a_run(*(judged(one, failed) for one in ids))
    text = html_of(wrong)
    assert len(Parts(text).classed("cell")) == 200
    assert len(text) < 4 * MIB
    assert text.count("data:image/webp") <= 2


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """A file is in the place of the folder: one line, with the remedy."""
    (tmp_path / "report").write_text("", "utf-8")
    with pytest.raises(ReportError, match=r"cannot be written \(.*\): name another with --out"):
        write_report(a_run(judged()), tmp_path / "report")
