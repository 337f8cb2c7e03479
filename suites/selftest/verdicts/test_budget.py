import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import GIB, MIB
from fixtures.cells.case import Case
from fixtures.records.schema import MemoryRecord, Unmeasured
from fixtures.verdicts.budget import judge_budget
from suites.selftest.specimens import (
    DIED,
    NOT_SEEN,
    OUT_OF_MEMORY,
    READY,
    a_case,
    a_gpu,
    a_memory,
    a_phase,
)

pytestmark = pytest.mark.selftest

BUDGET = a_case().budget_bytes
DIES = a_case("out-of-memory")


@given(st.integers(MIB, BUDGET))
def test_a_peak_within_the_budget_passes(peak_bytes: int) -> None:
    """Every peak up to the budget itself passes."""
    assert judge_budget(a_case(), READY, a_memory(peak_bytes)).outcome == "pass"


@given(st.integers(BUDGET + 1, 100 * GIB))
def test_a_peak_over_the_budget_fails(peak_bytes: int) -> None:
    """One byte above the budget is over it."""
    assert judge_budget(a_case(), READY, a_memory(peak_bytes)).outcome == "fail"


def test_an_excess_is_told_with_its_size_phase_and_moment() -> None:
    """The reason has peak, budget, excess, phase and seconds since the process start."""
    reason = judge_budget(a_case(), READY, a_memory(BUDGET + 500 * MIB)).reason
    assert reason == (
        "peak 4,596 MiB, budget 4,096 MiB: 500 MiB over, in weights, 12.5 s after the process start"
    )


def test_a_failed_start_is_still_held_to_the_budget() -> None:
    """A case that should fit and died of memory is judged by its peak, not by its death."""
    assert judge_budget(a_case(), OUT_OF_MEMORY, a_memory(5 * GIB)).outcome == "fail"


def test_what_was_not_measured_does_not_pass() -> None:
    """Neither without memory nor without a start can anything be said."""
    assert judge_budget(a_case(), READY, NOT_SEEN).outcome == "unmeasured"
    assert judge_budget(a_case(), NOT_SEEN, a_memory()).outcome == "unmeasured"


def test_an_expected_death_on_a_full_card_passes() -> None:
    """A death of memory is believed when the kernel's mark stands at the card's limit."""
    verdict = judge_budget(DIES, OUT_OF_MEMORY, a_memory(card_mark_bytes=6 * GIB - MIB))
    assert verdict.outcome == "pass"
    assert "6,143 MiB of 6,144 MiB" in verdict.reason


def test_an_expected_death_on_a_card_with_room_fails() -> None:
    """A death with much of the card unused had another cause."""
    verdict = judge_budget(DIES, OUT_OF_MEMORY, a_memory(card_mark_bytes=5 * GIB))
    assert verdict.outcome == "fail"
    assert "the card was not full" in verdict.reason


def test_an_expected_death_without_a_mark_is_unmeasured() -> None:
    """Without the kernel's mark nobody knows whether the card was full."""
    verdict = judge_budget(DIES, OUT_OF_MEMORY, a_memory(card_mark_bytes=NOT_SEEN))
    assert verdict.outcome == "unmeasured"


def test_a_survivor_of_an_expected_death_owes_no_budget() -> None:
    """A case that should not fit the card is not blamed for a peak above its budget."""
    assert judge_budget(DIES, READY, a_memory(5 * GIB)).outcome == "pass"


PROFILE_BUDGET = (("encoder-profile", 3 * GIB),)


def _with_profile(peak_bytes: int | Unmeasured) -> MemoryRecord:
    return a_memory().model_copy(update={"phases": [a_phase("encoder-profile", peak_bytes)]})


def _profile_case() -> Case:
    return a_case().model_copy(update={"phase_budgets_bytes": PROFILE_BUDGET})


def test_a_phase_over_its_own_budget_fails() -> None:
    """A peak that the card has room for may still be too much for its phase."""
    verdict = judge_budget(_profile_case(), READY, _with_profile(3 * GIB + 100 * MIB))
    assert verdict.outcome == "fail"
    assert verdict.reason == "encoder-profile 3,172 MiB of 3,072 MiB: 100 MiB over"


def test_a_phase_within_its_own_budget_is_told() -> None:
    """The reason of a pass has the phase's figure and its budget."""
    verdict = judge_budget(_profile_case(), READY, _with_profile(3 * GIB))
    assert verdict.outcome == "pass"
    assert verdict.reason.endswith("; encoder-profile 3,072 MiB of 3,072 MiB")


def test_a_phase_with_a_budget_must_be_measured() -> None:
    """A phase that nobody saw, or that never was, does not keep its budget."""
    for memory in (_with_profile(NOT_SEEN), a_memory()):
        verdict = judge_budget(_profile_case(), READY, memory)
        assert verdict.outcome == "unmeasured"
        assert "encoder-profile has a budget of its own" in verdict.reason


