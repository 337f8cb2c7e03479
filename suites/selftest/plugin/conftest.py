"""Pytests started by tests: on the real suites, or on small ones written for the purpose."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest

from fixtures.runtimes.environments import CHECKOUT


class Ended(NamedTuple):
    """How a pytest ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def ids(self) -> list[str]:
        """Ids of the collected tests, in their order."""
        return [line for line in self.out.splitlines() if "::" in line]


RunPytest = Callable[..., Ended]


def command(*arguments: str) -> list[str]:
    """The command line of a pytest that leaves nothing behind."""
    # Plugins that the tests of tests do without: importing them takes half of the time.
    spared = ("cacheprovider", "hypothesispytest", "anyio")
    without = [word for name in spared for word in ("-p", f"no:{name}")]
    return [sys.executable, "-m", "pytest", *without, *arguments]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which a pytest outside of the checkout finds the plugin."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "MINICPMV_"))}
    return inherited | {"PYTHONPATH": str(CHECKOUT), "COLUMNS": "200"} | dict(more or {})


@pytest.fixture(scope="session")
def collect() -> RunPytest:
    """Collect the real suites with the given arguments; the same ones are collected once."""
    known: dict[tuple[str, ...], Ended] = {}

    def start(*arguments: str) -> Ended:
        if arguments not in known:
            known[arguments] = _ended(command("--collect-only", "-q", *arguments), CHECKOUT)
        return known[arguments]

    return start


@pytest.fixture
def small_suites(tmp_path: Path) -> RunPytest:
    """Run small suites, given as code by path, with the plugin and the project's settings."""

    def start(
        files: Mapping[str, str], *arguments: str, env: Mapping[str, str] | None = None
    ) -> Ended:
        write(tmp_path, files)
        return _ended([*small_command(tmp_path), *arguments], tmp_path, env)

    return start


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write test files below `suites`, with the project's settings beside it."""
    (folder / "suites").mkdir()
    for name, code in files.items():
        path = folder / "suites" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(code))
    (folder / "pyproject.toml").write_bytes((CHECKOUT / "pyproject.toml").read_bytes())


def small_command(folder: Path) -> list[str]:
    """A pytest on the small suites in `folder`; the real matrix unless told otherwise."""
    matrix = CHECKOUT / "suites" / "matrix.toml"
    return command("-p", "fixtures.plugin", f"--matrix={matrix}", f"--rootdir={folder}")


def _ended(argv: list[str], cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
    run = subprocess.run(
        argv, cwd=cwd, env=environment(env), capture_output=True, text=True, check=False
    )
    return Ended(run.returncode, run.stdout, run.stderr)
