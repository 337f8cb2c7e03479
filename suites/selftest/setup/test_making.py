import errno
import importlib.machinery
import importlib.util
import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from fixtures.runtimes.environments import environment_for, is_ready
from fixtures.runtimes.setup import making
from fixtures.runtimes.setup.locking import lock_of
from fixtures.runtimes.setup.making import log_of, make, partial_of
from fixtures.runtimes.setup.progress import Progress
from fixtures.runtimes.setup.refusals import SetupRefusedError
from suites.selftest.setup.conftest import Made
from suites.selftest.setup.makers import tiny
from suites.selftest.setup.wheels import write_wheel

pytestmark = pytest.mark.selftest


def test_two_makers_at_once_make_one_environment(made: Made) -> None:
    """The second maker waits, says so in one line, and installs nothing."""
    assert made.first.code == made.second.code == 0
    assert made.first.said.count("making a tiny environment") == 1
    assert made.second.said.splitlines() == [
        f"ci/suite: waiting: another process is at work on {made.env}"
    ]


def test_environment_appears_only_when_finished(made: Made) -> None:
    """What is being made lies beside, and nothing but the lock stays there."""
    assert is_ready(made.env)
    assert sorted(made.env.parent.iterdir()) == [made.env, lock_of(made.env)]


def test_broken_partial_environment_is_made_afresh(made: Made) -> None:
    """A partial environment without a working pip is not gone on with."""
    assert "going on" not in made.first.said
    assert not (made.env / "bin" / made.debris.name).exists()


def test_scripts_run_from_the_final_path(made: Made) -> None:
    """A console script knows its environment after the rename, with a space in the path too."""
    run = subprocess.run([made.env / "bin" / "one"], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(made.env)


def test_activation_leads_to_the_final_path(made: Made) -> None:
    """Activating puts the finished environment's scripts first on the PATH."""
    script = 'source "$1/bin/activate" && command -v two'
    command = ["bash", "-c", script, "bash", str(made.env)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(made.env / "bin" / "two")


def test_no_text_speaks_of_the_partial_path(made: Made) -> None:
    """Neither scripts nor pyvenv.cfg remember where the environment was made."""
    texts = [made.env / "pyvenv.cfg", *(made.env / "bin").iterdir()]
    partial = str(partial_of(made.env)).encode()
    assert [t.name for t in texts if not t.is_symlink() and partial in t.read_bytes()] == []


def test_missing_package_is_named(
    interrupted: Callable[[str], Path], progress: Progress, said: io.StringIO
) -> None:
    """A pin that no index has is named in one line, and what is there is kept."""
    lock = interrupted("one==1.0\nabsent==2.5\n")
    with pytest.raises(SetupRefusedError, match=r"^pip finds no absent==2\.5 .*$") as refused:
        make(tiny(lock), progress)
    assert "\n" not in str(refused.value)
    assert partial_of(environment_for(lock)).is_dir()
    assert "going on where an earlier run was interrupted" in said.getvalue()


def test_unreachable_index_is_no_missing_package(
    interrupted: Callable[[str], Path], progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network the line says so, instead of blaming the package."""
    lock = interrupted("absent==2.5\n")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # The discard port: nobody listens there.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(SetupRefusedError, match=r"^no network: .* absent==2\.5: .*$"):
        make(tiny(lock), progress)


def test_cpu_build_on_the_machine_needs_no_other_index(
    interrupted: Callable[[str], Path], wheels: Path, progress: Progress, said: io.StringIO
) -> None:
    """A CPU build that plain pip finds is installed without another index being asked."""
    write_wheel(wheels, "three", "1.0+cpu")
    lock = interrupted("three==1.0+cpu\n")
    make(tiny(lock), progress)
    assert is_ready(environment_for(lock))
    assert "asking" not in said.getvalue()


def test_cpu_build_is_looked_for_elsewhere_when_it_is_not_found(
    interrupted: Callable[[str], Path], progress: Progress, said: io.StringIO
) -> None:
    """A CPU build that pip does not find makes set-up ask PyTorch's index, and say so."""
    # PIP_NO_INDEX keeps pip from going there.
    lock = interrupted("absent==2.5+cpu\n")
    with pytest.raises(SetupRefusedError, match=r"^pip finds no absent==2\.5\+cpu "):
        make(tiny(lock), progress)
    assert "is in no index that pip is configured for; asking https://" in said.getvalue()


def test_too_little_disk_is_refused_before_anything_is_made(
    cache: Path, tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line says how much is free, how much is needed, and where."""
    lock = tmp_path / "tiny.txt"
    lock.write_text("one==1.0\n", "utf-8")
    free = SimpleNamespace(free=1_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    expected = rf"{cache}\S* has 1\.0 GB free and needs 4\.0 GB: .*XDG_CACHE_HOME"
    with pytest.raises(SetupRefusedError, match=expected):
        make(tiny(lock, disk_bytes=4_000_000_000), progress)
    assert not partial_of(environment_for(lock)).exists()


def test_what_is_already_there_needs_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted environment counts towards the room that is needed."""
    partial = tmp_path / "tiny.partial"
    partial.mkdir()
    (partial / "half").write_bytes(b"x" * 3_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_500_000))
    making.require_room(tiny(tmp_path / "tiny.txt", disk_bytes=4_000_000), partial)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), r"^the disk is full, at .*--prune"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), r"^the disk is full, at .*--prune"),
        (PermissionError(errno.EACCES, "Permission denied"), r"^cannot write to .*XDG_CACHE_HOME"),
        (OSError(errno.EROFS, "Read-only file system"), r"^cannot write to .*XDG_CACHE_HOME"),
    ],
)
@pytest.mark.usefixtures("cache")
def test_refused_writing_is_one_line(
    tmp_path: Path,
    progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
    error: OSError,
    expected: str,
) -> None:
    """A disk that fills up on the way, or a folder that is closed, gives a line with a remedy."""

    def fail(*_: object) -> None:
        raise error

    lock = tmp_path / "tiny.txt"
    lock.write_text("one==1.0\n", "utf-8")
    monkeypatch.setattr(making, "_prepare", fail)
    with pytest.raises(SetupRefusedError, match=expected):
        make(tiny(lock), progress)


@pytest.mark.parametrize("absent", ["venv", "ensurepip"])
def test_missing_venv_module_names_the_package(
    absent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Python whose distribution ships venv apart is told what to install."""

    def find(name: str) -> importlib.machinery.ModuleSpec | None:
        return None if name == absent else importlib.machinery.ModuleSpec(name, None)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    with pytest.raises(
        SetupRefusedError, match=rf"no module '{absent}'.*apt install python3.*-venv"
    ):
        making.require_venv_module()


def test_environment_of_a_python_that_is_gone_is_made_again(
    interrupted: Callable[[str], Path], progress: Progress, said: io.StringIO
) -> None:
    """An environment with a dangling Python is replaced, and its maker's log removed."""
    lock = interrupted("one==1.0\n")
    final = environment_for(lock)
    (final / "bin").mkdir(parents=True)
    (final / "bin" / "python").symlink_to("/nowhere/python3")
    make(tiny(lock), progress)
    assert is_ready(final)
    assert not log_of(final).exists()
    assert "the Python that it was made with is gone" in said.getvalue()
