import pytest

from fixtures.cells.cards import MIB
from fixtures.deployments.gpu_section import gpu_records
from fixtures.records.schema import GpuRecord, Unmeasured
from suites.selftest.memory.gpu_traces import ONE, TWO, UNREAD, gpu, recording, refusal

pytestmark = pytest.mark.selftest


def _records(*used_of_two: float) -> tuple[GpuRecord, ...]:
    """Of two GPUs, seen once a second from a second before the start; the first is the server's."""
    gpus = [gpu(ONE), gpu(TWO, number=1, refusals=[refusal("memory", "GPU is lost")])]
    samples = [(at_s - 1.0, 500 * MIB, used) for at_s, used in enumerate(used_of_two)]
    return gpu_records(recording(gpus, samples), ONE, own_pids=[], suites_pids=[])


def test_each_gpu_is_compared_with_itself_before_the_start() -> None:
    """Baseline and peak are of the same GPU, and the server's is marked."""
    one, two = _records(100 * MIB, 100 * MIB, 400 * MIB)
    assert (one.assigned, two.assigned) == (True, False)
    assert (two.baseline_bytes, two.peak_bytes) == (100 * MIB, 400 * MIB)


def test_a_gpu_that_stopped_answering_has_no_peak() -> None:
    """What was seen until then is a part, and the driver's words say why there is no more."""
    _, two = _records(0, 0, UNREAD, UNREAD, UNREAD)
    assert two.peak_bytes == Unmeasured(unmeasured="it stopped answering at 0.0 s: GPU is lost")
    assert two.largest_gap_s == 3.0
