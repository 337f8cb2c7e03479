"""Whole gates, thousands at once, by the very bounds and rule that a run is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fixtures.verdicts.upgrade.bounds import Floats, bounds_of, ruled
from fixtures.verdicts.upgrade.looks import Plan, levels_at, shares_of
from fixtures.verdicts.upgrade.metric import Metric, smallest_that_matters

Words = npt.NDArray[np.str_]


class Ended(NamedTuple):
    """How each gate ended."""

    says: Words
    """As `Answer` does."""
    fell: Words
    """Each metric at the last look: gates, metrics."""
    pairs: npt.NDArray[np.int64]
    """After which it ended."""


def end_of(
    worsenings: Floats, metrics: Sequence[Metric], plan: Plan, besides: float = 0.0
) -> Ended:
    """Let gates run until each has its answer.

    Args:
        worsenings: log ratios: gates, metrics, pairs.
        metrics: all relative, without an absolute part.
        plan: of all of them.
        besides: the weight of what is tested elsewhere.
    """
    shares = shares_of(metrics, besides)
    count = len(worsenings)
    fell = np.full((count, len(metrics)), "unmeasured", dtype="<U10")
    pairs = np.zeros(count, np.int64)
    running = np.ones(count, bool)
    for look in plan.looks:
        for turn, metric in enumerate(metrics):
            levels = levels_at(plan, look, shares[metric.name])
            found = bounds_of(worsenings[running, turn, :look], levels)
            fell[running, turn] = ruled(found, smallest_that_matters(metric, 1.0))
        pairs[running] = look
        running = (fell == "open").any(axis=1) & ~(fell == "worse").any(axis=1)
    says = np.where((fell == "open").any(axis=1), "cannot tell", "ship")
    return Ended(np.where((fell == "worse").any(axis=1), "do not ship", says), fell, pairs)
