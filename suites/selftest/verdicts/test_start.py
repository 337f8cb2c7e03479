import pytest

from fixtures.cells.cards import GIB
from fixtures.records.schema import StartRecord
from fixtures.verdicts.start import judge_start
from suites.selftest.specimens import DIED, NOT_SEEN, OUT_OF_MEMORY, READY, a_case, a_memory

pytestmark = pytest.mark.selftest

DIES = a_case("out-of-memory", "encoder-profile")
UNENFORCED = "no memory cgroup: not root"


def test_a_ready_server_passes_and_tells_when() -> None:
    """A start that is expected to fit and gets ready passes, with its time."""
    verdict = judge_start(a_case(), READY, a_memory(), enforced=True)
    assert (verdict.outcome, verdict.reason) == ("pass", "ready after 21 s")


@pytest.mark.parametrize("start", [DIED, OUT_OF_MEMORY], ids=["died", "out-of-memory"])
def test_a_failed_start_fails_with_its_detail(start: StartRecord) -> None:
    """A start that is expected to fit and does not fails with the diagnosis."""
    verdict = judge_start(a_case(), start, a_memory(), enforced=True)
    assert verdict.outcome == "fail"
    assert start.outcome in verdict.reason
    assert start.detail in verdict.reason


def test_an_unmeasured_start_does_not_pass() -> None:
    """A start that nobody saw is unmeasured, whatever was expected."""
    for case in (a_case(), DIES):
        verdict = judge_start(case, NOT_SEEN, a_memory(), enforced=True)
        assert verdict.outcome == "unmeasured"
        assert "nobody looked" in verdict.reason
        assert not verdict.ships


def test_an_expected_death_in_its_phase_passes() -> None:
    """A case that is expected to die of memory passes when it does so where it should."""
    verdict = judge_start(DIES, OUT_OF_MEMORY, a_memory(), enforced=True)
    assert verdict.outcome == "pass"
    assert "encoder-profile" in verdict.reason


def test_an_expected_death_in_any_phase_passes_where_none_is_named() -> None:
    """Without a phase in the matrix, a death of memory in any phase is the expected one."""
    case = a_case("out-of-memory")
    assert judge_start(case, OUT_OF_MEMORY, a_memory(), enforced=True).outcome == "pass"


def test_an_expected_death_elsewhere_fails() -> None:
    """A death of memory in another phase is another fault, and named with both phases."""
    start = OUT_OF_MEMORY.model_copy(update={"phase": "weights"})
    verdict = judge_start(DIES, start, a_memory(), enforced=True)
    assert verdict.outcome == "fail"
    assert "weights" in verdict.reason
    assert "encoder-profile" in verdict.reason


def test_another_death_than_expected_fails() -> None:
    """A crash is no death of memory."""
    verdict = judge_start(DIES, DIED, a_memory(), enforced=True)
    assert verdict.outcome == "fail"
    assert DIED.detail in verdict.reason


def test_a_survivor_of_an_expected_death_is_better() -> None:
    """A deployment that fits against expectation is shown, and does not fail the run."""
    verdict = judge_start(DIES, READY, a_memory(), enforced=True)
    assert verdict.outcome == "better"
    assert verdict.ships
    assert "correct the matrix" in verdict.reason


def test_without_enforcement_a_peak_above_the_card_stands_for_the_death() -> None:
    """Where nothing kills, a peak above the card is what was expected, and says so."""
    verdict = judge_start(DIES, READY, a_memory(7 * GIB), enforced=UNENFORCED)
    assert verdict.outcome == "pass"
    assert UNENFORCED in verdict.reason


def test_without_enforcement_a_peak_within_the_card_is_better() -> None:
    """Where nothing kills, a peak within the card contradicts the expectation."""
    verdict = judge_start(DIES, READY, a_memory(5 * GIB), enforced=UNENFORCED)
    assert verdict.outcome == "better"
    assert "5,120 MiB" in verdict.reason


def test_without_enforcement_and_without_memory_it_is_unmeasured() -> None:
    """Where nothing kills and nobody looked, nothing is known."""
    verdict = judge_start(DIES, READY, NOT_SEEN, enforced=UNENFORCED)
    assert verdict.outcome == "unmeasured"