def test_a_phase_that_is_not_due_is_not_asked_for() -> None:
    """When the start is over, how it will serve is not known, and not missed."""
    case = a_case().model_copy(update={"phase_budgets_bytes": (("serving", 3 * GIB),)})
    assert judge_budget(case, READY, a_memory(), of_start=True).outcome == "pass"
    assert judge_budget(case, READY, a_memory()).outcome == "unmeasured"


def test_a_failed_start_owes_no_phase_that_it_did_not_reach() -> None:
    """The phases that it came to are held to their budgets, and it is red by its start."""
    assert judge_budget(_profile_case(), DIED, a_memory()).outcome == "pass"
    assert judge_budget(_profile_case(), DIED, _with_profile(4 * GIB)).outcome == "fail"


@given(st.floats(0, 1))
def test_a_gap_in_the_start_above_the_limit_is_inconclusive(gap_s: float) -> None:
    """A peak under the budget passes only where nobody looked away for longer than the limit."""
    memory = a_memory().model_copy(update={"starting_gap_s": gap_s})
    outcome = judge_budget(a_case(), READY, memory, gap_limit_s=0.05).outcome
    assert outcome == ("inconclusive" if gap_s > 0.05 else "pass")


def _checked(mark_bytes: int | Unmeasured, sampled_bytes: int) -> MemoryRecord:
    """A start with a gap, and what a cgroup's mark and its samples say of the peak."""
    memory = a_memory()
    word = memory.witnesses[0]
    words = [
        word.model_copy(update={"witness": "cgroup-mark", "peak_bytes": mark_bytes}),
        word.model_copy(update={"witness": "cgroup-samples", "peak_bytes": sampled_bytes}),
    ]
    changes = {"witnesses": [word, *words], "starting_gap_s": 0.085, "largest_gap_s": 2.0}
    return memory.model_copy(update=changes)


def test_a_gap_in_which_an_exact_mark_shows_nothing_is_none() -> None:
    """Where the kernel's mark is what was sampled, no peak fell into the gap, and that is said."""
    verdict = judge_budget(a_case(), READY, _checked(3 * GIB, 3 * GIB - 30 * MIB))
    assert verdict.outcome == "pass"
    assert "nobody looked for 85 ms while starting" in verdict.reason
    assert "the kernel's exact mark shows that no peak was missed" in verdict.reason


@pytest.mark.parametrize("mark", [3 * GIB, NOT_SEEN], ids=["higher", "unmeasured"])
def test_a_gap_that_no_mark_covers_stays_a_doubt(mark: int | Unmeasured) -> None:
    """A mark above the samples shows that something was missed, and none shows nothing."""
    verdict = judge_budget(a_case(), READY, _checked(mark, 3 * GIB - 32 * MIB))
    assert verdict.outcome == "inconclusive"


def test_a_gap_hides_no_failure() -> None:
    """A peak over the budget was seen, however often nobody looked."""
    memory = a_memory(5 * GIB).model_copy(update={"starting_gap_s": 9.0})
    assert judge_budget(a_case(), READY, memory).outcome == "fail"


def test_a_start_without_a_known_gap_is_inconclusive() -> None:
    """Not to know how long nobody looked is no reason to pass."""
    memory = a_memory().model_copy(update={"starting_gap_s": NOT_SEEN})
    assert judge_budget(a_case(), READY, memory).outcome == "inconclusive"


def test_a_long_gap_while_serving_is_inconclusive() -> None:
    """While it serves the limit is ten times that of the start."""
    memory = a_memory().model_copy(update={"largest_gap_s": 0.51})
    verdict = judge_budget(a_case(), READY, memory)
    assert verdict.outcome == "inconclusive"
    assert "nobody looked for 510 ms in all (limit 500 ms)" in verdict.reason


def test_a_foreign_process_on_the_gpu_is_inconclusive_and_named() -> None:
    """Memory of somebody else's on the assigned GPU is in every figure of it."""
    gpu = a_gpu(assigned=True, foreign=["pid 123 python (1,024 MiB)"])
    verdict = judge_budget(a_case(), READY, a_memory().model_copy(update={"gpus": [gpu]}))
    assert verdict.outcome == "inconclusive"
    assert "not alone on GPU 1 (GPU-b): pid 123 python (1,024 MiB)" in verdict.reason
    above = a_memory(5 * GIB).model_copy(update={"gpus": [gpu]})
    assert judge_budget(a_case(), READY, above).outcome == "inconclusive"
    elsewhere = a_gpu(assigned=False, foreign=["pid 123 python (1,024 MiB)"])
    memory = a_memory().model_copy(update={"gpus": [elsewhere]})
    assert judge_budget(a_case(), READY, memory).outcome == "pass"
