from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from suites.selftest.plugin.conftest import FIRST, SECOND, RunPytest, run_folder
from suites.selftest.plugin.test_keeping import PASSES

pytestmark = pytest.mark.selftest

BLOCKS = """
import pytest

@pytest.fixture(scope="session", autouse=True)
def blocked(plan):
    (plan.store.folder / "summary.md").mkdir()
"""


def _values(path: Path) -> dict[str, float]:
    """The metrics of the run itself, and of cells by `NAME CELL`."""
    families = text_string_to_metric_families(path.read_text("utf-8"))
    return {
        " ".join([sample.name, *filter(None, [sample.labels.get("cell")])]): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_run_leaves_its_reports_beside_its_records(small_run: RunPytest, tmp_path: Path) -> None:
    """Written after the run's record, so that they know its end, and named on the terminal."""
    ended = small_run({"startup/test_it.py": PASSES})
    folder = run_folder(tmp_path)
    for name in ("summary.md", "metrics.prom"):
        assert str(folder / name) in ended.out.splitlines()
    summary = (folder / "summary.md").read_text("utf-8")
    assert summary.startswith("## MiniCPM-V on vLLM: pass\n\ncells: 2 pass; tests: 2 passed\n")
    assert "exit code 0" in summary
    values = _values(folder / "metrics.prom")
    assert values["minicpmv_run_exit_code"] == 0
    assert (values["minicpmv_run_planned_cells"], values["minicpmv_run_missing_cells"]) == (2, 0)
    assert values[f"minicpmv_cell_budget_bytes {FIRST}"] == 4 << 30
    assert f"minicpmv_cell_start_seconds {SECOND}" not in values
    assert not list(folder.glob(".*"))


def test_a_report_that_cannot_be_written_hides_no_other(
    small_run: RunPytest, tmp_path: Path
) -> None:
    """It is one line, the next one is there, and the exit code is what the tests came to."""
    ended = small_run({"startup/test_it.py": PASSES + BLOCKS})
    assert ended.code == 0
    (line,) = [line for line in ended.out.splitlines() if "not written" in line]
    assert line.startswith("summary: not written: IsADirectoryError: ")
    folder = run_folder(tmp_path)
    assert (folder / "metrics.prom").exists()
    assert str(folder / "summary.md") not in ended.out.splitlines()


def test_a_run_that_starts_nothing_leaves_nothing(small_run: RunPytest, tmp_path: Path) -> None:
    """Without a cell there is no folder, and no report of it."""
    code = "import pytest\n@pytest.mark.cpu\ndef test_it(): pass\n"
    ended = small_run({"selftest/test_it.py": code})
    assert ended.code == 0
    assert not (tmp_path / "records").exists()
    assert "reports" not in ended.out
