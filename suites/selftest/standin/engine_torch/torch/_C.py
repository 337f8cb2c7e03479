import os
import time
from collections.abc import Callable
from typing import Any

CAPACITY_BYTES = 1000
ODD = os.environ.get("STANDIN_TORCH", "")

initialised = 0
contexts: set[int] = set()
reset_by_torch = 0
reset_takes_s = 0.0
allocated = [0, 0]
reserved = [0, 0]
ooms = 0
observers: list[Callable[[int, int, int, int], None]] = []


class OutOfMemoryError(RuntimeError):
    """As torch raises it."""


def _cuda_init() -> None:
    global initialised
    initialised += 1
    contexts.add(0)


def malloc(size: int) -> None:
    """Hold more; a block comes from the driver, since none is kept."""
    global ooms
    if allocated[0] + size > CAPACITY_BYTES:
        ooms += 1
        for observer in observers:
            observer(0, size, CAPACITY_BYTES, CAPACITY_BYTES - reserved[0])
        msg = f"CUDA out of memory. Tried to allocate {size} bytes"
        raise OutOfMemoryError(msg)
    allocated[0] += size
    reserved[0] = max(reserved[0], allocated[0])
    spike(0)


def spike(size: int) -> None:
    """Hold more, and let it go, where nobody can look in between."""
    allocated[1] = max(allocated[1], allocated[0] + size)
    reserved[1] = max(reserved[1], reserved[0], allocated[0] + size)


def free(size: int) -> None:
    """Hold less; the allocator keeps it."""
    allocated[0] -= size


def empty_cache() -> None:
    """Give back what is kept."""
    reserved[0] = allocated[0]


def _may_fail(name: str) -> None:
    if name == ODD:
        msg = f"{name} fails"
        raise RuntimeError(msg)


def _cuda_memoryStats(device: int) -> dict[str, Any]:
    _may_fail("_cuda_memoryStats")
    assert device in contexts, "that would make a context"

    def told(counter: list[int]) -> dict[str, dict[str, int]]:
        return {"all": {"current": counter[0], "peak": counter[1]}}

    return {
        "num_alloc_retries": ooms,
        "num_ooms": ooms,
        "allocated_bytes": told(allocated),
        "reserved_bytes": told(reserved),
        "inactive_split_bytes": told([reserved[0] - allocated[0], 0]),
    }


def _reset(device: int) -> None:
    global reset_by_torch
    assert device in contexts
    reset_by_torch += 1
    allocated[1], reserved[1] = allocated[0], reserved[0]
    time.sleep(reset_takes_s)


def _cuda_resetPeakMemoryStats(device: int) -> None:
    _may_fail("_cuda_resetPeakMemoryStats")
    _reset(device)


def _accelerator_resetPeakStats(device: int) -> None:
    _reset(device)


def _cuda_memorySnapshot(_: None) -> dict[str, Any]:
    _may_fail("_cuda_memorySnapshot")
    blocks = [
        {"size": allocated[0], "state": "active_allocated"},
        {"size": reserved[0] - allocated[0], "state": "inactive"},
    ]
    return {
        "segments": [{"device": 0, "blocks": blocks}],
        "allocator_settings": {"expandable_segments": True, "max_split_size": -1},
    }


def _cuda_hasPrimaryContext(device: int) -> bool:
    return device in contexts


def _cuda_attach_out_of_memory_observer(observer: Callable[[int, int, int, int], None]) -> None:
    _may_fail("_cuda_attach_out_of_memory_observer")
    assert initialised, "torch would initialise CUDA"
    observers.append(observer)
