"""`ci/reap` with real processes that a dead suite left."""

import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from fixtures.runtimes.environments import CHECKOUT
from fixtures.runtimes.owner import is_gone, owner_of
from fixtures.servers.cgroup import owned_by
from fixtures.servers.leftovers import owner_in
from suites.selftest.programs import Launcher, is_alive, wait_until

pytestmark = pytest.mark.selftest

# A server whose engine is in a session of its own and has no environment to be known by.
SUITE = """
import tempfile
from fixtures.servers.cgroup import owned_by
from fixtures.servers.process import GuardedProcess
from suites.selftest.programs import order_of, program

scratch = Path(tempfile.mkdtemp(prefix=owned_by(os.getpid()), dir=folder))
server = "child(\\"os.setsid(); tell('engine', os.getpid()); time.sleep(600)\\"); time.sleep(600)"
order = order_of(program(server, folder), scratch, folders_to_remove=(scratch,))
guarded = GuardedProcess(order)
tell("guardian", guarded.guardian_pid)
tell("scratch", scratch)
time.sleep(600)
"""


class Stranded(NamedTuple):
    """A suite with a server, by process ids, and the server's scratch folder."""

    suite: subprocess.Popen[bytes]
    guardian: int
    engine: int
    scratch: Path

    def kill_guardian(self) -> None:
        """As CI kills what a job has started: the main process dies with it, no other."""
        os.kill(self.guardian, signal.SIGKILL)
        wait_until(lambda: not is_alive(self.guardian), "the guardian's end")

    def kill_suite(self) -> None:
        """Leave nobody to collect it, and then collect it."""
        self.suite.kill()
        self.suite.wait()


@pytest.fixture
def stranded(launch: Launcher) -> Stranded:
    """A suite at work."""
    suite = launch.suite(SUITE)
    engine = int(launch.told("engine"))
    return Stranded(suite, int(launch.told("guardian")), engine, Path(launch.told("scratch")))


def _reap(folder: Path, grace_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CHECKOUT / "ci" / "reap", "--grace", str(grace_s)],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_a_killed_guardian_left_is_ended(stranded: Stranded, tmp_path: Path) -> None:
    """The engine goes and its scratch folder with it, both are named, and it is a fault."""
    stranded.kill_guardian()
    stranded.kill_suite()
    assert is_alive(stranded.engine)
    reaped = _reap(tmp_path, 0)
    wait_until(lambda: not is_alive(stranded.engine), "the engine's end")
    assert not stranded.scratch.exists()
    assert f"ci/reap: ended process {stranded.engine} (python" in reaped.stdout
    assert f"of suite {owner_of(stranded.suite.pid)}\n" in reaped.stdout
    assert f"ci/reap: removed folder {stranded.scratch}\n" in reaped.stdout
    assert reaped.returncode == 1


def test_a_suite_at_work_is_left_alone(stranded: Stranded, tmp_path: Path) -> None:
    """That of another job on the machine keeps its server, even one without a guardian."""
    stranded.kill_guardian()
    reaped = _reap(tmp_path, 0)
    assert str(stranded.engine) not in reaped.stdout
    assert is_alive(stranded.engine)
    assert stranded.scratch.exists()
    os.kill(stranded.engine, signal.SIGKILL)


def test_a_guardian_is_given_its_time(stranded: Stranded, tmp_path: Path) -> None:
    """What it ends itself, just after its suite's death, is no fault and not told."""
    stranded.kill_suite()
    reaped = _reap(tmp_path, 20)
    assert str(stranded.engine) not in reaped.stdout
    assert str(stranded.scratch) not in reaped.stdout
    assert not is_alive(stranded.engine)
    assert not stranded.scratch.exists()


def test_others_processes_are_nobodys_leftovers(launch: Launcher, tmp_path: Path) -> None:
    """A folder of a suite of another container, and one that is only called alike."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    names = (f"minicpmv-suite-1-{gone.pid}-x", f"x{owned_by(gone.pid)}x", f"{owned_by(gone.pid)}")
    for number, name in enumerate(names):
        (tmp_path / name).mkdir()
        launch(f"os.chdir({name!r}); tell('up{number}', os.getpid()); time.sleep(600)")
    pids = [int(launch.told(f"up{number}")) for number in range(len(names))]
    reaped = _reap(tmp_path, 0)
    assert [pid for pid in pids if str(pid) in reaped.stdout] == []
    assert all(map(is_alive, pids))


def test_a_folder_tells_whose_it_is() -> None:
    """Also for a path below it, and for one that was removed beneath a process."""
    with tempfile.TemporaryDirectory(prefix=owned_by(os.getpid())) as folder:
        mine = owner_of(os.getpid())
        assert owner_in(folder) == owner_in(f"{folder}/below") == owner_in(f"{folder} (deleted)")
        assert owner_in(folder) == mine
        assert not is_gone(mine)
    assert owner_in(tempfile.gettempdir()) is None


def test_a_suite_that_only_nobody_has_collected_is_gone() -> None:
    """A zombie has ended: PID 1 of a container may never ask how."""
    zombie = subprocess.Popen(["true"])
    wait_until(lambda: not is_alive(zombie.pid), "its end")
    assert is_gone(owner_of(zombie.pid))
    zombie.wait()
    assert is_gone(owner_of(zombie.pid))
    assert not is_gone(f"1-{zombie.pid}")
    assert not is_gone("no owner")
