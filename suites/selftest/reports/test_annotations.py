import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.records.run_schema import LeftOutRecord
from fixtures.reports.annotations import MOST, Place, annotations
from suites.selftest.reports.runs import CASE, a_failure, a_run, judged

pytestmark = pytest.mark.selftest

COMMAND = re.compile(r"::(error|notice) ([^:]+)::(.+)")


def _read(line: str) -> tuple[str, dict[str, str], str]:
    """Kind, properties and message, as the runner reads them."""
    found = COMMAND.fullmatch(line)
    assert found
    pairs = [pair.partition("=") for pair in found[2].split(",")]
    return found[1], {name: unquote(value) for name, _, value in pairs}, unquote(found[3])


def test_each_failure_is_an_error_where_it_stands() -> None:
    """A cell's at its line of the matrix, a test's at its own; without a known line at the file."""
    run = a_run(
        judged("inconclusive", "why, 100 %: so"),
        failures=[a_failure("boom\nand more")],
        exit_code=1,
    )
    places = {CASE: Place("suites/matrix.toml", 19)}
    test, cell = annotations(run, places)
    assert cell == (
        f"::error title={CASE}%3A peak memory%3A inconclusive,file=suites/matrix.toml,line=19"
        "::why, 100 %25: so"
    )
    assert _read(test) == (
        "error",
        {"title": "test_it: broken", "file": "suites/startup/test_start.py", "line": "1"},
        "boom\nand more",
    )


def test_better_and_left_out_are_notices() -> None:
    """They fail nothing."""
    left = LeftOutRecord(what="all gpu48 cells", why="no GPU here")
    told = [
        _read(line) for line in annotations(a_run(judged("better", "it fits"), left_out=[left]))
    ]
    assert [(kind, at["title"], said) for kind, at, said in told] == [
        ("notice", f"{CASE}: peak memory: better", "it fits"),
        ("notice", "left out: all gpu48 cells", "no GPU here"),
    ]


@pytest.mark.parametrize(("number", "errors"), [(9, 9), (10, 10), (11, 10), (200, 10)])
def test_there_are_no_more_than_github_takes(number: int, errors: int) -> None:
    """Of each kind; the last one says how many more there would be."""
    cells = [judged("fail", case_id=f"cpu-{n:03}") for n in range(number)]
    left = [LeftOutRecord(what=f"cell {n}", why="no") for n in range(number)]
    told = [_read(line) for line in annotations(a_run(*cells, left_out=left, exit_code=1))]
    for kind in ("error", "notice"):
        titles = [at["title"] for said, at, _ in told if said == kind]
        assert len(titles) == errors <= MOST
        last = f"{number - 9} more"
        assert (titles[-1] == last) == (number > MOST)


def test_without_a_trouble_nothing_is_told() -> None:
    """A green run has no annotation."""
    assert annotations(a_run(judged("pass"))) == []


@given(st.text() | st.sampled_from(["a,file=/etc::b", "\r\n::error::x", "%0A::x", "", "x" * 9000]))
def test_whatever_is_said_ends_neither_property_nor_line(text: str) -> None:
    """A command has one line, its own properties and a message."""
    run = a_run(judged("fail", text, text), failures=[a_failure(text)], exit_code=1)
    for line in annotations(run, {text: Place(text, 3)}):
        assert len(line.splitlines()) == 1
        assert len(line) < 40_000
        kind, properties, message = _read(line)
        assert (kind, set(properties)) == ("error", {"title", "file", "line"})
        assert message
