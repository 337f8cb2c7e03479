"""One cell on one host, without Ray: what it tells, and what it leaves."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from fixtures.fleet.faults import Told
from fixtures.fleet.pieces import Began, Ended, File, Order, Piece
from fixtures.fleet.received import LOST, OUTPUT, SHARDS, Attempt, ReceivedError
from fixtures.fleet.slots import Slot, take_slot, whole_host
from fixtures.fleet.task import run
from suites.selftest.fleet.bench import Checkout, until

pytestmark = pytest.mark.selftest

HERE = Began("here", "node-1", (), 0)
CASE = "cpu-tiny-00"


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where scratch folders and locks of the test are made."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def _order(checkout: Checkout, within_s: float = 60.0) -> Order:
    args = ("-m", "cpu", f"--shard=1/{len(checkout.cells)}")
    return Order(str(checkout.folder), args, {"MINICPMV_MODEL": "m"}, within_s)


def _keep(pieces: Iterator[Piece], attempt: Attempt) -> Ended:
    for piece in pieces:
        match piece:
            case File(name, content):
                attempt.keep(name, content)
            case Ended():
                return piece
            case Began():
                assert piece == HERE
    pytest.fail("it told no end")


def test_what_a_cell_writes_arrives_as_it_is_made(tmp_path: Path, scratch: Path) -> None:
    """Records come while it runs, in a later version again, and everything else at its end."""
    checkout = Checkout(tmp_path / "checkout", 1, 0.0)
    (checkout.folder / "seconds").write_text("stepwise")
    # How far it may go once so many pieces are here: what it wrote last is told at its end only.
    goes_on = {1: ("go-1",), 2: ("go-2", "go-3")}
    names = []
    attempt = Attempt(tmp_path / "run", CASE, 1)
    with closing(cast("Closing", run(_order(checkout), HERE, whole_host()))) as pieces:
        for piece in pieces:
            if isinstance(piece, File):
                names.append(piece.name.partition("/")[2])
                attempt.keep(*piece)
                for name in goes_on.get(len(names), ()):
                    (checkout.folder / name).touch()
    assert names[:2] == ["run.json", f"{CASE}.json"]
    assert sorted(names[2:]) == [f"{CASE}/server.log", "run.json"]
    (folder,) = (tmp_path / "run" / SHARDS).iterdir()
    assert (folder / CASE / "server.log").read_text() == f"log of {CASE}\n"
    assert isinstance(piece, Ended)
    assert piece.status == 0
    assert attempt.told() == Told(is_over=True, is_red=False)
    assert checkout.living() == []
    assert list(scratch.iterdir()) == []


class Closing(Iterator[Piece]):
    """A generator, as its caller may close it."""

    close: Callable[[], None]


def test_a_cell_that_hangs_is_ended_and_told(tmp_path: Path, scratch: Path) -> None:
    """Its exit code is not known; what it had written, and said, is kept."""
    checkout = Checkout(tmp_path / "checkout", 1, 600.0)
    attempt = Attempt(tmp_path / "run", CASE, 1)
    ended = _keep(run(_order(checkout, 3.0), HERE, whole_host()), attempt)
    assert ended.status is None
    assert attempt.told() == Told(is_over=False, is_red=False)
    assert [path.name for path in attempt.kept[0].iterdir()] == ["run.json"]
    until(lambda: not checkout.living(), "the end of what hung")
    until(lambda: not list(scratch.iterdir()), "the removal of its folder")


def test_a_cell_that_is_interrupted_leaves_nothing(tmp_path: Path, scratch: Path) -> None:
    """As when Ray cancels a task: everything is ended before the interruption goes on."""
    checkout = Checkout(tmp_path / "checkout", 1, 600.0)
    pieces = cast("Closing", run(_order(checkout), HERE, whole_host()))
    assert next(pieces) == HERE
    assert isinstance(next(pieces), File)
    pieces.close()
    assert checkout.living() == []
    assert list(scratch.iterdir()) == []


def test_a_pytest_that_is_killed_is_told_with_its_signal(tmp_path: Path, scratch: Path) -> None:
    """So that the driver knows that it did not end by itself."""
    checkout = Checkout(tmp_path / "checkout", 1, 600.0)
    pieces = run(_order(checkout), HERE, whole_host())
    assert next(pieces) == HERE
    assert isinstance(next(pieces), File)
    until(lambda: any(map(_is_suite, checkout.living())), "the stand-in")
    pid = next(filter(_is_suite, checkout.living()))
    os.kill(pid, signal.SIGKILL)
    assert _keep(pieces, Attempt(tmp_path / "run", CASE, 1)).status == -signal.SIGKILL
    assert not scratch.joinpath("records").exists()


def _is_suite(pid: int) -> bool:
    return b"ci/suite" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_what_another_attempt_replaces_is_set_aside(tmp_path: Path) -> None:
    """It stays where runs are joined until the other one has a record, and is kept whole then."""
    first = Attempt(tmp_path, CASE, 1)
    first.keep("run-1/run.json", b"{}")
    second = Attempt(tmp_path, CASE, 2, first)
    second.keep_output(b"said")
    assert [path.name for path in (tmp_path / SHARDS).iterdir()] == ["run-1"]
    second.keep("run-2/run.json", b"{}")
    assert [path.name for path in (tmp_path / SHARDS).iterdir()] == ["run-2"]
    assert (tmp_path / LOST / "run-1" / "run.json").read_bytes() == b"{}"
    assert (tmp_path / OUTPUT / f"{CASE}.2.log").read_bytes() == b"said"


@pytest.mark.parametrize("name", ["../x/y", "/etc/x", "run/../../x", "alone"])
def test_a_host_cannot_write_elsewhere(tmp_path: Path, name: str) -> None:
    """A file that does not lie in the folder of a run is refused."""
    with pytest.raises(ReceivedError):
        Attempt(tmp_path, CASE, 1).keep(name, b"")
    assert not list(tmp_path.iterdir())


def test_slots_share_no_core(scratch: Path) -> None:
    """Each has its own part of the cores, and one that is let go is free again."""
    assert scratch.is_dir()
    cores = len(os.sched_getaffinity(0))
    first, second = take_slot(2), take_slot(2)
    assert cores < 2 or not set(first.cores) & set(second.cores)
    first.close()
    again = take_slot(2)
    assert again.cores == first.cores
    with again.pinned():
        assert os.sched_getaffinity(0) == set(again.cores)
    assert len(os.sched_getaffinity(0)) == cores
    for slot in (second, again):
        slot.close()


def test_a_whole_host_is_all_of_its_cores() -> None:
    """A cell of the cpu card is pinned to nothing less."""
    assert whole_host() == Slot(tuple(sorted(os.sched_getaffinity(0))), ())
