import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.records.schema import CaseRecord, VerdictRecord
from fixtures.reports.table import render_table
from fixtures.verdicts.verdict import Outcome
from suites.selftest.specimens import (
    NOT_SEEN,
    OUT_OF_MEMORY,
    a_record,
    a_round,
    a_throughput,
)

pytestmark = pytest.mark.selftest

UNMEASURED = dict.fromkeys(("start", "memory", "answers", "throughput", "stop"), NOT_SEEN)


def _judged(outcome: Outcome, reason: str = "because") -> CaseRecord:
    verdict = VerdictRecord(about="peak memory", outcome=outcome, reason=reason)
    return a_record().model_copy(update={"verdicts": [verdict]})


def _row(record: CaseRecord, width: int = 120) -> list[str]:
    """The cells of the record's row."""
    text = render_table([record], width, color=False)
    line = next(line for line in text.splitlines() if line.startswith(record.case_id))
    return re.split(r" {2,}", line.strip())


def test_a_row_shows_what_was_measured() -> None:
    """A row has the start, peak and budget, answers with those under load, and tokens/s."""
    assert _row(_judged("pass")) == [
        "cpu-tiny-seqs=4-len=2048-alloc=glibc",
        "21 s",
        "3,072 / 4,096",
        "60/60",
        "86.7 ±28.7",
        "pass",
    ]


def test_what_was_not_measured_is_no_number() -> None:
    """Unmeasured sections show a dash: a 0 would read like a figure."""
    record = a_record().model_copy(update=UNMEASURED)
    assert _row(record) == [record.case_id, "-", "- / 4,096", "-", "-", "not judged"]


def test_a_rate_missing_in_one_round_is_no_number() -> None:
    """Tokens per second are shown only where every round counted them."""
    throughput = a_throughput(a_round(), a_round(tokens_per_s=NOT_SEEN), a_round())
    record = a_record().model_copy(update={"throughput": throughput})
    assert _row(record)[-2] == "-"


def test_a_rate_without_an_interval_is_told_alone() -> None:
    """Two rounds tell no interval: none is shown, and not one of no width."""
    throughput = a_throughput(a_round(tokens_per_s=80.0), a_round(tokens_per_s=100.0))
    assert _row(a_record().model_copy(update={"throughput": throughput}))[-2] == "90.0"


def test_a_failed_start_shows_how() -> None:
    """A start that did not get ready is told by its outcome and time."""
    record = a_record().model_copy(update={"start": OUT_OF_MEMORY})
    assert _row(record)[1] == "out-of-memory 31 s"


@pytest.mark.parametrize("outcome", ["fail", "better", "inconclusive", "unmeasured"])
def test_what_did_not_pass_has_its_reason_below(outcome: Outcome) -> None:
    """Every verdict that is no pass is a line with cell, subject, outcome and reason."""
    record = _judged(outcome, "596 MiB over [in weights]")
    assert _row(record)[-1] == outcome
    text = render_table([record], 100, color=False)
    line = f"{record.case_id}: peak memory: {outcome}: 596 MiB over [in weights]"
    assert line in text.splitlines()


def test_what_passed_has_no_line_below() -> None:
    """Reasons of passed verdicts do not bury the others."""
    assert "because" not in render_table([_judged("pass")], 100, color=False)


def test_a_case_without_verdict_is_not_judged() -> None:
    """A case that nobody judged does not look like one that passed."""
    assert _row(a_record())[-1] == "not judged"


def test_an_emulated_card_is_told_with_every_cell_and_once_below() -> None:
    """Each row says so; on which GPU and how is one line for all that have it alike."""
    on_h100 = "on NVIDIA H100 80GB HBM3 (81,559 MiB): 35,491 MiB held by a ballast"
    emulated = a_record().model_copy(update={"card": "gpu48", "card_emulated": on_h100})
    text = render_table([emulated, emulated, a_record()], 120, color=False)
    cells, _ = text.split("peak by phase", 1)
    rows = [line for line in cells.splitlines() if line.startswith(emulated.case_id)]
    assert [f"{emulated.case_id} (emulated)  " in row for row in rows] == [True, True, False]
    assert text.splitlines().count(f"gpu48: emulated {on_h100}") == 1
    assert "emulated" not in render_table([a_record()], 120, color=False)


@given(st.integers(0, 300), st.text("abc", max_size=200))
def test_a_narrow_terminal_cuts_no_reason(width: int, reason: str) -> None:
    """Whatever the width, cell and reason stay on one whole line, to be searched for."""
    record = _judged("fail", reason)
    text = render_table([record], width, color=False)
    assert f"{record.case_id}: peak memory: fail: {reason}".rstrip() in [
        line.rstrip() for line in text.splitlines()
    ]
    assert _row(record, width)[-1] == "fail"


def test_colour_is_used_only_when_asked_for() -> None:
    """A log file gets no escape sequences, a terminal does."""
    assert "\x1b[" not in render_table([_judged("fail")], 100, color=False)
    assert "\x1b[" in render_table([_judged("fail")], 100, color=True)


def test_a_reason_is_shown_and_obeyed_by_nobody() -> None:
    """A model's words clear no screen, and begin no line as a command of GitHub's."""
    text = render_table(
        [_judged("fail", "said \x1b[2J\n  ::add-mask::a ##[error]b")], 100, color=False
    )
    assert r"peak memory: fail: said \x1b[2J" in text
    assert "|   ::add-mask::a ##\\x5berror]b" in text.splitlines()
    assert "\x1b" not in text
