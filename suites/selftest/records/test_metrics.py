import pytest

from fixtures.cells.cards import MIB
from fixtures.records.metrics import MetricRecord, measured_of, metrics_of, value_of
from fixtures.records.schema import Unmeasured
from suites.selftest.histories import graded, measured
from suites.selftest.specimens import DIED, NOT_SEEN, a_round, a_throughput

pytestmark = pytest.mark.selftest


def _value(name: str) -> float:
    return measured_of(measured())[name].value


def test_every_figure_that_is_compared_has_its_samples() -> None:
    """Peak, phases, KV cache, skills, start and load are there, each as its samples give it."""
    metrics = measured_of(measured())
    assert metrics["tokens_per_s"].samples == [95.0, 100.0, 105.0]
    assert metrics["accuracy.count"].samples == [74, 75]
    assert _value("tokens_per_s") == 100.0
    assert _value("accuracy.count") == 74 / 75
    assert _value("peak_bytes") == _value("peak_bytes.serving") == 3000 * MIB
    assert _value("kv_cache_tokens") == 1024
    assert _value("start_s") == 21.4
    assert _value("ttft.p90_s") == pytest.approx(0.2)
    assert all(metric.follows for metric in metrics.values())


def test_what_was_not_measured_keeps_its_reason() -> None:
    """A section without figures has its metrics, unmeasured, and none that could be read as 0."""
    record = measured(memory=NOT_SEEN, throughput=NOT_SEEN, start=DIED)
    metrics = metrics_of(record)
    assert metrics["peak_bytes"] == metrics["tokens_per_s"] == NOT_SEEN
    assert isinstance(metrics["start_s"], Unmeasured)
    assert "died" in metrics["start_s"].unmeasured
    assert isinstance(metrics["kv_cache_tokens"], Unmeasured)
    assert set(measured_of(record)) == {"accuracy.count"}


def test_one_round_without_a_figure_makes_no_mean_of_the_others() -> None:
    """A mean is of all rounds that count, or of none."""
    rounds = a_throughput(a_round(), a_round(tokens_per_s=NOT_SEEN))
    metrics = metrics_of(measured(throughput=rounds))
    assert metrics["tokens_per_s"] == NOT_SEEN
    assert isinstance(metrics["requests_per_s"], MetricRecord)


def test_a_skill_that_was_not_asked_has_no_accuracy() -> None:
    """None of no questions is no share."""
    assert "accuracy.count" not in metrics_of(measured(answers=graded(0, asked=0)))


def test_no_value_is_made_of_nothing() -> None:
    """Without samples, or of a share of nothing, there is no value."""
    with pytest.raises(ValueError, match="no samples"):
        value_of("mean", [])
    with pytest.raises(ValueError, match="share of nothing"):
        value_of("share", [0, 0])
