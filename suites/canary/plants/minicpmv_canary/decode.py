"""Each decode step of the engine takes so much longer; steps that read a prompt do not.

    schedule ──> the model's step ──> update_from_output ──> wait share * (all of it until here)

A decode step is one in which every request gets one further token. Under load some steps decode
for most requests and read the prompt of one: those are not touched, so that prefill is not. What
share of all steps' time that leaves is in the report.

The wait is busy, in the engine's own process. That is what slower code would be, and it leaves no
core to others; a sleep would, and would be late by its 50 microseconds, which is more than 1 % of
a step of 4 ms. A busy machine interrupts it: what was waited too long is taken off the next waits,
so that in sum they are as long as they should be.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sized
from typing import Any, Protocol

from .order import Planted
from .report import Report


class Scheduled(Protocol):
    """What is read of vLLM's SchedulerOutput."""

    @property
    def scheduled_new_reqs(self) -> Sized:
        """Requests that were not scheduled before."""
        ...

    @property
    def num_scheduled_tokens(self) -> Mapping[str, int]:
        """By request."""
        ...


def is_decode(scheduled: Scheduled) -> bool:
    """Whether a step gives each of its requests one further token and does nothing else."""
    numbers = scheduled.num_scheduled_tokens
    return (
        bool(numbers)
        and not scheduled.scheduled_new_reqs
        and all(number == 1 for number in numbers.values())
    )


def plant(planted: Planted) -> None:
    """Slow the scheduler's steps down.

    The hooks see a whole step only where steps do not overlap. Where vLLM schedules ahead, as it
    does on GPUs, the first request fails with that.
    """
    from vllm.v1.core.sched.scheduler import Scheduler  # noqa: PLC0415 - only the engine loads it

    share, report = float(planted.share), Report("decode")
    began_s = waited_s = owed_s = told_s = 0.0
    schedule, update = Scheduler.schedule, Scheduler.update_from_output

    def timed(self: Any, *args: object, **kwargs: object) -> object:  # noqa: ANN401 - vLLM's own
        nonlocal began_s
        if self.scheduler_config.async_scheduling:
            msg = "canary: decode cannot be slowed down with --async-scheduling"
            raise RuntimeError(msg)
        began_s = time.perf_counter()
        return schedule(self, *args, **kwargs)

    def slowed(self: object, scheduled: Scheduled, *args: object, **kwargs: object) -> object:
        nonlocal waited_s, owed_s, told_s
        outputs = update(self, scheduled, *args, **kwargs)
        ended_s = now_s = time.perf_counter()
        took_s = ended_s - began_s
        if is_decode(scheduled):
            # What was waited is counted with the next step: counting, too, is within the wait.
            report.add(decode_steps=1, decode_s=took_s, waited_s=waited_s, owed_s=owed_s - told_s)
            told_s = owed_s
            owed_s += took_s * share
            while now_s < ended_s + owed_s:
                now_s = time.perf_counter()
            waited_s = now_s - ended_s
            owed_s -= waited_s
        elif scheduled.num_scheduled_tokens:
            report.add(other_steps=1, other_s=took_s)
        return outputs

    Scheduler.schedule, Scheduler.update_from_output = timed, slowed
