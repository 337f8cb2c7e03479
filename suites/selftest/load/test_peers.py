"""How good the load generator is beside others: `pytest -m peers` prints it, in some minutes."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import pytest
from rich.console import Console
from rich.table import Table

from fixtures.runtimes.environments import CHECKOUT, python_of
from fixtures.runtimes.setup.progress import Progress
from fixtures.runtimes.setup.providing import provide
from fixtures.runtimes.setup.recipes import RUNTIME_CPU
from suites.selftest.load.peers.commands import OPENAI, OURS, Peer, aiperf, guidellm, vllm_bench
from suites.selftest.load.peers.environments import NotInstalledError, environment_of
from suites.selftest.load.peers.figures import (
    Errors,
    Speed,
    error_table,
    errors_of,
    middle_errors,
    middle_speed,
    speed_table,
    truth_of,
)
from suites.selftest.load.peers.running import ClientFailedError, run_peer
from suites.selftest.standin.streaming_stub import Script

pytestmark = [pytest.mark.peers, pytest.mark.timeout(3600)]

Figure = TypeVar("Figure")

KNOWN = Script(ttft_s=0.05, gap_s=0.01, tokens=16)
LEVELS = {1: 20, 16: 320, 64: 1280, 256: 2560}
"""Requests at each concurrency."""
AT_FULL_SPEED = 64
REPEATS = 3
VISIBLE_S = 0.05e-3
"""Two errors that differ by less are the same: a loopback is no faster."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where clients may write, with a tokenizer that needs no remote code."""
    folder = tmp_path_factory.mktemp("peers")
    (folder / "tokenizer").mkdir()
    for path in (CHECKOUT / "fixtures/checkpoints/minicpmv-2.6-tiny").glob("tokenizer*"):
        shutil.copy(path, folder / "tokenizer")
    return folder


@pytest.fixture(scope="module")
def peers(pytestconfig: pytest.Config) -> dict[str, Peer | str]:
    """Each client, or why it cannot be run here."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        runtime = python_of(provide(RUNTIME_CPU, Progress(sys.stderr)))
        found: dict[str, Peer | str] = {OURS.name: OURS, OPENAI.name: OPENAI}
        bench = vllm_bench(runtime, "0.29.0")
        found[bench.name] = bench
        for make, distribution, version in (
            (guidellm, "guidellm", "0.8.1"),
            (aiperf, "aiperf", "0.13.0"),
        ):
            try:
                peer = make(environment_of(distribution, version), version)
                found[peer.name] = peer
            except NotInstalledError as error:
                found[f"{distribution} {version}"] = str(error)
    return found


def in_turn(
    peers: Mapping[str, Peer | str], measure: Callable[[Peer], Figure]
) -> dict[str, list[Figure] | str]:
    """The figures of each client, all of them in turn, again and again; or why there are none.

    A client that fails sometimes has the figures of its other runs, and is named with their number.
    """
    found: dict[str, list[Figure]] = {name: [] for name in peers}
    why = {name: peer for name, peer in peers.items() if isinstance(peer, str)}
    for _ in range(REPEATS):
        for name, peer in peers.items():
            if isinstance(peer, Peer):
                try:
                    found[name].append(measure(peer))
                except ClientFailedError as error:
                    why[name] = str(error)
    return {
        f"{name} ({len(figures)} of {REPEATS})" if figures and name in why else name: figures
        or why[name]
        for name, figures in found.items()
    }


@pytest.fixture
def show(pytestconfig: pytest.Config) -> Callable[[Table], None]:
    """Print past pytest's capture."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def show(table: Table) -> None:
        with capture.global_and_fixture_disabled():
            console = Console(width=120)
            console.print()
            console.print(table)

    return show


def test_no_other_client_is_nearer_to_the_truth(
    peers: dict[str, Peer | str], folder: Path, show: Callable[[Table], None]
) -> None:
    """Its errors of time to first token and between tokens are the least at each concurrency."""

    def at_each_level(peer: Peer) -> dict[int, Errors]:
        errors = {}
        for level, requests in LEVELS.items():
            run = run_peer(peer, KNOWN, level, requests, folder)
            truth = truth_of(run.done.served, mean_itl=peer.mean_itl)
            errors[level] = errors_of(run.measured, truth)
        return errors

    found = in_turn(peers, at_each_level)
    errors = {
        name: repeats
        if isinstance(repeats, str)
        else {level: middle_errors([these[level] for these in repeats]) for level in LEVELS}
        for name, repeats in found.items()
    }
    show(error_table("TTFT's error, median / p99, ms", errors, 0, list(LEVELS)))
    show(error_table("ITL's error, median / p99, ms", errors, 2, list(LEVELS)))
    (folder / "errors.json").write_text(json.dumps(found))
    ours = errors.pop(OURS.name)
    assert not isinstance(ours, str)
    worse = [
        f"{name} at {level}: {field} {theirs:.6f} against {mine:.6f}"
        for name, by_level in errors.items()
        if not isinstance(by_level, str)
        for level in LEVELS
        for field, mine, theirs in zip(Errors._fields, ours[level], by_level[level], strict=True)
        if mine > theirs + VISIBLE_S
    ]
    assert not worse


def test_no_other_client_is_faster(
    peers: dict[str, Peer | str], folder: Path, show: Callable[[Table], None]
) -> None:
    """Against a server that answers at once, with one write for all tokens, it sends the most."""

    def at_full_speed(peer: Peer) -> Speed:
        short, long = (
            run_peer(peer, Script(), AT_FULL_SPEED, requests, folder) for requests in peer.rounds
        )
        served = long.done.served
        wall_s = served[-1].sent_s[-1] - served[0].came_s
        more = peer.rounds[1] - peer.rounds[0]
        return Speed(
            peer.rounds[1] / wall_s,
            (long.cpu_s - short.cpu_s) / more,
            (long.done.cpu_s - short.done.cpu_s) / more * peer.rounds[1] / wall_s,
        )

    found = in_turn(peers, at_full_speed)
    speeds = {
        name: repeats if isinstance(repeats, str) else middle_speed(repeats)
        for name, repeats in found.items()
    }
    show(speed_table(f"at full speed, {AT_FULL_SPEED} at once", speeds, Script().tokens))
    (folder / "speeds.json").write_text(json.dumps(found))
    ours = speeds.pop(OURS.name)
    assert not isinstance(ours, str)
    for speed in speeds.values():
        assert isinstance(speed, str) or speed.requests_per_s <= ours.requests_per_s
