"""`-m fleet`: a real Ray on this machine, whose workers, hosts and driver are killed.

What runs is a stand-in that measures nothing. Each fault comes at random moments, ten times; the
seed of a moment is in the test's id.
"""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from os import kill
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest

from fixtures.fleet.faults import OF_THE_MACHINE
from fixtures.records.merging import shards_of
from fixtures.records.runs import read_whole
from fixtures.runtimes.owner import PREFIX
from suites.selftest.fleet.bench import (
    Checkout,
    Driver,
    cluster,
    driver,
    fleet_python,
    until,
    workers,
)

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(400)]

TIMES = range(10)
CELLS = 5
SECONDS = 3.0
SETTLED_S = 2.0
"""What was written so long before the driver died has arrived: it is looked for every 0.5 s."""


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    """Stand-ins, of which nothing may be left in the end."""
    made = Checkout(tmp_path / "checkout", CELLS, SECONDS)
    yield made
    until(lambda: not made.living(), "the end of every stand-in, what it started, its guardian")
    # The last thing that a guardian does.
    until(lambda: not _scratch(), "the removal of every scratch folder")


def _scratch() -> list[Path]:
    # An empty one, of a worker that died before its guardian knew of it, goes with the next cell.
    return [*Path(gettempdir()).glob(f"{PREFIX}-*-fleet-*/*.log")]


def _begun(checkout: Checkout, driven: Driver) -> None:
    def is_begun() -> bool:
        assert driven.process.poll() is None, driven.said
        return any(one.what == "began" for one in checkout.did())

    until(is_begun, "the first cell")


def _whole(driven: Driver, checkout: Checkout) -> None:
    """Each cell is in the run once, and every attempt on disk is one that was made."""
    run = read_whole(str(driven.folder), driven.records)
    assert sorted(case.case_id for case in run.cases) == checkout.cells
    shards = [path.parent for path in driven.folder.glob("shards/*/run.json")]
    parts = shards_of([read_whole(str(path), driven.records) for path in shards])
    assert [shard.part.number for shard in parts] == list(range(1, CELLS + 1))
    assert len({shard.run.cases[0].case_id for shard in parts}) == CELLS
    for case in run.cases:
        log = driven.folder / case.case_id / "server.log"
        assert log.read_text() == f"log of {case.case_id}\n"
    made = {one.run_id for one in checkout.did()}
    kept = {path.name for path in driven.folder.glob("*/20260101T*")}
    assert kept <= made


@pytest.mark.parametrize("seed", TIMES)
def test_a_worker_that_is_killed_costs_one_more_attempt(
    checkout: Checkout, tmp_path: Path, seed: int
) -> None:
    """The cell is run again, the run is green, and no record is there twice."""
    chance = np.random.default_rng(seed)
    with driver(checkout, tmp_path / "records", ["--local=2"]) as driven:
        _begun(checkout, driven)
        time.sleep(chance.uniform(0, SECONDS * CELLS / 3))
        until(workers, "a worker that runs a cell")
        with suppress(ProcessLookupError, ValueError):
            kill(int(chance.choice(workers())), signal.SIGKILL)
        assert driven.wait() == 0, driven.said
        _whole(driven, checkout)


@pytest.mark.parametrize("seed", TIMES)
def test_a_host_that_is_lost_is_done_without(checkout: Checkout, tmp_path: Path, seed: int) -> None:
    """Its cells are run by the other one, the run is green, and no record is there twice."""
    chance = np.random.default_rng(seed)
    with (
        cluster(2) as hosts,
        driver(checkout, tmp_path / "records", [f"--address={hosts.address}"]) as driven,
    ):
        _begun(checkout, driven)
        time.sleep(chance.uniform(0, SECONDS * CELLS / 3))
        hosts.remove(int(chance.integers(2)))
        assert driven.wait() == 0, driven.said
        _whole(driven, checkout)


