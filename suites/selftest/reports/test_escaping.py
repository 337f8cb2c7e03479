import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from fixtures.reports.escaping import (
    annotation,
    annotation_property,
    markdown,
    markdown_block,
    one_line,
    terminal,
)

pytestmark = pytest.mark.selftest

# Every string, and strings of what has a meaning somewhere.
SHARP = st.text(alphabet="|`<>&@#:[]()!\\*_~$\n\r\t\x00\x1b\x85\u2028\u200b\u202e\ufeff a1%,")
WORDS = (
    "<script>alert(1)</script>",
    "</code></details><img src=x onerror=1>",
    "![x](http://e) [x](http://e) http://e www.e.org a@e.org @team #1",
    "a|b \\| \\",
    "`` ` ```",
    "`",
    " ",
    "",
    "\x1b[2J\x1b]0;t\x07",
    "::error::x",
    "]]>",
    "x\r::add-mask::y",
    "\u202egnp.exe",
    "a\n\n# b\n- c\n",
)
ANY = st.text() | SHARP | st.sampled_from(WORDS)
MARKUP = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def _flat(text: str) -> list[Token]:
    """Every token of a rendered text, those within lines too."""
    return [found for token in MARKUP.parse(text) for found in (token, *(token.children or ()))]


@given(ANY)
def test_markdown_is_one_piece_of_code_in_prose(text: str) -> None:
    """Nothing of it is a tag, a link, a picture, a heading or a list, and all of it is there."""
    tokens = _flat(f"before {markdown(text)} after")
    kinds = [token.type for token in tokens]
    assert kinds == [
        *("paragraph_open", "inline", "text", "code_inline", "text", "paragraph_close"),
    ]
    shown = one_line(text).replace("|", r"\x7c").strip() or "(empty)"
    assert tokens[3].content == shown


@given(ANY, ANY)
def test_markdown_ends_no_cell_of_a_table(left: str, right: str) -> None:
    """A row of two cells has two, whatever is in them, and is one row."""
    tokens = _flat(f"| a | b |\n|---|---|\n| {markdown(left)} | {markdown(right)} |")
    kinds = [token.type for token in tokens]
    assert (kinds.count("tr_open"), kinds.count("td_open")) == (2, 2)
    assert kinds.count("code_inline") == 2
    assert {"html_inline", "link_open", "image"}.isdisjoint(kinds)


@given(ANY)
def test_a_block_is_one_piece_of_code(text: str) -> None:
    """What follows it is prose again, however many backticks are in it."""
    kinds = [token.type for token in _flat(f"{markdown_block(text)}\n\nafter")]
    assert kinds == ["fence", "paragraph_open", "inline", "text", "paragraph_close"]


def _runner_sees(line: str) -> bool:
    """Whether GitHub's runner may find a command: it trims, and skips what has no width."""
    drawn = "".join(c for c in line if unicodedata.category(c) not in ("Cf", "Mn", "Cc"))
    return drawn.lstrip().startswith("::") or "##[" in drawn


@given(ANY)
@example("##\u034f[error]x")
@example(":\u034f:error::x")
@example("\u115f\u3000::error::x")
@example("a\n\x0b::error::x")
def test_a_terminal_obeys_nothing(text: str) -> None:
    """No control character but line breaks and tabs, no line that is a command; twice is once."""
    shown = terminal(text)
    hidden = [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert set(hidden) <= {"\n", "\t"}
    assert not any(_runner_sees(line) for line in re.split(r"[\n\r]", shown))
    assert terminal(shown) == shown
    shown.encode()


@given(st.text("abc:# []äöü中\t\n"))
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    """But for lines that are commands nothing changes."""
    if not any(
        re.match(r"[^!-~]*:[^!-~]*:", line) or re.search(r"#[^ -~]*#[^ -~]*\[", line)
        for line in text.split("\n")
    ):
        assert terminal(text) == text


def _undone(text: str) -> str:
    """As the runner reads a message: the percent sign last."""
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


@given(ANY)
def test_a_message_comes_through_a_workflow_command(text: str) -> None:
    """On one line, and read back it is the visible text."""
    told = annotation(text)
    assert len(told.splitlines()) <= 1
    assert _undone(told).split("\n") == ([one_line(line) for line in text.splitlines()] or [""])


@given(ANY)
def test_a_property_ends_where_it_should(text: str) -> None:
    """Colons and commas separate properties: none of them is in a value."""
    told = annotation_property(text)
    assert not {":", ","} & set(told)
    assert told.replace("%3A", ":").replace("%2C", ",") == annotation(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\tb\r\nc", "a\tb\\x0d\nc"),
        ("   ::error::x", "|    ::error::x"),
        ("x ##[add-mask]y", r"x ##\x5badd-mask]y"),
        ("x ::error::y", "x ::error::y"),
        ("\u202e\u2028\U000e0041", r"\u202e\u2028\U000e0041"),
        ("\ud800", r"\ud800"),
        ("größer 中", "größer 中"),
    ],
)
def test_what_is_hidden_is_named(text: str, shown: str) -> None:
    """By its number, so that one sees what was said."""
    assert terminal(text) == shown
