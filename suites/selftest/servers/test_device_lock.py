import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fixtures.cells.cards import CARDS, GIB, MIB, Emulation, Gpu
from fixtures.runtimes.environments import CHECKOUT
from fixtures.servers import device_lock
from fixtures.servers.device_lock import DeviceBusyError, choose_gpu, lock_device
from fixtures.servers.process import GuardedProcess
from suites.selftest.programs import Launcher, order_of, program

pytestmark = pytest.mark.selftest

FIRST = Gpu(0, "GPU-aaaa", "NVIDIA L40S", 45 * GIB)
SECOND = Gpu(1, "GPU-bbbb", "NVIDIA L40S", 45 * GIB)
SMALL = Gpu(2, "GPU-cccc", "NVIDIA L4", 23 * GIB)

HOLDS = """
import sys
from fixtures.servers.device_lock import lock_device
print(lock_device(sys.argv[1]), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three GPUs as NVML would list them, and locks in a folder of the test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(device_lock, "gpus", lambda: [FIRST, SECOND, SMALL])
    monkeypatch.setattr(device_lock, "HELD", [])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def _other_suite(name: str, folder: Path) -> subprocess.Popen[str]:
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDS, name],
        cwd=CHECKOUT,
        env={"TMPDIR": str(folder), "PATH": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "None\n"
    return other


def test_two_suites_do_not_share_a_gpu(tmp_path: Path) -> None:
    """A second suite takes the next free GPU, and is told who has them when none is left."""
    with _other_suite(FIRST.uuid, tmp_path) as other:
        assert choose_gpu(CARDS["gpu48"], None) == SECOND
        with pytest.raises(DeviceBusyError, match=f"suite with process id {other.pid}"):
            choose_gpu(CARDS["gpu48"], FIRST.uuid)
        other.kill()
    assert lock_device(FIRST.uuid) is None


def test_a_suite_keeps_its_own_gpu() -> None:
    """Asked twice, a suite gets the same GPU: its own lock is no other's."""
    assert choose_gpu(CARDS["gpu48"], None) == FIRST
    assert choose_gpu(CARDS["gpu48"], None) == FIRST


@pytest.mark.parametrize("wanted", ["1", SECOND.uuid])
def test_a_gpu_is_chosen_by_number_or_uuid(wanted: str) -> None:
    """What is asked for is taken, not the first that matches."""
    assert choose_gpu(CARDS["gpu48"], wanted) == SECOND


def test_a_smaller_gpu_is_refused() -> None:
    """A GPU that cannot hold such a card is not taken, whoever asks for it."""
    with pytest.raises(DeviceBusyError, match=r"GPU 2 \(GPU-cccc, NVIDIA L4\) has only 23\.0 GiB"):
        choose_gpu(CARDS["gpu48"], "2")


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked for is told, and among which GPUs it was looked for."""
    with pytest.raises(DeviceBusyError, match=r"no GPU for gpu48: there is no GPU 7$"):
        choose_gpu(CARDS["gpu48"], "7")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    with pytest.raises(DeviceBusyError, match=r"no GPU 1 among CUDA_VISIBLE_DEVICES=2$"):
        choose_gpu(CARDS["gpu48"], "1")


def test_a_larger_gpu_is_taken_after_the_card_itself(tmp_path: Path) -> None:
    """While the card itself is in use, a larger GPU stands in for it."""
    with _other_suite(SMALL.uuid, tmp_path) as other:
        assert choose_gpu(CARDS["gpu24"], None) == CARDS["gpu24"].on(FIRST)
        other.kill()
    assert choose_gpu(CARDS["gpu24"], None) == SMALL


def test_a_larger_gpu_can_be_asked_for() -> None:
    """A named GPU is taken though the card itself is there and free."""
    chosen = choose_gpu(CARDS["gpu24"], "1")
    assert chosen.uuid == SECOND.uuid
    assert chosen.emulation == Emulation("gpu24", 22_731 * MIB, SECOND.total_bytes)


@pytest.mark.parametrize("visible", ["1", SECOND.uuid, "1,2"])
def test_only_visible_gpus_are_looked_at(monkeypatch: pytest.MonkeyPatch, visible: str) -> None:
    """What CUDA_VISIBLE_DEVICES hides is somebody else's."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert choose_gpu(CARDS["gpu48"], None) == SECOND


def test_a_lock_is_held_until_the_last_server_is_gone(launch: Launcher) -> None:
    """The guardian holds it too, and the server itself does not inherit it."""
    assert lock_device("GPU-held") is None
    (lock,) = device_lock.HELD
    code = "tell('open', sorted(os.listdir('/proc/self/fd')))\ntime.sleep(600)"
    process = GuardedProcess(order_of(program(code, launch.folder), launch.folder), hold=(lock,))
    try:
        # 0 to 2, and the one by which the folder is read.
        assert launch.told("open") == str(["0", "1", "2", "3"])
        os.close(lock)
        device_lock.HELD.clear()
        assert lock_device("GPU-held") == f"the suite with process id {os.getpid()}"
    finally:
        process.kill()
        process.close()
    assert lock_device("GPU-held") is None
