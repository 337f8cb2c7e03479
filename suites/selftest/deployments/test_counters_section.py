import pytest

from fixtures.deployments.counters_section import counters_record, telemetry_record
from fixtures.load.agreement import Agreement, Finding
from fixtures.load.counters import Cache, Counters, Gauge, Sum
from fixtures.load.gpu_state import GpuTelemetry
from fixtures.load.host_load import HostTelemetry
from fixtures.load.spread import Spread
from fixtures.load.telemetry import Telemetry
from fixtures.load.unknown import Unknown
from fixtures.records.counters_schema import CountersRecord, TelemetryRecord
from fixtures.records.schema import Unmeasured

pytestmark = pytest.mark.selftest

NO = Unknown("refused")
UNMEASURED = Unmeasured(unmeasured="refused")
HOST = HostTelemetry(2, Spread(1, 2, 3), {"user": 0.9, "steal": 0.1}, 0.5, NO)
GPU = GpuTelemetry("GPU-0", Spread(1, 2, 3), 1980.0, NO, NO, NO, NO, NO, {"idle": 1.0})


def test_counters_are_kept_with_what_was_found() -> None:
    """Every figure stands in the record under its name, and survives being written."""
    counters = Counters(
        10, 20, {"stop": 2}, 0, Gauge(0, 1), Gauge(0, 0), Gauge(0.1, 0.2),
        Sum(3.0, 2), Sum(0.0, 0), Sum(1.0, 4), Cache(10, 1), Cache(2, 0),
    )  # fmt: skip
    agreement = Agreement((Finding("requests", "others ask it"),), ("prompt tokens: refused",))
    record = counters_record(counters, agreement)
    assert (record.prompt_tokens, record.generation_tokens, record.preemptions) == (10, 20, 0)
    assert record.queue.model_dump() == {"observations": 2, "sum_s": 3.0, "mean_s": 1.5}
    assert record.ttft.model_dump()["mean_s"] == {"unmeasured": "nothing was observed"}
    assert record.kv_cache_usage.model_dump() == {"before": 0.1, "after": 0.2}
    assert record.prefix_cache.model_dump() == {"queries": 10, "hits": 1}
    assert record.findings == ["requests: others ask it"]
    assert record.not_compared == ["prompt tokens: refused"]
    assert CountersRecord.model_validate_json(record.model_dump_json()) == record


def test_counters_that_are_unknown_are_unmeasured() -> None:
    """With the reason, in every place, and no 0 in any."""
    record = counters_record(Counters(*[NO] * len(Counters._fields)), Agreement((), ()))
    for name in Counters._fields:
        assert getattr(record, name) == UNMEASURED


def test_telemetry_is_kept_with_its_remarks() -> None:
    """Figures, reasons for those that are missing, and what makes the round doubtful."""
    record = telemetry_record(Telemetry(9.0, 10, HOST, GPU))
    assert record.host.mhz == UNMEASURED
    assert record.host.load_average.model_dump() == {"least": 1, "mean": 2, "most": 3}
    assert not isinstance(record.gpu, Unmeasured)
    assert record.gpu.sm_mhz.model_dump() == {"least": 1, "mean": 2, "most": 3}
    assert record.gpu.power_limit_w == UNMEASURED
    assert len(record.remarks) == 1
    assert "10% of the cores' time" in record.remarks[0]
    assert TelemetryRecord.model_validate_json(record.model_dump_json()) == record


def test_without_a_gpu_the_record_says_so() -> None:
    """The host alone is telemetry too."""
    assert telemetry_record(Telemetry(9.0, 10, HOST, NO)).gpu == UNMEASURED
