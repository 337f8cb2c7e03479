"""`--model` is recognised before anything starts, and its cells are that model's."""

import pytest

from fixtures.cells.models import CHECKPOINTS
from suites.selftest.plugin.conftest import RunPytest

pytestmark = pytest.mark.selftest

LOOKS = {"startup/test_it.py": "def test_it(case): raise AssertionError\n"}
CELL = "gpu48-minicpmv-2.6-seqs=32-len=4096-alloc=default"
UNKNOWN = "no version of MiniCPM-V that is known here"


@pytest.mark.parametrize(
    ("model", "version", "unsupported"),
    [
        ("openbmb/MiniCPM-V-4_5", "0.10.1", "minicpmv-4.5 is served from 0.10.2 on"),
        ("openbmb/MiniCPM-V-4_5", "0.10.2", None),
        (str(CHECKPOINTS / "minicpmv-2.6-tiny"), "0.10.1", None),
    ],
)
def test_a_model_is_served_from_its_own_first_version_on(
    small_suites: RunPytest, model: str, version: str, unsupported: str | None
) -> None:
    """An older vLLM cannot express the cell, whose id stays the matrix's."""
    ended = small_suites(
        LOOKS,
        *("-m", "gpu48", f"--cell={CELL}", f"--runtime=pypi:vllm=={version}"),
        *(f"--model={model}", "--print-command=shell"),
    )
    assert ended.code == 0, ended.err
    assert f"# {CELL}" in ended.out
    assert UNKNOWN not in ended.out
    said = [line for line in ended.out.splitlines() if line.startswith("# unsupported")]
    assert said == ([f"# unsupported by vLLM {version}: {unsupported}"] if unsupported else [])


@pytest.mark.parametrize(
    ("model", "trusted", "known"),
    [
        ("openbmb/MiniCPM-V-4", True, True),
        ("openbmb/MiniCPM-V-4.6", False, True),
        ("somebody/else", True, False),
    ],
)
def test_a_model_is_trusted_with_code_where_it_has_some(
    small_suites: RunPytest, model: str, *, trusted: bool, known: bool
) -> None:
    """One that is not known is served, asked and judged as the cells' own, and that is said."""
    ended = small_suites(
        LOOKS,
        *("-m", "gpu48", f"--cell={CELL}", "--runtime=pypi:vllm==0.33.0"),
        *(f"--model={model}", "--print-command=shell"),
    )
    assert ended.code == 0, ended.err
    assert ("--trust-remote-code" in ended.out) == trusted
    assert (UNKNOWN not in ended.out) == known


def test_a_model_of_random_weights_is_not_asked_and_that_is_said(small_suites: RunPytest) -> None:
    """MiniCPM-V 2.6's sizes need no weights: the cells are served, and what is left out is told."""
    ended = small_suites(
        LOOKS,
        *("-m", "gpu48", f"--cell={CELL}", "--runtime=pypi:vllm==0.24.0"),
        *(f"--model={CHECKPOINTS / 'minicpmv-2.6-sized'}", "--print-command=shell"),
    )
    assert ended.code == 0, ended.err
    assert "--load-format dummy" in ended.out
    assert "questions and load: what --model names has random weights" in ended.out
    assert UNKNOWN not in ended.out
