from pathlib import Path

import pytest

from suites.selftest.plugin.conftest import SECOND, Ended, RunPytest
from suites.selftest.plugin.test_keeping import MIXED, PASSES, SOAKS

pytestmark = pytest.mark.selftest

FAILS = "import pytest\n\n\n@pytest.mark.cpu\ndef test_it():\n    assert 1 + 1 == 3\n"


def _commands(ended: Ended) -> list[str]:
    return [line for line in ended.out.splitlines() if line.startswith("::")]


def test_github_is_told_of_every_failure_where_it_stands(
    small_run: RunPytest, tmp_path: Path
) -> None:
    """Of a test with its line, of a cell with that of the matrix, from the repository's root."""
    env = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path.parent)}
    ended = small_run({"startup/test_it.py": MIXED, "soak/test_it.py": SOAKS}, env=env)
    errors = [line for line in _commands(ended) if line.startswith("::error ")]
    root = tmp_path.name
    line = 1 + MIXED.splitlines().index("def test_of_no_cell():")
    assert f"title=test_of_no_cell%3A broken,file={root}/suites/startup/test_it.py," in errors[0]
    # pytest counts a test's line from its first decorator.
    assert f",line={line - 1}::assert (1 + 1) == 3" in errors[0]
    assert errors[1].startswith(f"::error title={SECOND}%3A start%3A fail,file={root}/matrix.toml,")
    assert errors[1].endswith(",line=7::too late")
    assert [error.partition("::OSError")[2] for error in errors[2:]] == [": no room"] * 2
    notice = '::notice title=left out%3A soak of cpu cells::it runs with -m "cpu and soak"'
    assert _commands(ended)[-1] == notice


def test_nobody_else_is_told(small_run: RunPytest) -> None:
    """Elsewhere than on GitHub no line begins like a command."""
    assert _commands(small_run({"startup/test_it.py": MIXED})) == []


def test_the_summary_is_appended_to_the_step(small_run: RunPytest, tmp_path: Path) -> None:
    """What other commands of the step wrote stays."""
    summary = tmp_path / "step.md"
    summary.write_text("# before\n")
    ended = small_run({"startup/test_it.py": PASSES}, env={"GITHUB_STEP_SUMMARY": str(summary)})
    assert ended.code == 0
    assert summary.read_text("utf-8").startswith("# before\n## MiniCPM-V on vLLM: pass\n")


@pytest.mark.parametrize("where", ["/dev/full", "/nowhere/step.md"])
def test_a_summary_that_cannot_be_written_fails_no_run(small_suites: RunPytest, where: str) -> None:
    """One line says so, also where no cell was looked at."""
    ended = small_suites(
        {"selftest/test_it.py": FAILS.replace("3", "2")},
        "-m",
        "cpu",
        env={"GITHUB_STEP_SUMMARY": where},
    )
    assert ended.code == 0
    assert ended.err.count("\n") == 1
    assert ended.err.startswith("step_summary: not written: ")


def test_a_failed_selftest_is_told_too(small_suites: RunPytest, tmp_path: Path) -> None:
    """A run without any cell has no folder, and its failures are annotations all the same."""
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "step.md")}
    ended = small_suites({"selftest/test_it.py": FAILS}, "-m", "cpu", env=env)
    assert _commands(ended)[0].startswith("::error title=test_it%3A broken,file=suites/selftest/")
    summary = (tmp_path / "step.md").read_text("utf-8")
    assert summary.startswith("## MiniCPM-V on vLLM: fail\n\ntests: 1 failed\n")


def test_a_run_that_a_test_started_tells_nothing(small_run: RunPytest, tmp_path: Path) -> None:
    """It inherits the variables of the run that it is a part of, and speaks to nobody."""
    env = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "step.md"),
        "PYTEST_CURRENT_TEST": "suites/selftest/test_it.py::test_it (call)",
    }
    assert _commands(small_run({"startup/test_it.py": MIXED}, env=env)) == []
    assert not (tmp_path / "step.md").exists()


def test_collecting_alone_tells_nothing(small_run: RunPytest, tmp_path: Path) -> None:
    """There is no run of which something could be said."""
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "step.md")}
    assert _commands(small_run({"startup/test_it.py": PASSES}, "--collect-only", env=env)) == []
    assert not (tmp_path / "step.md").exists()
