"""The faults by which the gate is judged: what is planted, and by what the gate must name it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from fixtures.records.upgrade_schema import UpgradeRecord
from fixtures.verdicts.binomial import interval

Group = tuple[str, ...]
"""Beginnings of reasons, of which one suffices."""
_SPEED: Final[Group] = ("tokens/s", "TPOT p50", "TTFT p50")
_PEAK: Final[Group] = ("peak, ", "steady memory")


class Fault(NamedTuple):
    """What is planted in one gate's candidate."""

    name: str
    """As in the tests' ids."""
    order: str
    """What the plugin in `plants` is told; empty plants nothing."""
    named: tuple[Group, ...]
    """Each of these must be named; none where nothing may be."""
    also: Group = ()
    """What may be named besides, since it follows."""


FAULTS: Final = (
    Fault("nothing", "", ()),
    Fault("crash-at-the-first-picture", "crash", (("serving",),)),
    Fault("hang-at-the-hundredth-request", "hang:100", (("requests",),), ("counters under load",)),
    Fault("1-percent-errors", "errors:1%", (("requests",),), ("counters under load",)),
    Fault("a-line-of-the-log-renamed", "log-line", (("lines of the log",),)),
    Fault("300-MiB-not-given-back", "leftover:300MiB", (("shutdown",),)),
    Fault("peak-256-MiB", "peak:256MiB", (_PEAK,)),
    Fault("peak-2-percent", "peak:2%", (_PEAK,)),
    Fault("a-spike-of-600-MiB-for-20-ms", "spike:600MiB", (_PEAK,)),
    Fault("kv-cache-10-percent-smaller", "kv:10%", (("KV cache tokens",),)),
    Fault("3-points-less-of-colour", "accuracy:3%:colour", (("answers",),)),
    Fault("start-50-percent-slower", "slow-start:50%", (("time to start",),)),
    Fault("decode-10-percent-slower", "decode:10%", (_SPEED,)),
    Fault("decode-5-percent-slower", "decode:5%", (_SPEED,)),
    # Less than matters: named or not, both is right, and anything else is not.
    Fault("decode-1-percent-slower", "decode:1%", (), _SPEED),
    Fault("first-tokens-10-percent-later", "ttft:10%", (_SPEED,)),
    Fault(
        "several-at-once",
        "peak:256MiB,kv:10%,accuracy:3%:colour,slow-start:50%,decode:10%",
        (_PEAK, ("KV cache tokens",), ("answers",), ("time to start",), _SPEED),
    ),
    # With --all-reasons, or it ends with the first of them.
    Fault(
        "the-smallest-at-once",
        "spike:600MiB,decode:5%,ttft:10%",
        (_PEAK, ("tokens/s", "TPOT p50"), ("TTFT p50",)),
    ),
    Fault("peak-2-percent-and-decode-1-percent", "peak:2%,decode:1%", (_PEAK,), _SPEED),
)


def missed(fault: Fault, record: UpgradeRecord) -> list[Group]:
    """What the gate should have named, and did not."""
    return [
        group
        for group in fault.named
        if not any(reason.startswith(group) for reason in _accused(record))
    ]


def accused_falsely(fault: Fault, record: UpgradeRecord) -> list[str]:
    """What the gate named, and was not planted."""
    allowed = (*fault.also, *(beginning for group in fault.named for beginning in group))
    return [reason for reason in _accused(record) if not reason.startswith(allowed)]


def _accused(record: UpgradeRecord) -> list[str]:
    return record.reasons if record.answer == "do not ship" else []


def rates(ran: Sequence[tuple[Fault, UpgradeRecord]]) -> list[str]:
    """Of the faults that matter how many were caught, and how often something else was named.

    Args:
        ran: each fault, and what the gate said of it.
    """
    caught = [not missed(fault, record) for fault, record in ran if fault.named]
    false = [bool(accused_falsely(fault, record)) for fault, record in ran]
    return [
        f"caught: {_of(caught)}",
        f"something named that was not planted: {_of(false)}",
    ]


def _of(held: Sequence[bool]) -> str:
    if not held:
        return "none was run"
    low, high = interval(sum(held), len(held))
    return f"{sum(held)} of {len(held)} (95 %: {low:.0%} to {high:.0%})"
