"""How others look: a process that asks for memory every so often, and writes down what it saw.

Usage: poller.py OUT_FILE INTERVAL_MS PID [--gpu]

As nvidia-smi and its kind do: the time between two looks is slept. Each record of OUT_FILE is
nanoseconds of the monotonic clock, resident bytes of PID, and used bytes of the first GPU (-1
without --gpu). It ends when its standard input closes.
"""

from __future__ import annotations

import os
import select
import struct
import sys
import time
from pathlib import Path

LOOK = struct.Struct("<qqq")


def main(out: str, interval_s: float, pid: int, *, gpu: bool) -> None:
    """Look until standard input closes."""
    handle = None
    if gpu:
        import pynvml  # noqa: PLC0415 - only where there is a GPU to ask

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    resident_file = Path(f"/proc/{pid}/statm")
    with Path(out).open("wb", buffering=0) as looks:
        while not select.select([0], [], [], interval_s)[0]:
            used = pynvml.nvmlDeviceGetMemoryInfo(handle).used if handle else -1
            resident = int(resident_file.read_text().split()[1]) * page_bytes
            looks.write(LOOK.pack(time.monotonic_ns(), resident, used))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]) / 1000, int(sys.argv[3]), gpu="--gpu" in sys.argv)
