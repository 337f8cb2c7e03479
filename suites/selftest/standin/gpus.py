"""A machine with GPUs of a test's own: stand-ins for NVML and the CUDA driver, and their state.

A child process that is given `Machine.env` finds `libnvidia-ml.so.1` and `libcuda.so.1` here. What
they tell lies in one mapped file, which the test changes while they run. `gpu/state.h` has the
layout; the compiler checks that the mirror below has the same size.
"""

from __future__ import annotations

import atexit
import fcntl
import mmap
import os
import shutil
import subprocess
import tempfile
import time
import uuid as uuids
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import Array, Structure, c_char, c_int32, c_int64, c_uint32, c_uint64, sizeof
from functools import cache
from pathlib import Path
from typing import ClassVar, Final, Literal

import pytest

from fixtures.cells.cards import GIB, MIB

MAX_GPUS: Final = 16
MAX_PROCESSES: Final = 32
MAX_ACCOUNTS: Final = 64
CONTEXT_BYTES: Final = 300 * MIB
"""What a CUDA context costs on a stand-in GPU, before anything is allocated in it."""
DRIVER_VERSION: Final = "580.95.05"
CUDA_VERSION: Final = 13000
HOST_PIDS_BEGIN: Final = 1 << 23
"""What a host's process ids lie above those seen here, with `set_listing(number, "host-pids")`."""

Kind = Literal["compute", "graphics"]
Listing = Literal["listed", "not-supported", "empty", "hidden-memory", "host-pids"]
Feature = Literal["not-supported", "disabled", "enabled"]
MemoryRefusal = Literal["not-supported", "function-not-found"]

_KINDS: Final[tuple[Kind, ...]] = ("compute", "graphics")
_LISTINGS: Final[tuple[Listing, ...]] = (
    "listed",
    "not-supported",
    "empty",
    "hidden-memory",
    "host-pids",
)
_FEATURES: Final[tuple[Feature, ...]] = ("not-supported", "disabled", "enabled")
_MEMORY_REFUSALS: Final[dict[MemoryRefusal, int]] = {"not-supported": 3, "function-not-found": 13}
_UNKNOWN_BYTES: Final = -1
_SOURCES: Final = Path(__file__).with_name("gpu")
_LIBRARIES: Final = {"libnvidia-ml.so.1": "nvml.c", "libcuda.so.1": "cuda.c"}


class _Process(Structure):
    pid: int
    kind: int
    used_bytes: int
    started_ticks: int
    _fields_: ClassVar = [
        ("pid", c_int32),
        ("kind", c_int32),
        ("used_bytes", c_int64),
        ("started_ticks", c_uint64),
    ]


class _Account(Structure):
    pid: int
    running: int
    peak_bytes: int
    started_us: int
    ran_ms: int
    _fields_: ClassVar = [
        ("pid", c_int32),
        ("running", c_int32),
        ("peak_bytes", c_int64),
        ("started_us", c_uint64),
        ("ran_ms", c_uint64),
    ]


class _Sensors(Structure):
    sm_mhz: int
    sm_max_mhz: int
    memory_mhz: int
    temperature_c: int
    power_mw: int
    power_limit_mw: int
    utilisation_percent: int
    old_names: int
    clock_reasons: int
    _fields_: ClassVar = [
        ("sm_mhz", c_int32),
        ("sm_max_mhz", c_int32),
        ("memory_mhz", c_int32),
        ("temperature_c", c_int32),
        ("power_mw", c_int32),
        ("power_limit_mw", c_int32),
        ("utilisation_percent", c_int32),
        ("old_names", c_int32),
        ("clock_reasons", c_int64),
    ]


