"""Real starts of vLLM 0.24.0 on an H200, as the recorders wrote them: `recorded/NAME`.

`gpu48-sized` is a cell of the gpu48 card (32 sequences of 4,096 tokens, expandable segments) with
weights of MiniCPM-V 2.6's sizes, `gpu24-tiny-eager` the tiny checkpoint on the gpu24 card without
graphs. A ballast held the rest of the GPU. The files are as they were written, but for the paths of
commands; `start.json` tells when the process began, what the suite knew of it, and the phases, each
of which begins there at the look that found its line.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, Final, NamedTuple

from fixtures.memory.allocator import AllocatorReport, parse_allocator
from fixtures.memory.gpu_trace import GpuRecording, parse_gpu_recording
from fixtures.servers.startup_log import PhaseSpan

_FOLDER: Final = Path(__file__).with_name("recorded")

LOOKS_EVERY_S: Final = 0.05
"""How often the suite read the log then."""


class RecordedStart(NamedTuple):
    """One start; moments in seconds since its first process began."""

    uuid: str
    server_pids: tuple[int, ...]
    ballast_pid: int
    spans: tuple[PhaseSpan, ...]
    gpu: GpuRecording
    allocator: AllocatorReport

    def looked_before(self) -> tuple[PhaseSpan, ...]:
        """The phases, each from the look before the one that found its line."""
        begins = [
            span.start_s - LOOKS_EVERY_S if span.told_by == "log" else span.start_s
            for span in self.spans
        ]
        ends = [*begins[1:], self.spans[-1].end_s]
        return tuple(
            span._replace(start_s=start_s, end_s=end_s)
            for span, start_s, end_s in zip(self.spans, begins, ends, strict=True)
        )


def _read(folder: Path) -> RecordedStart:
    told: dict[str, Any] = json.loads((folder / "start.json").read_text("utf-8"))
    zero_s: float = told["zero_s"]
    return RecordedStart(
        told["uuid"],
        tuple(told["server_pids"]),
        told["ballast_pid"],
        tuple(PhaseSpan(*span) for span in told["phases"]),
        parse_gpu_recording(
            gzip.decompress((folder / "gpu-samples.bin.gz").read_bytes()),
            (folder / "gpu.json").read_text("utf-8"),
            (folder / "gpu-processes.jsonl").read_text("utf-8"),
            zero_s,
        ),
        parse_allocator(
            {
                path.stem: gzip.decompress(path.read_bytes())
                for path in folder.glob("allocator-*.jsonl.gz")
            },
            zero_s,
        ),
    )


RECORDED_STARTS: Final = {
    folder.name: _read(folder) for folder in sorted(_FOLDER.iterdir()) if folder.is_dir()
}
