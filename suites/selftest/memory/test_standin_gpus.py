import json
import os
import subprocess
import sys
from textwrap import dedent
from typing import Any

import pytest

from fixtures.cells.cards import GIB, MIB
from fixtures.runtimes.environments import CHECKOUT
from suites.selftest.programs import Launcher, is_alive, wait_until
from suites.selftest.standin.gpus import (
    CONTEXT_BYTES,
    DRIVER_VERSION,
    HOST_PIDS_BEGIN,
    Feature,
    Listing,
    Machine,
    MemoryRefusal,
)

pytestmark = pytest.mark.selftest

_PRELUDE = """
import json, os, pynvml as nvml
from suites.selftest.standin.cuda import Cuda, CudaError
nvml.nvmlInit()
def handle(number):
    return nvml.nvmlDeviceGetHandleByIndex(number)
def used(number):
    return nvml.nvmlDeviceGetMemoryInfo(handle(number), nvml.nvmlMemory_v2).used
def listed(number, kind="Compute"):
    found = getattr(nvml, f"nvmlDeviceGet{kind}RunningProcesses")(handle(number))
    return {process.pid: process.usedGpuMemory for process in found}
def refusal(function, *arguments):
    try:
        function(*arguments)
    except nvml.NVMLError as error:
        return str(error)
"""
HOLDS = """
    from suites.selftest.standin.cuda import Cuda
    cuda = Cuda(DEVICE)
    cuda.allocate(SIZE << 20)
    tell("holds", os.getpid())
    wait_for("end")
"""


def ask(question: str, setup: str = "", env: dict[str, str] | None = None) -> Any:  # noqa: ANN401 - as JSON is
    """What an expression is worth in a process of its own that has NVML and CUDA."""
    code = f"{_PRELUDE}\n{dedent(setup)}\nprint(json.dumps(({question})))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def _holds(device: int, size_mib: int) -> str:
    return dedent(HOLDS).replace("DEVICE", str(device)).replace("SIZE", str(size_mib))


def test_nvml_lists_the_gpus_in_their_order(machine: Machine) -> None:
    """Each GPU has its name, its UUID and its size, and the driver its version."""
    machine.add_gpu("NVIDIA L4", 24 * GIB, uuid="GPU-0")
    machine.add_gpu("NVIDIA H100 80GB HBM3", 80 * GIB)
    asked = "nvml.nvmlDeviceGetUUID(h), nvml.nvmlDeviceGetName(h)"
    told = ask(
        f"[({asked}, nvml.nvmlDeviceGetMemoryInfo(h).total) for h in (handle(0), handle(1))]"
    )
    assert told == [
        ["GPU-0", "NVIDIA L4", 24 * GIB],
        [machine.uuid(1), "NVIDIA H100 80GB HBM3", 80 * GIB],
    ]
    assert ask("nvml.nvmlDeviceGetCount(), nvml.nvmlSystemGetDriverVersion()") == [
        2,
        DRIVER_VERSION,
    ]


def test_a_machine_without_the_state_has_no_driver(machine: Machine) -> None:
    """The library alone is a driver that is not loaded."""
    machine.add_gpu()
    code = "import pynvml; pynvml.nvmlInit()"
    env = {"LD_LIBRARY_PATH": machine.env["LD_LIBRARY_PATH"]}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=False)
    assert b"Driver Not Loaded" in run.stderr


def test_what_is_reserved_is_used_only_in_the_first_version(machine: Machine) -> None:
    """Version 2 tells what is reserved apart, version 1 counts it as used; free agrees."""
    machine.add_gpu(total_bytes=24 * GIB, reserved_bytes=1 * GIB)
    machine.set_used(0, 3 * GIB)
    memory = "[(m.used, m.free) for m in (nvml.nvmlDeviceGetMemoryInfo(handle(0)), "
    memory += "nvml.nvmlDeviceGetMemoryInfo(handle(0), nvml.nvmlMemory_v2))]"
    assert ask(memory) == [[4 * GIB, 20 * GIB], [3 * GIB, 20 * GIB]]


@pytest.mark.parametrize(
    ("refusal", "said"),
    [("function-not-found", "Function Not Found"), ("not-supported", "Not Supported")],
)
def test_the_second_version_can_be_missing(
    machine: Machine,
    refusal: MemoryRefusal,
    said: str,
) -> None:
    """Where version 2 is refused, version 1 still answers."""
    machine.add_gpu(reserved_bytes=1 * GIB)
    machine.no_memory_v2(0, refusal)
    assert ask("refusal(used, 0), nvml.nvmlDeviceGetMemoryInfo(handle(0)).used") == [said, GIB]


