import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.runtimes.environments import CHECKOUT

pytestmark = pytest.mark.selftest

RECORDED = Path(__file__).parent / "recorded"


def _report(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "fixtures.commands", "report", *args],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_word_writes_the_report_and_says_where(tmp_path: Path) -> None:
    """By the run's id below `--records`, into the folder that is named."""
    ended = _report("recorded", "--records", str(RECORDED.parent), "--out", str(tmp_path / "out"))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"{tmp_path / 'out' / 'index.html'}\n"
    assert (tmp_path / "out" / "plotly.min.js").exists()


def test_no_such_run_is_one_line_and_4(tmp_path: Path) -> None:
    """As of the other words."""
    ended = _report("20990101T000000Z-0000", "--records", str(tmp_path))
    assert (ended.returncode, ended.stdout) == (4, "")
    assert ended.stderr.startswith("ci/suite report: no run '20990101T000000Z-0000'")
    assert ended.stderr.count("\n") == 1
