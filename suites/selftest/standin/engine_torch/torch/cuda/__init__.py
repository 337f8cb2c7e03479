import os
from types import SimpleNamespace
from typing import Any

from .. import _C

_initialised_by: int | None = None


def _lazy_init() -> None:
    global _initialised_by
    if _initialised_by is None:
        _C._cuda_init()
        _initialised_by = os.getpid()


def is_initialized() -> bool:
    """In a child forked after the initialisation it does not work, and does not count."""
    return _initialised_by == os.getpid()


def device_count() -> int:
    """One that is used, and one that is not."""
    return 2


def _device(device: int | None) -> int:
    if device is None:
        _lazy_init()
    return device or 0


def get_device_properties(device: int) -> Any:
    _lazy_init()
    assert device in _C.contexts
    if _C.ODD == "old":
        return SimpleNamespace(name="stand-in")
    return SimpleNamespace(uuid="0f7c1f5e-2f0b-4d7e-9a55-6f1f7f3c2b10")


from .memory import (  # noqa: E402 - as in torch: it needs the above
    max_memory_reserved,
    memory_stats_as_nested_dict,
    reset_max_memory_allocated,
    reset_peak_memory_stats,
)

__all__ = [
    "max_memory_reserved",
    "memory_stats_as_nested_dict",
    "reset_max_memory_allocated",
    "reset_peak_memory_stats",
]
