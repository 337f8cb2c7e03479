import ast
import os
import subprocess
import sys
from importlib.metadata import PathDistribution
from pathlib import Path
from textwrap import dedent
from typing import Protocol

import pytest

from fixtures.memory import allocator
from fixtures.memory.allocator import AllocatorReport, Device, ProcessReport
from fixtures.memory.allocator_folder import PLUGIN, VARIABLE, emptied, read_allocator
from fixtures.runtimes.environments import CHECKOUT
from fixtures.runtimes.runtime import PythonRuntime, Runtime
from suites.selftest.programs import PATIENCE_S, no_room

pytestmark = pytest.mark.selftest

STANDIN = CHECKOUT / "suites" / "selftest" / "standin" / "engine_torch"
MODULE = PLUGIN / "minicpmv_allocator_witness.py"

# A program of vLLM's, as far as the plugin sees of it.
PRELUDE = """
import json, multiprocessing, os, pathlib, signal, sys, threading, time
import torch
from torch import _C

def load():
    from importlib.metadata import entry_points
    for plugin in entry_points(group="vllm.general_plugins"):
        plugin.load()()

def lines(kind):
    found = []
    for path in pathlib.Path(os.environ["FOLDER"]).glob(f"allocator-{os.getpid()}*.jsonl"):
        for line in path.read_bytes().split(b"\\n")[:-1]:
            found.append(json.loads(line).get(kind))
    return [line for line in found if line is not None]

def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)

def seen(peak):
    wait_for(lambda: any(look["reserved_peak"] == peak for look in lines("look")))

def begin():
    load()
    torch.cuda._lazy_init()
    wait_for(lambda: lines("look"))
"""


class Engine(Protocol):
    """Runs a program as one of vLLM's processes, and reads what the witness wrote of it."""

    def __call__(self, code: str, **env: str) -> AllocatorReport:
        """Run it to its end, which must be silent and good."""
        ...


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the witness writes."""
    return emptied(tmp_path / "allocator", for_anybody=False)


def _run(code: str, env: dict[str, str], python: Path = Path(sys.executable)) -> str:
    """What it said; nothing else may be on its standard error."""
    run = subprocess.run(
        [python, "-c", code], env=env, capture_output=True, text=True, timeout=90, check=False
    )
    assert run.stderr == ""
    assert run.returncode == 0
    return run.stdout


@pytest.fixture
def engine(folder: Path, tmp_path: Path) -> Engine:
    """A process with the stand-in's torch. Of a file, for spawned children to find it."""

    def run(code: str, **env: str) -> AllocatorReport:
        program = tmp_path / "program.py"
        program.write_text(PRELUDE + "if __name__ == '__main__':\n" + indented(code))
        surroundings = {
            "PYTHONPATH": f"{STANDIN}:{PLUGIN}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "FOLDER": str(folder),
            VARIABLE: str(folder),
            **env,
        }
        runs = f"import runpy; runpy.run_path({str(program)!r}, run_name='__main__')"
        assert _run(runs, surroundings) == ""
        return read_allocator(folder, 0.0)

    def indented(code: str) -> str:
        return "".join(f"    {line}\n" for line in dedent(code).splitlines())

    return run


def _only(report: AllocatorReport) -> ProcessReport:
    (process,) = report.processes
    return process


def test_a_peak_between_two_looks_is_exact(engine: Engine) -> None:
    """What was held for no time at all, when nobody looked, is known to the byte."""
    report = engine("begin(); _C.malloc(100); _C.spike(700); seen(800)")
    reserved, allocated = report.peak("reserved"), report.peak("allocated")
    assert reserved
    assert allocated
    assert (reserved.bytes, reserved.exact) == (800, True)
    assert (allocated.bytes, allocated.exact) == (800, True)
    (looks,) = _only(report).devices.values()
    assert max(look.reserved.current_bytes for look in looks.looks) == 100


@pytest.mark.parametrize(
    "reset",
    [
        "torch.cuda.reset_peak_memory_stats()",
        "torch.cuda.memory.reset_peak_memory_stats(0)",
        "torch.cuda.reset_max_memory_allocated()",
        "torch.accelerator.reset_peak_memory_stats()",
        "bound_before()",
    ],
)
def test_a_peak_before_a_reset_is_not_lost(engine: Engine, reset: str) -> None:
    """Whichever way the marks are set back, what they stood at is written first."""
    report = engine(
        f"""
        from torch.cuda import reset_peak_memory_stats as bound_before
        begin()
        for size in (300, 800, 500):
            _C.spike(size)
            {reset}
        assert torch.cuda.max_memory_reserved() == 0
        assert _C.reset_by_torch == 3
        os._exit(0)
        """
    )
    peak = report.peak("reserved")
    assert peak
    assert (peak.bytes, peak.exact) == (800, True)
    (looks,) = _only(report).devices.values()
    assert looks.looks[-1].resets == 3
    assert {300, 500, 800} <= {look.reserved.peak_bytes for look in looks.looks}


