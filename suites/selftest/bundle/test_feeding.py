import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fixtures.runtimes.bundle.feeding import feed, taken, variables
from fixtures.runtimes.bundle.manifest import Manifest
from fixtures.runtimes.bundle.unpacking import provide_bundle
from fixtures.runtimes.environments import CHECKOUT
from fixtures.runtimes.setup.progress import Progress
from fixtures.runtimes.setup.pruning import prune
from fixtures.runtimes.setup.refusals import SetupRefusedError
from suites.selftest.bundle.conftest import MODEL, Checkout

pytestmark = pytest.mark.selftest

# `ci/suite` with the tiny lock in the place of its own; where pytest would begin, it tells what
# pytest would be told.
_PROGRAM = """
import os, sys
from pathlib import Path
from fixtures.runtimes.bundle import feeding
from fixtures.runtimes.setup import entry
from fixtures.runtimes.setup.recipes import Recipe
lock = Path(sys.argv[1])
feeding.LOCKS = lock.parent
entry.BEFORE_PYTEST = (Recipe(lock, "a tiny environment", 0, "a moment"),)
def tell(args):
    print(*args, os.environ["PIP_FIND_LINKS"], os.environ.get("MINICPMV_MODEL"), sep="\\n")
    print(os.environ.get("MINICPMV_BUNDLE"))
    sys.exit(3)
entry.become_pytest = tell
entry.main(sys.argv[2:])
"""


def _suite(lock: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(lock), *args],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_bundle_sets_up_without_an_index(
    cache: Path, bundle: Path, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment is made of its wheels, a CPU build too; a second call makes nothing."""
    run = _suite(checkout.lock, "-m", "--from-bundle", str(bundle), "cpu")
    (env,) = cache.glob("tiny-*[!k]")
    (folder,) = cache.glob("bundle-*[!k]")
    told = ["-m", "cpu", (folder / "wheels").as_uri(), str(folder / "model" / MODEL), "None"]
    assert (run.returncode, run.stdout.splitlines()) == (3, told), run.stderr
    lines = [line.removeprefix("ci/suite: ") for line in run.stderr.splitlines()]
    stages = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert stages == ["unpacking", "unpacked", "making", "made"]
    assert {path.name for path in env.glob("lib/*/site-packages/*.py")} >= {"one.py", "three.py"}
    monkeypatch.setenv("MINICPMV_BUNDLE", str(bundle))
    again = _suite(checkout.lock, "-m", "cpu")
    assert (again.returncode, again.stdout, again.stderr) == (3, run.stdout, "")


def test_a_refused_bundle_is_exit_code_4(cache: Path, checkout: Checkout, tmp_path: Path) -> None:
    """In one line, before anything is made."""
    run = _suite(checkout.lock, "--from-bundle", str(tmp_path / "none.tar"))
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (4, "", 1)
    assert run.stderr.startswith(f"ci/suite: {tmp_path}/none.tar does not exist: ")
    assert not cache.exists()


def test_what_is_unpacked_is_what_was_packed(
    cache: Path, bundle: Path, checkout: Checkout, progress: Progress
) -> None:
    """Wheels and model, bit by bit, and nothing beside them; the suite stays in the archive."""
    folder, told = provide_bundle(bundle, checkout.lock.parent, progress)
    assert folder.parent == cache
    assert {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    } == {member.path for member in told.members if not member.path.startswith("suite/")}
    for wheel in (folder / "wheels").iterdir():
        assert wheel.read_bytes() == (checkout.wheels / wheel.name).read_bytes()
    assert (folder / "model" / MODEL / "config.json").read_bytes() == b"{}"


def test_a_second_call_unpacks_nothing(
    cache: Path, bundle: Path, checkout: Checkout, progress: Progress, said: io.StringIO
) -> None:
    """What lies there is taken as it is, from a copy of the bundle too."""
    first, _ = provide_bundle(bundle, checkout.lock.parent, progress)
    before = said.getvalue()
    (first / "wheels" / "here").touch()
    copy = shutil.copy(bundle, cache.parent / "copy.tar")
    second, _ = provide_bundle(Path(copy), checkout.lock.parent, progress)
    assert (second, said.getvalue()) == (first, before)
    assert (first / "wheels" / "here").exists()


def test_what_a_killed_one_left_is_unpacked_anew(
    cache: Path,
    bundle: Path,
    checkout: Checkout,
    progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A partial folder is not gone on with: what is in it was not verified."""
    whole, _ = provide_bundle(bundle, checkout.lock.parent, progress)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent / "other"))
    partial = cache.parent / "other" / cache.name / f"{whole.name}.partial"
    (partial / "wheels").mkdir(parents=True)
    (partial / "wheels" / "half").touch()
    again, _ = provide_bundle(bundle, checkout.lock.parent, progress)
    assert again == partial.with_name(whole.name)
    assert not partial.exists()
    assert not (again / "wheels" / "half").exists()


