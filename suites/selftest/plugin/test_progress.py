import contextlib
import os
import pty
import subprocess
from pathlib import Path

import pytest

from suites.selftest.plugin.conftest import RunPytest, environment, small_command, write

pytestmark = pytest.mark.selftest

SHOWS = """
import pytest
from fixtures.plugin.progress import Progress

@pytest.mark.selftest
def test_it(pytestconfig):
    with Progress(pytestconfig, "cpu-tiny-x") as progress:
        for second in range(3):
            progress.show("boot", second, second)
        progress.show("weights", 0.2, 3.4)
"""


def test_a_log_gets_a_line_a_phase(small_suites: RunPytest) -> None:
    """Away from a terminal each phase is told once, uncaptured, with seconds, and unstyled."""
    ended = small_suites({"selftest/test_it.py": SHOWS})
    assert ended.code == 0
    told = [line for line in ended.out.splitlines() if line.startswith("starting cpu-tiny-x: ")]
    assert [line.removeprefix("starting cpu-tiny-x: ").split(".")[0].strip() for line in told] == [
        "boot for 0 s, 0 s in all",
        "weights for 0 s, 3 s in all",
    ]
    assert "\x1b" not in ended.out


def test_a_quiet_run_tells_no_progress(small_suites: RunPytest) -> None:
    """With -q only the result is told."""
    ended = small_suites({"selftest/test_it.py": SHOWS}, "-q")
    assert ended.code == 0
    assert "starting" not in ended.out


EXPECTS = SHOWS.replace('"cpu-tiny-x")', '"cpu-tiny-x", 27.4)')


def test_a_start_is_told_with_what_earlier_ones_took(small_suites: RunPytest) -> None:
    """Where that is known."""
    ended = small_suites({"selftest/test_it.py": EXPECTS})
    assert "starting cpu-tiny-x: weights for 0 s, 3 of about 27 s" in ended.out


def test_a_terminal_has_one_live_line(tmp_path: Path) -> None:
    """It is drawn over, never wraps, and goes when the start is over; what stood there stays."""
    write(tmp_path, {"selftest/test_it.py": EXPECTS.replace("cpu-tiny-x", "cpu-tiny-" + "x" * 90)})
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        small_command(tmp_path),
        cwd=tmp_path,
        env={**environment(), "COLUMNS": "80", "TERM": "xterm"},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = _read_all(ours)
    assert run.wait() == 0
    drawn = [part for part in said.split("\r\x1b[2K") if part.startswith("starting")]
    assert [len(part) for part in drawn] == [79, 79]
    before, _, after = said.partition("\r\x1b[2Kstarting")
    assert before.endswith("test_it.py \r\n")
    assert "\n" not in after.rpartition("\r\x1b[2K")[0]


def _read_all(terminal: int) -> str:
    parts = []
    # A terminal whose other end is closed is an error on Linux, and no end of file.
    with contextlib.suppress(OSError):
        while part := os.read(terminal, 65536):
            parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode()
