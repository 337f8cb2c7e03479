from datetime import timedelta

import pytest

from fixtures.verdicts.history.presence import judge_presence, judge_promises, judge_waivers
from suites.selftest.histories import TODAY, a_waiver, baseline_of, measured

pytestmark = pytest.mark.selftest

BASELINE = baseline_of(measured())
BASELINES = {BASELINE.case_id: BASELINE}


def test_a_cell_that_was_renamed_fails() -> None:
    """A baseline whose cell the matrix knows no more is named."""
    (verdict,) = judge_presence(["old"], ["new"])
    assert verdict.outcome == "fail"
    assert "not in the matrix: it was renamed or removed" in verdict.reason


def test_a_new_cell_needs_no_baseline() -> None:
    """What has none yet is nobody's fault."""
    assert judge_presence([], ["new"]) == []


def test_a_promise_that_is_not_judged_any_more_fails() -> None:
    """A test that was renamed or removed is named, but for one that depends on other cells."""
    start = measured().verdicts[0]
    memory = start.model_copy(update={"about": "peak memory"})
    baseline = baseline_of(measured(verdicts=[start, memory]))
    assert judge_promises(measured(verdicts=[memory, start]), baseline) == []
    (verdict,) = judge_promises(measured(), baseline)
    assert verdict.outcome == "fail"
    assert verdict.reason.startswith("no verdict any more on: peak memory;")
    assert judge_promises(measured(), baseline, ["peak memory"]) == []


def test_waivers_that_say_nothing_any_more_fail_with_their_line() -> None:
    """An expired one, and one of a metric or cell that no baseline has."""
    waivers = [
        a_waiver("tokens_per_s", TODAY),
        a_waiver("peak_bytes", TODAY - timedelta(days=1)),
        a_waiver("tokens_per_second", TODAY),
        a_waiver("tokens_per_s", TODAY, "gpu48-*"),
    ]
    verdicts = judge_waivers(waivers, BASELINES, TODAY)
    assert [verdict.outcome for verdict in verdicts] == ["fail"] * 3
    assert all(verdict.reason.startswith("waivers.toml:3: ") for verdict in verdicts)
    assert "expired 2026-02-28" in verdicts[0].reason
    assert "no baseline has tokens_per_second of *" in verdicts[1].reason
