"""The page as people use it: in a browser, by pointer and by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from fixtures.plugin.browser import find_browser
from fixtures.records.runs import read_whole
from fixtures.records.schema import VerdictRecord
from fixtures.reports.html import write_report
from fixtures.reports.html.writing import plotly_js
from suites.selftest.reports.html.loaded import loaded_run
from suites.selftest.reports.html.pages import a_run, html_of, judged
from suites.selftest.reports.html.test_injection import EVIL

pytestmark = [pytest.mark.selftest, pytest.mark.browser]

RECORDED: Final = Path(__file__).parent / "recorded"
WIDE: Final = '[id="cell-cpu-wide-seqs=4-len=4096-alloc=glibc"]'
MISSING: Final = '[id="cell-cpu-tiny-seqs=4-len=2048-alloc=glibc"]'
SQUARE: Final = 'a.square[href="#cell-cpu-wide-seqs=4-len=4096-alloc=glibc"]'
DRAWN: Final = f"{WIDE} figure.memory .main-svg"
# The whole suite may run beside it.
expect.set_options(timeout=30_000)
# No window, no sandbox that root could not have, and nothing that asks the network by itself.
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# How WCAG 2 weighs the two colours of an element, of text and of what is behind it.
CONTRAST: Final = """element => {
  const light = (colour) => {
    const parts = colour.match(/[0-9.]+/g).map(Number).slice(0, 3).map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const style = getComputedStyle(element);
  const both = [light(style.color), light(style.backgroundColor)].sort((a, b) => b - a);
  return (both[0] + 0.05) / (both[1] + 0.05);
}"""


class Opened(NamedTuple):
    """A page, and all that it said and asked for."""

    page: Page
    said: list[str]
    asked: list[str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all of these tests, and for no longer: its event loop is everybody's."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the recorded run: one cell passed, of another nothing was kept."""
    return write_report(read_whole(str(RECORDED), RECORDED), tmp_path_factory.mktemp("report"))


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Opened]:
    """The report, opened from its file."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    yield _open(context.new_page(), report)
    context.close()


def _open(page: Page, report: Path) -> Opened:
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    expect(page.locator("html[data-ready]")).to_be_attached()
    return Opened(page, said, asked)


def test_it_opens_in_peace_and_asks_nobody(opened: Opened, report: Path) -> None:
    """No error, no warning; the page and plotly.min.js are the only files."""
    opened.page.locator(SQUARE).click()
    expect(opened.page.locator(DRAWN).first).to_be_visible()
    assert opened.said == []
    beside = {url for url in opened.asked if not url.startswith("data:")}
    assert beside == {report.as_uri(), report.with_name("plotly.min.js").as_uri()}


def test_a_click_on_a_square_opens_its_cell_and_draws_it(opened: Opened) -> None:
    """Not before: a closed cell has no drawing."""
    page = opened.page
    assert page.locator(f"{WIDE} .main-svg").count() == 0
    expect(page.locator(f"{WIDE}[open]")).to_have_count(0)
    page.locator(SQUARE).click()
    expect(page.locator(f"{WIDE}[open]")).to_have_count(1)
    expect(page.locator(DRAWN).first).to_be_visible()
    expect(page.locator(f"{WIDE} .annotation-text", has_text="peak 6,740")).to_be_visible()
    expect(page.locator(f"{WIDE} .annotation-text", has_text="encoder-profile")).to_be_visible()
    page.locator(f"{WIDE} > summary").click()
    page.locator(SQUARE).click()
    expect(page.locator(f"{WIDE}[open]")).to_have_count(1)


def test_every_kind_of_plot_is_drawn(browser: Browser, tmp_path: Path) -> None:
    """In both schemes, and again where the scheme changes."""
    report = tmp_path / "index.html"
    report.write_text(html_of(*loaded_run()), "utf-8")
    shutil.copy(plotly_js(), tmp_path)
    context = browser.new_context()
    opened = _open(context.new_page(), report)
    opened.page.locator("a.square").click()
    for kind in ("memory", "latency", "rates", "soak", "overlay"):
        figure = opened.page.locator(f"figure.{kind}")
        figure.scroll_into_view_if_needed()
        expect(figure.locator(".main-svg").first).to_be_visible()
        expect(figure.locator(".trace path, .trace .point").first).to_be_attached()
    opened.page.emulate_media(color_scheme="dark")
    expect(opened.page.locator("figure[data-drawn=failed]")).to_have_count(0)
    assert opened.said == []
    context.close()


def test_what_did_not_pass_is_open_from_the_beginning(opened: Opened) -> None:
    """Its reasons can be read at once."""
    expect(opened.page.locator(f"{MISSING}[open]")).to_have_count(1)
    expect(opened.page.locator(MISSING).get_by_text("the disk was full")).to_be_attached()


def test_filters_hide_cells_and_say_how_many(opened: Opened) -> None:
    """By text, and by outcome; the grid shows which are meant."""
    page = opened.page
    page.locator("#f-text").fill("wide")
    expect(page.locator(MISSING)).to_be_hidden()
    expect(page.locator(WIDE)).to_be_visible()
    expect(page.locator("#f-shown")).to_have_text("1 of 2 shown")
    expect(page.locator("a.square.off")).to_have_count(1)
    page.locator("#f-text").fill("")
    page.locator("#filters input[value=pass]").uncheck()
    expect(page.locator(WIDE)).to_be_hidden()
    expect(page.locator(MISSING)).to_be_visible()


def test_a_square_leads_to_a_cell_that_was_hidden(opened: Opened) -> None:
    """What is asked for is shown, whatever the filters say."""
    opened.page.locator("#f-text").fill("nothing is like this")
    opened.page.locator(SQUARE).click()
    expect(opened.page.locator(WIDE)).to_be_visible()


def test_the_keyboard_does_it_all(opened: Opened) -> None:
    """Tab to a square, Enter opens its cell and goes there, Enter again closes it."""
    page = opened.page
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('a.square.pass')"):
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.locator(f"{WIDE}[open]")).to_have_count(1)
    expect(page.locator(f"{WIDE} > summary")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(f"{WIDE}[open]")).to_have_count(0)
    page.locator("#filters input[value=pass]").focus()
    page.keyboard.press("Space")
    expect(page.locator(WIDE)).to_be_hidden()


@pytest.mark.parametrize("width", [400, 900, 1600])
def test_the_page_is_as_wide_as_the_window(browser: Browser, report: Path, width: int) -> None:
    """With everything open, wide tables scroll within themselves."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = _open(context.new_page(), report).page
    page.locator("#open-all").click()
    page.locator(f"{WIDE} figure.memory").scroll_into_view_if_needed()
    expect(page.locator(DRAWN).first).to_be_visible()
    for more in page.locator("details.more > summary").all():
        more.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_can_be_read_on_every_colour(browser: Browser, report: Path, scheme: str) -> None:
    """4.5 to 1 at least, as WCAG 2 asks for text (AA)."""
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    page = _open(context.new_page(), report).page
    swatches = page.locator(".swatch").all()
    assert len(swatches) == 8
    assert all(swatch.evaluate(CONTRAST) >= 4.5 for swatch in swatches[:-1])
    context.close()


