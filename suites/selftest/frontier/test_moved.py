"""Whether a frontier moved, in sentences and verdicts."""

import pytest

from fixtures.frontier.claim import Claim, State
from fixtures.frontier.moved import moved, sentences
from fixtures.frontier.point import Value
from fixtures.frontier.search import Frontier

pytestmark = pytest.mark.selftest


def column(
    *fitting: Value,
    state: State = "bounded",
    failing: tuple[Value, ...] = (999,),
    length: int = 4096,
) -> Claim:
    """One column at a length."""
    return Claim("max_num_seqs", (("max_model_len", length),), state, fitting, failing)


def said(before: Claim, after: Claim) -> tuple[str, str]:
    """The one verdict."""
    (verdict,) = moved(Frontier((before,), 9), Frontier((after,), 9))
    return verdict.outcome, verdict.reason


def test_inwards_fails_and_says_from_where_to_where() -> None:
    """From 96 to 64."""
    assert said(column(32, 96), column(32, 64)) == (
        "fail",
        "max_num_seqs at len=4096 went from 96 to 64",
    )


def test_outwards_is_better_where_the_end_was_known_before() -> None:
    """Where nobody had tried more before, it is no news."""
    assert said(column(64), column(96)) == (
        "better",
        "max_num_seqs at len=4096 went from 64 to 96",
    )
    assert said(column(64, state="whole"), column(96))[0] == "pass"
    assert said(column(64, state="open"), column(96))[0] == "pass"


def test_the_same_passes() -> None:
    """Whether or not more was tried."""
    assert said(column(64), column(64)) == ("pass", "max_num_seqs at len=4096 is still 64")
    assert said(column(64, state="whole"), column(64, state="whole"))[0] == "pass"


def test_nothing_that_fits_any_more_fails() -> None:
    """Where it was run; where it was only expected, nobody knows."""
    assert said(column(8), column(state="nothing")) == (
        "fail",
        "max_num_seqs at len=4096 went from 8 to nothing",
    )
    assert said(column(8), column(state="skipped", failing=()))[0] == "unmeasured"


@pytest.mark.parametrize("state", ["open", "unclear", "whole"])
def test_what_was_not_searched_far_enough_is_unmeasured(state: State) -> None:
    """32 so far, or in a smaller space, is no regression from 96, and no pass."""
    outcome, reason = said(column(96), column(32, state=state, failing=()))
    assert outcome == "unmeasured"
    assert "was 96, and is not known now" in reason
    assert "32" in reason


def test_an_unfinished_search_that_saw_the_old_boundary_fail_fails() -> None:
    """96 was run now, and does not fit."""
    assert said(column(96), column(32, state="open", failing=(96,)))[0] == "fail"


def test_a_new_hole_fails_though_the_largest_is_the_same() -> None:
    """69 fitted, and does not now; a hole that was one before is none of this."""
    outcome, reason = said(column(69, 70), column(70, failing=(69,)))
    assert outcome == "fail"
    assert reason == "max_num_seqs at len=4096 has holes at 69, which fitted; the largest is 70"
    assert said(column(70, failing=(69,)), column(70, failing=(69,)))[0] == "pass"


def test_columns_are_told_apart() -> None:
    """Each for itself; one that was left out is unmeasured, one that is new is not compared."""
    before = Frontier((column(64), column(32, length=8192), column(8, length=16384)), 9)
    after = Frontier((column(64), column(16, length=8192), column(4, length=512)), 9)
    verdicts = moved(before, after)
    assert [verdict.outcome for verdict in verdicts] == ["pass", "fail", "unmeasured"]
    assert sentences(verdicts) == [
        "max_num_seqs at len=8192 went from 32 to 16",
        "max_num_seqs at len=16384 was not searched",
    ]


def test_what_never_fitted_and_does_not_now_passes() -> None:
    """As does what was expected not to both times; what is not known at all does not."""
    nothing, skipped = column(state="nothing"), column(state="skipped", failing=())
    assert said(nothing, nothing)[0] == "pass"
    assert said(nothing, skipped)[0] == "pass"
    assert said(skipped, skipped)[0] == "pass"
    assert said(nothing, column(1))[0] == "better"
    assert said(nothing, column(state="open", failing=()))[0] == "unmeasured"
