"""The CUDA driver as a test's program uses it: contexts and memory, no computing."""

from __future__ import annotations

from ctypes import CDLL, byref, c_char_p, c_int, c_size_t, c_uint64, c_void_p, create_string_buffer
from typing import Final
from uuid import UUID


class CudaError(Exception):
    """The driver refused; the text is its name for why."""


class Cuda:
    """The primary context of one device, which costs memory too. The process's end frees all."""

    def __init__(self, device: int = 0) -> None:
        """Open it.

        Raises:
            OSError: there is no CUDA driver.
            CudaError: it has no such device, or no room on it.
        """
        self._driver: Final = CDLL("libcuda.so.1")
        self._device: Final = c_int(device)
        self._call("cuInit", 0)
        context = c_void_p()
        self._call("cuDevicePrimaryCtxRetain", byref(context), self._device)
        self._call("cuCtxSetCurrent", context)

    def allocate(self, size_bytes: int) -> int:
        """Take memory; its address.

        Raises:
            CudaError: there is not so much.
        """
        address = c_uint64()
        self._call("cuMemAlloc_v2", byref(address), c_size_t(size_bytes))
        return address.value

    def free(self, address: int) -> None:
        """Give it back.

        Raises:
            CudaError: there is nothing at this address.
        """
        self._call("cuMemFree_v2", c_uint64(address))

    def free_and_total_bytes(self) -> tuple[int, int]:
        """What the driver says is free, and what there is for programs at all."""
        free, total = c_size_t(), c_size_t()
        self._call("cuMemGetInfo_v2", byref(free), byref(total))
        return free.value, total.value

    def close(self) -> None:
        """Let go of the context and all that was allocated in it."""
        self._call("cuDevicePrimaryCtxRelease_v2", self._device)

    def uuid(self) -> str:
        """The identity of the device, as NVML writes it."""
        raw = create_string_buffer(16)
        self._call("cuDeviceGetUuid", raw, self._device)
        return f"GPU-{UUID(bytes=raw.raw)}"

    def _call(self, name: str, *arguments: object) -> None:
        code = getattr(self._driver, name)(*arguments)
        if code:
            said = c_char_p()
            self._driver.cuGetErrorName(code, byref(said))
            raise CudaError((said.value or b"an unknown error").decode())
