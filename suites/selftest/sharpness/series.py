"""Simulated figures of starts: logarithms, of which larger is worse."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from fixtures.verdicts.upgrade.bounds import Floats

NEARLY_NONE: Final = 0.0003
"""By how much memory scatters from night to night (60,244 to 60,226 MB in vllm-omni's)."""


class Noise(NamedTuple):
    """How starts scatter about their true figure."""

    name: str
    start: float
    """Standard deviation of one start's figure, as a share."""
    drift: float = 0.0
    """Standard deviation of the machine's slow mood, which all starts share."""
    remembers: float = 0.98
    """Of that mood, from one start to the next."""
    off: float = 0.0
    """The share of starts that are off."""
    off_by: float = 0.2
    """How much worse those are."""
    memory: float = 0.0
    """How far apart the two states are of which memory is in either, half of the time."""


def starts(rng: np.random.Generator, shape: tuple[int, ...], noise: Noise) -> Floats:
    """Starts that follow each other along the last axis."""
    figures = _each(rng, shape, noise)
    mood = rng.normal(0, noise.drift, shape[:-1])
    for turn in range(shape[-1]):
        figures[..., turn] += mood
        new = noise.drift * np.sqrt(1 - noise.remembers**2)
        mood = noise.remembers * mood + rng.normal(0, new, shape[:-1])
    return figures


def nights(rng: np.random.Generator, shape: tuple[int, ...], noise: Noise) -> Floats:
    """One start a night along the last axis: of another day the machine remembers no mood."""
    return _each(rng, shape, noise) + rng.normal(0, noise.drift, shape)


def _each(rng: np.random.Generator, shape: tuple[int, ...], noise: Noise) -> Floats:
    figures: Floats = rng.normal(0, noise.start, shape)
    figures += np.log1p(noise.off_by) * (rng.random(shape) < noise.off)
    return figures


class Sides(NamedTuple):
    """The figures of both sides, paired along the last axis."""

    old: Floats
    new: Floats


def in_turns(figures: Floats) -> Sides:
    """Starts in the order A B B A A B B A ...: A is the old side."""
    even, odd = figures[..., 0::2], figures[..., 1::2]
    old_first = np.arange(even.shape[-1]) % 2 == 0
    return Sides(np.where(old_first, even, odd), np.where(old_first, odd, even))
