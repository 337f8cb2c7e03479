"""How sharp the gate's statistics are: `pytest -m sharpness` prints it, in some minutes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rich.console import Console
from rich.table import Table

from suites.selftest.sharpness.others import RULES
from suites.selftest.sharpness.power import smallest_caught
from suites.selftest.sharpness.scenes import DRIFT, METRICS, PLAIN, SCENES, START, TAILS, WILD
from suites.selftest.sharpness.tallies import (
    PLAN,
    SLOWER,
    Share,
    caught_by_gate,
    gate_tally,
    other_tallies,
)

pytestmark = [pytest.mark.sharpness, pytest.mark.timeout(1200)]

GATES = 10_000
LEVELS = (0.05, 0.10, 0.20)


@pytest.fixture
def show(pytestconfig: pytest.Config) -> Callable[[Table], None]:
    """Print a table as it is, whatever pytest captures."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def show(table: Table) -> None:
        with capture.global_and_fixture_disabled():
            Console(width=160).print("", table)

    return show


def percent(share: Share, decimals: int) -> str:
    """With its 95 % interval."""
    low, high = share.bounds
    return f"{share.share:.{decimals}%} ({low:.{decimals}%} to {high:.{decimals}%})"


def test_false_alarms_are_rare_and_slowdowns_are_caught(show: Callable[[Table], None]) -> None:
    """Of whole gates below 1 % raise a false alarm, and 95 % see 5 % in 3 % of noise."""
    table = Table(
        title=f"{GATES:,} gates of {len(METRICS)} metrics; 5 % slower; at most {PLAN.most} pairs"
    )
    for column in (
        "noise",
        "false alarms",
        "nothing: ships",
        "pairs",
        "tokens/s: caught",
        "let through",
        "pairs",
        "decode: caught",
    ):
        table.add_column(column)
    found = {noise: gate_tally(noise, GATES) for noise in SCENES}
    for noise, tally in found.items():
        table.add_row(
            noise.name,
            percent(tally.false_alarms, 2),
            f"{tally.ships.share:.1%}",
            f"{tally.pairs_of_nothing:.1f}",
            percent(tally.caught, 1),
            f"{tally.passed.share:.2%}",
            f"{tally.pairs_of_slower:.1f}",
            f"{tally.decode.share:.1%}",
        )
    show(table)
    for noise, tally in found.items():
        # Where nothing can be told apart, the rate is the one that was stated, and no more.
        bound = tally.false_alarms.bounds
        assert (bound.low if noise is WILD else bound.high) < PLAN.alpha, noise.name
        assert tally.passed.bounds.low < PLAN.beta, noise.name
    for noise in (PLAIN, DRIFT):
        assert found[noise].caught.share >= 0.95, noise.name


def test_others_rules_on_the_same_starts(show: Callable[[Table], None]) -> None:
    """None of the others is below 1 % of false alarms and sees 5 % in 95 % of upgrades."""
    for noise in (PLAIN, DRIFT, TAILS, START):
        table = Table(title=f"{noise.name}: {GATES:,} upgrades of {len(METRICS)} metrics")
        table.add_column("rule")
        table.add_column("false alarms, any metric")
        for level in LEVELS:
            table.add_column(f"{level:.0%} slower: caught")
        ours = caught_by_gate(noise, GATES, LEVELS)
        false = gate_tally(noise, GATES).false_alarms
        caught = [f"{ours[level].share:.1%}" for level in LEVELS]
        table.add_row("this gate", f"{false.share:.2%}", *caught)
        others = other_tallies(noise, GATES, LEVELS)
        for name in RULES:
            tally = others[name]
            caught = [f"{tally.caught[level].share:.1%}" for level in LEVELS]
            table.add_row(name, f"{tally.false_alarms.share:.2%}", *caught)
        show(table)
        for name, tally in others.items():
            quiet = tally.false_alarms.share < PLAN.alpha
            assert not (quiet and tally.caught[SLOWER].share >= 0.95), name


def test_the_power_curve(show: Callable[[Table], None]) -> None:
    """More pairs catch less, down to 5 % with 12 for what has half of the false alarms."""
    counts = (6, 8, 12, 16, 24, 32, 48)
    table = Table(title="smallest slowdown caught in 95 % of gates, where just so much matters")
    table.add_column("noise, and the metric's share of the false alarms")
    for pairs in counts:
        table.add_column(f"{pairs} pairs")
    for noise, weight in ((PLAIN, 50), (PLAIN, 10), (DRIFT, 50), (TAILS, 50), (START, 50)):
        curve = [smallest_caught(noise, pairs, weight) for pairs in counts]
        told = ["-" if smallest is None else f"{smallest:.1%}" for smallest in curve]
        table.add_row(f"{noise.name}, {weight} %", *told)
        known = [smallest for smallest in curve if smallest is not None]
        assert known == sorted(known, reverse=True)
        if (noise, weight) == (PLAIN, 50):
            smallest = curve[counts.index(PLAN.most)]
            assert smallest is not None
            assert smallest <= SLOWER
    show(table)
