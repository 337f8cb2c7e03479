"""A server of the tiny cell with faults in it, and what these counted of themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fixtures.cells.cards import GIB
from fixtures.cells.case import Case
from fixtures.cells.cell import Cell
from fixtures.cells.models import CHECKPOINTS
from fixtures.deployments.deployment import Plan
from fixtures.deployments.launched import LaunchedDeployment
from fixtures.records.store import RunStore, new_run_id
from fixtures.runtimes.dialect import SERVED_MODEL_NAME
from fixtures.runtimes.runtime import PythonRuntime

PLANTS: Final = Path(__file__).parent / "plants"
"""For a server's PYTHONPATH; named by `Plan.plugins`."""
ORDER: Final = "MINICPMV_CANARY"
REPORT: Final = "MINICPMV_CANARY_REPORT"

CASE: Final = Case(
    card_name="cpu",
    model_name="tiny",
    cell=Cell(max_num_seqs=4, max_model_len=2048, allocator="glibc"),
    budget_bytes=int(4.5 * GIB),
)


def plugin_env(order: str, reports: Path | None = None) -> dict[str, str]:
    """What a server's plugins are told, for `Plan.plugin_env`; nothing is planted by ''.

    Args:
        order: as `plants/minicpmv_canary/order.py` reads it.
        reports: a folder that is there, in which the faults count; None for no counting.
    """
    told = {REPORT: str(reports.absolute())} if reports else {}
    return {**told, ORDER: order} if order else {}


def counted(reports: Path) -> dict[str, dict[str, float]]:
    """What each fault counted, summed over processes; a fault that is absent was not planted."""
    sums: dict[str, dict[str, float]] = {}
    for path in sorted(reports.glob("*.json")):
        fault = sums.setdefault(path.stem.rpartition("-")[0], {})
        for name, count in json.loads(path.read_bytes()).items():
            fault[name] = fault.get(name, 0) + count
    return sums


@contextmanager
def planted(order: str, runtime: PythonRuntime, folder: Path) -> Iterator[LaunchedDeployment]:
    """A server with these faults, started; ready or not. It is stopped with the block.

    Its record and log are below `folder`, the counts in `folder/reports`.
    """
    reports = folder / "reports"
    reports.mkdir(parents=True)
    plan = Plan(
        store=RunStore(folder, new_run_id()),
        ready_within_s=300.0,
        hang_after_s=60.0,
        served_name=SERVED_MODEL_NAME,
        models={"tiny": str(CHECKPOINTS / "minicpmv-2.6-tiny")},
        gpus={},
        plugins=(PLANTS,),
        plugin_env=plugin_env(order, reports),
    )
    server = LaunchedDeployment(CASE, runtime, plan)
    try:
        server.start(lambda *_: None)
        yield server
        server.close()
    finally:
        server.kill()
