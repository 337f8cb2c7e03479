"""Every gate goes red on a fault planted for it, and for the right reason."""

import re

import pytest

from fixtures.cells.cards import MIB
from fixtures.records.schema import CaseRecord, MemoryRecord, StartRecord, Unmeasured
from suites.selftest.faults.runs import PLANTS, StartRun

pytestmark = pytest.mark.selftest


def _outcomes(record: CaseRecord) -> dict[str, str]:
    return {verdict.about: verdict.outcome for verdict in record.verdicts}


def _reasons(record: CaseRecord) -> dict[str, str]:
    return {verdict.about: verdict.reason for verdict in record.verdicts}


def test_memory_faults_and_a_wrong_key_fail_the_run(start_run: StartRun) -> None:
    """300 MiB for 50 ms in the start, 2 GiB so while serving, a wrong key: each for what it is."""
    # Nothing of which neither is a fault: other tests plant some there.
    without = ("-k", "not (throughput or robustness or test_invariants)")
    run = start_run("--server-plugins", str(PLANTS / "memory"), "-p", "wrong_key", *without)

    assert run.wait(within_s=400) == pytest.ExitCode.TESTS_FAILED
    record = run.record()
    assert record is not None
    assert _outcomes(record) == {
        "start": "pass",
        "answers": "fail",
        "prompt tokens": "pass",
        "answers by symptom": "pass",
        "shutdown": "pass",
        "peak memory": "fail",
    }
    reasons = _reasons(record)
    assert "in serving" in reasons["peak memory"]
    assert "budget 4,096 MiB" in reasons["peak memory"]
    assert "expected 'brown'" in reasons["answers"]
    assert isinstance(record.memory, MemoryRecord)
    before = [p.peak_bytes for p in record.memory.phases if p.name not in ("serving", "stopping")]
    assert all(
        isinstance(peak, int) and peak < record.budget_bytes
        for peak in before
        if not isinstance(peak, Unmeasured)
    )
    said = run.output.read_text()
    assert reasons["peak memory"] in said
    assert reasons["answers"] in said
    _assert_spike_is_in_its_phase(record.memory, said)


def _assert_spike_is_in_its_phase(memory: MemoryRecord, said: str) -> None:
    """The start's peak failed in its phase, by about the size of what was planted there."""
    assert re.search(r"peak memory: warm 3,\d{3} MiB of 3,154 MiB: \d+ MiB over", said)
    warm = next(phase for phase in memory.phases if phase.name == "warm")
    assert warm.told_by == "log"
    assert isinstance(warm.peak_bytes, int)
    assert isinstance(warm.plateau_bytes, int)
    assert warm.peak_bytes - warm.plateau_bytes >= 250 * MIB


def test_server_that_never_gets_ready_fails_the_run(start_run: StartRun) -> None:
    """A start that stalls ends at its deadline, names the phase, and passes nothing."""
    run = start_run("--server-plugins", str(PLANTS / "stall"), "--ready-timeout", "10")

    assert run.wait(within_s=120) == pytest.ExitCode.TESTS_FAILED
    record = run.record()
    assert record is not None
    assert isinstance(record.start, StartRecord)
    assert record.start.outcome == "never-ready"
    assert "not ready within 10 s, still in boot" in _reasons(record)["start"]
    said = run.output.read_text()
    assert "unmeasured: the server is not up: not ready within 10 s" in said
    # Start-up memory and a clean end were measured; nothing that needs a server passed.
    assert re.search(r"1 failed, 3 passed, \d+ deselected, 7 errors", said)
