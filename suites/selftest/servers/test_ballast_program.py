import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import GIB
from fixtures.servers import ballast_program
from fixtures.servers.ballast_program import GRAIN_BYTES, STEP_BYTES, Failure, fill
from suites.selftest.standin.gpus import Machine

pytestmark = pytest.mark.selftest

PROGRAM = ballast_program.__file__


class Memory:
    """A GPU that hands out whole grains, and no piece larger than `largest_bytes`."""

    def __init__(self, free_bytes: int, largest_bytes: int) -> None:
        self.free_bytes = free_bytes
        self._largest_bytes = largest_bytes

    def free(self) -> int:
        """What nobody has."""
        return self.free_bytes

    def take(self, size_bytes: int) -> bool:
        """Hand it out, if there is so large a piece."""
        assert size_bytes % GRAIN_BYTES == 0
        if size_bytes > min(self._largest_bytes, self.free_bytes):
            return False
        self.free_bytes -= size_bytes
        return True


@given(
    st.integers(0, 3 * GIB),
    st.integers(0, 3 * GIB),
    st.integers(GRAIN_BYTES, 2 * STEP_BYTES),
)
def test_what_is_filled_lacks_less_than_a_grain(
    free_bytes: int, wanted_bytes: int, largest_bytes: int
) -> None:
    """However the free memory lies in pieces: as much as was wanted, never more, or a failure."""
    memory = Memory(free_bytes, largest_bytes)
    if wanted_bytes // GRAIN_BYTES > free_bytes // GRAIN_BYTES:
        with pytest.raises(Failure, match=r"^no-room "):
            fill(wanted_bytes, memory.free, memory.take)
        return
    held_bytes = fill(wanted_bytes, memory.free, memory.take)
    assert held_bytes == free_bytes - memory.free_bytes
    assert 0 <= wanted_bytes - held_bytes < GRAIN_BYTES


def test_memory_that_somebody_gives_back_meanwhile_is_not_taken() -> None:
    """What was wanted is not exceeded because the free memory grew."""
    memory = Memory(GIB, STEP_BYTES)

    def take(size_bytes: int) -> bool:
        taken = memory.take(size_bytes)
        memory.free_bytes += size_bytes
        return taken

    fill(2 * STEP_BYTES, memory.free, take)
    assert memory.free_bytes == GIB


@pytest.mark.parametrize(
    ("visible", "said"),
    [
        ("0", "failed no-gpu CUDA shows 1 GPUs, and none is GPU-elsewhere"),
        ("GPU-elsewhere", "failed no-gpu cuInit: CUDA_ERROR_NO_DEVICE"),
    ],
)
def test_a_gpu_that_cuda_does_not_show_is_told(machine: Machine, visible: str, said: str) -> None:
    """No other GPU is filled in its place."""
    machine.add_gpu()
    run = subprocess.run(
        [sys.executable, "-I", PROGRAM, "GPU-elsewhere", str(os.getpid())],
        env={**machine.env, "CUDA_VISIBLE_DEVICES": visible},
        input="0\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout.strip()) == (1, said)


def test_a_ballast_of_nobody_ends_at_once(machine: Machine) -> None:
    """When the parent is gone before the kernel was asked to tell, nothing is held."""
    machine.add_gpu()
    run = subprocess.run(
        [sys.executable, "-I", PROGRAM, machine.uuid(0), "1"],
        env=machine.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, b"")
