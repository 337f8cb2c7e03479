"""Upgrades that did nothing, and such that made something slower, as a machine would show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import Final, NamedTuple

import numpy as np

from fixtures.verdicts.upgrade.bounds import Floats
from fixtures.verdicts.upgrade.gated import GATED
from suites.selftest.sharpness.others import Seen
from suites.selftest.sharpness.series import NEARLY_NONE, Noise, in_turns, nights, starts

METRICS: Final = tuple(
    metric._replace(matters=metric.matters or 0.5, matters_absolute=0) for metric in GATED
)
"""The gate's own, all as shares: simulated figures have no units."""
_NAMES: Final = [metric.name for metric in METRICS]
SCATTERS: Final = [metric.unit not in ("bytes", "tokens") for metric in METRICS]
"""Which of them are times and rates; the others are memory."""
THROUGHPUT: Final = (_NAMES.index("tokens/s"),)
DECODE: Final = tuple(
    _NAMES.index(name) for name in ("tokens/s", "TPOT p50", "TPOT p50, one client")
)

_OF_A_PAIR: Final = 0.03 / sqrt(2)
PLAIN: Final = Noise("3 % noise of a pair", _OF_A_PAIR)
DRIFT: Final = Noise("and a machine that drifts by 5 %", _OF_A_PAIR, drift=0.05)
TAILS: Final = Noise("and one pair in ten 20 % off", _OF_A_PAIR, off=0.05)
STATES: Final = Noise("and memory in two states, 3 % apart", _OF_A_PAIR, memory=0.03)
START: Final = Noise("3 % noise of a start", 0.03)
WILD: Final = Noise("10 % noise of a start", 0.10)
SCENES: Final = (PLAIN, DRIFT, TAILS, STATES, START, WILD)

PAIRS: Final = 12
_NIGHTS_BEFORE: Final = 90
_NIGHTS_SINCE: Final = 3
_AT_ONCE: Final = 1000
_SEED: Final = 20260214


class Scene(NamedTuple):
    """Some of the gates of one kind of noise: gates, metrics, starts. Larger is worse."""

    seen: Seen

    def slower(self, metrics: Sequence[int], share: float) -> Scene:
        """The same noise, in which the new side is worse by so much in these metrics."""
        more = np.zeros((self.seen.new.shape[1], 1))
        more[list(metrics)] = np.log1p(share)
        return Scene(self.seen._replace(new=self.seen.new + more, since=self.seen.since + more))

    @property
    def worsenings(self) -> Floats:
        """Of the pairs."""
        return self.seen.new - self.seen.old


def scenes(noise: Noise, gates: int) -> Iterator[Scene]:
    """So many gates, some at a time; the same ones in every call."""
    rng = np.random.default_rng([_SEED, SCENES.index(noise)])
    for _ in range(gates // _AT_ONCE):
        figures = _both(rng, noise, 2 * PAIRS, by_night=False)
        history = _both(rng, noise, _NIGHTS_BEFORE + _NIGHTS_SINCE, by_night=True)
        before, since = np.split(history, [_NIGHTS_BEFORE], axis=-1)
        yield Scene(Seen(*in_turns(figures), before, since))


def _both(rng: np.random.Generator, noise: Noise, number: int, *, by_night: bool) -> Floats:
    """Times and rates scatter as said, memory hardly."""
    timed = sum(SCATTERS)
    make = nights if by_night else starts
    times = make(rng, (_AT_ONCE, timed, number), noise)
    shape = (_AT_ONCE, len(METRICS) - timed, number)
    memory = starts(rng, shape, Noise("memory", NEARLY_NONE))
    memory += noise.memory * (rng.random(shape) < 1 / 2)
    figures = np.empty((_AT_ONCE, len(METRICS), number))
    figures[:, SCATTERS] = times
    figures[:, np.logical_not(SCATTERS)] = memory
    return figures