def test_a_lost_gpu_answers_nothing_and_the_others_go_on(
    machine: Machine, launch: Launcher
) -> None:
    """Every question about a GPU off the bus has the same answer, with an old handle too."""
    machine.add_gpu()
    machine.add_gpu()
    launch.suite(
        """
        import pynvml as nvml
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByIndex(0)
        tell("has it")
        wait_for("lost")
        try:
            nvml.nvmlDeviceGetMemoryInfo(handle)
        except nvml.NVMLError as error:
            tell("said", error)
        """
    )
    launch.told("has it")
    machine.lose(0)
    launch.tell("lost")
    assert launch.told("said") == "GPU is lost"
    assert ask("refusal(handle, 0), used(1)") == ["GPU is lost", 0]


def test_what_cuda_allocates_is_used_and_listed(machine: Machine) -> None:
    """A context and its memory count on the device they are on, and on no other."""
    machine.add_gpu()
    machine.add_gpu()
    setup = "cuda = Cuda(1); at = cuda.allocate(1 << 30); before = used(1); cuda.free(at)"
    told = ask("before, used(1), used(0), list(listed(1).values()), listed(0)", setup)
    assert told == [CONTEXT_BYTES + GIB, CONTEXT_BYTES, 0, [CONTEXT_BYTES], {}]


def test_a_closed_context_takes_its_memory_along(machine: Machine) -> None:
    """Who lets go of the last context is listed no more."""
    machine.add_gpu()
    setup = "cuda = Cuda(); cuda.allocate(1 << 30); cuda.close()"
    assert ask("used(0), listed(0)", setup) == [0, {}]


def test_what_does_not_fit_is_refused(machine: Machine) -> None:
    """A GPU gives what is neither used nor reserved, to the byte, and not one more."""
    machine.add_gpu(total_bytes=2 * GIB, reserved_bytes=100 * MIB)
    setup = """
        cuda = Cuda()
        free, total = cuda.free_and_total_bytes()
        cuda.allocate(free)
        try:
            cuda.allocate(1)
        except CudaError as error:
            said = str(error)
    """
    told = ask("said, free, total, cuda.free_and_total_bytes()[0]", setup)
    room_bytes = 2 * GIB - 100 * MIB
    assert told == ["CUDA_ERROR_OUT_OF_MEMORY", room_bytes - CONTEXT_BYTES, room_bytes, 0]


@pytest.mark.parametrize("by", ["number", "uuid"])
def test_device_0_is_the_first_visible_one(machine: Machine, by: str) -> None:
    """CUDA_VISIBLE_DEVICES renumbers the devices, by number and by UUID."""
    machine.add_gpu()
    machine.add_gpu()
    visible = "1" if by == "number" else machine.uuid(1)
    assert ask("Cuda(0).uuid(), used(0), used(1)", env={"CUDA_VISIBLE_DEVICES": visible}) == [
        machine.uuid(1),
        0,
        CONTEXT_BYTES,
    ]


@pytest.mark.parametrize("visible", ["", "7", "GPU-none"])
def test_no_visible_device_is_no_device(machine: Machine, visible: str) -> None:
    """Where CUDA_VISIBLE_DEVICES hides all, CUDA finds none."""
    machine.add_gpu()
    setup = """
        try:
            Cuda()
        except CudaError as error:
            said = str(error)
    """
    told = ask("said", setup, env={"CUDA_VISIBLE_DEVICES": visible})
    assert told == "CUDA_ERROR_NO_DEVICE"


def test_the_memory_of_the_killed_comes_back(machine: Machine, launch: Launcher) -> None:
    """A process killed with no chance to tidy up is gone from the GPU, even as a zombie."""
    machine.add_gpu()
    holder = launch.suite(_holds(0, 1024))
    pid = int(launch.told("holds"))
    assert ask("used(0), listed(0)") == [
        CONTEXT_BYTES + GIB,
        {str(pid): CONTEXT_BYTES + GIB},
    ]
    holder.kill()
    wait_until(lambda: not is_alive(pid), "its end")
    assert ask("used(0), listed(0)") == [0, {}]


def test_a_reader_sees_a_death_that_comes_later(machine: Machine, launch: Launcher) -> None:
    """Who has looked at a process before learns of its end too."""
    machine.add_gpu()
    launch.suite(_holds(0, 64))
    setup = f"""
        import pathlib, time
        folder = pathlib.Path({str(launch.folder)!r})
        while not (folder / "holds").exists(): time.sleep(0.01)
        first = used(0)
        (folder / "end").touch()
        deadline = time.monotonic() + 30
        while used(0) and time.monotonic() < deadline: time.sleep(0.01)
    """
    assert ask("first, used(0)", setup) == [CONTEXT_BYTES + 64 * MIB, 0]


