"""How often the gate, and others' rules, raised an alarm over thousands of simulated upgrades."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

from fixtures.verdicts.binomial import Interval, interval
from fixtures.verdicts.upgrade.gated import ANSWERS_WEIGHT
from fixtures.verdicts.upgrade.looks import Plan
from suites.selftest.sharpness.gates import Ended, end_of
from suites.selftest.sharpness.others import RULES, Seen
from suites.selftest.sharpness.scenes import DECODE, METRICS, THROUGHPUT, Scene, scenes
from suites.selftest.sharpness.series import Noise

PLAN: Final = Plan()
SLOWER: Final = 0.05


class Share(NamedTuple):
    """How many of how many."""

    of: int
    hits: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.hits / self.of

    @property
    def bounds(self) -> Interval:
        """The exact 95 % interval."""
        return interval(self.hits, self.of)


class Tally(NamedTuple):
    """The gate in one kind of noise."""

    false_alarms: Share
    """Gates in which nothing changed, and that said: do not ship."""
    ships: Share
    """Such gates that said so."""
    caught: Share
    """Gates in which tokens a second alone got worse, and which saw it there."""
    passed: Share
    """In which it was called not worse, or better."""
    decode: Share
    """In which tokens a second, seconds a token and end to end did, and one of these was seen."""
    pairs_of_nothing: float
    """Started until a gate in which nothing changed ended, on average."""
    pairs_of_slower: float


@cache
def gate_tally(noise: Noise, gates: int) -> Tally:
    """The gate over so many upgrades that change nothing, and so many slower ones of two kinds."""
    counts: Counter[str] = Counter()
    for scene in scenes(noise, gates):
        nothing, alone, decode = (
            _ended(one)
            for one in (
                scene,
                scene.slower(THROUGHPUT, SLOWER),
                scene.slower(DECODE, SLOWER),
            )
        )
        fell = alone.fell[:, THROUGHPUT[0]]
        counts["false"] += int((nothing.says == "do not ship").sum())
        counts["ships"] += int((nothing.says == "ship").sum())
        counts["caught"] += int((fell == "worse").sum())
        counts["passed"] += int(((fell == "not worse") | (fell == "better")).sum())
        counts["decode"] += int((decode.fell[:, DECODE] == "worse").any(axis=1).sum())
        counts["pairs of nothing"] += int(nothing.pairs.sum())
        counts["pairs of slower"] += int(alone.pairs.sum())
    return Tally(
        Share(gates, counts["false"]),
        Share(gates, counts["ships"]),
        Share(gates, counts["caught"]),
        Share(gates, counts["passed"]),
        Share(gates, counts["decode"]),
        pairs_of_nothing=counts["pairs of nothing"] / gates,
        pairs_of_slower=counts["pairs of slower"] / gates,
    )


def _ended(scene: Scene) -> Ended:
    return end_of(scene.worsenings, METRICS, PLAN, ANSWERS_WEIGHT)


class OtherTally(NamedTuple):
    """Another's rule in one kind of noise."""

    false_alarms: Share
    """Nothing changed, and an alarm for any metric."""
    caught: Mapping[float, Share]
    """An alarm for the metric that got worse, by how much that was."""


def other_tallies(noise: Noise, gates: int, slower: Sequence[float]) -> dict[str, OtherTally]:
    """Each rule of `RULES` over the same upgrades."""
    alarms: Counter[str] = Counter()
    caught: Counter[tuple[str, float]] = Counter()
    for scene in scenes(noise, gates):
        changed = {share: scene.slower(THROUGHPUT, share) for share in slower}
        for name, rule in RULES.items():
            alarms[name] += int(rule(scene.seen).any(axis=1).sum())
            for share, worse in changed.items():
                caught[name, share] += int(rule(_only(worse, THROUGHPUT)).sum())
    return {
        name: OtherTally(
            Share(gates, alarms[name]),
            {share: Share(gates, caught[name, share]) for share in slower},
        )
        for name in RULES
    }


def caught_by_gate(noise: Noise, gates: int, slower: Iterable[float]) -> dict[float, Share]:
    """How many gates see that tokens a second got worse, by how much that was."""
    caught: Counter[float] = Counter()
    wanted = tuple(slower)
    for scene in scenes(noise, gates):
        for share in wanted:
            fell = _ended(scene.slower(THROUGHPUT, share)).fell[:, THROUGHPUT[0]]
            caught[share] += int((fell == "worse").sum())
    return {share: Share(gates, caught[share]) for share in wanted}


def _only(scene: Scene, metrics: Sequence[int]) -> Seen:
    return Seen(*(figures[:, list(metrics)] for figures in scene.seen))
