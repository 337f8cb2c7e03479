"""Makers in processes of their own, as two calls of `ci/suite` are."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fixtures.runtimes.environments import CHECKOUT
from fixtures.runtimes.setup.recipes import Recipe

DEADLINE_S = 300.0
"""For several programs one after the other, on a machine that many use."""

# `ci/suite` with one recipe in the place of its own; it ends where pytest would begin.
_PROGRAM = """
import sys
from pathlib import Path
from fixtures.runtimes.setup import entry
from fixtures.runtimes.setup.recipes import Recipe
entry.BEFORE_PYTEST = (Recipe(Path(sys.argv[1]), "a tiny environment", 0, "a moment"),)
entry.become_pytest = lambda args: sys.exit(0)
entry.main([])
"""


class Ended(NamedTuple):
    """How a maker ended and what it said."""

    code: int
    said: str


def tiny(lock: Path, disk_bytes: int = 0) -> Recipe:
    """Recipe for a lock of the tests' own."""
    return Recipe(lock, "a tiny environment", disk_bytes, "a moment")


def offline_environment(cache: Path, wheels: Path) -> dict[str, str]:
    """Variables that keep pip to one folder of wheels and set-up to one cache folder."""
    return {
        "XDG_CACHE_HOME": str(cache),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
    }


def start_maker(lock: Path, cache: Path, wheels: Path) -> subprocess.Popen[str]:
    """Start making the environment of a lock."""
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(lock)],
        cwd=CHECKOUT,
        env={**os.environ, **offline_environment(cache, wheels)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def end_of(maker: subprocess.Popen[str]) -> Ended:
    """Wait for a maker to end."""
    _, said = maker.communicate(timeout=DEADLINE_S)
    return Ended(maker.returncode, said)


def wait_until(condition: Callable[[], bool], awaited: str) -> None:
    """Wait for a condition; raises TimeoutError after DEADLINE_S."""
    end_s = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > end_s:
            msg = f"{awaited} did not happen within {DEADLINE_S:.0f} s"
            raise TimeoutError(msg)
        time.sleep(0.02)
