from pathlib import Path

import pytest

from fixtures.records.baseline_files import write_baseline
from fixtures.runtimes.environments import CHECKOUT
from suites.selftest.histories import baseline_of, measured
from suites.selftest.plugin.conftest import RunPytest

pytestmark = pytest.mark.selftest

BASELINE = baseline_of(measured())
LOOKS = {
    "history/test_it.py": """
        import pytest
        pytestmark = pytest.mark.needs_baseline
        def test_it(case): pass
    """,
    "startup/test_it.py": "def test_it(case): pass",
}
RULES = ("tolerances.toml", "waivers.toml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The project's rules, and no baseline."""
    made = tmp_path / "baselines"
    made.mkdir()
    for name in RULES:
        (made / name).write_bytes((CHECKOUT / "ci" / "baselines" / name).read_bytes())
    return made


def test_cells_without_a_baseline_are_held_to_nothing_and_said_so(collect: RunPytest) -> None:
    """They are left out with how to get one, and not green by a check that checked nothing."""
    ended = collect("-m", "cpu", "suites/history", "suites/startup")
    assert not any("suites/history" in test for test in ended.ids)
    assert "history of 7 cpu cells: no baseline in" in ended.out
    assert "ci/suite baseline accept RUN" in ended.out


def test_a_cell_with_a_baseline_is_held_to_it(small_suites: RunPytest, folder: Path) -> None:
    """It alone, at the end of its life."""
    write_baseline(folder, BASELINE)
    ended = small_suites(LOOKS, "--collect-only", "-q", "-m", "cpu", f"--baselines={folder}")
    assert ended.code == 0, ended.err
    held = [test for test in ended.ids if "history" in test]
    assert held == [f"suites/history/test_it.py::test_it[{BASELINE.case_id}]"]


def test_a_baseline_of_no_cell_is_refused(small_suites: RunPytest, folder: Path) -> None:
    """A cell that was renamed must not take its baseline with it in silence."""
    renamed = BASELINE.model_copy(update={"case_id": "cpu-tiny-seqs=5"})
    write_baseline(folder, renamed)
    ended = small_suites(LOOKS, "-m", "cpu", f"--baselines={folder}")
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert "cpu-tiny-seqs=5 has a baseline and is not in the matrix" in ended.err


def test_an_expired_waiver_is_refused(small_suites: RunPytest, folder: Path) -> None:
    """With its line, before anything starts."""
    write_baseline(folder, BASELINE)
    (folder / "waivers.toml").write_text(
        '[[waiver]]\nmetric = "peak_bytes"\ncell = "*"\nreason = "known"\nuntil = 2026-01-01\n'
    )
    ended = small_suites(LOOKS, "-m", "cpu", f"--baselines={folder}")
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert "waivers.toml:1: the waiver of peak_bytes expired 2026-01-01" in ended.err
