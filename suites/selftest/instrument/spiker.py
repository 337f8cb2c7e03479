"""A program that holds memory for moments of known length, and writes down when it did.

Usage: spiker.py FOLDER COUNT SIZE_MIB SEED LENGTH_MS... [--gpu] [--apart]

For each length COUNT spikes, all in random order and at random distances, so that they keep no
step with whoever samples. With --gpu each is an allocation on the first GPU as well, of the same
length and size. With --apart each is made by a process of its own, which lives for some time
after it, so that what a kernel or a driver keeps of a process can be asked for each spike alone.

FOLDER/begin and FOLDER/end, files that somebody else makes, are waited for; FOLDER/pid is written
first, FOLDER/spikes.jsonl with a line for each spike, from when all of it was there to when it
began to go, and FOLDER/done after the last.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import random
import sys
import time
from pathlib import Path

_POPULATE = 0x8000
# Longer than the recorders leave between two looks at what is kept of each process.
_LIVES_ON_S = 0.8
# A driver's list of processes has an end.
_AT_ONCE = 24
_children: set[int] = set()


def _context() -> ctypes.CDLL:
    """The CUDA driver with a context on its first device; only memory is asked of it."""
    driver = ctypes.CDLL("libcuda.so.1")
    context = ctypes.c_void_p()
    for name, arguments in (
        ("cuInit", (0,)),
        ("cuDevicePrimaryCtxRetain", (ctypes.byref(context), ctypes.c_int(0))),
        ("cuCtxSetCurrent", (context,)),
    ):
        code = getattr(driver, name)(*arguments)
        if code:
            sys.exit(f"{name}: CUDA error {code}")
    return driver


def _wait(length_s: float) -> None:
    """Sleep for most of it, and look at the clock for the rest: a sleep alone is late."""
    until_s = time.monotonic() + length_s
    if length_s > 0.002:
        time.sleep(length_s - 0.002)
    while time.monotonic() < until_s:
        pass


def _spike(length_s: float, size_bytes: int, driver: ctypes.CDLL | None) -> tuple[float, float]:
    address = ctypes.c_uint64()
    if driver:
        code = driver.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(size_bytes))
        if code:
            sys.exit(f"cuMemAlloc: CUDA error {code}")
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _POPULATE
    with mmap.mmap(-1, size_bytes, flags=flags):
        start_s = time.monotonic()
        _wait(length_s)
        end_s = time.monotonic()
    if driver:
        driver.cuMemFree_v2(address)
    return start_s, end_s


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def _told(length_ms: int, size_bytes: int, driver: ctypes.CDLL | None) -> str:
    base_bytes = _resident_bytes()
    start_s, end_s = _spike(length_ms / 1000, size_bytes, driver)
    spike = {
        "wanted_ms": length_ms,
        "start_s": start_s,
        "end_s": end_s,
        "size_bytes": size_bytes,
        "pid": os.getpid(),
        "base_bytes": base_bytes,
    }
    return json.dumps(spike) + "\n"


def _apart(told: int, length_ms: int, size_bytes: int, *, gpu: bool) -> None:
    """The same in a child; CUDA does not survive a fork, and is opened there."""
    if child := os.fork():
        _children.add(child)
        while len(_children) >= _AT_ONCE:
            _reap()
        return
    line = _told(length_ms, size_bytes, _context() if gpu else None)
    os.write(told, line.encode())
    time.sleep(_LIVES_ON_S)
    os._exit(0)


def _reap() -> None:
    """Take note of children that have ended."""
    ended, status = os.waitpid(-1, os.WNOHANG)
    if status:
        sys.exit(f"a process with a spike ended with {os.waitstatus_to_exitcode(status)}")
    _children.discard(ended)
    time.sleep(0.001)


def _await(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def main(folder: Path, count: int, size_mib: int, seed: int, words: list[str]) -> None:
    """Make the spikes."""
    gpu, apart = "--gpu" in words, "--apart" in words
    driver = _context() if gpu and not apart else None
    lengths = [int(word) for word in words if not word.startswith("--")] * count
    draw = random.Random(seed)  # noqa: S311 - no secret
    draw.shuffle(lengths)
    (folder / "pid").write_text(str(os.getpid()))
    _await(folder / "begin")
    told = os.open(folder / "spikes.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for length_ms in lengths:
        time.sleep(draw.uniform(0.015, 0.04))
        if apart:
            _apart(told, length_ms, size_mib << 20, gpu=gpu)
        else:
            os.write(told, _told(length_ms, size_mib << 20, driver).encode())
    while _children:
        _reap()
    time.sleep(0.2)
    (folder / "done").touch()
    _await(folder / "end")


if __name__ == "__main__":
    _count, _size_mib, _seed = map(int, sys.argv[2:5])
    main(Path(sys.argv[1]), _count, _size_mib, _seed, sys.argv[5:])
