"""Made-up files of the GPU recorder, as the tests of its readers need them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from fixtures.memory.gpu_trace import GpuRecording, parse_gpu_recording

ONE = "GPU-one"
TWO = "GPU-two"
UNREAD = -1


def process(pid: int, peak_bytes: int | None, **more: object) -> dict[str, Any]:
    """A process as gpu.json has it: one that computes, is visible here, and was there all along."""
    told = {"pid": pid, "kind": "compute", "name": "python3", "command": "python3 -m vllm"}
    return {**told, "first_ns": 0, "last_ns": 10**9, "peak_bytes": peak_bytes, **more}


def account(pid: int, max_bytes: int | None) -> dict[str, Any]:
    """The driver's account of a process."""
    return {
        "pid": pid,
        "started_us": 1_700_000_000_000_000,
        "max_bytes": max_bytes,
        "running": True,
    }


def refusal(asked: str, said: str) -> dict[str, Any]:
    """What the driver refused, once."""
    return {"asked": asked, "said": said, "count": 1, "first_ns": 5 * 10**8}


def gpu(uuid: str | None, **more: object) -> dict[str, Any]:
    """A GPU as gpu.json has it: with accounting on, and nobody on it."""
    return {
        "number": 0,
        "uuid": uuid,
        "name": "NVIDIA L4",
        "total_bytes": 24 << 30,
        "reserved_bytes": 512 << 20,
        "memory_version": "v2",
        "accounting": "enabled",
        "mig": "Not Supported",
        "processes": [],
        "looks": 11,
        "largest_look_gap_ns": 10**8,
        "last_look_ns": 10**9,
        "accounted": [],
        "refusals": [],
        **more,
    }


def files(
    gpus: Sequence[Mapping[str, Any]],
    samples: Sequence[Sequence[float]],
    lists: Sequence[tuple[float, str, Mapping[int, int | None] | None]] = (),
) -> tuple[bytes, str, str]:
    """The three files; a sample is its second and a number for each GPU, a list has its second."""
    raw = b"".join(
        struct.pack(f"<{1 + len(gpus)}q", round(at_s * 1e9), *map(int, used))
        for at_s, *used in samples
    )
    lines = [
        json.dumps({"ns": round(at_s * 1e9), "gpu": uuid, "used": used}) + "\n"
        for at_s, uuid, used in lists
    ]
    told = {"priority": "realtime", "cpu_s": 0.1, "driver": "580.95.05", "gpus": list(gpus)}
    return raw, json.dumps(told), "".join(lines)


def recording(
    gpus: Sequence[Mapping[str, Any]],
    samples: Sequence[Sequence[float]] = (),
    lists: Sequence[tuple[float, str, Mapping[int, int | None] | None]] = (),
) -> GpuRecording:
    """What is read from them, with 0 as zero."""
    return parse_gpu_recording(*files(gpus, samples, lists), 0.0)
