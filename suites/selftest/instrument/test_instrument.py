"""How well memory is measured here: `pytest -m instrument` prints it, in some minutes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from fixtures.memory.series import SampleSeries
from fixtures.servers.devices import gpus
from suites.selftest.instrument.scores import score_table
from suites.selftest.instrument.spikes import Score, Spike, score, score_marks
from suites.selftest.instrument.stage import Play, Watched, watch_spikes
from suites.selftest.standin.gpus import Machine

pytestmark = pytest.mark.instrument

LENGTHS_MS = (1, 2, 5, 10, 20, 50, 100, 500)
COUNT = 200
SIZE_MIB = 4
PROMISED_MS = 10
"""From this length on, every spike is caught."""


@pytest.fixture
def gpu_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Where the GPU's libraries are: the machine's own, or else the stand-in's."""
    if gpus():
        return dict(os.environ)
    machine = Machine(tmp_path)
    machine.add_gpu()
    machine.set_accounting(0, "enabled")
    for name, value in machine.env.items():
        monkeypatch.setenv(name, value)
    return {**os.environ, **machine.env}


def _show(
    request: pytest.FixtureRequest,
    title: str,
    scores: Mapping[str, Sequence[Score]],
    shares: Mapping[str, float],
) -> None:
    """Print the table past pytest's capture."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        console = Console(width=200)
        console.print()
        console.print(score_table(title, scores, shares))


def _device(watched: Watched) -> SampleSeries:
    assert watched.gpus is not None
    uuid = watched.gpus.gpus[0].uuid
    assert uuid is not None
    return watched.gpus.series(uuid)


def _missed(scores: Sequence[Score]) -> list[str]:
    return [
        f"{found.wanted_ms} ms: {found.caught} of {found.planted}"
        for found in scores
        if found.wanted_ms >= PROMISED_MS and found.caught < found.planted
    ]


def test_every_spike_of_ten_milliseconds_is_sampled(
    request: pytest.FixtureRequest, tmp_path: Path, gpu_env: dict[str, str]
) -> None:
    """Both recorders catch each of 200 spikes of every length from 10 ms on, beside pollers."""
    play = Play(LENGTHS_MS, COUNT, SIZE_MIB, gpu=True)
    watched = watch_spikes(tmp_path / "spikes", play, gpu_env, within_s=900)
    scores = {
        "tree-samples": score(watched.tree.series, watched.spikes),
        "nvml-device": score(_device(watched), watched.spikes),
        **{name: score(series, watched.spikes) for name, series in watched.polled.items()},
    }
    _show(request, f"{COUNT} spikes of {SIZE_MIB} MiB", scores, watched.cpu_shares)
    kept = {name: [found._asdict() for found in these] for name, these in scores.items()}
    (tmp_path / "scores.json").write_text(json.dumps({"scores": kept, "cpu": watched.cpu_shares}))
    assert not _missed(scores["tree-samples"])
    assert not _missed(scores["nvml-device"])


def test_what_is_kept_of_each_process_misses_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, gpu_env: dict[str, str]
) -> None:
    """The kernel's marks, and the driver's accounting where it is on, catch even 1 ms."""
    play = Play(LENGTHS_MS, COUNT, SIZE_MIB, gpu=True, apart=True)
    watched = watch_spikes(tmp_path / "apart", play, gpu_env, within_s=900)
    scores = {"tree-marks": score_marks(_marks(watched), watched.spikes)}
    accounted = _accounted(watched, watched.spikes)
    if accounted:
        scores["nvml-accounting"] = accounted
    _show(request, f"{COUNT} processes with one spike each", scores, {})
    for these in scores.values():
        assert [found.caught for found in these] == [COUNT] * len(LENGTHS_MS)


def _marks(watched: Watched) -> dict[int, int]:
    base = {spike.pid: spike.base_bytes for spike in watched.spikes}
    return {
        mark.pid: max(mark.hwm_bytes, mark.sampled_peak_bytes) - base[mark.pid]
        for mark in watched.tree.marks
        if mark.pid in base
    }


def _accounted(watched: Watched, spikes: Sequence[Spike]) -> list[Score]:
    """By the driver's accounts, the context of each process taken off; nothing where it is off."""
    assert watched.gpus is not None
    (facts, *_) = watched.gpus.gpus
    if facts.accounting != "enabled":
        return []
    size_bytes = spikes[0].size_bytes
    known = {one.pid: one.max_bytes for one in facts.accounts if one.max_bytes is not None}
    context_bytes = min(known.values(), default=0) - size_bytes
    return score_marks({pid: most - context_bytes for pid, most in known.items()}, spikes)
