import ast
import os
import subprocess
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from fixtures.memory import allocator
from fixtures.memory.allocator import Device
from fixtures.memory.allocator_folder import PLUGIN, VARIABLE, read_allocator
from fixtures.runtimes.runtime import PythonRuntime, Runtime
from suites.selftest.memory.conftest import PRELUDE, STANDIN, Engine, only
from suites.selftest.programs import PATIENCE_S

pytestmark = pytest.mark.selftest

MODULE = PLUGIN / "minicpmv_allocator_witness.py"


def test_a_peak_between_two_looks_is_exact(engine: Engine) -> None:
    """What was held for no time at all, when nobody looked, is known to the byte."""
    report = engine("begin(); _C.malloc(100); _C.spike(700); seen(800)")
    reserved, allocated = report.peak("reserved"), report.peak("allocated")
    assert reserved
    assert allocated
    assert (reserved.bytes, reserved.exact) == (800, True)
    assert (allocated.bytes, allocated.exact) == (800, True)
    (looks,) = only(report).devices.values()
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
    (looks,) = only(report).devices.values()
    assert looks.looks[-1].resets == 3
    assert {300, 500, 800} <= {look.reserved.peak_bytes for look in looks.looks}


def test_nobody_looks_between_a_reset_and_its_telling(engine: Engine) -> None:
    """A peak that sinks without a reset that is told would seem to be set back by a stranger."""
    report = engine(
        """
        begin()
        _C.reset_takes_s = 0.2
        _C.spike(800)
        torch.cuda.reset_peak_memory_stats()
        os._exit(0)
        """
    )
    peak = report.peak("reserved")
    assert peak
    assert (peak.bytes, peak.exact) == (800, True)


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
    (looks,) = only(report).devices.values()
    assert looks.looks[-1].ooms == 1


def test_cuda_is_the_programs_to_initialise(engine: Engine) -> None:
    """However long a process does without CUDA, the witness does too."""
    report = engine("load(); time.sleep(0.2); assert _C.initialised == 0")
    assert only(report).cuda_at_s is None
    assert allocator.testify(report).cannot == "CUDA was never initialised in any of 1 processes"


def test_other_devices_are_left_alone(engine: Engine) -> None:
    """A device that the process has no context on is not asked for counters; its UUID is told."""
    report = engine("begin()")
    uuid = "GPU-0f7c1f5e-2f0b-4d7e-9a55-6f1f7f3c2b10"
    assert list(only(report).devices) == [Device(0, uuid)]
    assert only(report).errors == ()
    assert only(report).settings["expandable_segments"] is True
    assert only(report).title.endswith("__main__')")


def test_an_older_torch_tells_no_uuid(engine: Engine) -> None:
    """The device is known by its number then."""
    assert list(only(engine("begin()", STANDIN_TORCH="old")).devices) == [Device(0, None)]


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
    assert only(report).torch == "2.99.0+standin"
    assert allocator.testify(report).cannot == "torch 2.99.0+standin has no CUDA"


def test_an_idle_allocator_is_looked_at_all_the_same(engine: Engine) -> None:
    """A line comes from time to time, so that it is known until when nothing happened."""
    report = engine("begin(); wait_for(lambda: len(lines('look')) > 2)")
    (looks,) = only(report).devices.values()
    assert {look.reserved for look in looks.looks} == {(0, 0)}


def test_being_loaded_often_is_as_good_as_once(engine: Engine) -> None:
    """vLLM 0.5.5 loads its plugins several times in one process: there is one thread and file."""
    report = engine("begin(); load(); load(); assert threading.active_count() == 2")
    assert len(report.processes) == 1


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
