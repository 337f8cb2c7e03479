from typing import Any

from .. import _C
from . import _device, is_initialized


def memory_stats_as_nested_dict(device: int | None = None) -> dict[str, Any]:
    return _C._cuda_memoryStats(_device(device)) if is_initialized() else {}


def max_memory_reserved(device: int | None = None) -> int:
    return int(memory_stats_as_nested_dict(_device(device))["reserved_bytes"]["all"]["peak"])


def reset_peak_memory_stats(device: int | None = None) -> None:
    _C._cuda_resetPeakMemoryStats(_device(device))


def reset_max_memory_allocated(device: int | None = None) -> None:
    reset_peak_memory_stats(device)


def _snapshot() -> dict[str, Any]:
    return _C._cuda_memorySnapshot(None)
