"""Show what planted faults do to a real server, one order after the other.

    python -m suites.canary.prove '' peak:256MiB decode:5%,accuracy:3%:count

'' is a server without a fault. Each takes a minute. Run from the checkout, in the suite's
environment.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fixtures.cells.cards import MIB
from fixtures.deployments.launched import LaunchedDeployment
from fixtures.deployments.recording import tallied
from fixtures.load.figures import tpot_s
from fixtures.load.session import Loaded, LoadSession
from fixtures.load.shots import fresh_shots
from fixtures.questions.asking import ask_all
from fixtures.questions.catalogue import SKILLS, held_out
from fixtures.records.schema import MemoryRecord, StartRecord, StopRecord, Unmeasured
from fixtures.runtimes.runtime import PythonRuntime, find_runtime
from fixtures.runtimes.setup.progress import Progress
from suites.canary.bench import CASE, counted, planted

_QUESTIONS = 100
_ROUNDS = 5
_OUTPUT_TOKENS = 64


def _say(what: str, told: object) -> None:
    sys.stdout.write(f"  {what:16}{told}\n")
    sys.stdout.flush()


def _asked(server: LaunchedDeployment) -> None:
    questions = [q for skill in SKILLS for q in held_out(skill, "single", _QUESTIONS, 7000)]
    concurrency = CASE.cell.max_num_seqs
    answers = ask_all(server.endpoint, questions, concurrency, 20.0, server.why_down)
    failed = [answer.error for answer in answers if answer.error]
    _say("failed", f"{len(failed)} of {len(answers)}: {failed[:1]}")
    tally = tallied(answers, concurrency, CASE.model.accuracy_of_scenes)
    _say("right", {skill: f"{s.correct}/{s.asked}" for skill, s in tally.skills.items()})


def _loaded(server: LaunchedDeployment) -> None:
    loaded = Loaded(server.endpoint, CASE.cell.max_num_seqs, 30.0, server.why_down)
    session = LoadSession(loaded, fresh_shots(server.endpoint, _OUTPUT_TOKENS))
    session.warm_up()
    session.repeat(_ROUNDS)
    lines = [line for round_ in session.end().rounds for line in round_.timelines]
    first = [line.ttft_s for line in lines if line.ttft_s is not None]
    each = [took for line in lines if (took := tpot_s(line)) is not None]
    if first and each:
        mean_ms = (1000 * sum(first) / len(first), 1000 * sum(each) / len(each))
        _say("mean", f"TTFT {mean_ms[0]:.2f} ms, TPOT {mean_ms[1]:.3f} ms of {len(lines)}")


def _memory(memory: MemoryRecord | Unmeasured) -> None:
    if isinstance(memory, MemoryRecord):
        peaks = {p.name: p.peak_bytes for p in memory.phases if isinstance(p.peak_bytes, int)}
        _say("peak MiB", {name: round(peak / MIB) for name, peak in peaks.items()})


def prove(order: str, runtime: PythonRuntime, folder: Path) -> None:
    """Start a server with the order, ask and load it, stop it, and say what was seen."""
    sys.stdout.write(f"{order or 'nothing'}\n")
    with planted(order, runtime, folder) as server:
        start = server.record.start
        if isinstance(start, StartRecord):
            _say("start", f"{start.outcome} after {start.after_s:.1f} s: {start.detail}")
            _say(
                "facts", {name: told for name, told in start.facts.items() if name.startswith("kv")}
            )
            _say("unknown lines", start.unknown_memory_lines)
        if server.ready:
            _asked(server)
        if server.why_down() is None:
            _loaded(server)
        _say("down", server.why_down())
    _memory(server.record.memory)
    stop = server.record.stop
    if isinstance(stop, StopRecord):
        _say("stop", f"{stop.stopped_in_s:.1f} s {stop.memory_back_after_s} {stop.complaints}")
    for fault, counts in counted(folder / "reports").items():
        _say(fault, json.dumps(counts))


def main(orders: Sequence[str]) -> None:
    """Prove each order on the locked runtime of the cpu card."""
    runtime = find_runtime("cgroup", None, Progress(sys.stderr))
    if not isinstance(runtime, PythonRuntime):
        msg = f"{runtime.origin}: faults are planted in a Python environment of this machine"
        raise SystemExit(msg)
    with tempfile.TemporaryDirectory(prefix="canary-") as folder:
        for number, order in enumerate(orders):
            prove(order, runtime, Path(folder) / str(number))


if __name__ == "__main__":
    main(sys.argv[1:])
