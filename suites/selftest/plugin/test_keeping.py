import os
import signal
from pathlib import Path

import pytest

from fixtures.records.part import Unmeasured
from fixtures.records.run_schema import RunRecord
from suites.selftest.plugin.conftest import FIRST, SECOND, RunPytest, run_folder

pytestmark = pytest.mark.selftest

PASSES = """
from fixtures.verdicts.verdict import Verdict

def test_it(deployment, judge):
    judge(Verdict("start", "pass", "as it should"))
"""
SOAKS = """
import pytest

@pytest.mark.soak
def test_it(case):
    pass
"""
MIXED = """
import pytest
from fixtures.verdicts.verdict import Verdict

@pytest.fixture
def broken(case):
    raise OSError("no room")

def test_judged(deployment, judge):
    outcome = "fail" if "seqs=2" in deployment.case.id else "pass"
    judge(Verdict("start", outcome, "too late"))

def test_broken(broken):
    pass

@pytest.mark.cpu
def test_of_no_cell():
    assert 1 + 1 == 3

@pytest.mark.cpu
def test_skipped():
    pytest.skip("not today")
"""
READS = """
import json

def test_it(case, plan):
    print("\\nREAD", json.loads((plan.store.folder / "run.json").read_text())["own"])
"""
REMOVES = """
import shutil

def test_it(case, plan):
    shutil.rmtree(plan.store.folder)
"""
DIES = f"""
import os

def test_it(case, plan):
    os.kill(os.getpid(), {int(signal.SIGKILL)})
"""


def _kept(root: Path) -> RunRecord:
    return RunRecord.model_validate_json((run_folder(root) / "run.json").read_text("utf-8"))


def test_a_run_is_kept_with_what_it_was_to_do_and_how_it_ended(
    small_run: RunPytest, tmp_path: Path
) -> None:
    """Cells, arguments, variables, counts, the exit code, and what was left out with the reason."""
    files = {"startup/test_it.py": PASSES, "soak/test_it.py": SOAKS}
    ended = small_run(files, env={"MINICPMV_READY_TIMEOUT": "60"})
    assert ended.code == 0, ended.out
    run = _kept(tmp_path)
    assert [cell.case_id for cell in run.planned] == run.own == [FIRST, SECOND]
    assert {cell.card for cell in run.planned} == {"cpu"}
    assert (run.compared, run.failures, run.tests) == ([], [], {"passed": 2})
    assert run.exit_code == 0
    assert isinstance(run.ended_at, str)
    assert run.started_at <= run.ended_at
    assert run.run_id == run_folder(tmp_path).name
    assert ("-m", "cpu") in zip(run.args, run.args[1:], strict=False)
    assert run.variables == {"MINICPMV_READY_TIMEOUT": "60"}
    (left_out,) = run.left_out
    assert (left_out.what, left_out.why) == (
        "soak of cpu cells",
        'it runs with -m "cpu and soak"',
    )
    assert f"{left_out.what}: {left_out.why}" in ended.out.splitlines()


def test_every_failure_is_kept_with_its_reason(small_run: RunPytest, tmp_path: Path) -> None:
    """Of a cell or of none, of a test or of what it needed; each is counted as pytest does."""
    ended = small_run({"startup/test_it.py": MIXED})
    run = _kept(tmp_path)
    assert ended.code == run.exit_code == pytest.ExitCode.TESTS_FAILED
    assert run.tests == {"passed": 1, "failed": 2, "error": 2, "skipped": 1}
    told = {
        (one.test.rpartition("::")[2].partition("[")[0], one.case_id): one for one in run.failures
    }
    assert set(told) == {
        ("test_judged", SECOND),
        ("test_broken", FIRST),
        ("test_broken", SECOND),
        ("test_of_no_cell", ""),
    }
    assert told["test_broken", FIRST].when == "setup"
    assert "OSError: no room" in told["test_broken", FIRST].reason
    assert told["test_judged", SECOND].when == "call"
    assert f"{SECOND}: start: too late" in told["test_judged", SECOND].reason
    assert "assert (1 + 1) == 3" in told["test_of_no_cell", ""].reason


def test_the_plan_is_known_before_the_first_server(small_run: RunPytest) -> None:
    """Whoever finds the folder of a run that was killed knows what is missing in it."""
    ended = small_run({"startup/test_it.py": READS}, "-s")
    assert ended.out.count(f"READ ['{FIRST}', '{SECOND}']") == 2


def test_a_run_that_was_killed_goes_on_for_ever(small_run: RunPytest, tmp_path: Path) -> None:
    """It has no end and no exit code, and every cell that it was to look at."""
    assert small_run({"startup/test_it.py": DIES}).code == -signal.SIGKILL
    run = _kept(tmp_path)
    assert isinstance(run.ended_at, Unmeasured)
    assert isinstance(run.exit_code, Unmeasured)
    assert run.own == [FIRST, SECOND]
    assert run.tests == {}


def test_without_room_for_its_record_a_run_is_red(small_run: RunPytest, tmp_path: Path) -> None:
    """A green run that nobody can look at later is none."""
    ended = small_run({"startup/test_it.py": REMOVES}, "--cell", SECOND)
    assert "1 passed" in ended.out
    assert ended.code == pytest.ExitCode.TESTS_FAILED
    assert f"{os.sep}run.json: cannot be written" in ended.out
    assert not list(tmp_path.glob("records/*/run.json"))
