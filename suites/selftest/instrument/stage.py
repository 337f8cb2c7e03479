"""The stage of an instrument's test: spikes being made, and everybody who watches them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from fixtures.memory.gpu_trace import GpuRecording
from fixtures.memory.gpu_witness import GpuWitness
from fixtures.memory.series import SampleSeries
from fixtures.memory.witness import Recording, TreeWitness
from fixtures.runtimes.environments import CHECKOUT
from fixtures.servers.process import GuardedProcess, LaunchOrder
from suites.selftest.instrument.poller import LOOK
from suites.selftest.instrument.spikes import Spike, read_spikes

POLLERS_MS: Final = (100, 1000)
_HERE: Final = Path(__file__).parent
_SEED: Final = 20240806


class Watched(NamedTuple):
    """What everybody has seen of the spikes. `polled` and `cpu_shares` are by witness's name."""

    spikes: list[Spike]
    tree: Recording
    gpus: GpuRecording | None
    polled: dict[str, SampleSeries]
    cpu_shares: dict[str, float]


class Play(NamedTuple):
    """Which spikes are made: `each` for each length, of `size_mib`, on a GPU too or not."""

    lengths_ms: tuple[int, ...]
    each: int
    size_mib: int
    gpu: bool
    apart: bool = False
    """Each in a process of its own, for marks that are kept of a process."""


def watch_spikes(folder: Path, play: Play, env: dict[str, str], within_s: float) -> Watched:
    """Make the spikes, and let every witness and both pollers look.

    Args:
        folder: of this play; made if need be.
        play: the spikes.
        env: in which the GPU's libraries are found, where they are not the machine's own.
        within_s: so long it may take.
    """
    folder.mkdir()
    words = [str(length) for length in play.lengths_ms]
    words += [flag for flag, on in (("--gpu", play.gpu), ("--apart", play.apart)) if on]
    numbers = [str(number) for number in (play.each, play.size_mib, _SEED)]
    program = [sys.executable, str(_HERE / "spiker.py"), str(folder), *numbers, *words]
    with ExitStack() as undo:
        order = LaunchOrder(tuple(program), env, folder, folder / "spiker.log")
        spiker = GuardedProcess(order)
        undo.callback(spiker.close)
        undo.callback(spiker.kill)
        pid = int(_wait_for(folder / "pid", spiker, 30.0))
        tree = TreeWitness(spiker.guardian_pid, folder / "tree", None)
        undo.callback(tree.stop)
        gpus = GpuWitness(folder / "gpus") if play.gpu else None
        if gpus:
            undo.callback(gpus.stop)
        pollers = [undo.enter_context(_polling(folder, ms, pid, play)) for ms in POLLERS_MS]
        (folder / "begin").touch()
        _wait_for(folder / "done", spiker, within_s)
        tree.stop()
        if gpus:
            gpus.stop()
        recording, devices = tree.recording(), gpus.recording() if gpus else None
        shares = {"tree-samples": recording.cpu_s / _length_s(recording.series.times_s)}
        if devices:
            shares["nvml-device"] = devices.cpu_s / _length_s(devices.times_s)
        for ms, poller in zip(POLLERS_MS, pollers, strict=True):
            shares[_poll_name(ms)] = _cpu_s(poller) / _length_s(recording.series.times_s)
    spikes = read_spikes((folder / "spikes.jsonl").read_text().splitlines())
    polled: dict[str, SampleSeries] = {}
    for ms in POLLERS_MS:
        looks = np.frombuffer((folder / f"poll-{ms}.bin").read_bytes(), dtype="<i8").reshape(-1, 3)
        times_s = looks[:, 0] / 1e9
        polled[_poll_name(ms)] = SampleSeries(times_s, looks[:, 1])
        if play.gpu:
            polled[f"GPU {_poll_name(ms)}"] = SampleSeries(times_s, looks[:, 2])
    return Watched(spikes, recording, devices, polled, shares)


def _poll_name(interval_ms: int) -> str:
    return f"polled every {interval_ms} ms"


@contextmanager
def _polling(folder: Path, ms: int, pid: int, play: Play) -> Iterator[subprocess.Popen[bytes]]:
    words = [str(folder / f"poll-{ms}.bin"), str(ms), str(pid), *(["--gpu"] if play.gpu else [])]
    module = "suites.selftest.instrument.poller"
    with subprocess.Popen(
        [sys.executable, "-m", module, *words], cwd=CHECKOUT, stdin=subprocess.PIPE
    ) as poller:
        yield poller
        if poller.stdin:
            poller.stdin.close()


def _wait_for(path: Path, spiker: GuardedProcess, within_s: float) -> str:
    deadline = time.monotonic() + within_s
    while not path.exists() or (path.name == "pid" and not path.read_text()):
        log = path.with_name("spiker.log")
        said = log.read_text() if log.exists() else ""
        assert spiker.exit_status is None, f"the spikes ended: {said}"
        assert time.monotonic() < deadline, f"waited {within_s:.0f} s for {path.name}: {said}"
        time.sleep(0.05)
    return path.read_text()


def _cpu_s(process: subprocess.Popen[bytes]) -> float:
    """What a living process has cost so far."""
    fields = Path(f"/proc/{process.pid}/schedstat").read_text().split()
    return int(fields[0]) / 1e9


def _length_s(times_s: np.typing.NDArray[np.float64]) -> float:
    return float(times_s[-1] - times_s[0])


assert LOOK.size == 3 * 8, "a look is three words"
