"""The smallest slowdown that is caught, by how many pairs there may be."""

from __future__ import annotations

from math import log1p
from typing import Final

import numpy as np

from fixtures.verdicts.upgrade.bounds import Floats
from fixtures.verdicts.upgrade.looks import LEAST_PAIRS, Plan
from fixtures.verdicts.upgrade.metric import Metric
from suites.selftest.sharpness.gates import end_of
from suites.selftest.sharpness.series import Noise, in_turns, starts

OFTEN: Final = 0.95
_GATES: Final = 4000
_SEED: Final = 20260215
_LARGEST: Final = 2.0
_EXACT: Final = 0.0005


def plan_of(pairs: int) -> Plan:
    """The gate's plan with another last look, and the others at the same parts of it."""
    parts = [look / Plan().most for look in Plan().looks]
    return Plan(tuple(sorted({max(LEAST_PAIRS, round(pairs * part)) for part in parts})))


def smallest_caught(noise: Noise, pairs: int, weight: float) -> float | None:
    """The smallest worsening that is called worse in 95 % of gates, where just so much matters.

    Where less matters than is there, it is caught rather more often; what is less than matters is
    let through on purpose.

    Args:
        noise: of the starts.
        pairs: of the last look.
        weight: of the metric, of 100.

    Returns:
        A share; None where even 200 % worse is not.
    """
    sides = in_turns(starts(np.random.default_rng(_SEED), (_GATES, 1, 2 * pairs), noise))
    none = sides.new - sides.old
    low, high = 0.0, _LARGEST
    if _caught(none, high, pairs, weight) < OFTEN:
        return None
    while high - low > _EXACT:
        middle = (low + high) / 2
        caught = _caught(none, middle, pairs, weight)
        low, high = (low, middle) if caught >= OFTEN else (middle, high)
    return high


def _caught(none: Floats, share: float, pairs: int, weight: float) -> float:
    metric = Metric("figure", "", "higher", share, 0, weight)
    ended = end_of(none + log1p(share), [metric], plan_of(pairs), 100 - weight)
    return float((ended.fell == "worse").mean())
