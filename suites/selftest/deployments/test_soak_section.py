import numpy as np
import pytest

from fixtures.deployments.soak_section import Asked, soak_record
from fixtures.load.generator import Timeline
from fixtures.load.reply import Reply
from fixtures.load.soaking import Slice, Soaked
from fixtures.load.unknown import Unknown
from fixtures.memory.series import SampleSeries
from fixtures.records.schema import Unmeasured
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest

ANSWER = Reply("red", (), 9, 1, "stop", None)
TOLD = """\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0"} 1.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0"} 0.0
# TYPE vllm:gpu_cache_usage_perc gauge
vllm:gpu_cache_usage_perc{engine="0"} 0.5
# TYPE vllm:mm_cache_hits counter
vllm:mm_cache_hits_total{engine="0"} 3.0
"""
HELD = SampleSeries(np.array([100.5, 101.5, 103.5]), np.array([7, 5, 9]))


def _soaked(*, errors: tuple[str, ...] = ()) -> Soaked:
    answered = tuple(Timeline(0.0, 0.0, took_s, (), ANSWER) for took_s in (0.1, 0.3, 0.2))
    slices = (Slice(100.0, 102.0, answered, 2, errors, 0.05), Slice(102.0, 103.0, (), 0, (), 0.06))
    return Soaked(100.0, slices, ((100.0, Unknown("nobody answers")), (104.0, TOLD)))


def test_a_slice_has_its_median_and_the_least_that_was_held() -> None:
    """Moments count from the begin; a slice in which nothing was seen says so."""
    record = soak_record(_soaked(), {"host memory": HELD}, Asked(10, 5, 64))
    first, second = record.slices
    assert (first.from_s, first.to_s, first.answered, first.left) == (0.0, 2.0, 3, 2)
    assert (first.e2e_p50_s, first.quiet_bytes) == (0.2, {"host memory": 5})
    assert (first.yardstick_s, second.yardstick_s) == (0.05, 0.06)
    assert isinstance(second.e2e_p50_s, Unmeasured)
    assert isinstance(second.quiet_bytes["host memory"], Unmeasured)


def test_what_the_server_did_not_tell_is_unmeasured() -> None:
    """Old names of a figure are known, and one without a name has its reason."""
    before, after = soak_record(_soaked(), {}, Asked(10, 5, 64)).told
    assert before.running == Unmeasured(unmeasured="nobody answers")
    assert (after.running, after.kv_cache_usage, after.picture_hits) == (1.0, 0.5, 3.0)
    assert isinstance(after.picture_lookups, Unmeasured)


def test_memory_that_was_not_seen_and_errors_are_kept() -> None:
    """The reason stands in each slice; the same error is told once and counted as often."""
    record = soak_record(
        _soaked(errors=("HTTP 500", "HTTP 500")), {"GPU memory": NOT_SEEN}, Asked(10, 5, 64)
    )
    assert [one.quiet_bytes["GPU memory"] for one in record.slices] == [NOT_SEEN, NOT_SEEN]
    assert (record.failed, record.errors) == (2, ["HTTP 500"])
