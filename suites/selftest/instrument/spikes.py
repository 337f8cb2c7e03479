"""Spikes of known size and length, and how many of them a series of samples has seen. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from fixtures.memory.series import SampleSeries

_ENOUGH: Final = 0.9
"""A sample that shows this share of a spike, or more, has caught it."""


class Spike(NamedTuple):
    """Memory held in full from `start_s` to `end_s`, on the monotonic clock."""

    wanted_ms: int
    start_s: float
    end_s: float
    size_bytes: int
    pid: int
    base_bytes: int
    """Resident in that process before."""


class Score(NamedTuple):
    """How well one witness saw the spikes of one length.

    `worst_error_bytes` is the largest difference between a caught spike's size and what the
    witness showed of it; None where it caught none.
    """

    wanted_ms: int
    planted: int
    caught: int
    worst_error_bytes: int | None


def read_spikes(lines: Iterable[str]) -> list[Spike]:
    """Spikes as the program that made them wrote them down, a JSON object a line."""
    return [Spike(**json.loads(line)) for line in lines if line.strip()]


def shown_bytes(series: SampleSeries, spike: Spike, base_bytes: int) -> int | None:
    """What the samples within a spike show of it at most; None where there is none within."""
    within = series.between(spike.start_s, spike.end_s)
    peak = within.peak()
    return None if peak is None else peak.bytes - base_bytes


def is_caught(series: SampleSeries, spike: Spike, base_bytes: int) -> bool:
    """Whether a sample shows it."""
    shown = shown_bytes(series, spike, base_bytes)
    return shown is not None and shown >= spike.size_bytes * _ENOUGH


def score(series: SampleSeries, spikes: Sequence[Spike]) -> list[Score]:
    """How many of each length a series has caught, the shortest first.

    The memory beside the spikes is what the series shows between them: its median.
    """
    if not len(series):
        base_bytes = 0
    else:
        beside = np.ones(len(series), dtype=bool)
        for spike in spikes:
            beside &= (series.times_s < spike.start_s) | (series.times_s > spike.end_s)
        quiet = series.held_bytes[beside]
        base_bytes = int(np.median(quiet)) if len(quiet) else 0
    scores = []
    for wanted_ms in sorted({spike.wanted_ms for spike in spikes}):
        these = [spike for spike in spikes if spike.wanted_ms == wanted_ms]
        caught = [spike for spike in these if is_caught(series, spike, base_bytes)]
        errors = [
            abs((shown_bytes(series, spike, base_bytes) or 0) - spike.size_bytes)
            for spike in caught
        ]
        scores.append(Score(wanted_ms, len(these), len(caught), max(errors, default=None)))
    return scores


def score_marks(marks_bytes: Mapping[int, int], spikes: Sequence[Spike]) -> list[Score]:
    """The same for a mark that is kept of each process, where each spike has its own.

    Args:
        marks_bytes: by process id, what was there before the spike taken off.
        spikes: each of a process of its own.
    """
    scores = []
    for wanted_ms in sorted({spike.wanted_ms for spike in spikes}):
        these = [spike for spike in spikes if spike.wanted_ms == wanted_ms]
        shown = {spike: marks_bytes.get(spike.pid, 0) for spike in these}
        caught = [spike for spike in these if shown[spike] >= spike.size_bytes * _ENOUGH]
        errors = [abs(shown[spike] - spike.size_bytes) for spike in caught]
        scores.append(Score(wanted_ms, len(these), len(caught), max(errors, default=None)))
    return scores


def longest_missed_s(series: SampleSeries, spikes: Sequence[Spike], base_bytes: int) -> float:
    """The length of the longest spike that no sample shows; 0 where all are shown."""
    missed = [
        spike.end_s - spike.start_s for spike in spikes if not is_caught(series, spike, base_bytes)
    ]
    return max(missed, default=0.0)
