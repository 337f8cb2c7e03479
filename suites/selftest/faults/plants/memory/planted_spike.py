"""A planted fault: once its KV cache is there, the engine holds 300 MiB more for 50 ms."""

import logging
import mmap
import threading
import time

SPIKE_BYTES = 300 * 1024**2
HELD_S = 0.05
_AFTER = "init engine (profile, create kv cache, warmup model) took"


class _Plant(logging.Handler):
    """Hears the line that only one of vLLM's processes says."""

    def emit(self, record: logging.LogRecord) -> None:
        """Start the fault a moment after that line, apart from whoever said it."""
        if _AFTER in record.getMessage():
            threading.Thread(target=_spike, daemon=True).start()


def _spike() -> None:
    time.sleep(0.3)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    with mmap.mmap(-1, SPIKE_BYTES, flags=flags):
        time.sleep(HELD_S)


def plant() -> None:
    """Listen in every process; vLLM loads a plugin into all of them."""
    logging.getLogger("vllm").addHandler(_Plant())
