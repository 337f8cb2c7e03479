"""What all selftests share."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

from fixtures.plugin.options import value_of
from fixtures.runtimes.runtime import Runtime, find_runtime
from fixtures.runtimes.setup.progress import Progress
from fixtures.servers.cgroup import MemoryCgroup, NoCgroupError, make_cgroup
from suites.selftest.programs import Launcher
from suites.selftest.standin.engine import StandIn
from suites.selftest.standin.gpus import Machine

CardMaker = Callable[[int], MemoryCgroup]

# Hundreds of tests have to fit into what a person waits for.
settings.register_profile("selftest", max_examples=50, deadline=None)
settings.load_profile("selftest")


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launcher]:
    """Start small programs under a guardian; they end with the test."""
    launcher = Launcher(tmp_path)
    yield launcher
    launcher.close()


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A docker on PATH that is the test's own, with its daemon."""
    standin = StandIn(tmp_path)
    monkeypatch.setenv("PATH", standin.path)
    standin.start()
    yield standin
    standin.close()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """GPUs of the test's own, for every process that it starts; there is none yet."""
    here = Machine(tmp_path)
    for name, value in here.env.items():
        monkeypatch.setenv(name, value)
    return here


@pytest.fixture
def make_card() -> Iterator[CardMaker]:
    """Make real memory cgroups of a given size, which go with the test."""
    made: list[MemoryCgroup] = []

    def make(limit_bytes: int) -> MemoryCgroup:
        try:
            made.append(make_cgroup(f"selftest-{len(made)}", limit_bytes))
        except NoCgroupError as error:
            pytest.skip(f"no memory cgroup can be made here: {error}")
        return made[-1]

    yield make
    for group in made:
        for pid in group.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        group.remove()


@pytest.fixture(scope="session")
def runtime(pytestconfig: pytest.Config) -> Runtime:
    """The runtime under test for the cpu card, made if it is not there yet."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        progress = Progress(sys.stderr)
        return find_runtime("cgroup", value_of(pytestconfig, "runtime"), progress)
