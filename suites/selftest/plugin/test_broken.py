from pathlib import Path

import pytest

from fixtures.records.schema import CaseRecord
from suites.selftest.plugin.conftest import FIRST, SECOND, RunPytest, run_folder

pytestmark = pytest.mark.selftest

BREAKS = """
import pytest
from fixtures.verdicts.verdict import Verdict

def test_judged(deployment, judge):
    judge(Verdict("start", "fail" if "seqs=2" in deployment.case.id else "pass", "as it is"))

def test_breaks(deployment):
    if "seqs=1" in deployment.case.id:
        raise RuntimeError("a loop runs already")

def test_fails_by_itself(deployment):
    if "seqs=1" in deployment.case.id:
        pytest.fail("Timeout (>1200.0s) from pytest-timeout.")

def test_needs_a_server(serving):
    pass
"""


def test_a_cell_whose_test_broke_does_not_pass(small_run: RunPytest, tmp_path: Path) -> None:
    """Its record says which, and why; what a verdict or a diagnosis says is not said twice."""
    ended = small_run({"startup/test_it.py": BREAKS})
    assert ended.code == pytest.ExitCode.TESTS_FAILED
    folder = run_folder(tmp_path)
    told = {}
    for case_id in (FIRST, SECOND):
        text = (folder / f"{case_id}.json").read_text("utf-8")
        verdicts = CaseRecord.model_validate_json(text).verdicts
        told[case_id] = [(one.about, one.outcome, one.reason) for one in verdicts]
    broke, timed_out = (
        "RuntimeError: a loop runs already",
        "Failed: Timeout (>1200.0s) from pytest-timeout.",
    )
    assert told[FIRST] == [
        ("start", "pass", "as it is"),
        ("test_breaks", "unmeasured", f"the test broke: {broke}"),
        ("test_fails_by_itself", "unmeasured", f"the test broke: {timed_out}"),
    ]
    assert told[SECOND] == [("start", "fail", "as it is")]
    summary = (folder / "summary.md").read_text("utf-8")
    assert summary.count(broke) == 1
    # When its last test is over, before the reasons are told at the end.
    line = next(line for line in ended.out.splitlines() if line.startswith(f"{FIRST}: "))
    assert line.startswith(f"{FIRST}: unmeasured, ")
