import os
import platform
import sys
from pathlib import Path

import pytest

from fixtures.runtimes.environments import cache_root, environment_for, is_ready, python_of

pytestmark = pytest.mark.selftest


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """Lock of one pin."""
    path = tmp_path / "tiny.txt"
    path.write_text("one==1.0\n", "utf-8")
    return path


def test_cache_is_where_xdg_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG_CACHE_HOME moves every environment."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "minicpmv-vllm-regression"


@pytest.mark.parametrize("value", ["", "relative/folder"])
def test_cache_is_in_the_home_otherwise(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty or relative XDG_CACHE_HOME is passed over, as its specification has it."""
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cache_root() == Path.home() / ".cache" / "minicpmv-vllm-regression"


def test_name_says_lock_python_and_machine(lock: Path) -> None:
    """Two Pythons or two kinds of machine that share a home never share an environment."""
    name = environment_for(lock).name
    assert name.startswith("tiny-")
    version = f"py{sys.version_info.major}.{sys.version_info.minor}"
    assert name.endswith(f"-{version}-{platform.machine()}")


def test_another_pin_is_another_environment(lock: Path) -> None:
    """A changed pin gives the environment another name."""
    before = environment_for(lock)
    lock.write_text("one==1.1\n", "utf-8")
    assert environment_for(lock) != before


def test_a_reworded_comment_costs_nothing(lock: Path) -> None:
    """A comment in a lock does not change what it names."""
    before = environment_for(lock)
    lock.write_text("# Made by hand.\n\none==1.0  # the first\n", "utf-8")
    assert environment_for(lock) == before


def test_environment_is_ready_while_its_python_is_there(tmp_path: Path) -> None:
    """An environment whose Python was uninstalled is not taken for ready."""
    python_of(tmp_path).parent.mkdir()
    base = tmp_path / "python3.11"
    python_of(tmp_path).symlink_to(base)
    assert not is_ready(tmp_path)
    os.mknod(base)
    assert is_ready(tmp_path)