class _Gpu(Structure):
    uuid: bytes
    name: bytes
    total_bytes: int
    reserved_bytes: int
    base_bytes: int
    sensors: _Sensors
    lost: int
    memory_v2_error: int
    listing: int
    accounting: int
    mig: int
    accounted: int
    processes: Array[_Process]
    accounts: Array[_Account]
    _fields_: ClassVar = [
        ("uuid", c_char * 48),
        ("name", c_char * 96),
        ("total_bytes", c_int64),
        ("reserved_bytes", c_int64),
        ("base_bytes", c_int64),
        ("sensors", _Sensors),
        ("lost", c_int32),
        ("memory_v2_error", c_int32),
        ("listing", c_int32),
        ("accounting", c_int32),
        ("mig", c_int32),
        ("accounted", c_uint32),
        ("processes", _Process * MAX_PROCESSES),
        ("accounts", _Account * MAX_ACCOUNTS),
    ]


class _State(Structure):
    gpu_count: int
    gpus: Array[_Gpu]
    _fields_: ClassVar = [("gpu_count", c_int64), ("gpus", _Gpu * MAX_GPUS)]


@cache
def _libraries() -> Path:
    """The folder with both libraries, compiled once; it goes when this process ends.

    The test that asks for it is skipped where there is no C compiler.
    """
    if not shutil.which("cc"):
        pytest.skip("no C compiler (cc) here, which the stand-in for NVML and CUDA needs")
    numbers = {
        "MAX_GPUS": MAX_GPUS,
        "MAX_PROCESSES": MAX_PROCESSES,
        "MAX_ACCOUNTS": MAX_ACCOUNTS,
        "STATE_BYTES": sizeof(_State),
        "CONTEXT_BYTES": f"{CONTEXT_BYTES}ll",
        "DRIVER_VERSION": f'"{DRIVER_VERSION}"',
        "CUDA_VERSION": CUDA_VERSION,
    }
    folder = Path(tempfile.mkdtemp(prefix="standin-gpus-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for library, source in _LIBRARIES.items():
        run = subprocess.run(
            [
                *("cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared"),
                *("-fvisibility=hidden", "-pthread", f"-Wl,-soname,{library}"),
                *(f"-D{name}={number}" for name, number in numbers.items()),
                *("-o", str(folder / library), str(_SOURCES / source), str(_SOURCES / "state.c")),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, f"cc makes no {library}:\n{run.stderr}"
    return folder


class Machine:
    """A machine with the GPUs that a test puts into it, in the order of NVML's numbers.

    NVML says that a GPU uses what `set_used` told, and what its listed processes have. Processes
    come by `set_process`, or by using the stand-in CUDA; those that ran on this machine go, and
    their memory with them, as soon as they are dead.
    """

    def __init__(self, folder: Path) -> None:
        """Put both libraries and the state into `folder`; there is no GPU yet."""
        self.libraries = folder / "gpu-libraries"
        shutil.copytree(_libraries(), self.libraries)
        self._path = folder / "gpus.state"
        self._path.write_bytes(bytes(sizeof(_State)))
        with self._path.open("r+b") as file:
            # It stays mapped as long as the state below lives.
            self._state = _State.from_buffer(mmap.mmap(file.fileno(), sizeof(_State)))

    @property
    def env(self) -> dict[str, str]:
        """What a child process needs in its environment to have these GPUs."""
        before = os.environ.get("LD_LIBRARY_PATH")
        path = [str(self.libraries), *([before] if before else [])]
        return {"LD_LIBRARY_PATH": os.pathsep.join(path), "STANDIN_GPUS": str(self._path)}

    def add_gpu(
        self,
        name: str = "NVIDIA L4",
        total_bytes: int = 24 * GIB,
        *,
        reserved_bytes: int = 512 * MIB,
        uuid: str | None = None,
    ) -> int:
        """Put in one more GPU; its number."""
        number = int(self._state.gpu_count)
        gpu = self._state.gpus[number]
        gpu.name, gpu.uuid = name.encode(), (uuid or f"GPU-{uuids.uuid4()}").encode()
        gpu.total_bytes, gpu.reserved_bytes = total_bytes, reserved_bytes
        gpu.accounting = gpu.mig = _FEATURES.index("disabled")
        self._state.gpu_count = number + 1
        return number

    def uuid(self, number: int) -> str:
        """The identity of a GPU."""
        return self._state.gpus[number].uuid.decode()

    def set_used(self, number: int, used_bytes: int) -> None:
        """Let this much be in use by nobody that is listed."""
        self._state.gpus[number].base_bytes = used_bytes

    def set_sensors(self, number: int, **shown: int) -> None:
        """Let sensors show this, by the names of `struct sensors`; negative: not supported."""
        sensors = self._state.gpus[number].sensors
        for name, value in shown.items():
            assert hasattr(sensors, name), f"there is no sensor {name}"
            setattr(sensors, name, value)

    def set_process(
        self, number: int, pid: int, used_bytes: int | None, kind: Kind = "compute"
    ) -> None:
        """List a process with what it has; None: the driver does not know how much.

        One that exists here goes when it is dead, any other by `drop_process` only.
        """
        gpu = self._state.gpus[number]
        with self._locked():
            entry = _entry(gpu, pid)
            if entry is None:
                entry = _entry(gpu, 0)
                assert entry is not None, "no room for another process"
                if gpu.accounting == _FEATURES.index("enabled"):
                    _open_account(gpu, pid)
            entry.kind = _KINDS.index(kind)
            entry.used_bytes = _UNKNOWN_BYTES if used_bytes is None else used_bytes
            entry.started_ticks = _started_ticks(pid)
            entry.pid = pid
            for account in _running(gpu, pid):
                account.peak_bytes = max(account.peak_bytes, used_bytes or 0)

    def drop_process(self, number: int, pid: int) -> None:
        """Take a process from the list, and its memory from what is used."""
        gpu = self._state.gpus[number]
        with self._locked():
            for account in _running(gpu, pid):
                account.running, account.ran_ms = 0, 1
            entry = _entry(gpu, pid)
            if entry is not None:
                entry.pid = 0

    def lose(self, number: int) -> None:
        """Let the GPU fall off the bus: from now on nothing about it is answered."""
        self._state.gpus[number].lost = 1

    def no_memory_v2(self, number: int, refusal: MemoryRefusal = "function-not-found") -> None:
        """Refuse the second version of the memory query, which tells what is reserved."""
        self._state.gpus[number].memory_v2_error = _MEMORY_REFUSALS[refusal]

    def set_listing(self, number: int, listing: Listing) -> None:
        """How the driver lists processes: some containers see none, or their host's numbers."""
        self._state.gpus[number].listing = _LISTINGS.index(listing)

    def set_accounting(self, number: int, feature: Feature) -> None:
        """Whether the driver keeps account of processes that start from now on."""
        self._state.gpus[number].accounting = _FEATURES.index(feature)

    def accounting(self, number: int) -> Feature:
        """Whether it does, which only the machine's owner may change."""
        return _FEATURES[self._state.gpus[number].accounting]

    def set_mig(self, number: int, feature: Feature) -> None:
        """Whether the GPU is split: then no process's memory is told, nor accounted."""
        self._state.gpus[number].mig = _FEATURES.index(feature)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _entry(gpu: _Gpu, pid: int) -> _Process | None:
    return next((entry for entry in gpu.processes if entry.pid == pid), None)


def _running(gpu: _Gpu, pid: int) -> list[_Account]:
    return [account for account in gpu.accounts if account.pid == pid and account.running]


def _open_account(gpu: _Gpu, pid: int) -> None:
    gpu.accounts[gpu.accounted % MAX_ACCOUNTS] = _Account(pid, 1, 0, time.time_ns() // 1000, 0)
    gpu.accounted += 1


def _started_ticks(pid: int) -> int:
    """When a process started, in ticks since boot; 0 when it is not here."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[19])
