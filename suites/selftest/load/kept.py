"""Rounds that a real server answered, as they were kept: vLLM 0.29.0, the tiny model, two cores.

`data/metrics-0.txt` to `metrics-5.txt` are its /metrics before the first round, between them and
after the last, without most buckets and without what no one reads. The rounds, in their order:

    direct     8 answers of 24 tokens, 4 at once
    starved    the same, 2 at once, while others kept both cores busy: the generator was not run
    delayed    the same, through a proxy that keeps every piece for 10 ms
    short      24 answers of 2 tokens, 4 at once, on an otherwise busy machine
    repeated   the same requests once more
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Literal

from fixtures.load.counters import Counters, counters_between
from fixtures.load.generator import OwnTrace, Round, Timeline
from fixtures.load.reply import Reply

Kept = Literal["direct", "starved", "delayed", "short", "repeated"]
ROUNDS: Final[tuple[Kept, ...]] = ("direct", "starved", "delayed", "short", "repeated")
_DATA: Final = Path(__file__).with_name("data")


def metrics(number: int) -> str:
    """A reading of /metrics."""
    return (_DATA / f"metrics-{number}.txt").read_text()


def counters_of(name: Kept) -> Counters:
    """What the server counted in a round."""
    number = ROUNDS.index(name)
    return counters_between(metrics(number), metrics(number + 1))


def round_of(name: Kept) -> Round:
    """What the client saw of it; the texts are not kept."""
    kept = json.loads((_DATA / f"{name}.json").read_text())
    timelines = (
        Timeline(
            due_s,
            sent_s,
            done_s,
            tuple(token_s),
            Reply("", tuple(token_s), prompt, completion, finish, None),
        )
        for due_s, sent_s, done_s, token_s, prompt, completion, finish in kept["timelines"]
    )
    return Round(tuple(timelines), OwnTrace(kept["wall_s"], kept["cpu_s"], tuple(kept["late_s"])))
