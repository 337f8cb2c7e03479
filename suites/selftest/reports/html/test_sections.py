import json
from typing import Any

import pytest

from fixtures.reports.html.answers import answers_section
from fixtures.reports.html.further import further_sections
from fixtures.reports.html.load import load_section
from fixtures.reports.html.memory import memory_section
from fixtures.reports.html.sections import Plot, Section
from fixtures.reports.html.shown import embedded
from fixtures.reports.html.tables import Entry, Table
from suites.selftest.reports.html.loaded import SERIES, loaded
from suites.selftest.reports.html.pages import judged
from suites.selftest.specimens import (
    NOT_SEEN,
    READY,
    a_probe,
    a_robustness,
    a_tokens,
)

pytestmark = pytest.mark.selftest


def _data(plot: Plot) -> Any:  # noqa: ANN401 - JSON
    """As the browser reads it."""
    return json.loads(embedded(plot.data))


def _table(section: Section, caption: str) -> Table:
    tables = (*section.tables, *section.folded)
    return next(table for table in tables if table.caption.startswith(caption))


def _further(title: str) -> Section:
    return next(section for section in further_sections(loaded()) if section.title == title)


def test_a_gap_is_a_band_and_the_line_is_cut_there() -> None:
    """Nobody looked for a second: nothing is drawn across it."""
    (plot,) = memory_section(loaded(), SERIES).plots
    data = _data(plot)
    ((start_s, end_s),) = data["gaps"]
    assert (start_s, end_s) == pytest.approx((9.98, 11.0))
    assert len(data["pieces"]) == 2
    assert (data["budget"], data["card"]) == (4096, 6144)


def test_facts_stand_where_the_log_told_them() -> None:
    """With what else the same line said; facts without a moment are none of the plot's."""
    facts = {"kv_cache.at_s": 3.5, "kv_cache.tokens": 2048, "init_took_s": 0.4, "ready_at_s": 9.0}
    record = judged(start=READY.model_copy(update={"facts": facts}))
    (plot,) = memory_section(record, SERIES).plots
    assert _data(plot)["facts"] == [[3.5, "kv_cache: tokens 2,048"], [9.0, "ready"]]


def test_throughput_is_drawn_against_concurrency() -> None:
    """Every concurrency that has a figure, the rounds of max_num_seqs clients among them."""
    section = load_section(loaded())
    rates = next(plot for plot in section.plots if plot.kind == "rates")
    points = _data(rates)["points"]
    assert [at for at, _ in points] == [1, 2, 8]
    assert points[1][1] == [180, None, None]
    assert _table(section, "Saturation: enough are 2").rows[2][1] == Entry("–", "a")  # noqa: RUF001 - no figure
    assert "saturation: 8 at once: 1 of 40 requests failed" in section.remarks


def test_one_concurrency_is_no_curve() -> None:
    """A single point says nothing about saturation."""
    assert [plot.kind for plot in load_section(judged()).plots] == ["latency"]


def test_times_are_told_of_each_round() -> None:
    """In ms; a percentile that no round supports has no row."""
    (latency,) = load_section(judged()).plots
    rows = {name: rounds for name, rounds, _ in _data(latency)["rows"]}
    assert rows["TTFT p50"] == pytest.approx([100, 100, 100])
    assert "TTFT p99" not in rows


def test_a_soak_is_drawn_slice_by_slice() -> None:
    """What was not measured of a slice is a hole, and no zero."""
    section = _further("Soak")
    (plot,) = section.plots
    data = _data(plot)
    assert data["p50"] == [None, 200, 200]
    assert data["held"] == [["host memory", [3000, 3001, 3002]], ["GPU memory", [None] * 3]]
    assert section.remarks == ("503 for a moment",)


def test_two_clients_stand_beside_each_other() -> None:
    """Where theirs said nothing, it is told why."""
    table = _table(_further("Crosscheck"), "The same load")
    assert table.rows[0] == (Entry("ours"), Entry("64"), Entry("55.5"), Entry("888"))
    assert [note.why for note in table.notes] == [NOT_SEEN.unmeasured]


def test_the_worst_of_a_bad_request_is_told() -> None:
    """A dead server before a wrong answer afterwards, and that before its own reply."""
    probes = (
        a_probe(),
        a_probe(control="green instead of red"),
        a_probe(control="none", down="it died"),
        a_probe(said="x" * 50 + " " + "y" * 200),
    )
    record = judged(robustness=a_robustness(*probes))
    section = next(one for one in further_sections(record) if one.title == "Robustness")
    said = [row[-1].text for row in section.folded[0].rows]
    assert said[:3] == [
        "no such thing",
        "the question after it was not answered right: green instead of red",
        "the server was down: it died",
    ]
    assert said[3].endswith(" ...")
    assert len(said[3]) <= 120


def test_only_prompt_tokens_that_are_not_as_predicted_are_listed() -> None:
    """Those that are say nothing that the verdict does not."""
    record = judged(tokens=a_tokens(told=130))
    (row,) = _table(answers_section(record, lambda _: ((), "")), "Prompt tokens").rows
    assert [entry.text for entry in row[1:3]] == ["132", "130"]
    plain = answers_section(judged(), lambda _: ((), ""))
    assert not any(table.caption.startswith("Prompt tokens") for table in plain.tables)


def test_what_was_not_reached_says_so() -> None:
    """Each section of a cell that never served."""
    bare = judged(memory=NOT_SEEN, answers=NOT_SEEN, throughput=NOT_SEEN, tokens=NOT_SEEN)
    bare = bare.model_copy(update={"invariants": NOT_SEEN})
    sections = (
        memory_section(bare, NOT_SEEN),
        answers_section(bare, lambda _: ((), "")),
        load_section(bare),
    )
    assert [section.missing for section in sections] == [NOT_SEEN.unmeasured] * 3
