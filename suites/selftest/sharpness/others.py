"""What others' rules would say of the same starts, written from how they are documented.

Figures are logarithms of which larger is worse, as everywhere here; the last axis is of starts, or
of nights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from fixtures.verdicts.upgrade.bounds import Floats

Alarms = npt.NDArray[np.bool_]


class Seen(NamedTuple):
    """What the rules may look at."""

    old: Floats
    """Starts of the old side, in turns with those of the new one."""
    new: Floats
    before: Floats
    """One start a night of the old side, 90 nights."""
    since: Floats
    """The nights after: of the new side."""


def one_against_one(seen: Seen, more: float) -> Alarms:
    """pytest-benchmark, `--benchmark-compare-fail=mean:10%`: a run against a stored one."""
    ratio = np.exp(seen.new[..., 0] - seen.old[..., 0])
    return np.asarray(ratio > 1 + more)


def best_of_history(seen: Seen, more: float) -> Alarms:
    """TensorRT-LLM: a night against the P5 (of what should be small) of a rolling mean over 3."""
    nightly = np.exp(seen.before)
    smooth = (nightly[..., 2:] + nightly[..., 1:-1] + nightly[..., :-2]) / 3
    baseline = np.percentile(smooth, 5, axis=-1)
    return np.asarray(np.exp(seen.since[..., 0]) > baseline * (1 + more))


def three_in_a_row(seen: Seen, more: float) -> Alarms:
    """vllm-omni: three nights against a fixed number, which is the mean of seven."""
    baseline = np.exp(seen.before[..., -7:]).mean(axis=-1, keepdims=True)
    return np.asarray((np.exp(seen.since[..., :3]) > baseline * (1 + more)).all(axis=-1))


def by_ranks(seen: Seen, more: float) -> Alarms:
    """Decide as asv does: Mann-Whitney below 0.002 and medians that differ by a factor.

    With fewer starts than could ever reach 0.002, it looks instead whether the 99 % intervals are
    apart. Twelve of each side can.
    """
    ranked = stats.mannwhitneyu(seen.new, seen.old, axis=-1, method="exact")
    factor = np.exp(np.median(seen.new, axis=-1) - np.median(seen.old, axis=-1))
    return np.asarray((ranked.pvalue < _ASV_CHANCE) & (factor > 1 + more))


_ASV_CHANCE: Final = 0.002

RULES: Final[Mapping[str, Callable[[Seen], Alarms]]] = {
    "pytest-benchmark mean:10%": partial(one_against_one, more=0.10),
    "TensorRT-LLM, 10 % (before a merge)": partial(best_of_history, more=0.10),
    "TensorRT-LLM, 5 % (after it)": partial(best_of_history, more=0.05),
    "vllm-omni, 10 % three times": partial(three_in_a_row, more=0.10),
    "asv, factor 1.1": partial(by_ranks, more=0.10),
}