@pytest.mark.parametrize("seed", TIMES)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "ctrl-c"])
def test_a_driver_that_ends_leaves_nothing_but_records(
    checkout: Checkout, tmp_path: Path, seed: int, number: signal.Signals
) -> None:
    """Whole records are on its disk, each once; the fixture sees that nothing runs."""
    chance = np.random.default_rng(seed)
    with ExitStack() as undo:
        # In turns a Ray of its own, which ends with it, and one that goes on.
        where = "--local=2" if seed % 2 else f"--address={undo.enter_context(cluster(2)).address}"
        driven = undo.enter_context(driver(checkout, tmp_path / "records", [where]))
        _begun(checkout, driven)
        time.sleep(chance.uniform(0, SECONDS * CELLS / 4))
        ended_s = time.time()
        driven.process.send_signal(number)
        code = driven.wait()
        assert code == (-signal.SIGKILL if number == signal.SIGKILL else 2), driven.said
        until(lambda: not checkout.living(), "the end of what ran")
    written = {
        one.run_id
        for one in checkout.did()
        if one.what == "wrote" and one.at_s < ended_s - SETTLED_S
    }
    kept = [json.loads(path.read_text()) for path in driven.folder.glob("shards/*/cpu-*.json")]
    assert written <= {record["run_id"] for record in kept}
    assert len({record["case_id"] for record in kept}) == len(kept)


def test_a_red_cell_runs_once(checkout: Checkout, tmp_path: Path) -> None:
    """Its exit code is the fleet's; nobody asks it again."""
    path = checkout.folder / "shard-1.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "exit_code": 1}))
    with driver(checkout, tmp_path / "records", ["--local=2"]) as driven:
        assert driven.wait() == 1, driven.said
        _whole(driven, checkout)
    assert sum(one.what == "began" for one in checkout.did()) == CELLS


def test_each_host_runs_a_control_that_is_no_part_of_the_run(tmp_path: Path) -> None:
    """Before its cells, once, on that host; what it tells is kept beside the run's own records."""
    timed = Checkout(tmp_path / "checkout", CELLS, SECONDS, timed=True)
    with (
        cluster(2) as hosts,
        driver(timed, tmp_path / "records", [f"--address={hosts.address}"]) as driven,
    ):
        assert driven.wait() == 0, driven.said
        _whole(driven, timed)
        assert len(list(driven.folder.glob("controls/*/shards/*/run.json"))) == 2
        record = json.loads((driven.folder / "run.json").read_text())
    began = [one.case_id for one in timed.did() if one.what == "began"]
    assert len(began) == CELLS + 2
    assert began[0] == began[1]
    assert sorted(case_id for host in record["hosts"] for case_id in host["cells"]) == timed.cells
    assert [(host["control"], host["unlike"]) for host in record["hosts"]] == [(began[0], [])] * 2
    until(lambda: not timed.living(), "the end of every stand-in")


def test_a_cell_that_hangs_is_tried_twice_and_stays_unmeasured(tmp_path: Path) -> None:
    """Its run is red, what it had written is kept, and it is named."""
    hanging = Checkout(tmp_path / "checkout", 1, 900.0)
    where = ["--local=1", "--deadline=0.05"]
    with driver(hanging, tmp_path / "records", where) as driven:
        assert driven.wait() == 1, driven.said
        assert len(list(driven.folder.glob("shards/*/run.json"))) == 1
        assert len(list(driven.folder.glob("lost/*/run.json"))) == 1
        assert f"there is no record of: {hanging.cells[0]}" in driven.said
    until(lambda: not hanging.living(), "the end of every stand-in")


def test_every_fault_is_one_that_ray_has() -> None:
    """The names by which faults are told apart are those of Ray's exceptions."""
    code = "import ray.exceptions as known; print(*vars(known))"
    names = subprocess.check_output([fleet_python(), "-c", code], text=True).split()
    assert set(OF_THE_MACHINE) <= set(names)


def test_where_no_ray_listens_is_told_at_once(tmp_path: Path) -> None:
    """Ray itself would wait for ten minutes and more."""
    nobody = Checkout(tmp_path / "checkout", 1, 1.0)
    with driver(nobody, tmp_path / "records", ["--address=127.0.0.1:1"]) as driven:
        assert driven.wait() == 4
        assert "no Ray at 127.0.0.1:1: " in driven.said
    assert nobody.did() == []