def test_the_marks_are_vllms_alone(engine: Engine) -> None:
    """The witness sets nothing back: the start-up profile reads what it would have read."""
    engine(
        """
        begin()
        _C.spike(700)
        seen(700)
        assert torch.cuda.max_memory_reserved() == 700
        assert _C.reset_by_torch == 0
        """
    )


def test_every_process_reports_for_itself(engine: Engine) -> None:
    """Forked children, which vLLM takes to have their plugins, have files of their own."""
    report = engine(
        """
        load()
        for peak in (200, 400):
            if os.fork() == 0:
                torch.cuda._lazy_init()
                _C.spike(peak)
                seen(peak)
                os._exit(0)
        assert [os.wait()[1] for _ in range(2)] == [0, 0]
        begin()
        _C.spike(900)
        seen(900)
        if os.fork() == 0:
            # CUDA does not work here, and is not asked.
            time.sleep(0.1)
            os._exit(0)
        assert os.wait()[1] == 0
        """
    )
    peaks = [
        looks.peak("reserved") for process in report.processes for looks in process.devices.values()
    ]
    assert sorted(peak.bytes for peak in peaks if peak) == [200, 400, 900]
    assert [process.cuda_at_s is None for process in report.processes].count(True) == 1
    assert len({process.pid for process in report.processes}) == 4


def test_a_spawned_process_reports_too(engine: Engine, tmp_path: Path) -> None:
    """A child with a fresh interpreter loads its plugins, and is known by its name."""
    (tmp_path / "worker.py").write_text(
        f"{PRELUDE}\ndef work():\n    begin(); _C.spike(5); seen(5)"
    )
    report = engine(
        """
        import worker
        load()
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=worker.work, name="EngineCore")
        process.start()
        process.join()
        assert process.exitcode == 0
        """,
        PYTHONPATH=f"{STANDIN}:{PLUGIN}:{tmp_path}",
    )
    by_name = {process.process.partition(":")[0]: process for process in report.processes}
    assert set(by_name) == {"MainProcess", "EngineCore"}
    (looks,) = by_name["EngineCore"].devices.values()
    assert looks.looks[-1].reserved.peak_bytes == 5
    assert not by_name["MainProcess"].devices


def test_an_out_of_memory_error_is_written_down(engine: Engine) -> None:
    """How much was asked for, how things stood and where; the error goes its way."""
    report = engine(
        """
        begin()
        _C.malloc(600)
        _C.free(200)
        def encode_pictures():
            _C.malloc(700)
        try:
            encode_pictures()
        except _C.OutOfMemoryError as error:
            assert str(error) == "CUDA out of memory. Tried to allocate 700 bytes"
        else:
            raise AssertionError
        os._exit(0)
        """
    )
    (oom,) = report.ooms
    assert (oom.device, oom.asked_bytes, oom.limit_bytes, oom.free_bytes) == (0, 700, 1000, 400)
    assert (oom.allocated_bytes, oom.reserved_bytes, oom.unused_bytes) == (400, 600, 200)
    assert (oom.inactive_split_bytes, oom.largest_unused_bytes) == (200, (200,))
    assert oom.settings["expandable_segments"] is True
    assert oom.stack[1].endswith(" encode_pictures")
    assert len(oom.stack) <= 15
    assert oom.thread == "MainThread"
    assert oom.cannot == ""
    (looks,) = _only(report).devices.values()
    assert looks.looks[-1].ooms == 1


def test_cuda_is_the_programs_to_initialise(engine: Engine) -> None:
    """However long a process does without CUDA, the witness does too."""
    report = engine("load(); time.sleep(0.2); assert _C.initialised == 0")
    assert _only(report).cuda_at_s is None
    assert allocator.testify(report).cannot == "CUDA was never initialised in any of 1 processes"


def test_other_devices_are_left_alone(engine: Engine) -> None:
    """A device that the process has no context on is not asked for counters; its UUID is told."""
    report = engine("begin()")
    uuid = "GPU-0f7c1f5e-2f0b-4d7e-9a55-6f1f7f3c2b10"
    assert list(_only(report).devices) == [Device(0, uuid)]
    assert _only(report).errors == ()
    assert _only(report).settings["expandable_segments"] is True
    assert _only(report).title.endswith("__main__')")


def test_an_older_torch_tells_no_uuid(engine: Engine) -> None:
    """The device is known by its number then."""
    assert list(_only(engine("begin()", STANDIN_TORCH="old")).devices) == [Device(0, None)]


def test_a_torch_without_cuda_is_told_and_left_alone(engine: Engine) -> None:
    """One line, no thread, and nothing of torch's is replaced."""
    report = engine(
        """
        reset = _C._cuda_resetPeakMemoryStats
        load()
        assert threading.active_count() == 1
        assert _C._cuda_resetPeakMemoryStats is reset
        """,
        STANDIN_TORCH="cpu",
    )
    assert _only(report).torch == "2.99.0+standin"
    assert allocator.testify(report).cannot == "torch 2.99.0+standin has no CUDA"


