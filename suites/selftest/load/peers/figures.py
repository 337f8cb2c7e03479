"""How far a client's figures are from what a stub did, and the tables of that. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import mean, median
from typing import Final, NamedTuple

import numpy as np
from rich.table import Table

from suites.selftest.load.peers.commands import Timings
from suites.selftest.standin.streaming_stub import Served

_PERCENTILES: Final = (50, 99)


class Errors(NamedTuple):
    """By how much a client's percentiles miss those of what happened, seconds."""

    ttft_p50_s: float
    ttft_p99_s: float
    itl_p50_s: float
    itl_p99_s: float


class Speed(NamedTuple):
    """What a client does when nothing keeps it waiting."""

    requests_per_s: float
    cpu_s_per_request: float
    """Of its core, from the difference between a long and a short round: starting is no part."""
    stub_share: float
    """Of its own core, that the stub was busy."""


def truth_of(served: Sequence[Served], *, mean_itl: bool) -> Timings:
    """What a stub did, which writes a head, and then each token as it is due."""
    gaps = [[after - before for before, after in pairwise(one.sent_s[1:])] for one in served]
    return Timings(
        [one.sent_s[1] - one.came_s for one in served],
        [mean(these) for these in gaps]
        if mean_itl
        else [gap_s for these in gaps for gap_s in these],
    )


def errors_of(measured: Timings, truth: Timings) -> Errors:
    """Distances of the medians and of the 99th percentiles."""
    distances = [
        float(abs(np.percentile(said, at) - np.percentile(true, at)))
        for said, true in zip(measured, truth, strict=True)
        for at in _PERCENTILES
    ]
    return Errors(*distances)


def middle_errors(repeats: Sequence[Errors]) -> Errors:
    """The median of each error over the repeats."""
    return Errors(*map(median, zip(*repeats, strict=True)))


def middle_speed(repeats: Sequence[Speed]) -> Speed:
    """The median of each figure over the repeats."""
    return Speed(*map(median, zip(*repeats, strict=True)))


def error_table(
    title: str, errors: Mapping[str, Mapping[int, Errors] | str], first: int, levels: Sequence[int]
) -> Table:
    """A row a client, median and p99 at each concurrency, in ms; a text where it did not run.

    The first field that is shown is 0 for the time to first token, 2 for that between tokens.
    """
    table = _table(title, [f"{level} at once" for level in levels])
    for name, by_level in errors.items():
        if isinstance(by_level, str):
            table.add_row(name, by_level)
            continue
        cells = [by_level[level][first : first + 2] for level in levels]
        table.add_row(name, *(f"{p50 * 1e3:.2f} / {p99 * 1e3:.2f}" for p50, p99 in cells))
    return table


def speed_table(title: str, speeds: Mapping[str, Speed | str], tokens: int) -> Table:
    """A row a client."""
    table = _table(title, ["requests/s", "tokens/s", "CPU µs/request", "stub's core"])
    for name, speed in speeds.items():
        if isinstance(speed, str):
            table.add_row(name, speed)
            continue
        table.add_row(
            name,
            f"{speed.requests_per_s:,.0f}",
            f"{speed.requests_per_s * tokens:,.0f}",
            f"{speed.cpu_s_per_request * 1e6:,.0f}",
            f"{speed.stub_share:.0%}",
        )
    return table


def _table(title: str, heads: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(title, no_wrap=True)
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    return table
