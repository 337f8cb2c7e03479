import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from fixtures.records.run_schema import HostRecord, LeftOutRecord
from fixtures.records.runs import Run
from fixtures.records.schema import MemoryRecord, Unmeasured
from fixtures.reports.summary_md import LIMIT_BYTES, summary_md
from suites.selftest.histories import measured
from suites.selftest.reports.runs import CASE, a_failure, a_run, judged
from suites.selftest.reports.test_upgrade_table import RECORD, SLOWER
from suites.selftest.specimens import NOT_SEEN, a_gpu

pytestmark = pytest.mark.selftest

HOSTILE = "<script>x</script> | `a` ![p](http://e) [l](http://e) @team \x1b[2J\n# h\n::error::x ]]>"
MARKUP = MarkdownIt("commonmark", {"html": True}).enable("table")


def _tokens(text: str) -> list[Token]:
    return [found for token in MARKUP.parse(text) for found in (token, *(token.children or ()))]


def _rows(text: str) -> list[list[str]]:
    """The cells of every row of every table, as they are shown."""
    rows: list[list[str]] = []
    tokens = MARKUP.parse(text)
    for before, token in pairwise(tokens):
        if before.type == "tr_open":
            rows.append([])
        if before.type in ("td_open", "th_open"):
            rows[-1].append("".join(child.content for child in token.children or ()))
    return rows


def _items(text: str) -> list[str]:
    tokens = MARKUP.parse(text)
    return [
        "".join(child.content for child in token.children or ())
        for before, token in pairwise(tokens)
        if before.type == "paragraph_open" and before.level == 2
    ]


def test_a_green_run_is_told_with_its_cells_and_how_to_repeat_it() -> None:
    """One line, the table, what it depends on, and the command without what `ci/suite` adds."""
    run = a_run(
        measured(),
        variables={"MINICPMV_CELL": "cpu-*"},
        left_out=[LeftOutRecord(what="all gpu48 cells", why="no GPU here")],
    )
    text = summary_md(run)
    assert text.startswith("## MiniCPM-V on vLLM: pass\n\ncells: 1 pass; tests: 1 passed\n")
    assert "What is wrong" not in text
    head, row = _rows(text)
    assert head[0] == "cell"
    assert row == [CASE, "21 s", "3,000 / 4,096", "104/105", "100.0 ±12.4", "100.0 ms", "pass"]
    assert "all gpu48 cells: no GPU here" in _items(text)
    assert "```text\nMINICPMV_CELL='cpu-*' ci/suite -m cpu\n```" in text
    assert any("vLLM 0.29.0" in item for item in _items(text))
    assert any("exit code 0" in item for item in _items(text))


def test_a_gpu_is_told_with_its_driver_where_that_is_known() -> None:
    """What a CUDA context takes is the driver's to decide; old records do not have it."""
    record = measured()
    assert isinstance(record.memory, MemoryRecord)
    for version, told in (
        ("580.159.04", "NVIDIA L40S (driver 580.159.04), "),
        (NOT_SEEN, "NVIDIA L40S, "),
    ):
        gpu = a_gpu(assigned=True, foreign=[]).model_copy(update={"driver_version": version})
        memory = record.memory.model_copy(update={"gpus": [gpu]})
        text = summary_md(a_run(record.model_copy(update={"memory": memory})))
        assert any(item.startswith(told) for item in _items(text))


def test_what_is_wrong_comes_first_and_worst_first() -> None:
    """A planned cell without a record before one that failed; its row says that it has none."""
    run = a_run(
        judged("pass", case_id="cpu-good"),
        judged("fail", "596 MiB over", "cpu-bad"),
        own=["cpu-good", "cpu-bad", "cpu-gone"],
        exit_code=1,
    )
    text = summary_md(run)
    assert text.index("What is wrong") < text.index("### Cells")
    assert _items(text)[:2] == [
        "missing: cpu-gone: cell: planned, and has no record",
        "fail: cpu-bad: peak memory: 596 MiB over",
    ]
    assert [(row[0], row[-1]) for row in _rows(text)[1:]] == [
        ("cpu-gone", "no record"),
        ("cpu-bad", "fail"),
        ("cpu-good", "pass"),
    ]
    assert text.splitlines()[2] == "cells: 1 pass, 1 fail, 1 no record; tests: 2 passed"


def test_nothing_is_green_by_absence() -> None:
    """No cell at all, a killed run, a run of which there is no record, a test in a good cell."""
    none = summary_md(a_run(tests={}))
    assert none.splitlines()[:3] == [
        *("## MiniCPM-V on vLLM: nothing was measured", "", "nothing was measured"),
    ]
    killed = summary_md(a_run(judged("pass"), ended_at=NOT_SEEN, exit_code=NOT_SEEN))
    assert killed.startswith("## MiniCPM-V on vLLM: fail\n")
    assert "not ended" in killed
    old = summary_md(a_run(judged("pass"))._replace(record=Unmeasured(unmeasured="older")))
    assert old.startswith("## MiniCPM-V on vLLM: unmeasured\n")
    broken = summary_md(a_run(judged("pass"), failures=[a_failure("x", CASE)], exit_code=1))
    assert _rows(broken)[1][-1] == "fail"


