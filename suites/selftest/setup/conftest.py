"""One environment that is really made, shared by the tests that need a pip."""

import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from fixtures.runtimes.environments import environment_for
from fixtures.runtimes.setup.making import partial_of
from fixtures.runtimes.setup.progress import Progress
from suites.selftest.setup.makers import Ended, end_of, offline_environment, start_maker, wait_until
from suites.selftest.setup.wheels import write_wheel


class Made(NamedTuple):
    """What two makers that ran at once left behind."""

    env: Path
    first: Ended
    second: Ended
    debris: Path
    """A file in the broken partial environment that they found."""


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of wheels that stands in for the package index."""
    folder = tmp_path_factory.mktemp("wheels")
    for name in ("one", "two", "three"):
        write_wheel(folder, name)
    return folder


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Made:
    """Make one environment with two makers, over a broken partial one."""
    folder = tmp_path_factory.mktemp("made here")
    lock = folder / "tiny.txt"
    lock.write_text("one==1.0\ntwo==1.0\n", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        env = environment_for(lock)
    debris = partial_of(env) / "bin" / "debris"
    debris.parent.mkdir(parents=True)
    debris.touch()
    # Not an environment, although it has a Python and that one may have a pip: its own.
    debris.with_name("python").symlink_to(Path(sys.executable).resolve())
    first = start_maker(lock, folder, wheels)
    wait_until(lambda: not debris.exists(), "the removal of the broken environment")
    second = start_maker(lock, folder, wheels)
    return Made(env, end_of(first), end_of(second), debris)


@pytest.fixture
def cache(tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and a pip that knows of the tests' wheels alone."""
    for name, value in offline_environment(tmp_path / "cache", wheels).items():
        monkeypatch.setenv(name, value)
    return tmp_path / "cache"


@pytest.fixture
def interrupted(made: Made, cache: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Write a lock whose environment was left half made, with pip in it."""

    def leave(pins: str) -> Path:
        lock = tmp_path / "tiny.txt"
        lock.write_text(pins, "utf-8")
        partial = partial_of(environment_for(lock))
        assert partial.is_relative_to(cache)
        shutil.copytree(made.env, partial, symlinks=True)
        return lock

    return leave


@pytest.fixture
def said() -> io.StringIO:
    """What the user is shown."""
    return io.StringIO()


@pytest.fixture
def progress(said: io.StringIO) -> Progress:
    """Progress that writes to `said`."""
    return Progress(said)
