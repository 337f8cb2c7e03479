"""What watching costs a server that is watched: `pytest -m instrument` prints it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from fixtures.cells.case import Case
from fixtures.deployments.deploying import deploy
from fixtures.deployments.deployment import Deployment, Plan
from fixtures.deployments.launched import LaunchedDeployment
from fixtures.load.arrivals import Closed
from fixtures.load.generator import run_load
from fixtures.load.shots import fresh_questions, shots_of
from fixtures.memory.allocator_folder import PLUGIN
from fixtures.plugin.preparation import PREPARED
from fixtures.records.store import RunStore, new_run_id

pytestmark = [
    pytest.mark.instrument,
    pytest.mark.only_case("cpu-tiny-seqs=16-len=2048-alloc=arena1"),
]

BLOCKS = 12
REQUESTS = 64
_TIMEOUT_S = 120.0


def _recorders(deployment: Deployment) -> list[int]:
    """The processes that record it."""
    assert isinstance(deployment, LaunchedDeployment)
    tree = deployment._watch._tree
    assert tree is not None
    return [tree._process.pid]


def _round_s(deployment: Deployment) -> float:
    """How long it takes to answer so many requests, each right or wrong, none without answer."""
    concurrency = deployment.case.cell.max_num_seqs
    bodies = [shot.body for shot in shots_of(fresh_questions(REQUESTS), deployment.endpoint)]
    load = run_load(
        deployment.endpoint.base_url, bodies, Closed(concurrency), _TIMEOUT_S, deployment.why_down
    )
    assert all(line.reply.error is None for line in load.timelines)
    return load.own.wall_s


def _rounds(first: Deployment, second: Deployment, *, pause_second: bool) -> list[float]:
    """Ratios of the first to the second in blocks A B B A, after a block that is thrown away."""
    ratios = []
    for _ in range(BLOCKS + 1):
        took = {True: 0.0, False: 0.0}
        for with_it in (True, False, False, True):
            deployment = first if with_it else second
            paused = [] if with_it or not pause_second else _recorders(deployment)
            for pid in paused:
                os.kill(pid, signal.SIGSTOP)
            try:
                took[with_it] += _round_s(deployment)
            finally:
                for pid in paused:
                    os.kill(pid, signal.SIGCONT)
        ratios.append(took[True] / took[False])
    return ratios[1:]


def _interval(ratios: list[float]) -> tuple[float, float]:
    """Where the median lies: 95 % of those of 2,000 samples drawn from these, with a fixed seed."""
    draw = np.random.default_rng(0)
    drawn = draw.choice(np.array(ratios), (2000, len(ratios)))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    return float(low), float(high)


@pytest.fixture
def without_witness(
    case: Case, plan: Plan, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Deployment]:
    """A second server of the same cell, into which nothing is brought."""
    runtime = request.config.stash[PREPARED].runtimes[case.card_name]
    plugins = tuple(folder for folder in plan.plugins if folder != PLUGIN)
    store = RunStore(tmp_path, new_run_id())
    live = deploy(case, runtime, plan._replace(plugins=plugins, store=store))
    try:
        live.start(lambda *_: None)
        assert live.ready, live.why_down()
        yield live
        live.close()
    finally:
        live.kill()


def test_watching_is_cheap(
    serving: Deployment, without_witness: Deployment, request: pytest.FixtureRequest
) -> None:
    """Rounds with a recorder and without, with the witness in the engine and without, in turn."""
    assert _recorders(serving)
    ratios = {
        "recorder": _rounds(serving, serving, pause_second=True),
        "witness within the engine": _rounds(serving, without_witness, pause_second=False),
    }
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("what watches", "slower by", "95 % of bootstraps", f"blocks of 4 x {REQUESTS}"):
        table.add_column(head, justify="right", no_wrap=True)
    for name, these in ratios.items():
        low, high = _interval(these)
        middle = f"{median(these) - 1:+.1%}"
        table.add_row(name, middle, f"{low - 1:+.1%} to {high - 1:+.1%}", str(len(these)))
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        console = Console(width=120)
        console.print()
        console.print(table)
