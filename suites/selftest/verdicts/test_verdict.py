from collections.abc import Sequence
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.verdicts.verdict import Outcome, Verdict, mib, unmeasured, worst
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
VERDICTS = st.lists(st.builds(Verdict, st.just("x"), st.sampled_from(OUTCOMES), st.just("")))


@given(VERDICTS)
def test_a_case_is_as_bad_as_its_worst_verdict(verdicts: Sequence[Verdict]) -> None:
    """Of fail, unmeasured, inconclusive, unsupported, better and pass the first one counts."""
    outcomes = {verdict.outcome for verdict in verdicts} or {"unmeasured"}
    by_weight = ("fail", "unmeasured", "inconclusive", "unsupported", "better", "pass")
    heaviest = next(outcome for outcome in by_weight if outcome in outcomes)
    assert worst(verdicts) == heaviest


@given(VERDICTS)
def test_green_needs_every_verdict_to_ship(verdicts: Sequence[Verdict]) -> None:
    """A case ships exactly when it has a verdict and each of them ships."""
    ships = bool(verdicts) and all(verdict.ships for verdict in verdicts)
    assert Verdict("case", worst(verdicts), "").ships == ships


def test_unmeasured_keeps_the_reason_and_does_not_ship() -> None:
    """What was not measured says why, and keeps the run from being green."""
    verdict = unmeasured("peak memory", NOT_SEEN)
    assert verdict == ("peak memory", "unmeasured", "unmeasured: nobody looked")
    assert not verdict.ships


def test_bytes_read_as_whole_mebibytes() -> None:
    """Sizes are rounded to MiB with a comma between thousands."""
    assert mib(6 * 1024**3) == "6,144 MiB"
    assert mib(0) == "0 MiB"
