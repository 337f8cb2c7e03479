import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import GIB, MIB
from fixtures.verdicts.budget import judge_budget
from suites.selftest.specimens import NOT_SEEN, OUT_OF_MEMORY, READY, a_case, a_memory

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
