import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import CARDS, GIB, MIB, Gpu
from fixtures.servers.allocation import Allocation, allocation_in, stage_of, told
from fixtures.servers.causes import root_cause_in
from fixtures.servers.speech import lines_of
from suites.selftest.servers.failure_logs import RENDERED

pytestmark = pytest.mark.selftest

L40S = Gpu(1, "GPU-52a3a85d", "NVIDIA L40S", int(44.99 * GIB))


@pytest.mark.parametrize(
    ("name", "asked", "free", "total", "gpu"),
    [
        ("cuda-0.5.4-encoder", 2 * GIB, 979.69 * MIB, 23.69 * GIB, "0"),
        ("cuda-0.6.3-sequences", 16 * GIB, 11.87 * GIB, 44.42 * GIB, "0"),
        ("cuda-0.22-weights", 130 * MIB, 117.38 * MIB, 14.56 * GIB, "0"),
        ("cuda-2.0-others", 260 * MIB, 200.5 * MIB, 47.54 * GIB, "0"),
        ("cuda-2.1-shared", 3 * GIB, 1.66 * GIB, 23.65 * GIB, "3"),
        ("cuda-graphs", 1.2 * GIB, 0, 44.4 * GIB, "0"),
    ],
)
def test_every_torch_is_understood(
    name: str, asked: float, free: float, total: float, gpu: str
) -> None:
    """What was asked, free and there in all is read, however a version of torch writes it."""
    found = allocation_in(lines_of(RENDERED[name]))
    assert (found.asked_bytes, found.free_bytes) == (int(asked), int(free))
    assert (found.total_bytes, found.gpu) == (int(total), gpu)


def test_what_others_hold_is_told_apart() -> None:
    """Memory that neither is free nor belongs to the process that failed is somebody else's."""
    shared = allocation_in(lines_of(RENDERED["cuda-2.1-shared"]))
    assert shared.others_bytes == pytest.approx((23.65 - 1.66 - 12.81) * GIB, rel=1e-6)
    alone = allocation_in(lines_of(RENDERED["cuda-kv-cache"]))
    assert alone.others_bytes < 100 * MIB
    assert allocation_in(lines_of(RENDERED["cuda-0.5.4-encoder"])).others_bytes == 0


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("cuda-0.5.4-encoder", "encoder-profile"),
        ("cuda-0.6.3-sequences", "encoder-profile"),
        ("cuda-0.12-encoder", "encoder-profile"),
        ("cuda-language-model", "language-profile"),
        ("cuda-2.1-shared", "weights"),
        ("cuda-kv-cache", "kv-cache"),
        ("cuda-graphs", "graph-capture"),
        ("cuda-sampler", "sampler"),
        ("cuda-0.22-weights", "weights"),
        ("serving-cuda-memory", None),
    ],
)
def test_a_traceback_proves_what_was_being_done(name: str, stage: str | None) -> None:
    """The innermost known function of a traceback says at which step of the start it failed."""
    lines = lines_of(RENDERED[name])
    root = root_cause_in(lines, serving=name.startswith("serving"))
    assert root is not None
    assert stage_of(lines, root.number) == stage


def test_the_logs_gpu_is_the_one_that_was_assigned() -> None:
    """torch's number is an index into the visible GPUs: who it is, is said by UUID and name."""
    said = told(Allocation(2 * GIB, GIB, int(44.42 * GIB), "0"), L40S)
    assert said == (
        "2.00 GiB asked, 1.00 GiB of 44.42 GiB free on GPU 0 of the log,"
        " which is NVML 1, GPU-52a3a85d, NVIDIA L40S"
    )


def test_a_gpu_of_another_size_is_not_the_one_that_was_assigned() -> None:
    """A capacity that does not match shows that the server ran somewhere else."""
    said = told(Allocation(2 * GIB, GIB, int(23.65 * GIB), "0"), L40S)
    assert "which cannot be the assigned NVML 1, GPU-52a3a85d, NVIDIA L40S" in said


def test_an_emulated_card_is_told_beside_the_gpu_that_stands_in_for_it() -> None:
    """The log tells the GPU's own total: that much of it is the ballast's is said."""
    h100 = CARDS["gpu48"].on(Gpu(1, "GPU-52a3a85d", "NVIDIA H100", 81_559 * MIB))
    said = told(Allocation(2 * GIB, GIB, int(79.18 * GIB), "0"), h100)
    assert said.endswith("is NVML 1, GPU-52a3a85d, NVIDIA H100 emulating a gpu48 of 44.99 GiB")


def test_without_an_assigned_gpu_the_number_stands_alone() -> None:
    """Where nobody knows the device, the log's own words are given; without words, nothing."""
    assert told(Allocation(GIB, 0, GIB, "0"), None).endswith("on GPU 0 of the log")
    assert told(Allocation(GIB), L40S) == "1.00 GiB asked"
    assert told(Allocation(), L40S) == ""


@given(st.from_regex(r"Tried to allocate [\d.]{1,400} (GiB|MiB|bytes)\. GPU 0", fullmatch=True))
def test_no_figure_is_too_odd(line: str) -> None:
    """Digits that make no number are no figure, and no failure of the suite."""
    asked = allocation_in(lines_of([line])).asked_bytes
    assert asked is None or asked >= 0
