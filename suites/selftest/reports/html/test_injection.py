"""Whatever a model, a log or a file's name says is text on the page, and nothing else."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.records.schema import (
    AnswersRecord,
    CaseRecord,
    DiagnosisRecord,
    SkillRecord,
    VerdictRecord,
    WrongAnswer,
)
from fixtures.reports.html.shown import embedded, visible
from suites.selftest.reports.html.pages import Parts, a_failure, a_run, html_of, judged
from suites.selftest.specimens import DIED, NOT_SEEN

pytestmark = pytest.mark.selftest

EVIL = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</details></main><style>*{display:none}</style>",
    "{{ 7 * 7 }}{% raw %}",
    "\x1b[31mred\x1b[0m\x00\x07",
    "left\u202ethgir\u2028line",
    "half a pair \ud800",
)


def _answered(given: str) -> CaseRecord:
    wrong = WrongAnswer(
        skill=given,
        layout="single",
        seed=1,
        id=f"own/{given}",
        question=given,
        expected=given,
        given=given,
        reason=given,
    )
    diagnosis = DiagnosisRecord(
        cause=given,
        phase=given,
        detail=given,
        remedy=given,
        evidence=[given],
        last_lines=[given],
        log=given,
        peak_bytes=NOT_SEEN,
        after_s=1.0,
    )
    return judged(
        f"cpu-{given}",
        VerdictRecord(about=given, outcome="fail", reason=given),
        model=given,
        card_enforced=given,
        answers=AnswersRecord(
            concurrency=1,
            skills={given: SkillRecord(asked=1, correct=0, failed=0, low=0.0, high=0.97)},
            wrong=[wrong],
        ),
        start=DIED.model_copy(update={"diagnosis": diagnosis, "facts": {f"{given}.at_s": given}}),
    )


@pytest.mark.parametrize("evil", EVIL)
def test_what_others_say_adds_no_element(evil: str) -> None:
    """The page has the very elements and attributes of a page about harmless words."""

    def shape(word: str) -> tuple[list[tuple[str, list[str]]], int]:
        failures = [a_failure(reason=word), a_failure(f"cpu-{word}", word)]
        left = [{"what": word, "why": word}]
        hosts = [{"name": word, "cells": [word], "control": word, "unlike": [word, word]}]
        run = a_run(_answered(word), failures=failures, left_out=left, hosts=hosts, args=[word])
        parts = Parts(html_of(run))
        assert parts.left_open == []
        return [(tag, sorted(attrs)) for tag, attrs in parts.elements], len(parts.scripts)

    assert shape(evil) == shape("harmless")


@pytest.mark.parametrize("evil", EVIL)
def test_what_others_say_can_be_read(evil: str) -> None:
    """Markup is shown as it was said, and what cannot be seen is written out."""
    text = html_of(a_run(_answered(evil)))
    assert visible(evil) in Parts(text).read
    assert text.encode("utf-8")
    assert not {"\x00", "\x07", "\x1b", "\u202e"} & set(text)


def test_what_is_not_seen_is_written_out() -> None:
    """Controls, marks of direction and halves of pairs; tabs, line ends and letters stay."""
    assert visible("\x1b[0m") == "\\x1b[0m"
    assert visible("a\u202eb\ud800") == "a\\u202eb\\ud800"
    assert visible("a\tb\nc ä 图 👍🏽") == "a\tb\nc ä 图 👍🏽"


@given(st.text(), st.sampled_from(["<", ">", "&", "\u2028", "\u2029", "</script>", "<!--"]))
def test_embedded_data_are_the_same_data(text: str, evil: str) -> None:
    """What is put into a script element is read back as it was, and cannot end the element."""
    said = {"said": [text + evil + text]}
    written = str(embedded(said))
    assert json.loads(written) == said
    assert not set("<>&\u2028\u2029") & set(written)


def test_a_figure_that_is_none_is_refused() -> None:
    """NaN is no JSON, and no browser would read it."""
    with pytest.raises(ValueError, match="JSON"):
        embedded([float("nan")])


def test_no_template_calls_text_safe() -> None:
    """Only the functions of `shown` and the project's own script and style are markup."""
    folder = Path(__file__).parents[4] / "fixtures" / "reports" / "html" / "templates"
    texts = [path.read_text("utf-8") for path in folder.glob("*.jinja")]
    assert len(texts) > 5
    assert not any("safe" in text.replace("unsafe", "") for text in texts)
