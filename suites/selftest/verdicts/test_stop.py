import pytest

from fixtures.records.schema import StopRecord
from fixtures.verdicts.stop import judge_stop
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest


def test_a_clean_stop_passes() -> None:
    """A stop without complaints passes, and tells how long it took."""
    verdict = judge_stop(StopRecord(stopped_in_s=1.26, memory_back_after_s=1.2, complaints=[]))
    assert (verdict.outcome, verdict.reason) == ("pass", "nothing left after 1.3 s")


def test_every_complaint_is_told() -> None:
    """Anything left behind fails, and all of it is named."""
    complaints = ["processes still alive: 4711", "its port is still in use"]
    verdict = judge_stop(
        StopRecord(stopped_in_s=20.0, memory_back_after_s=20.1, complaints=complaints)
    )
    assert verdict.outcome == "fail"
    assert all(complaint in verdict.reason for complaint in complaints)


def test_memory_that_nobody_saw_come_back_does_not_pass() -> None:
    """That no sample shows what was left is no proof that nothing was."""
    verdict = judge_stop(StopRecord(stopped_in_s=1.0, memory_back_after_s=NOT_SEEN, complaints=[]))
    assert verdict.outcome == "unmeasured"
    assert NOT_SEEN.unmeasured in verdict.reason


def test_memory_that_may_be_somebody_elses_is_no_failure() -> None:
    """What others may hold is told, blames nobody, and does not pass."""
    doubt = "700 MiB were still held, maybe by others: pid 7 sleep"
    verdict = judge_stop(
        StopRecord(stopped_in_s=1.0, memory_back_after_s=1.0, complaints=[], doubts=[doubt])
    )
    assert (verdict.outcome, verdict.reason) == ("inconclusive", doubt)


def test_a_stop_that_nobody_saw_does_not_pass() -> None:
    """A server that was not seen to stop is unmeasured."""
    assert judge_stop(NOT_SEEN).outcome == "unmeasured"
