from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from suites.selftest.plugin.conftest import FIRST, SECOND, RunPytest, run_folder

pytestmark = pytest.mark.selftest

TWO = """
from fixtures.records.schema import Unmeasured
from fixtures.verdicts.verdict import Verdict

def test_first(deployment, judge):
    judge(Verdict("start", "pass", "as it should"))

def test_last(deployment, judge):
    hostile = "\\x1b[2J ]]> <script> \\x00 \\ufffe &"
    judge(Verdict("answers", "unmeasured", hostile))
"""


def _properties(case: ET.Element) -> dict[str, str]:
    return {one.attrib["name"]: one.attrib["value"] for one in case.iterfind("properties/property")}


def test_the_figures_of_a_cell_stand_with_its_last_test(
    small_run: RunPytest, tmp_path: Path
) -> None:
    """Under stable names, what was not measured with its reason; whatever a model says is XML."""
    path = tmp_path / "junit.xml"
    ended = small_run({"startup/test_it.py": TWO}, f"--junitxml={path}")
    assert ended.code == pytest.ExitCode.TESTS_FAILED
    suite = ET.fromstring(path.read_text("utf-8")).find("testsuite")  # noqa: S314 - our own
    assert suite is not None
    (run_id,) = suite.iterfind("properties/property")
    assert run_id.attrib == {"name": "run_id", "value": run_folder(tmp_path).name}
    cases = {case.attrib["name"]: _properties(case) for case in suite.iterfind("testcase")}
    assert cases[f"test_first[{FIRST}]"] == {"cell": FIRST, "card": "cpu"}
    last = cases[f"test_last[{SECOND}]"]
    assert (last["cell"], last["card"], last["model"]) == (SECOND, "cpu", "tiny")
    assert (last["vllm_version"], last["outcome"]) == ("0.29.0", "unmeasured")
    assert last["budget_bytes"] == str(4 << 30)
    # It dies within moments: on a busy machine before anybody looked.
    assert int(last.get("peak_bytes", "1")) > 0
    assert ("peak_bytes" in last) != ("peak_bytes.unmeasured" in last)
    assert last["start_s.unmeasured"] == "the start ended in died"
    for name in ("kv_cache_tokens", "tokens_per_s", "ttft_p50_s", "answers_right", "answers_asked"):
        assert name not in last
        assert last[f"{name}.unmeasured"]


def test_what_is_no_cells_test_has_none(small_run: RunPytest, tmp_path: Path) -> None:
    """Neither it nor its suite has a property."""
    path = tmp_path / "junit.xml"
    code = "import pytest\n@pytest.mark.cpu\ndef test_it(): pass\n"
    small_run({"selftest/test_it.py": code}, f"--junitxml={path}")
    assert "<property" not in path.read_text("utf-8")
