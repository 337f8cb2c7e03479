"""Which file plants which fault, and in which of vLLM's processes."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Mapping
from typing import Final

from . import (
    accuracy,
    crash,
    decode,
    door,
    errors,
    hang,
    kv,
    leftover,
    log_line,
    memory,
    slow_start,
    ttft,
)
from .order import Planted, parse


def _at_the_door(way: Callable[[Planted], door.Way]) -> Callable[[Planted], None]:
    return lambda planted: door.put_before(way(planted))


_PLACES: Final[Mapping[str, tuple[str, Callable[[Planted], None]]]] = {
    "peak": ("worker", memory.plant_peak),
    "spike": ("worker", memory.plant_spike),
    "decode": ("engine", decode.plant),
    "ttft": ("server", _at_the_door(ttft.way)),
    "accuracy": ("server", _at_the_door(accuracy.way)),
    "errors": ("server", _at_the_door(errors.way)),
    "hang": ("server", _at_the_door(hang.way)),
    "kv": ("engine", kv.plant),
    "leftover": ("server", leftover.plant),
    "slow-start": ("server", _at_the_door(slow_start.way)),
    "log-line": ("engine", log_line.plant),
    "crash": ("worker", crash.plant),
}


def place() -> str:
    """Which of vLLM's processes this is: server, engine, worker, or other.

    By the names that vLLM gives them (0.9 to 0.33). The child that inspects models is a program of
    its own, without a port.
    """
    name = multiprocessing.current_process().name
    if name.startswith("EngineCore"):
        return "engine"
    if name.startswith("VllmWorker"):
        return "worker"
    return "server" if name == "MainProcess" and "--port" in sys.argv else "other"


def plant_all(order: str) -> None:
    """Plant each fault of the order whose place is this process."""
    here = place()
    for planted in parse(order):
        where, plant = _PLACES[planted.fault]
        if where == here:
            plant(planted)
