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


def test_the_word_writes_the_reports_and_says_where(tmp_path: Path) -> None:
    """By the run's id below `--records`, into the folder that is named."""
    ended = _report("recorded", "--records", str(RECORDED.parent), "--out", str(tmp_path / "out"))
    assert (ended.returncode, ended.stderr) == (0, "")
    told = [tmp_path / "out" / name for name in ("report/index.html", "summary.md", "metrics.prom")]
    assert ended.stdout.splitlines() == [str(path) for path in told]
    assert all(path.stat().st_size for path in told)
    assert (tmp_path / "out" / "report" / "plotly.min.js").exists()


def test_a_folder_that_cannot_be_made_is_one_line_and_4(tmp_path: Path) -> None:
    """It is named, and the remedy."""
    (tmp_path / "file").touch()
    ended = _report(str(RECORDED), "--out", str(tmp_path / "file" / "out"))
    assert (ended.returncode, ended.stdout) == (4, "")
    assert "cannot be made (Not a directory): name another with --out" in ended.stderr


def test_no_such_run_is_one_line_and_4(tmp_path: Path) -> None:
    """As of the other words."""
    ended = _report("20990101T000000Z-0000", "--records", str(tmp_path))
    assert (ended.returncode, ended.stdout) == (4, "")
    assert ended.stderr.startswith("ci/suite report: no run '20990101T000000Z-0000'")
    assert ended.stderr.count("\n") == 1
