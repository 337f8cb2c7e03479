import fcntl
import os
import queue
import threading
from pathlib import Path

import pytest

from fixtures.runtimes.setup.locking import hold, lock_of, try_hold

pytestmark = pytest.mark.selftest


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """Lock file of an environment whose name has dots in it."""
    return lock_of(tmp_path / "tiny-py3.11-x86_64")


def _take(lock: Path, *, shared: bool = False) -> int:
    held = try_hold(lock, shared=shared)
    assert held is not None
    return held


def test_lock_lies_beside_the_environment(lock: Path) -> None:
    """The dots of a name are no suffix to replace."""
    assert lock.name == "tiny-py3.11-x86_64.lock"


def test_one_holds_alone(lock: Path) -> None:
    """Who holds alone excludes everybody, until the descriptor is closed."""
    held = _take(lock)
    assert try_hold(lock) is None
    assert try_hold(lock, shared=True) is None
    os.close(held)
    os.close(_take(lock))


def test_many_share(lock: Path) -> None:
    """Two running suites use an environment at once, and nobody removes it meanwhile."""
    both = [_take(lock, shared=True), _take(lock, shared=True)]
    assert try_hold(lock) is None
    for held in both:
        os.close(held)
    os.close(_take(lock))


def test_waiting_outlives_the_removal_of_the_lock_file(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waited on a lock file that was removed holds the new one, which others see."""
    held = _take(lock)
    waits = threading.Event()
    flock = fcntl.flock

    def tell_and_flock(descriptor: int, mode: int) -> None:
        if not mode & fcntl.LOCK_NB:
            waits.set()
        flock(descriptor, mode)

    monkeypatch.setattr(fcntl, "flock", tell_and_flock)
    acquired: queue.Queue[int] = queue.Queue()
    waiter = threading.Thread(target=lambda: acquired.put(hold(lock, lambda: None)), daemon=True)
    waiter.start()
    assert waits.wait(10)
    lock.unlink()
    os.close(held)
    successor = acquired.get(timeout=10)
    assert os.path.samestat(lock.stat(), os.fstat(successor))
    assert try_hold(lock) is None
    os.close(successor)
