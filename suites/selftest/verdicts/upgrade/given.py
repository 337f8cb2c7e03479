"""Metrics and pairs that the gate's tests share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fixtures.verdicts.upgrade.comparison import Comparison, Pair, compared
from fixtures.verdicts.upgrade.looks import Plan
from fixtures.verdicts.upgrade.metric import Metric

PLAN = Plan()
RATE = Metric("tokens/s", "tokens/s", "lower", 0.05, 0, 50)
TIME = Metric("TTFT p50", "s", "higher", 0.10, 0.002, 50)
MEMORY = Metric("peak", "bytes", "higher", 0.01, 32 * 2**20, 1)
RETURN = Metric("time until memory is back", "s", "higher", 0, 2, 1)


def pairs_of(old: Sequence[float], new: Sequence[float]) -> list[Pair]:
    """One of each at a time."""
    return [Pair(a, b) for a, b in zip(old, new, strict=True)]


def scattered(number: int, factor: float, seed: int = 1, noise: float = 0.01) -> list[Pair]:
    """Pairs about 100, of which the new side is `factor` times the old one, exactly on average."""
    logs = np.random.default_rng(seed).normal(0, noise, number)
    ratios = factor * np.exp(logs - logs.mean())
    return [Pair(100.0, 100.0 * float(ratio)) for ratio in ratios]


def judged(metric: Metric, pairs: Sequence[Pair], plan: Plan = PLAN) -> Comparison:
    """The comparison of a gate of one metric, at the look after so many pairs."""
    (one,) = compared({metric: pairs}, len(pairs), plan)
    return one
