import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.commands import WORDS
from fixtures.runtimes.environments import (
    CHECKOUT,
    SUITE_LOCK,
    environment_for,
    python_of,
)
from fixtures.runtimes.setup import providing
from fixtures.runtimes.setup.locking import lock_of, try_hold
from fixtures.runtimes.setup.progress import Progress
from fixtures.runtimes.setup.providing import provide
from fixtures.runtimes.setup.recipes import BEFORE_PYTEST, FLEET, RECIPES

pytestmark = pytest.mark.selftest

SUITE = CHECKOUT / "ci" / "suite"
PYTEST = ["-m", "pytest", "-c", "pyproject.toml", "-p", "fixtures.plugin"]

# Python that tells its arguments, its folder and its process id, and ends with 3.
STAND_IN = '#!/bin/sh\nfor word; do echo "$word"; done\npwd\necho $$\nexit 3\n'

# Runs ci/suite and tells of every program that it starts and every socket that it opens.
WATCHED = """
import runpy, sys
watched = ("subprocess.", "os.fork", "os.posix_spawn", "os.system", "socket.")
sys.addaudithook(lambda name, _: name.startswith(watched) and sys.stderr.write(name + "\\n"))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

# Runs ci/suite as a Python that is too old would.
TOO_OLD = """
import runpy, sys
sys.version_info = (3, 8, 18)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def ready(cache: Path) -> None:
    """A cache with every environment in it, and a Python that only tells what it was given."""
    for recipe in RECIPES:
        python = python_of(environment_for(recipe.lock))
        assert python.is_relative_to(cache)
        python.parent.mkdir(parents=True)
        python.write_text(STAND_IN, "utf-8")
        python.chmod(0o755)


@pytest.mark.usefixtures("ready")
def test_second_call_starts_nothing_but_pytest(tmp_path: Path) -> None:
    """With every environment there, no program is run, nothing is said, and pytest takes over."""
    command = [sys.executable, "-c", WATCHED, str(SUITE), "-m", "cpu", "a b"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    out, err = process.communicate()
    assert err == ""
    arguments = [*PYTEST, "-m", "cpu", "a b"]
    assert out.splitlines() == [*arguments, str(CHECKOUT), str(process.pid)]
    assert process.returncode == 3


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_handed_on_instead_of_pytest(tmp_path: Path, word: str) -> None:
    """It is run from the caller's folder, whose own modules it does not see."""
    run = subprocess.run(
        [SUITE, word, "-m", "cpu"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    command = ["-P", "-m", "fixtures.commands", word, "-m", "cpu"]
    assert run.stdout.splitlines()[:-1] == [*command, str(tmp_path)]
    assert run.returncode == 3


@pytest.mark.usefixtures("ready")
def test_the_fleet_has_an_environment_of_its_own() -> None:
    """Its word is run by the Python that has Ray, and no other word is."""
    python_of(environment_for(FLEET.lock)).write_text("#!/bin/sh\necho with Ray\n", "utf-8")
    assert subprocess.check_output([SUITE, "fleet"], text=True) == "with Ray\n"
    other = subprocess.run([SUITE, "history"], capture_output=True, text=True, check=False)
    assert "with Ray" not in other.stdout


@pytest.mark.usefixtures("ready")
def test_a_word_that_is_not_the_first_is_pytests() -> None:
    """`-k history` chooses tests, as ever."""
    run = subprocess.run([SUITE, "-k", "history"], capture_output=True, text=True, check=False)
    assert run.stdout.splitlines()[:-2] == [*PYTEST, "-k", "history"]


@pytest.mark.usefixtures("ready")
def test_running_suite_keeps_its_environments() -> None:
    """While pytest runs, no environment of it can be removed; afterwards each can."""
    locks = [lock_of(environment_for(recipe.lock)) for recipe in BEFORE_PYTEST]
    python_of(environment_for(SUITE_LOCK)).write_text("#!/bin/sh\necho up\nread line\n", "utf-8")
    with subprocess.Popen([SUITE], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert [try_hold(lock) for lock in locks] == [None for _ in locks]
        process.communicate(b"\n")
    for lock in locks:
        held = try_hold(lock)
        assert held is not None
        os.close(held)


@pytest.mark.usefixtures("ready")
def test_cache_that_cannot_be_written_can_be_used(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache baked into an image, and read-only, serves without its lock files."""

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(providing, "try_hold", refuse)
    recipe = BEFORE_PYTEST[0]
    assert provide(recipe, progress) == environment_for(recipe.lock)


@pytest.mark.usefixtures("cache")
def test_prune_goes_alone() -> None:
    """--prune beside other arguments is refused in one line, with exit code 4."""
    run = subprocess.run(
        [SUITE, "--prune", "-m", "cpu"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 4
    assert run.stderr.startswith("ci/suite: --prune goes alone: run `ci/suite --prune`")
    assert run.stderr.count("\n") == 1


@pytest.mark.usefixtures("cache")
def test_prune_tells_what_it_freed() -> None:
    """`ci/suite --prune` ends with 0 and starts no pytest."""
    run = subprocess.run([SUITE, "--prune"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "")
    assert run.stderr.startswith("ci/suite: freed 0 MiB in ")


def _run_too_old(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", TOO_OLD, str(SUITE), "-m", "cpu"],
        env={**os.environ, "PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def _placeholder(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    (folder / name).chmod(0o755)


def test_old_python_says_what_is_needed(tmp_path: Path) -> None:
    """Where no newer Python is, one line names the version, the one in use and the remedy."""
    run = _run_too_old(tmp_path)
    assert run.returncode == 4
    assert run.stderr == (
        f"ci/suite: Python 3.11 or newer is needed, with its venv module, and {sys.executable} "
        "is 3.8: install one, e.g. `apt install python3.11 python3.11-venv`\n"
    )


def test_old_python_hands_on_to_a_newer_one(tmp_path: Path) -> None:
    """A newer Python on the PATH takes over, and a version manager's placeholder is passed by."""
    _placeholder(tmp_path, "python3.11", "exit 127")
    _placeholder(tmp_path, "python3.12", '[ "$1" = -c ] || echo "$@"')
    run = _run_too_old(tmp_path)
    assert run.stdout == f"{SUITE} -m cpu\n"
    assert run.returncode == 0


def test_any_python_can_read_the_entry() -> None:
    """The entry has no newer syntax: an old Python shall print a line, not a SyntaxError."""
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Match, ast.AsyncFunctionDef)
    tree = ast.parse(SUITE.read_text("utf-8"), feature_version=(3, 4))
    assert [node for node in ast.walk(tree) if isinstance(node, newer)] == []
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert all(function.returns is None for function in functions)


def test_setup_needs_the_standard_library_alone() -> None:
    """A bare Python can import everything that sets up."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules)\n"
        "from fixtures.runtimes.setup import entry, on_demand, resolving\n"
        "new = {n.partition('.')[0] for n in set(sys.modules) - before}\n"
        "print(sorted(new - sys.stdlib_module_names - {'fixtures'}))\n"
    )
    command = [sys.executable, "-I", "-S", "-c", program, str(CHECKOUT)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == ("[]\n", "")


@pytest.mark.usefixtures("ready")
def test_continuous_integration_runs_the_same_command(tmp_path: Path) -> None:
    """.ci/run is ci/suite, from whatever folder it is called."""
    run = subprocess.run(
        [CHECKOUT / ".ci" / "run"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.stdout.splitlines()[:-1] == [*PYTEST, str(CHECKOUT)]
    assert run.returncode == 3
