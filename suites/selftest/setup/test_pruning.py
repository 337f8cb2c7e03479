import io
import os
from pathlib import Path

import pytest

from fixtures.runtimes.environments import cache_root, environment_for, python_of
from fixtures.runtimes.setup.locking import lock_of, try_hold
from fixtures.runtimes.setup.making import log_of, partial_of
from fixtures.runtimes.setup.progress import Progress
from fixtures.runtimes.setup.pruning import prune
from fixtures.runtimes.setup.refusals import SetupRefusedError

pytestmark = [pytest.mark.selftest, pytest.mark.usefixtures("cache")]

SIZE_BYTES = 1_000_000


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """The only lock of the checkout."""
    path = tmp_path / "tiny.txt"
    path.write_text("one==1.0\n", "utf-8")
    return path


@pytest.fixture
def outdated(tmp_path: Path) -> Path:
    """Environment of a lock that was since changed."""
    old = tmp_path / "old" / "tiny.txt"
    old.parent.mkdir()
    old.write_text("one==0.9\n", "utf-8")
    return _fill(environment_for(old))


def _fill(env: Path) -> Path:
    python_of(env).parent.mkdir(parents=True)
    python_of(env).write_bytes(b"x" * SIZE_BYTES)
    lock_of(env.with_name(env.name.removesuffix(".partial"))).touch()
    return env


def test_environment_that_a_lock_names_stays(lock: Path, progress: Progress) -> None:
    """A named environment is not touched."""
    env = _fill(environment_for(lock))
    assert prune(cache_root(), [lock], progress) == 0
    assert python_of(env).exists()


def test_environment_of_another_python_stays(lock: Path, progress: Progress) -> None:
    """What a lock names stays for every Python and machine that shares the home."""
    other = environment_for(lock).name.replace("-py3.", "-py3.9")
    env = _fill(cache_root() / other)
    assert prune(cache_root(), [lock], progress) == 0
    assert python_of(env).exists()


def test_environment_that_no_lock_names_goes(
    lock: Path, outdated: Path, progress: Progress, said: io.StringIO
) -> None:
    """An outdated environment goes with its lock file and log, and the freed bytes are told."""
    log_of(outdated).touch()
    assert prune(cache_root(), [lock], progress) >= SIZE_BYTES
    assert list(cache_root().iterdir()) == []
    assert said.getvalue().splitlines() == [
        f"ci/suite: removing {outdated.name}, 1 MiB",
        f"ci/suite: freed 1 MiB in {cache_root()}",
    ]


def test_what_an_interrupted_maker_left_goes(lock: Path, progress: Progress) -> None:
    """A partial environment that nobody makes goes, even one that a lock names."""
    _fill(partial_of(environment_for(lock)))
    assert prune(cache_root(), [lock], progress) >= SIZE_BYTES
    assert list(cache_root().iterdir()) == []


def test_what_a_maker_holds_stays(lock: Path, progress: Progress, said: io.StringIO) -> None:
    """A partial environment stays while its maker lives."""
    env = environment_for(lock)
    partial = _fill(partial_of(env))
    held = try_hold(lock_of(env))
    assert held is not None
    try:
        assert prune(cache_root(), [lock], progress) == 0
    finally:
        os.close(held)
    assert python_of(partial).exists()
    assert f"kept {env}: it is in use, or being made" in said.getvalue()


def test_what_a_running_suite_uses_stays(lock: Path, outdated: Path, progress: Progress) -> None:
    """An outdated environment stays while a suite that was started from it runs."""
    held = try_hold(lock_of(outdated), shared=True)
    assert held is not None
    try:
        assert prune(cache_root(), [lock], progress) == 0
    finally:
        os.close(held)
    assert python_of(outdated).exists()


def test_interrupted_removal_is_finished(lock: Path, outdated: Path, progress: Progress) -> None:
    """What an interrupted prune renamed is removed by the next."""
    outdated.rename(outdated.with_name(f"{outdated.name}.removed"))
    assert prune(cache_root(), [lock], progress) >= SIZE_BYTES
    assert list(cache_root().iterdir()) == []


@pytest.mark.parametrize("name", ["checkpoints", "tiny-0.9", "notes.lock", "tiny-py3.11-x86_64"])
def test_what_is_no_environment_stays(name: str, lock: Path, progress: Progress) -> None:
    """Only names that set-up gives are ever removed."""
    (cache_root() / name).mkdir(parents=True)
    assert prune(cache_root(), [lock], progress) == 0
    assert [entry.name for entry in cache_root().iterdir()] == [name]


def test_no_cache_is_nothing_to_free(lock: Path, progress: Progress) -> None:
    """Pruning on a fresh machine frees nothing and is no failure."""
    assert prune(cache_root(), [lock], progress) == 0


def test_without_any_lock_nothing_goes(outdated: Path, progress: Progress) -> None:
    """A checkout that lost its locks is refused: every environment would go."""
    with pytest.raises(SetupRefusedError, match="no locks in ci/locks"):
        prune(cache_root(), [], progress)
    assert python_of(outdated).exists()
