"""The KV cache is smaller: of the memory that the worker finds for it, so much is not used."""

from __future__ import annotations

from .order import Planted
from .report import Report


def plant(planted: Planted) -> None:
    """Take the share off before blocks are counted, so that the log tells the smaller cache."""
    from vllm.v1.executor.abstract import Executor  # noqa: PLC0415 - only the engine loads it

    report = Report("kv")
    determine = Executor.determine_available_memory

    def less(self: object) -> list[int]:
        found: list[int] = determine(self)
        left = [int(number * (1 - planted.share)) for number in found]
        report.add(found_bytes=sum(found), taken_bytes=sum(found) - sum(left))
        return left

    Executor.determine_available_memory = less
