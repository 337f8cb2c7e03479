import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.runtimes.environments import CHECKOUT

pytestmark = pytest.mark.selftest

BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "arguments",
    [
        ["ruff", "check", "--no-fix", "--output-format=concise", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
    ],
    ids=["ruff-check", "ruff-format", "mypy"],
)
def test_the_whole_tree_is_clean(arguments: list[str]) -> None:
    """Linter, formatter and type checker, as configured in pyproject.toml, find nothing."""
    program, *rest = arguments
    run = subprocess.run(
        [BIN / program, *rest],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, f"{' '.join(arguments)}:\n{run.stdout}"