def test_of_a_traceback_the_error_is_told() -> None:
    """The first lines of one are the test's own code."""
    reason = "def test_it():\n>       boom()\nE       KeyError: 'x'\n\ntest_it.py:3: KeyError"
    assert "broken: test_it: KeyError: 'x'" in _items(
        summary_md(a_run(failures=[a_failure(reason)], exit_code=1))
    )


def test_a_comparison_has_its_answer_reasons_and_figures() -> None:
    """The metrics that got worse first; old, new, the change and what would matter."""
    same = SLOWER.model_copy(update={"metric": "tokens/s", "outcome": "not worse"})
    record = RECORD.model_copy(
        update={"comparisons": [same, SLOWER], "reasons": ["TTFT: worse"], "more_pairs": 3}
    )
    text = summary_md(a_run(comparisons=[record], exit_code=1))
    assert text.startswith("## MiniCPM-V on vLLM: do not ship\n\ncomparisons: 1 do not ship\n")
    assert "### Upgrade: do not ship" in text
    assert "6 pairs in 16 min; 3 more pairs would probably tell (--pairs 9)" in text
    assert "TTFT: worse" in _items(text)
    assert "not compared: KV cache tokens: not told" in _items(text)
    assert _rows(text)[1] == [
        *("TTFT p50", "40.1 ms", "48.2 ms", "+20.0 %", "+12.0 %", "+27.0 %", "+10.0 %", "worse"),
    ]
    assert [row[0] for row in _rows(text)[1:]] == ["TTFT p50", "tokens/s"]


def test_a_host_unlike_the_others_is_named() -> None:
    """With in what; one that is like them is not worth a line."""
    control = "cpu-control"
    odd = HostRecord(name="host-a", cells=[CASE], control=control, unlike=["worse: 100 -> 70"])
    like = HostRecord(name="host-b", cells=[], control=control, unlike=[])
    text = summary_md(a_run(measured(), hosts=[odd, like]))
    assert "host-a: worse: 100 -> 70" in _items(text)
    assert "host-b" not in text


def _hostile(text: str, copies: int) -> Run:
    """A run in which everything that comes from elsewhere is this text, so often."""
    record = RECORD.model_copy(
        update={
            "case_id": text,
            "reasons": [text] * copies,
            "remarks": [text] * copies,
            "left_out": [text] * copies,
            "comparisons": [SLOWER.model_copy(update={"metric": text})] * copies,
            "baseline": RECORD.baseline.model_copy(update={"vllm_version": text, "runtime": text}),
        }
    )
    cell = judged("fail", text)
    provenance = cell.provenance.model_copy(
        update={
            "vllm_version": text,
            "model_source": text,
            "runtime": text,
            "host": {"cores": text},
        }
    )
    cell = cell.model_copy(update={"provenance": provenance})
    return a_run(
        *(cell.model_copy(update={"case_id": f"{text}{number}"}) for number in range(copies)),
        comparisons=[record] * min(copies, 3),
        failures=[a_failure(text, f"{text}{number}") for number in range(copies)],
        left_out=[LeftOutRecord(what=text, why=text)] * copies,
        hosts=[HostRecord(name=text, cells=[], control=text, unlike=[text])] * copies,
        args=[text] * copies,
        variables={text: text},
        suite_version=text,
        merged_from=[text] * copies,
        tests={"failed": copies},
        exit_code=1,
    )


@settings(max_examples=15)
@given(st.text(max_size=60) | st.sampled_from([HOSTILE, "|" * 50, "`" * 50, "\u202e" * 50]))
def test_whatever_is_said_makes_no_markup(text: str) -> None:
    """No tag, link, picture or heading came of it, and each row has its table's cells."""
    summary = summary_md(_hostile(text, 1))
    kinds = {token.type for token in _tokens(summary)}
    assert {"html_inline", "html_block", "link_open", "image", "softbreak"}.isdisjoint(kinds)
    headings = [line for line in summary.splitlines() if line.startswith("#")]
    assert len(headings) == 7
    assert {len(row) for row in _rows(summary)} == {7, 8}


@pytest.mark.parametrize("text", [HOSTILE * 40, "\U000e0041" * 9000, "a|`" * 3000, "ok"])
@pytest.mark.parametrize("copies", [1, 25, 200])
def test_it_is_never_larger_than_github_shows(text: str, copies: int) -> None:
    """However long and many its parts; the headline, what it is of and the command are there."""
    summary = summary_md(_hostile(text, copies))
    assert len(summary.encode()) <= LIMIT_BYTES
    assert summary.startswith("## MiniCPM-V on vLLM: fail\n")
    assert "### Cells" in summary
    assert summary.rstrip().endswith("```")
    assert ("more, none worse than these" in summary) == (
        copies > 1 and len(text) > 2
    ) or copies > 25


def test_the_least_bad_rows_are_left_out_first() -> None:
    """As many as there is no room for, by number; what is worse than they are is all there."""
    good = [judged("pass", case_id=f"cpu-good-{number:04}") for number in range(1500)]
    bad = [judged("fail", "too much", f"cpu-bad-{number:04}") for number in range(30)]
    text = summary_md(a_run(*good, *bad, exit_code=1))
    shown = [row[0] for row in _rows(text)[1:]]
    assert shown[:30] == [case.case_id for case in bad]
    assert shown[30:] == [case.case_id for case in good[: len(shown) - 30]]
    (left,) = re.findall(r"^(\d+) more, none worse than these", text, re.MULTILINE)
    assert int(left) == 1530 - len(shown)
    assert len(shown) > 100
