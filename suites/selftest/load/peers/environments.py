"""Environments of clients that the suite does not depend on: made in the cache on first use."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

from fixtures.runtimes.environments import cache_root, python_of
from fixtures.runtimes.setup.recipes import TORCH_CPU_INDEX

_WITHIN_S: Final = 900.0


class NotInstalledError(Exception):
    """Why a client is not there."""


def environment_of(distribution: str, version: str) -> Path:
    """Folder of an environment with this release.

    Raises:
        NotInstalledError: pip could not make it; told in its last words.
    """
    env = cache_root() / "peers" / f"{distribution}-{version}"
    # Written last: without it an environment is the torso of an interrupted run.
    whole = env / "whole"
    if whole.exists():
        return env
    shutil.rmtree(env, ignore_errors=True)
    venv.create(env, with_pip=True)
    argv = [str(python_of(env)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Some of them need torch, of which the package index has builds for CUDA only.
    argv += ["--extra-index-url", TORCH_CPU_INDEX, f"{distribution}=={version}"]
    try:
        made = subprocess.run(
            argv, capture_output=True, text=True, timeout=_WITHIN_S, check=False, stdin=None
        )
    except subprocess.TimeoutExpired as error:
        msg = f"not installed: pip took longer than {_WITHIN_S:.0f} s"
        raise NotInstalledError(msg) from error
    if made.returncode:
        said = made.stderr.strip().splitlines() or ["pip said nothing"]
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        msg = f"not installed with Python {python}: {said[-1]}"
        raise NotInstalledError(msg)
    whole.touch()
    return env
