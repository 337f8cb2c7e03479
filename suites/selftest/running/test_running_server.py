"""A server that runs already is asked through `--runtime url:`, and never passes for measured."""

import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.deployments.deployment import Deployment
from fixtures.questions.pairs import INVARIANTS
from fixtures.records.schema import AnswersRecord, CaseRecord, Unmeasured
from suites.selftest.plugin.conftest import environment

CELL = "cpu-tiny-seqs=16-len=4096-alloc=arena1"
pytestmark = [pytest.mark.selftest, pytest.mark.only_case(CELL)]


def _run(
    serving: Deployment, root: Path, records: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            *("-m", "pytest", "-c", "pyproject.toml", "-p", "fixtures.plugin"),
            *("-p", "no:cacheprovider", "-m", "cpu", f"--records={records}", "--questions=27"),
            f"--runtime=url:{serving.endpoint.base_url}",
            *arguments,
        ],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_running_server_is_questioned(
    serving: Deployment, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    """Its answers are judged as any server's; its start and memory are unmeasured, and red."""
    ended = _run(
        serving,
        pytestconfig.rootpath,
        tmp_path,
        f"--cell={CELL}",
        *("suites/startup", "suites/memory", "suites/answers"),
    )
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout
    (path,) = tmp_path.glob("*/*-*.json")
    record = CaseRecord.model_validate_json(path.read_text())
    assert isinstance(record.answers, AnswersRecord)
    assert {v.about: v.outcome for v in record.verdicts} == {
        "start": "unmeasured",
        "peak memory": "unmeasured",
        "answers": "pass",
        "answers by symptom": "pass",
        "prompt tokens": "pass",
    } | {f"invariant: {name}": "pass" for name in INVARIANTS}
    assert isinstance(record.provenance.argv, Unmeasured)
    assert record.provenance.vllm_version == serving.runtime.build.vllm


def test_a_running_server_is_one_cell(
    serving: Deployment, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    """Nothing is asked of it before it is said which cell it is, and the length must agree."""
    several = _run(serving, pytestconfig.rootpath, tmp_path, "suites/answers")
    assert several.returncode == pytest.ExitCode.USAGE_ERROR
    assert "say which cell it is with --cell" in several.stderr
    other = "--cell=cpu-tiny-seqs=16-len=2048-alloc=arena1"
    unlike = _run(serving, pytestconfig.rootpath, tmp_path, other, "suites/answers")
    assert unlike.returncode == pytest.ExitCode.USAGE_ERROR
    assert "max_model_len 4096" in unlike.stderr
