import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from fixtures.runtimes.environments import environment_for, is_ready
from fixtures.runtimes.setup.locking import lock_of, try_hold
from fixtures.runtimes.setup.making import discard_fragments, partial_of
from suites.selftest.setup.makers import end_of, start_maker, wait_until
from suites.selftest.setup.wheels import write_wheel

pytestmark = pytest.mark.selftest


class Clog:
    """A wheel that is a pipe: pip waits in the middle of its work for as long as we like."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pipe = folder / "four-1.0-py3-none-any.whl"
        self._writer: int | None = None
        os.mkfifo(self._pipe)

    def wait_for_pip(self) -> None:
        """Wait until pip reads the wheel; raises TimeoutError."""
        wait_until(self._open, "pip's turn to the wheel")

    def remove(self) -> None:
        """Put a wheel in the pipe's place."""
        self.close()
        self._pipe.unlink()
        write_wheel(self.folder, "four")

    def close(self) -> None:
        """Let whoever still reads come to an end."""
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None

    def _open(self) -> bool:
        try:
            self._writer = os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return False  # nobody reads yet
        return True


@pytest.fixture
def clog(tmp_path: Path) -> Iterator[Clog]:
    """Folder of wheels that pip gets stuck in."""
    folder = tmp_path / "clogged"
    folder.mkdir()
    clog = Clog(folder)
    yield clog
    clog.close()


class Half(NamedTuple):
    """An environment that was being made when its maker got a signal."""

    lock: Path
    env: Path
    pip: psutil.Process
    code: int


@pytest.fixture
def cut_short(
    interrupted: Callable[[str], Path], cache: Path, clog: Clog
) -> Callable[[signal.Signals], Half]:
    """Send a maker a signal while its pip is at work."""

    def cut(number: signal.Signals) -> Half:
        lock = interrupted("four==1.0\n")
        maker = start_maker(lock, cache, clog.folder)
        clog.wait_for_pip()
        (pip,) = psutil.Process(maker.pid).children()
        maker.send_signal(number)
        return Half(lock, environment_for(lock), pip, end_of(maker).code)

    return cut


def test_killed_maker_leaves_the_lock_to_its_pip(
    cut_short: Callable[[signal.Signals], Half], clog: Clog, cache: Path
) -> None:
    """While the pip of a killed maker still writes nobody else may; then the next goes on."""
    half = cut_short(signal.SIGKILL)
    assert half.pip.is_running()
    assert try_hold(lock_of(half.env)) is None
    (partial_of(half.env) / "kept").touch()
    (packages,) = partial_of(half.env).glob("lib/python*/site-packages")
    half_copied = packages / "four-1.0.dist-info"
    half_copied.mkdir()
    (half_copied / "METADATA").write_text("Metadata-Version: 2.1\nName: four\nVersion: 1.0\n")

    half.pip.kill()
    clog.remove()
    successor = end_of(start_maker(half.lock, cache, clog.folder))

    assert successor.code == 0, successor.said
    assert "going on where an earlier run was interrupted" in successor.said
    assert is_ready(half.env)
    assert (half.env / "kept").exists()
    assert (half.env / "bin" / "four").exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_maker_that_is_told_to_end_ends_its_pip(
    cut_short: Callable[[signal.Signals], Half], number: signal.Signals, code: int
) -> None:
    """A signal to the maker ends pip too, frees the lock and gives the shell's exit code."""
    half = cut_short(number)
    assert half.code == code
    assert not half.pip.is_running()
    held = try_hold(lock_of(half.env))
    assert held is not None
    os.close(held)


def test_half_copied_packages_are_discarded(tmp_path: Path) -> None:
    """A package without RECORD is installed again, and pip's renamed folders go."""
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    whole, half, renamed = (packages / n for n in ("a-1.dist-info", "b-1.dist-info", "~etuptools"))
    for folder in (whole, half, renamed):
        folder.mkdir(parents=True)
    (whole / "RECORD").touch()
    (packages / "~ingle.py").touch()
    discard_fragments(tmp_path)
    assert list(packages.iterdir()) == [whole]
