import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from fixtures.records.runs import Run
from fixtures.records.schema import CaseRecord
from fixtures.reports.cell_figures import figures_of
from fixtures.reports.prometheus import prometheus_text
from suites.selftest.histories import measured
from suites.selftest.reports.runs import CASE, a_failure, a_run, judged
from suites.selftest.reports.test_upgrade_table import RECORD
from suites.selftest.specimens import NOT_SEEN, OUT_OF_MEMORY

pytestmark = pytest.mark.selftest

NOTHING = dict.fromkeys(("start", "memory", "answers", "throughput"), NOT_SEEN)


def _samples(run: Run) -> list[Sample]:
    families = text_string_to_metric_families(prometheus_text(run))
    return [sample for family in families for sample in family.samples]


def _value(samples: list[Sample], name: str, **labels: str) -> float:
    (found,) = [
        sample.value
        for sample in samples
        if sample.name == f"minicpmv_{name}" and labels.items() <= sample.labels.items()
    ]
    return found


def test_figures_are_gauges_in_base_units() -> None:
    """Bytes and seconds, with cell, card, model and version; the run's own beside them."""
    samples = _samples(a_run(measured()))
    assert _value(samples, "cell_peak_bytes", cell=CASE) == 3000 << 20
    assert _value(samples, "cell_budget_bytes") == 4 << 30
    assert _value(samples, "cell_steady_bytes") == 2 << 30
    assert _value(samples, "cell_start_seconds") == 21.4
    assert _value(samples, "cell_kv_cache_tokens") == 1024
    assert _value(samples, "cell_output_tokens_per_second") == 100
    assert _value(samples, "cell_ttft_seconds", quantile="0.5") == pytest.approx(0.1)
    assert _value(samples, "cell_answers_asked") == figures_of(measured())["answers_asked"]
    assert _value(samples, "cell_answers_right", skill="count") == 74
    peak = next(one for one in samples if one.name == "minicpmv_cell_peak_bytes")
    assert peak.labels == {"cell": CASE, "card": "cpu", "model": "tiny", "vllm_version": "0.29.0"}
    assert _value(samples, "run_exit_code") == 0
    assert _value(samples, "run_end_timestamp_seconds") == 1769915400
    assert _value(samples, "run_info", run_id="20260201T030000Z-0001", suite_version="0.6.0") == 1
    assert all(math.isfinite(sample.value) for sample in samples)


def test_what_was_not_measured_is_absent_and_named() -> None:
    """No 0 stands for it: each figure that has no gauge has its name."""
    for changes in (NOTHING, {"start": OUT_OF_MEMORY}):
        record = measured("run-1", **changes)
        samples = _samples(a_run(record))
        missing = {
            sample.labels["figure"]
            for sample in samples
            if sample.name == "minicpmv_cell_unmeasured"
        }
        assert missing == {
            name for name, value in figures_of(record).items() if not isinstance(value, int | float)
        }
    names = {sample.name for sample in _samples(a_run(measured("run-1", **NOTHING)))}
    assert {name for name in names if "_cell_" in name} == {
        "minicpmv_cell_budget_bytes",
        "minicpmv_cell_unmeasured",
        "minicpmv_cell_verdict",
    }


def test_a_verdict_is_one_of_all_outcomes() -> None:
    """1 for the worst, 0 for each other; likewise the answer of a comparison."""
    samples = _samples(a_run(judged("inconclusive"), comparisons=[RECORD], exit_code=1))
    told = {
        sample.labels["outcome"]: sample.value
        for sample in samples
        if sample.name == "minicpmv_cell_verdict"
    }
    assert [outcome for outcome, value in told.items() if value] == ["inconclusive"]
    assert set(told.values()) == {0, 1}
    assert _value(samples, "upgrade_answer", answer="do not ship") == 1
    assert _value(samples, "upgrade_answer", answer="ship") == 0


def test_a_cell_in_which_only_a_test_failed_does_not_pass() -> None:
    """Its verdicts are all good, and yet a dashboard must not show it as green."""
    failure = a_failure("E   the server's group was not gone", CASE, "teardown")
    samples = _samples(a_run(judged("pass"), failures=[failure], exit_code=1))
    assert _value(samples, "cell_verdict", outcome="fail") == 1
    assert _value(samples, "cell_verdict", outcome="pass") == 0


def test_a_killed_run_has_no_end_and_what_is_missing_is_counted() -> None:
    """Neither an exit code nor a time is made up."""
    run = a_run(judged("pass"), own=[CASE, "cpu-b"], ended_at=NOT_SEEN, exit_code=NOT_SEEN)
    samples = _samples(run)
    assert (_value(samples, "run_planned_cells"), _value(samples, "run_missing_cells")) == (2, 1)
    names = {sample.name for sample in samples}
    assert names.isdisjoint({"minicpmv_run_exit_code", "minicpmv_run_end_timestamp_seconds"})


def test_an_older_run_tells_its_cells_alone() -> None:
    """It has no record of itself."""
    run = Run(Path("/records/x"), NOT_SEEN, [measured()], ())
    assert {sample.name.split("_")[1] for sample in _samples(run)} == {"cell"}


def _of(text: str) -> CaseRecord:
    provenance = measured().provenance.model_copy(update={"vllm_version": text})
    return measured(case_id=text, model=text, provenance=provenance)


@settings(max_examples=30)
@given(st.text() | st.sampled_from(['a"b\\n', "a\nb 1", "\\", '"} 5\n# HELP x']))
def test_a_label_is_read_back_as_it_was(text: str) -> None:
    """Whatever a file is called, it adds no metric and no label."""
    samples = _samples(a_run(_of(text)))
    (peak,) = [sample for sample in samples if sample.name == "minicpmv_cell_peak_bytes"]
    assert (peak.labels["cell"], peak.labels["model"]) == (text, text)
    assert all(sample.name.startswith("minicpmv_") for sample in samples)
