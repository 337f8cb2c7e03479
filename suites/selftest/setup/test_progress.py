import io

import pytest

from fixtures.runtimes.setup.progress import PLAIN_EVERY_S, Progress

pytestmark = pytest.mark.selftest


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        """Claim it."""
        return True


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Tell the time, in seconds."""
        return self.now_s


def test_a_log_gets_plain_lines_now_and_then() -> None:
    """Where nobody watches, steps are lines, far apart, without control characters."""
    log, clock = io.StringIO(), Clock()
    progress = Progress(log, clock)
    for number in range(25):
        clock.now_s = number * PLAIN_EVERY_S / 10
        progress.step(f"package {number}")
    assert log.getvalue() == "ci/suite:   package 10\nci/suite:   package 20\n"


def test_a_terminal_shows_steps_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal each step replaces the last, and a line that stays replaces a step."""
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    progress = Progress(terminal)
    progress.step("package 1")
    progress.say("made")
    assert terminal.getvalue() == "\r\x1b[Kci/suite:   package 1\r\x1b[Kci/suite: made\n"


def test_a_dumb_terminal_is_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that cannot erase gets no control characters."""
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    progress = Progress(terminal)
    progress.step("package 1")
    progress.say("made")
    assert terminal.getvalue() == "ci/suite: made\n"