def test_an_idle_allocator_is_looked_at_all_the_same(engine: Engine) -> None:
    """A line comes from time to time, so that it is known until when nothing happened."""
    report = engine("begin(); wait_for(lambda: len(lines('look')) > 2)")
    (looks,) = _only(report).devices.values()
    assert {look.reserved for look in looks.looks} == {(0, 0)}


def test_being_loaded_often_is_as_good_as_once(engine: Engine) -> None:
    """vLLM 0.5.5 loads its plugins several times in one process: there is one thread and file."""
    report = engine("begin(); load(); load(); assert threading.active_count() == 2")
    assert len(report.processes) == 1


def test_without_a_folder_nothing_happens(engine: Engine, folder: Path) -> None:
    """A server started by hand with the folder on its path is as it would be without."""
    code = "load(); assert threading.active_count() == 1; torch.cuda._lazy_init(); time.sleep(0.1)"
    engine(code, **{VARIABLE: ""})
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("what", ["a file", "missing"])
def test_a_folder_that_cannot_be_written_to_is_no_harm(
    engine: Engine, tmp_path: Path, what: str
) -> None:
    """The server runs as ever, and the witness is blind for a reason."""
    if what == "a file":
        (tmp_path / "nowhere").touch()
    report = engine(
        "load(); torch.cuda._lazy_init(); _C.spike(5)", **{VARIABLE: str(tmp_path / "nowhere")}
    )
    assert "could not write into its folder" in allocator.testify(report).cannot


def test_a_full_disk_is_no_harm(engine: Engine) -> None:
    """What was written until then is read; the program does not notice."""
    with no_room(1500):
        report = engine("begin()\nfor size in range(1, 99): _C.spike(size); time.sleep(0.021)")
    peak = report.peak("reserved")
    assert peak
    assert 0 <= peak.bytes < 98


@pytest.mark.parametrize(
    "fails",
    [
        "_cuda_memoryStats",
        "_cuda_memorySnapshot",
        "_cuda_attach_out_of_memory_observer",
        "_cuda_resetPeakMemoryStats",
    ],
)
def test_an_error_inside_stays_inside(engine: Engine, fails: str) -> None:
    """Whatever of torch's fails, the program sees torch's own errors alone; the report tells."""
    report = engine(
        """
        load()
        torch.cuda._lazy_init()
        wait_for(lambda: lines("look") or lines("error"))
        own = []
        for act in (torch.cuda.reset_peak_memory_stats, lambda: _C.malloc(5000)):
            try:
                act()
            except Exception as error:
                own.append(str(error))
        fails = os.environ["STANDIN_TORCH"]
        expected = [f"{fails} fails"] if fails.startswith("_cuda_reset") else []
        assert own == [*expected, "CUDA out of memory. Tried to allocate 5000 bytes"], own
        """,
        STANDIN_TORCH=fails,
    )
    told = [f"RuntimeError: {fails} fails"]
    assert list(_only(report).errors) == ([] if "reset" in fails else told)
    if fails == "_cuda_memoryStats":
        assert allocator.testify(report).cannot == f"the allocator could not be asked: {told[0]}"
        assert report.ooms[0].cannot == told[0]
        assert report.ooms[0].unused_bytes is None


def test_a_killed_process_leaves_what_it_had_seen(engine: Engine) -> None:
    """No line waits in a buffer."""
    report = engine(
        """
        if os.fork() == 0:
            begin()
            _C.spike(300)
            seen(300)
            os.kill(os.getpid(), signal.SIGKILL)
        os.wait()
        """
    )
    peak = report.peak("reserved")
    assert peak
    assert peak.bytes == 300


def test_the_last_change_before_an_end_is_seen(engine: Engine) -> None:
    """A process that ends in order looks once more."""
    peak = engine("begin(); _C.spike(300)").peak("reserved")
    assert peak
    assert peak.bytes == 300


def test_any_python_of_vllms_reads_it() -> None:
    """The module's syntax is Python 3.8's, and it is found by its metadata."""
    ast.parse(MODULE.read_text(), feature_version=(3, 8))
    metadata = PathDistribution(next(PLUGIN.glob("*.dist-info")))
    assert (metadata.metadata["Name"], metadata.version) == ("minicpmv-allocator-witness", "1.0")
    (entry,) = metadata.entry_points
    assert (entry.group, entry.module) == ("vllm.general_plugins", MODULE.stem)


def test_the_locked_runtime_loads_it(runtime: Runtime, folder: Path) -> None:
    """The real vLLM finds the plugin and runs it; the real torch of the CPU build has no CUDA."""
    assert isinstance(runtime, PythonRuntime)
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PLUGIN),
        "PYTHONDONTWRITEBYTECODE": "1",
        "VLLM_LOGGING_LEVEL": "ERROR",
        VARIABLE: str(folder),
    }
    code = "from vllm.plugins import load_general_plugins; load_general_plugins()"
    run = subprocess.run(
        [runtime.python, "-c", code],
        env=env,
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    report = read_allocator(folder, 0.0)
    assert allocator.testify(report).cannot == f"torch {runtime.build.torch} has no CUDA"
