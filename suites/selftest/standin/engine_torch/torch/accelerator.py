from . import _C


def reset_peak_memory_stats(device: int = 0) -> None:
    if _C.initialised:
        _C._accelerator_resetPeakStats(device)
