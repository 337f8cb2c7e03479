"""The plan of a fleet, from pytest's own."""

import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.cells.cards import CARDS, GIB
from fixtures.fleet.errors import FleetError
from fixtures.fleet.needs import CORES_OF_A_GPU, OfferError, needs_of, offer_of
from fixtures.fleet.plan import CellOfPlan, Plan, args_of_cells, works_of
from fixtures.fleet.planning import refuse_own, variables_of
from fixtures.fleet.schedule import lower_bound_s, schedule
from fixtures.fleet.task import environment_of
from fixtures.fleet.told import Result, plan_lines, result_lines
from fixtures.records.part import Unmeasured
from fixtures.runtimes.environments import CHECKOUT

pytestmark = pytest.mark.selftest

NEVER = Unmeasured(unmeasured="no run of before")
PLAN = Plan(
    cells=[
        CellOfPlan(case_id="cpu-a", card="cpu", weight_s=50, expected_s=NEVER, timed=False),
        CellOfPlan(case_id="cpu-b", card="cpu", weight_s=80, expected_s=91.0, timed=True),
        CellOfPlan(case_id="cpu-c", card="cpu", weight_s=80, expected_s=40.0, timed=True),
    ],
    expression="cpu",
    own_tests=0,
    folders=["suites/startup", "suites/memory"],
)


def test_a_real_plan_has_each_cell_in_the_shard_that_pytest_deals(tmp_path: Path) -> None:
    """What pytest selects for `--shard K/N` is the one cell that the plan says it is."""
    path = tmp_path / "plan.json"
    told = _pytest(tmp_path, "-p", "fixtures.plugin.planning", f"--plan={path}")
    assert told.returncode == 0, told.stdout
    plan = Plan.model_validate_json(path.read_bytes())
    works = works_of(plan)
    assert len(works) == 7
    assert (plan.expression, plan.own_tests, plan.folders) == ("cpu", 0, [])
    timed = {work.case_id for work in works if work.timed}
    assert timed == {work.case_id for work in works if work.case_id.startswith("cpu-tiny")}
    work = works[-1]
    shard = _pytest(tmp_path, f"--shard={work.part}", *args_of_cells([], plan))
    cells = [line.partition(":")[0] for line in shard.stdout.splitlines() if line[:4] == "cpu-"]
    assert cells == [work.case_id]


def _pytest(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = ["-c", "pyproject.toml", "-p", "fixtures.plugin", "-p", "no:cacheprovider", "-q"]
    command += ["-m", "cpu", "--dry-run", f"--records={folder}"]
    # Not the suite's own tests: to collect them takes longer than all the rest.
    command += ["suites/memory", "suites/throughput"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *command, *args],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_longest_goes_first_and_is_known_where_it_was_measured() -> None:
    """By what earlier runs took, and by round figures where there is none."""
    works = works_of(PLAN)
    assert [work.case_id for work in works] == ["cpu-b", "cpu-a", "cpu-c"]
    assert [work.is_known for work in works] == [True, False, True]
    assert sorted(work.part for work in works) == ["1/3", "2/3", "3/3"]


def test_the_suites_own_tests_are_left_out() -> None:
    """Where they are selected the expression says so; folders are named where the user does not."""
    assert args_of_cells(["-m", "cpu"], PLAN) == ["-m", "cpu", "suites/startup", "suites/memory"]
    mixed = PLAN.model_copy(update={"own_tests": 5, "expression": "selftest or cpu", "folders": []})
    assert args_of_cells([], mixed) == ["-m", "(selftest or cpu) and not selftest"]


@pytest.mark.parametrize("word", ["--shard=1/2", "--gpu", "--junitxml=x"])
def test_what_the_fleet_says_itself_is_refused(word: str) -> None:
    """Nobody's shard or GPU is taken for all cells'."""
    with pytest.raises(FleetError, match=word):
        refuse_own(["-m", "cpu", word])


def test_hosts_get_the_suites_variables_alone() -> None:
    """Options travel; where records go and which GPU it is does not."""
    mine = {"MINICPMV_MODEL": "m", "MINICPMV_GPU": "0", "MINICPMV_RECORDS": "r", "HOME": "/x"}
    assert variables_of(mine) == {"MINICPMV_MODEL": "m"}


def test_a_server_does_not_get_what_ray_sets_for_its_workers() -> None:
    """With Ray's one thread it would be another server; the GPU that Ray chose stays."""
    worker = {"OMP_NUM_THREADS": "1", "PYTHONPATH": "/c", "RAY_JOB_ID": "1"}
    kept = {"CUDA_VISIBLE_DEVICES": "3", "PATH": "/bin"}
    assert environment_of({**worker, **kept}) == kept


def test_a_cell_takes_its_card() -> None:
    """A GPU is one device; on the cpu card what is timed takes the host, and all its memory."""
    gpu, timed, untimed = (
        needs_of("gpu48", timed=True),
        needs_of("cpu", timed=True),
        needs_of("cpu", timed=False),
    )
    assert (gpu.amount, gpu.gpus, gpu.memory_bytes) == (1, 1, 0)
    assert (timed.amount, timed.gpus) == (1, 0)
    assert untimed.amount < 1
    assert untimed.memory_bytes == timed.memory_bytes > CARDS["cpu"].capacity_bytes


def test_a_host_offers_every_card_that_its_gpus_can_be() -> None:
    """A larger GPU stands in for smaller cards, and no GPU goes without cores."""
    assert offer_of(64, 99 * GIB, [80 * GIB] * 8).cards == {"gpu24": 8, "gpu48": 8, "gpu80": 8}
    few = offer_of(2 * CORES_OF_A_GPU, 99 * GIB, [80 * GIB] * 8)
    assert (few.gpus, few.cards["gpu80"]) == (2, 2)


def test_a_host_without_gpus_is_the_cpu_card_if_it_has_the_memory() -> None:
    """Nobody is offered a card of 6 GiB that is not there."""
    assert offer_of(2, 20 * GIB, []).cards == {"cpu": 1}
    assert offer_of(2, 7 * GIB, []).cards == {}


def test_a_host_with_different_cards_is_refused() -> None:
    """Ray counts GPUs and does not tell them apart."""
    with pytest.raises(OfferError, match="CUDA_VISIBLE_DEVICES"):
        offer_of(64, 99 * GIB, [46 * GIB, 80 * GIB])


def test_the_plan_is_told_with_minutes_and_what_happened_beside_it() -> None:
    """Each cell, the whole, the bound; afterwards each fault and how far off it was."""
    works = works_of(PLAN)
    offer = offer_of(2, 20 * GIB, [])
    plan, bound_s = schedule(works, [offer]), lower_bound_s(works, [offer])
    lines = plan_lines(plan, bound_s, ["here"])
    assert lines[1].split() == ["cpu-a", "shard", "3/3", "1.6", "to", "2.5", "min~", "here"]
    assert lines[-1] == "3 cells on 1 host: 3.3 min expected, not under 2.6 min"
    results = [Result(works[0], "here", 0, 192.0, ("its host was lost",))]
    assert result_lines(results, plan, bound_s, 240.0, {"cpu-b": 180.0}) == [
        "fault: cpu-b: its host was lost",
        "4.0 min, 3.3 expected, not under 2.6",
        "a cell took 2.00 of what was expected (median)",
        "of that 12 s were not the cell's own (median)",
    ]