def test_too_little_disk_is_refused_beforehand(
    cache: Path,
    bundle: Path,
    checkout: Checkout,
    progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The line names the bundle, the folder, and how much is missing."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    expected = rf"^{bundle} cannot be unpacked, the disk of {cache} is full \(0\.0 GB are free"
    with pytest.raises(SetupRefusedError, match=expected):
        provide_bundle(bundle, checkout.lock.parent, progress)


def test_what_is_unpacked_stays_while_it_is_used(
    cache: Path, bundle: Path, checkout: Checkout, progress: Progress, said: io.StringIO
) -> None:
    """`--prune` leaves it to the process that was fed, and removes it afterwards."""
    program = (
        "import sys; from pathlib import Path; from fixtures.runtimes.bundle import unpacking\n"
        "from fixtures.runtimes.setup.progress import Progress\n"
        "unpacking.provide_bundle(Path(sys.argv[1]), Path(sys.argv[2]), Progress(sys.stderr))\n"
        "print('up', flush=True); input()\n"
    )
    command = [sys.executable, "-c", program, str(bundle), str(checkout.lock.parent)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == "up\n"
        assert prune(cache, [checkout.lock], progress) == 0
        assert "kept " in said.getvalue()
        user.communicate("\n")
    assert prune(cache, [checkout.lock], progress) > 0
    assert list(cache.iterdir()) == []


def test_without_a_bundle_nothing_changes(
    cache: Path, progress: Progress, said: io.StringIO
) -> None:
    """Arguments and environment are as they were."""
    before = dict(os.environ)
    assert feed(["-m", "cpu"], progress) == ["-m", "cpu"]
    assert (dict(os.environ), said.getvalue()) == (before, "")
    assert not cache.exists()


def test_the_bundle_may_be_named_in_the_environment(
    cache: Path, progress: Progress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By MINICPMV_BUNDLE; the command line counts first."""
    monkeypatch.setenv("MINICPMV_BUNDLE", str(tmp_path / "environment.tar"))
    with pytest.raises(SetupRefusedError, match=r"environment\.tar does not exist"):
        feed([], progress)
    with pytest.raises(SetupRefusedError, match=r"line\.tar does not exist"):
        feed(["--from-bundle", str(tmp_path / "line.tar")], progress)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["-x"], (None, ["-x"])),
        (["--from-bundle", "a", "-x"], ("a", ["-x"])),
        (["-x", "--from-bundle=a b"], ("a b", ["-x"])),
        (["--from-bundle", "a", "--from-bundle=b"], ("b", [])),
        (["--from-bundle-not", "a"], (None, ["--from-bundle-not", "a"])),
    ],
)
def test_the_option_is_taken_out(args: list[str], expected: tuple[str | None, list[str]]) -> None:
    """pytest knows nothing of it."""
    assert taken(args) == expected


@pytest.mark.parametrize("args", [["--from-bundle"], ["--from-bundle="], ["--from-bundle", ""]])
def test_an_option_without_a_file_is_refused(args: list[str]) -> None:
    """And pytest is not started."""
    with pytest.raises(SetupRefusedError, match=r"^--from-bundle names no file: name one"):
        taken(args)


@pytest.mark.parametrize(
    ("model", "given", "expected"),
    [
        ("a", {}, "/b/model/a"),
        ("a", {"MINICPMV_MODEL": "mine"}, None),
        ("a", {"MINICPMV_MODEL": ""}, None),
        (None, {}, None),
    ],
)
def test_the_bundles_model_is_asked_unless_another_is_named(
    model: str | None, given: dict[str, str], expected: str | None
) -> None:
    """An empty variable stands for the cells' own models."""
    told = Manifest("1", None, "3.11.0", "m", {}, model, ())
    found = variables(Path("/b"), told, given)
    assert found.get("MINICPMV_MODEL") == expected
    assert found["PIP_NO_INDEX"] == "1"


def test_pip_is_told_of_a_folder_with_spaces() -> None:
    """It would take a path apart there."""
    told = Manifest("1", None, "3.11.0", "m", {}, None, ())
    assert variables(Path("/a b"), told, {})["PIP_FIND_LINKS"] == "file:///a%20b/wheels"
