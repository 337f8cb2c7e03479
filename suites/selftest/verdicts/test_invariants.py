import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.records.schema import Flip, InvariantRecord
from fixtures.verdicts.invariants import LEAST_PAIRS, judge_invariants
from fixtures.verdicts.verdict import Verdict
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest

PROMISED = {"colour": 0.97, "count": 0.99}
FLIP = Flip(
    seed=7,
    layout="single",
    encoding="jpeg",
    question="Where is the circle?",
    original="left",
    expected="right",
    given="left",
    error=None,
)


def _judged(
    consistent: int, counted: int, asked: int = 24, failed: int = 0, flips: tuple[Flip, ...] = ()
) -> Verdict:
    record = InvariantRecord(
        invariant="mirrored",
        asked=asked,
        counted=counted,
        consistent=consistent,
        failed=failed,
        flips=list(flips),
    )
    (verdict,) = judge_invariants(PROMISED, [record], ["mirrored"])
    return verdict


@pytest.mark.parametrize(
    ("consistent", "outcome"),
    # Binomial tails at 97 % of 24: P(20 or fewer) = 4.9e-3, P(19) = 6.5e-4.
    [(24, "pass"), (23, "pass"), (20, "pass"), (19, "fail"), (0, "fail")],
)
def test_a_rate_fails_and_a_single_flip_does_not(consistent: int, outcome: str) -> None:
    """So few consistent pairs fail as a model that keeps its promise gives once in 1000 runs."""
    assert _judged(consistent, 24).outcome == outcome


@given(st.integers(LEAST_PAIRS, 200))
def test_one_flip_never_fails(counted: int) -> None:
    """However many pairs there are, one of them is scatter."""
    assert _judged(counted - 1, counted, asked=counted).outcome == "pass"


def test_a_broken_invariant_is_told_with_an_example() -> None:
    """The reason names counts, promise, and a variant with what was answered before the change."""
    verdict = _judged(0, 24, flips=(FLIP,))
    assert verdict.about == "invariant: mirrored"
    assert "0/24 consistent, 97% promised (chance of so few: " in verdict.reason
    assert verdict.reason.endswith(
        "first: 'Where is the circle?' (seed 7, single, jpeg): expected 'right', got 'left', and"
        " 'left' before the change"
    )


def test_too_few_right_originals_are_inconclusive() -> None:
    """Pairs whose original was wrong tell nothing; with too few left nothing passes."""
    assert _judged(LEAST_PAIRS, LEAST_PAIRS).outcome == "pass"
    verdict = _judged(LEAST_PAIRS - 1, LEAST_PAIRS - 1)
    assert verdict.outcome == "inconclusive"
    assert "of 24 pairs only 15 had their original answered right" in verdict.reason
    assert _judged(0, 0).outcome == "inconclusive"


def test_a_few_pairs_that_are_all_flips_fail() -> None:
    """What suffices to fail needs no further pairs."""
    assert _judged(0, 5).outcome == "fail"


def test_a_request_without_an_answer_always_fails() -> None:
    """It is no scatter, and the reason says what became of it."""
    lost = FLIP.model_copy(update={"error": "APIConnectionError: gone"})
    verdict = _judged(23, 23, failed=1, flips=(lost,))
    assert verdict.outcome == "fail"
    assert "1 of 24 pairs without an answer" in verdict.reason
    assert "APIConnectionError: gone" in verdict.reason


def test_each_invariant_has_a_verdict_of_its_own() -> None:
    """What was not asked is unmeasured beside what was."""
    record = InvariantRecord(
        invariant="padded", asked=24, counted=24, consistent=24, failed=0, flips=[]
    )
    verdicts = judge_invariants(PROMISED, [record], ["mirrored", "padded"])
    assert [(v.about, v.outcome) for v in verdicts] == [
        ("invariant: mirrored", "unmeasured"),
        ("invariant: padded", "pass"),
    ]


def test_nothing_measured_or_promised_passes() -> None:
    """Without pairs, and without a promise, every invariant is unmeasured."""
    for verdicts in (
        judge_invariants(PROMISED, NOT_SEEN, ["mirrored", "padded"]),
        judge_invariants({}, [], ["mirrored", "padded"]),
    ):
        assert [verdict.outcome for verdict in verdicts] == ["unmeasured"] * 2
