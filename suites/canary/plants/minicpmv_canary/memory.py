"""Memory of the worker that nobody needs: held from the weights on, or for a moment of the start.

It is torch's, on the worker's device, and every byte is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from .order import Planted
from .report import Report

HELD_S: Final = 0.02
_LOOK_EVERY_STEPS: Final = 50


def plant_peak(planted: Planted) -> None:
    """Hold so much from the moment when the weights are there.

    A share is of what the server's processes hold. It is looked at after each stage of the start
    and every 50 steps, and what is held grows with the most that was seen (`_Share`).
    """
    report = Report("peak")
    if planted.bytes:
        kept: list[object] = []

        def hold(worker: Any) -> None:  # noqa: ANN401 - vLLM's own
            kept.append(_filled(worker, planted.bytes))
            report.add(held_bytes=planted.bytes)

        _after("load_model", hold)
        return
    share = _Share(planted.share, report)
    _after("load_model", share.grow)
    _after("initialize_from_config", share.grow)
    _after("compile_or_warm_up_model", share.grow)
    _after("execute_model", share.step)


def plant_spike(planted: Planted) -> None:
    """Hold so much for 20 ms, when the KV cache is there, on top of it."""
    report = Report("spike")

    def spike(worker: Any) -> None:  # noqa: ANN401 - vLLM's own
        began_s = time.perf_counter()
        held = _filled(worker, planted.bytes)
        full_s = time.perf_counter()
        time.sleep(HELD_S)
        report.add(spikes=1, fill_s=full_s - began_s, held_s=time.perf_counter() - full_s)
        del held

    _after("initialize_from_config", spike)


class _Share:
    """What is held of the most that the server's processes held otherwise."""

    def __init__(self, share: Fraction, report: Report) -> None:
        self._share = share
        self._report = report
        self._kept: list[object] = []
        self._held_bytes = 0
        self._steps = 0

    def grow(self, worker: Any) -> None:  # noqa: ANN401 - vLLM's own
        missing = int((_resident_bytes() - self._held_bytes) * self._share) - self._held_bytes
        if missing > 0:
            self._kept.append(_filled(worker, missing))
            self._held_bytes += missing
            self._report.add(held_bytes=missing)

    def step(self, worker: Any) -> None:  # noqa: ANN401 - vLLM's own
        self._steps += 1
        if self._steps % _LOOK_EVERY_STEPS == 0:
            self.grow(worker)


def _filled(worker: Any, size: int) -> object:  # noqa: ANN401 - vLLM's own
    import torch  # noqa: PLC0415 - vLLM has imported it

    return torch.ones(size, dtype=torch.uint8, device=worker.device)


def _resident_bytes() -> int:
    """Of all processes of this server: the one that nobody of its kind started, and below it."""
    import psutil  # noqa: PLC0415 - vLLM has imported it

    engine = psutil.Process().parent()
    server = engine and engine.parent()
    if server is None:
        return 0
    total = 0
    for process in (server, *server.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total


def _after(method: str, do: Callable[[Any], None]) -> None:
    """Call `do` with the worker whenever it has done `method`.

    vLLM calls a worker through its wrapper, which hands on what it has no method for.
    """
    from vllm.v1.worker.worker_base import WorkerWrapperBase  # noqa: PLC0415 - the worker's own

    original = getattr(WorkerWrapperBase, method, None)

    def followed(self: Any, *args: object, **kwargs: object) -> object:  # noqa: ANN401 - vLLM's own
        inner = original.__get__(self) if original else getattr(self.worker, method)
        outcome = inner(*args, **kwargs)
        do(self.worker)
        return outcome

    setattr(WorkerWrapperBase, method, followed)
