"""Whatever goes wrong in the witness or around it, the server does not notice, and people do."""

from pathlib import Path

import pytest

from fixtures.memory import allocator
from fixtures.memory.allocator_folder import VARIABLE
from suites.selftest.memory.conftest import Engine, only
from suites.selftest.programs import no_room

pytestmark = pytest.mark.selftest


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
    assert list(only(report).errors) == ([] if "reset" in fails else told)
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
