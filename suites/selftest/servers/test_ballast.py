import json
import os
import signal
from textwrap import dedent
from typing import Any

import pytest

from fixtures.cells.cards import GIB, MIB
from fixtures.servers.ballast_program import GRAIN_BYTES
from suites.selftest.programs import Launcher, is_alive, wait_until
from suites.selftest.standin.gpus import CONTEXT_BYTES, Machine

pytestmark = pytest.mark.selftest

H100 = ("NVIDIA H100 80GB HBM3", 81_559 * MIB)
HELD_BYTES = 35_491 * MIB
"""What a 48 GB card has less than an H100."""

_PRELUDE = """
    import json, pynvml
    from fixtures.cells.cards import CARDS, MIB
    from fixtures.servers.ballast import Ballast, BallastError, CurrentBallast
    from fixtures.servers.devices import gpus
    from fixtures.servers.guardian import descendants
    from suites.selftest.standin.cuda import Cuda, CudaError
    pynvml.nvmlInit()
    def free(number):
        handle = pynvml.nvmlDeviceGetHandleByIndex(number)
        return pynvml.nvmlDeviceGetMemoryInfo(handle).free
    def listed(number):
        handle = pynvml.nvmlDeviceGetHandleByIndex(number)
        found = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
        return {process.pid: process.usedGpuMemory for process in found}
    def emulating(card, number):
        return CARDS[card].on(gpus()[number])
    def ballast_of(card, number):
        gpu = emulating(card, number)
        return Ballast(gpu, gpu.emulation.ballast_bytes)
"""


def in_suite(launch: Launcher, code: str) -> Any:  # noqa: ANN401 - as JSON is
    """What a little suite with these GPUs tells as `found`."""
    suite = _start(launch, code)
    found = json.loads(launch.told("found"))
    assert suite.wait() == 0
    return found


def _start(launch: Launcher, code: str) -> Any:  # noqa: ANN401 - a process
    return launch.suite(dedent(_PRELUDE) + dedent(code))


# ---- Holding --------------------------------------------------------------------------------


def test_what_is_left_is_the_card(machine: Machine, launch: Launcher) -> None:
    """Of an H100 a ballast leaves what a 48 GB card would have free: its own context counts."""
    machine.add_gpu(*H100)
    before, held, after, listed, pid, released = in_suite(
        launch,
        """
        before = free(0)
        ballast = ballast_of("gpu48", 0)
        found = [before, ballast.held_bytes, free(0), listed(0), ballast.pid]
        assert ballast.alive
        ballast.release()
        ballast.release()
        assert not ballast.alive
        tell("found", json.dumps([*found, free(0)]))
        """,
    )
    assert 0 <= HELD_BYTES - held < GRAIN_BYTES
    assert before - after == held
    assert listed == {str(pid): held}
    assert released == before


def test_a_program_on_it_runs_out_of_memory_as_on_the_card(
    machine: Machine, launch: Launcher
) -> None:
    """The memory is really gone: the driver refuses one MiB more than the card has left."""
    machine.add_gpu(*H100, reserved_bytes=512 * MIB)
    left_bytes = 46_068 * MIB - 512 * MIB - CONTEXT_BYTES
    said = in_suite(
        launch,
        f"""
        ballast = ballast_of("gpu48", 0)
        cuda = Cuda(0)
        cuda.allocate({left_bytes})
        try:
            cuda.allocate(3 * MIB)
        except CudaError as error:
            tell("found", json.dumps(str(error)))
        ballast.release()
        """,
    )
    assert said == "CUDA_ERROR_OUT_OF_MEMORY"