def test_scripted_processes_are_listed_by_their_kind(machine: Machine) -> None:
    """A process that the test told of counts until it is dropped, if it is not of this machine."""
    machine.add_gpu()
    absent = HOST_PIDS_BEGIN - 1
    machine.set_process(0, os.getpid(), 300 * MIB)
    machine.set_process(0, absent, None, "graphics")
    told = "used(0), listed(0), listed(0, 'Graphics')"
    assert ask(told) == [300 * MIB, {str(os.getpid()): 300 * MIB}, {str(absent): None}]
    machine.drop_process(0, os.getpid())
    machine.drop_process(0, absent)
    assert ask(told) == [0, {}, {}]


def test_a_driver_can_list_in_other_ways(machine: Machine) -> None:
    """A list may be refused, empty, without memory, or of the host's numbers."""
    machine.add_gpu()
    machine.set_process(0, 4321, MIB)
    seen = {}
    listings: tuple[Listing, ...] = ("not-supported", "empty", "hidden-memory", "host-pids")
    for listing in listings:
        machine.set_listing(0, listing)
        seen[listing] = ask("refusal(listed, 0) or listed(0)")
    assert seen == {
        "not-supported": "Not Supported",
        "empty": {},
        "hidden-memory": {"4321": None},
        "host-pids": {str(4321 + HOST_PIDS_BEGIN): MIB},
    }


def test_the_account_of_a_process_outlives_it(machine: Machine) -> None:
    """The most that a process ever had is told after its end, and that it has ended."""
    machine.add_gpu()
    machine.set_accounting(0, "enabled")
    setup = "cuda = Cuda(); cuda.free(cuda.allocate(1 << 30)); pid = os.getpid()"
    stats = "nvml.nvmlDeviceGetAccountingStats(handle(0), {})"
    account = f"[({stats}).maxMemoryUsage, ({stats}).isRunning]"
    assert ask(account.format("pid", "pid"), setup) == [CONTEXT_BYTES + GIB, 1]
    pid = ask("nvml.nvmlDeviceGetAccountingPids(handle(0))")[0]
    assert ask(account.format(pid, pid)) == [CONTEXT_BYTES + GIB, 0]
    assert ask(f"refusal(nvml.nvmlDeviceGetAccountingStats, handle(0), {pid + 1})") == "Not Found"


@pytest.mark.parametrize(
    ("feature", "mode"), [("disabled", 0), ("enabled", 1), ("not-supported", "Not Supported")]
)
def test_accounting_is_on_off_or_not_there(
    machine: Machine,
    feature: Feature,
    mode: object,
) -> None:
    """Only where accounting is on does the driver give the processes it has account of."""
    machine.add_gpu()
    machine.set_accounting(0, feature)
    asked = "refusal(nvml.nvmlDeviceGetAccountingMode, handle(0))"
    asked += " or nvml.nvmlDeviceGetAccountingMode(handle(0))"
    refused = "refusal(nvml.nvmlDeviceGetAccountingPids, handle(0))"
    assert ask(f"{asked}, {refused}") == [mode, None if mode == 1 else "Not Supported"]


def test_a_split_gpu_tells_no_processs_memory(machine: Machine) -> None:
    """With MIG on, processes are listed without their memory, and nothing is accounted."""
    machine.add_gpu()
    machine.set_accounting(0, "enabled")
    machine.set_process(0, 4321, MIB)
    machine.set_mig(0, "enabled")
    told = "nvml.nvmlDeviceGetMigMode(handle(0)), listed(0), "
    told += "refusal(nvml.nvmlDeviceGetAccountingMode, handle(0))"
    assert ask(told) == [[1, 1], {"4321": None}, "Not Supported"]


def test_what_many_do_at_once_adds_up(machine: Machine, launch: Launcher) -> None:
    """Processes that allocate and free at the same time leave the sum of what they keep."""
    machine.add_gpu("NVIDIA H100", 80 * GIB)
    churn = """
        from suites.selftest.standin.cuda import Cuda
        cuda = Cuda()
        for _ in range(2000):
            cuda.free(cuda.allocate(1 << 20))
        cuda.allocate(1 << 20)
        tell(NAME)
        wait_for("end")
    """
    for name in ("one", "two", "three"):
        launch.suite(dedent(churn).replace("NAME", repr(name)))
    for name in ("one", "two", "three"):
        launch.told(name)
    assert ask("used(0), len(listed(0))") == [3 * (CONTEXT_BYTES + MIB), 3]
