"""`ci/in-cgroup`, with folders in the place of cgroups: a machine's own is not taken apart."""

import os
import subprocess
from pathlib import Path

import pytest

from fixtures.runtimes.environments import CHECKOUT
from fixtures.servers.cgroup import memory_parent

pytestmark = pytest.mark.selftest

TELLS = ("bash", "-c", 'echo "$$ $*"; exit 7', "told")
SUDO = '#!/bin/sh\n[ "$1" = -n ] || exit 1\nshift\nexec "$@"\n'


class Machine:
    """A machine with cgroups of version 2, and a user who is not root."""

    def __init__(self, folder: Path) -> None:
        self.cgroups = folder / "cgroup"
        self.programs = folder / "bin"
        self.cgroups.mkdir()
        self.programs.mkdir()
        (self.cgroups / "cgroup.controllers").write_text("cpu memory\n")
        self.has("id", f"#!/bin/sh\necho {os.getuid()}\n")
        if os.getuid() == 0:
            self.has("id", "#!/bin/sh\necho 1000\n")
        self.has("sudo", SUDO)

    def has(self, name: str, text: str) -> None:
        """Give it a program."""
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def run(self) -> tuple[int, int, str]:
        """The process id of `ci/in-cgroup`, its exit status, and what it said."""
        with subprocess.Popen(
            [CHECKOUT / "ci" / "in-cgroup", *TELLS, "a b", "c"],
            env={"PATH": f"{self.programs}:{os.environ['PATH']}", "CGROUP_ROOT": str(self.cgroups)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            out, _ = process.communicate()
        return process.pid, process.returncode, out


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine of the test's own."""
    return Machine(tmp_path)


def test_the_suite_finds_its_place_beside_itself(machine: Machine) -> None:
    """What is made is where cards are made: memory handed on, the user's own, itself in it."""
    pid, code, out = machine.run()
    assert (code, out) == (7, f"{pid} a b c\n")
    place = machine.cgroups / f"minicpmv-{pid}"
    assert (place / "suite" / "cgroup.procs").read_text() == f"{pid}\n"
    for path in (machine.cgroups, place):
        control = path / "cgroup.subtree_control"
        assert control.read_text() == "+memory\n"
        control.write_text("memory\n")  # as the kernel tells it
    mounts = f"cgroup2 {machine.cgroups} cgroup2 rw 0 0\n"
    assert memory_parent(mounts, f"0::/minicpmv-{pid}/suite\n") == (place, 2)
    owners = {path.stat().st_uid for path in place.rglob("cgroup.subtree_control")}
    assert owners == {os.getuid() or 1000}


def test_without_sudo_the_command_runs_all_the_same(machine: Machine) -> None:
    """It is said, and what the card then is says the suite."""
    machine.has("sudo", "#!/bin/sh\necho 'a password is required' >&2\nexit 1\n")
    pid, code, out = machine.run()
    assert code == 7
    said = "a password is required\nci/in-cgroup: no place for cgroups could be made\n"
    assert out == f"{said}{pid} a b c\n"


def test_nothing_is_asked_for_where_nothing_can_be_had(machine: Machine) -> None:
    """With cgroups of version 1, and for root, who needs no help."""
    machine.has("sudo", "#!/bin/sh\necho sudo was asked\n")
    (machine.cgroups / "cgroup.controllers").unlink()
    assert machine.run()[2].endswith(" a b c\n")
    (machine.cgroups / "cgroup.controllers").touch()
    machine.has("id", "#!/bin/sh\necho 0\n")
    _, code, out = machine.run()
    assert (code, "sudo" in out) == (7, False)