def test_other_gpus_are_left_alone(
    machine: Machine, launch: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The GPU is found by its UUID, whatever CUDA's numbers and CUDA_VISIBLE_DEVICES say."""
    for _ in range(3):
        machine.add_gpu(*H100)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    listed = in_suite(
        launch,
        """
        ballast = ballast_of("gpu24", 1)
        tell("found", json.dumps([len(listed(number)) for number in range(3)]))
        ballast.release()
        """,
    )
    assert listed == [0, 1, 0]


# ---- Ending ---------------------------------------------------------------------------------


@pytest.fixture
def holding(machine: Machine, launch: Launcher) -> tuple[Any, int]:
    """A suite that holds a ballast, and the ballast's process id."""
    machine.add_gpu(*H100)
    suite = _start(
        launch,
        """
        ballast = ballast_of("gpu48", 0)
        tell("pid", ballast.pid)
        time.sleep(600)
        """,
    )
    return suite, int(launch.told("pid"))


def _free_now(launch: Launcher) -> int:
    found: int = in_suite(launch, 'tell("found", json.dumps(free(0)))')
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_it_ends_with_the_suite(
    holding: tuple[Any, int], launch: Launcher, number: signal.Signals
) -> None:
    """However the suite is killed, its memory is free again."""
    suite, pid = holding
    assert is_alive(pid)
    suite.send_signal(number)
    suite.wait()
    wait_until(lambda: not is_alive(pid), "the ballast's end")
    assert _free_now(launch) == H100[1] - 512 * MIB


def test_it_ends_with_the_suite_though_its_pipe_is_held(machine: Machine, launch: Launcher) -> None:
    """A child of the suite that inherited the pipe by a bare fork does not keep the ballast."""
    machine.add_gpu(*H100)
    suite = _start(
        launch,
        """
        ballast = ballast_of("gpu48", 0)
        child = os.fork()
        if child == 0:
            time.sleep(600)
            os._exit(0)
        tell("pids", f"{ballast.pid} {child}")
        time.sleep(600)
        """,
    )
    pid, child = map(int, launch.told("pids").split())
    try:
        suite.kill()
        suite.wait()
        wait_until(lambda: not is_alive(pid), "the ballast's end")
        assert is_alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_ctrl_c_is_not_for_it(holding: tuple[Any, int]) -> None:
    """The servers are stopped first: it is in no process group that the terminal signals."""
    suite, pid = holding
    assert os.getsid(pid) == pid != os.getsid(suite.pid)


# ---- Not to be had --------------------------------------------------------------------------

_REFUSED = """
    try:
        ballast_of("gpu48", 0)
    except BallastError as error:
        children = descendants(os.getpid())
        tell("found", json.dumps([str(error), children, free(0)]))
"""


def _refused(launch: Launcher) -> tuple[str, int]:
    said, children, free_bytes = in_suite(launch, _REFUSED)
    assert children == []
    return said, free_bytes


@pytest.fixture
def h100(machine: Machine) -> Machine:
    """A machine with one H100."""
    machine.add_gpu(*H100)
    return machine


def test_memory_in_other_hands_is_told(h100: Machine, launch: Launcher) -> None:
    """What is free is told with the remedy, and nothing is taken from others' reach."""
    h100.set_used(0, 60 * GIB)
    said, free_bytes = _refused(launch)
    assert said.startswith(f"no ballast on GPU 0 ({h100.uuid(0)}, NVIDIA H100 80GB HBM3, 79.6 GiB)")
    assert "35,491 MiB are to be held, 19,607 MiB are free: another process holds memory" in said
    assert free_bytes == 19_607 * MIB


def test_a_driver_that_is_not_there_is_told(h100: Machine, launch: Launcher) -> None:
    """The loader's own words stand before what to install."""
    (h100.libraries / "libcuda.so.1").write_text("no library")
    said, _ = _refused(launch)
    assert "libcuda.so.1: " in said
    assert said.endswith("(NVIDIA_DRIVER_CAPABILITIES=compute,utility)")


def test_a_lost_gpu_is_told(h100: Machine, launch: Launcher) -> None:
    """A GPU that fell off the bus is told in the driver's words."""
    suite = _start(
        launch,
        """
        gpu = emulating("gpu48", 0)
        tell("known")
        wait_for("lost")
        try:
            Ballast(gpu, 35_491 * MIB)
        except BallastError as error:
            tell("found", error)
        """,
    )
    launch.told("known")
    h100.lose(0)
    launch.tell("lost")
    assert "NVML says GPU is lost: look whether this GPU works" in launch.told("found")
    assert suite.wait() == 0


@pytest.mark.usefixtures("h100")
def test_a_ballast_that_does_not_come_is_not_waited_for(launch: Launcher) -> None:
    """At its deadline it is told what was awaited, and the process is ended."""
    said = in_suite(
        launch,
        """
        try:
            Ballast(emulating("gpu48", 0), 35_491 * MIB, within_s=0.0)
        except BallastError as error:
            tell("found", json.dumps(str(error)))
        """,
    )
    assert "it did not say 'context' in time" in said


# ---- One at a time --------------------------------------------------------------------------


def test_each_card_has_its_own_ballast_while_its_cells_run(
    machine: Machine, launch: Launcher
) -> None:
    """Cells of one card share a ballast; another card's cells, or a real card's, find it gone."""
    machine.add_gpu(*H100)
    machine.add_gpu("NVIDIA L40S", 46_068 * MIB)
    found = in_suite(
        launch,
        """
        current, found = CurrentBallast(), []
        for card, number in (("gpu48", 0), ("gpu48", 0), ("gpu24", 0), ("gpu48", 1)):
            pids = current.hold(emulating(card, number))
            current.check()
            found.append((pids, list(listed(0)), [size // MIB for size in listed(0).values()]))
        assert current.hold(None) == ()
        current.release()
        tell("found", json.dumps(found))
        """,
    )
    (first, *_), (second, *_), (third, *_), (fourth, *_) = found
    assert first == second != third
    assert fourth == []
    held = [(pids, sizes) for _, pids, sizes in found]
    assert held == [(first, [35_490]), (first, [35_490]), (third, [58_828]), ([], [])]


@pytest.mark.usefixtures("h100")
def test_a_ballast_that_somebody_ended_is_told_once(launch: Launcher) -> None:
    """What ran meanwhile is not of the card; the next cell gets another ballast."""
    said, first, second = in_suite(
        launch,
        """
        current = CurrentBallast()
        (first,) = current.hold(emulating("gpu48", 0))
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
        try:
            current.check()
        except BallastError as error:
            said = str(error)
        current.check()
        (second,) = current.hold(emulating("gpu48", 0))
        tell("found", json.dumps([said, first, second]))
        current.release()
        """,
    )
    assert said.startswith(f"the ballast (process {first}) was ended by somebody")
    assert first != second


@pytest.mark.usefixtures("h100")
def test_a_lock_is_held_until_the_ballast_is_gone(launch: Launcher) -> None:
    """Nobody else measures on the GPU before its memory is free again."""
    told = in_suite(
        launch,
        """
        from fixtures.servers.device_lock import HELD, lock_device
        lock_device("GPU-ballast-selftest")
        current = CurrentBallast()
        current.hold(emulating("gpu48", 0), tuple(HELD))
        os.close(HELD.pop())
        busy = lock_device("GPU-ballast-selftest")
        current.release()
        tell("found", json.dumps([os.getpid(), busy, lock_device("GPU-ballast-selftest")]))
        """,
    )
    pid, busy, after = told
    assert (busy, after) == (f"the suite with process id {pid}", None)
