import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.cells.cards import MIB
from fixtures.servers.cgroup import (
    MemoryCgroup,
    NoCgroupError,
    make_cgroup,
    memory_parent,
    owned_by,
    sweep_abandoned,
)
from suites.selftest.conftest import CardMaker
from suites.selftest.programs import Launcher, is_alive, wait_until

pytestmark = pytest.mark.selftest

V1 = """\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
"""


def _v2(point: Path) -> str:
    return f"proc /proc proc rw 0 0\ncgroup2 {point} cgroup2 rw,nosuid 0 0\n"


def _hands_down(folder: Path, controllers: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.subtree_control").write_text(controllers + "\n")
    return folder


def test_version_1_is_found_by_its_controller() -> None:
    """Where memory is mounted as version 1, new groups stand at its root."""
    assert memory_parent(V1, "4:memory:/x\n0::/\n") == (Path("/sys/fs/cgroup/memory"), 1)


def test_version_2_stands_beside_the_suite(tmp_path: Path) -> None:
    """A delegated subtree is used: the parent of the suite's own group, where it hands memory."""
    _hands_down(tmp_path, "cpu")
    delegated = _hands_down(tmp_path / "user.slice" / "app.slice", "cpu memory pids")
    own = "0::/user.slice/app.slice/run-1.scope\n"
    assert memory_parent(_v2(tmp_path), own) == (delegated, 2)


def test_version_2_falls_back_to_the_root(tmp_path: Path) -> None:
    """Where the suite's parent hands down no memory, the root does it for root."""
    _hands_down(tmp_path, "cpu memory")
    _hands_down(tmp_path / "user.slice", "cpu")
    assert memory_parent(_v2(tmp_path), "0::/user.slice/run.scope\n") == (tmp_path, 2)


def test_version_2_in_a_container_does_not_climb_out(tmp_path: Path) -> None:
    """With the suite in the root of its namespace, the folder above the mount is not tried."""
    _hands_down(tmp_path, "memory")
    point = _hands_down(tmp_path / "cgroup", "memory")
    assert memory_parent(_v2(point), "0::/\n") == (point, 2)


@pytest.mark.parametrize("controllers", [None, "", "cpu pids", "memory-pressure"])
def test_no_controller_is_an_error_with_a_reason(tmp_path: Path, controllers: str | None) -> None:
    """Without a memory controller anywhere it is said, not guessed."""
    if controllers is not None:
        _hands_down(tmp_path, controllers)
    with pytest.raises(NoCgroupError, match="no memory controller is mounted, or none is deleg"):
        memory_parent(_v2(tmp_path), "0::/a/b\n")


def test_no_cgroup_mount_is_an_error() -> None:
    """A system without cgroups, or an empty table, has no card to offer."""
    for mounts in ("", "proc /proc proc rw 0 0\n"):
        with pytest.raises(NoCgroupError):
            memory_parent(mounts, "")


def _version_2_group(folder: Path, **files: str) -> MemoryCgroup:
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text)
    return MemoryCgroup(folder, 2)


def test_marks_of_version_2_are_read(tmp_path: Path) -> None:
    """The kernel's peak and its count of kills come from version 2's own files."""
    events = "low 0\nhigh 3\nmax 7\noom 2\noom_kill 1\noom_group_kill 5\n"
    group = _version_2_group(tmp_path, memory_peak="123456\n", memory_events=events)
    assert group.marks() == (123456, 1)


def test_a_kernel_that_keeps_no_peak_is_believed(tmp_path: Path) -> None:
    """Before Linux 5.19 version 2 has no peak: None, never 0."""
    group = _version_2_group(tmp_path, memory_events="oom 0\noom_kill 0\n")
    assert group.marks() == (None, 0)


def test_a_card_holds_its_limit(launch: Launcher, make_card: CardMaker) -> None:
    """A process that takes more than the card has is killed, and the kernel counts it."""
    card = make_card(64 * MIB)
    process = launch("block = bytearray(b'x') * (200 << 20)", join=(card.procs_file,))
    wait_until(lambda: process.exit_status is not None, "its end")
    assert process.exit_status == -9
    peak_bytes, oom_kills = card.marks()
    assert oom_kills == 1
    assert peak_bytes is not None
    assert 64 * MIB * 0.99 <= peak_bytes <= 64 * MIB


def test_a_card_counts_from_the_first_byte(launch: Launcher, make_card: CardMaker) -> None:
    """A process is inside before it runs, children are too, and usage and mark follow it."""
    card = make_card(512 * MIB)
    grows = "block = bytearray(b'x') * (80 << 20); tell('grown'); time.sleep(600)"
    process = launch(f"child({grows!r}).wait()", join=(card.procs_file,))
    launch.told("grown")
    assert sorted(card.processes()) == sorted(process.processes())
    assert int(card.usage_file.read_text()) >= 80 * MIB
    assert (card.marks().peak_bytes or 0) >= 80 * MIB
    assert card.marks().oom_kills == 0


def test_a_card_with_a_process_inside_is_not_removed(
    launch: Launcher, make_card: CardMaker
) -> None:
    """Removal waits, gives up with False, and works once the process is gone."""
    card = make_card(512 * MIB)
    process = launch("tell('up'); time.sleep(600)", join=(card.procs_file,))
    launch.told("up")
    assert not card.remove(within_s=0.1)
    process.kill()
    assert card.remove()
    assert card.remove(), "removing what is gone is no failure"
    assert card.processes() == []


def test_a_card_that_is_there_already_is_not_taken(
    make_card: CardMaker,
) -> None:
    """The folder and the system's words are in the error, and the older card stays."""
    card = make_card(512 * MIB)
    name = card.path.name.removeprefix(owned_by(os.getpid()))
    with pytest.raises(NoCgroupError, match=f"{card.path.name}: File exists"):
        make_cgroup(name, 512 * MIB)
    assert card.path.exists()


def test_a_limit_that_the_kernel_refuses_leaves_no_card(
    make_card: CardMaker,
) -> None:
    """A card that could not be limited is removed again: it would hold nothing back."""
    parent = make_card(512 * MIB).path.parent
    before = set(parent.glob(f"{owned_by(os.getpid())}*"))
    with pytest.raises(NoCgroupError, match="Invalid argument"):
        make_cgroup("nonsense", -512)
    assert set(parent.glob(f"{owned_by(os.getpid())}*")) == before


def test_what_a_dead_suite_left_is_cleared(launch: Launcher, make_card: CardMaker) -> None:
    """A process in a cgroup of a suite that is gone is killed; a living suite's is left alone."""
    mine = make_card(512 * MIB)
    gone = subprocess.Popen([sys.executable, "-ISc", ""])
    gone.wait()
    abandoned = mine._replace(path=mine.path.with_name(f"{owned_by(gone.pid)}left"))
    abandoned.path.mkdir()
    launch("tell('abandoned', os.getpid()); time.sleep(600)", join=(abandoned.procs_file,))
    launch("tell('mine', os.getpid()); time.sleep(600)", join=(mine.procs_file,))
    victim, living = int(launch.told("abandoned")), int(launch.told("mine"))
    assert victim in sweep_abandoned()
    wait_until(lambda: not is_alive(victim), "its end")
    assert is_alive(living)
    assert mine.path.exists()
    assert abandoned.remove()