def test_print_has_what_failed_and_no_controls(opened: Opened) -> None:
    """Paper has nothing to be clicked."""
    opened.page.emulate_media(media="print")
    expect(opened.page.locator("#filters")).to_be_hidden()
    expect(opened.page.locator(MISSING).get_by_text("Tests that failed")).to_be_visible()


def test_without_plotly_the_page_says_so(browser: Browser, report: Path, tmp_path: Path) -> None:
    """Whoever sends the page alone still has its figures."""
    alone = tmp_path / "index.html"
    alone.write_bytes(report.read_bytes())
    context = browser.new_context()
    page = _open(context.new_page(), alone).page
    page.locator(SQUARE).click()
    expect(page.locator(f"{WIDE} .drawing")).to_contain_text("plotly.min.js is not beside")
    expect(page.locator(f"{WIDE} .memory").get_by_text("6,740").first).to_be_attached()
    context.close()


def test_what_others_say_does_nothing(browser: Browser, tmp_path: Path) -> None:
    """No script of a model's runs, not even where markup were not escaped."""
    verdicts = [VerdictRecord(about=evil, outcome="fail", reason=evil) for evil in EVIL]
    cases = [judged(f"cpu-{i}-{evil}", *verdicts) for i, evil in enumerate(EVIL)]
    report = write_report(a_run(*cases), tmp_path)
    context = browser.new_context()
    context.add_init_script("window.alert = () => { document.title = 'alerted'; }")
    page = context.new_page()
    opened = _open(page, report)
    assert opened.said == []
    assert "alerted" not in page.title()
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')")
    page.wait_for_timeout(100)
    assert "alerted" not in page.title()
    assert any("Content Security Policy" in said for said in opened.said)
    context.close()
