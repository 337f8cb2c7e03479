import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fixtures.records.schema import GradedRecord
from fixtures.verdicts.pairing import OVERALL, Paired, holm, paired

pytestmark = pytest.mark.selftest

RUNS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def _graded(
    seed: int, *, correct: bool, skill: str = "colour", picture: str | None = None
) -> GradedRecord:
    return GradedRecord(
        skill=skill,
        layout="single",
        seed=seed,
        picture=f"{skill} {seed}" if picture is None else picture,
        expected="red",
        given="red" if correct else "blue",
        correct=correct,
        reason="" if correct else "expected 'red', got 'blue'",
        prompt_tokens=100,
        completion_tokens=2,
        finish_reason="stop",
    )


def _run(rights: Sequence[bool], skill: str = "colour") -> list[GradedRecord]:
    return [_graded(seed, correct=right, skill=skill) for seed, right in enumerate(rights)]


def _by_skill(tests: Sequence[Paired]) -> dict[str, Paired]:
    return {one.skill: one for one in tests}


@given(RUNS)
def test_the_chance_is_mcnemars(pairs: list[tuple[bool, bool]]) -> None:
    """Exact and one-sided: a binomial test of the losses among the changes."""
    before, after = _run([old for old, _ in pairs]), _run([new for _, new in pairs])
    one = paired(before, after)[0]
    lost, gained = pairs.count((True, False)), pairs.count((False, True))
    assert (one.lost, one.gained, one.questions) == (lost, gained, len(pairs))
    if lost + gained:
        exact = stats.binomtest(lost, lost + gained, 0.5, alternative="greater").pvalue
        assert one.chance == pytest.approx(exact)
    else:
        assert one.chance == 1.0


@given(RUNS, st.randoms())
def test_the_order_of_the_answers_does_not_matter(
    pairs: list[tuple[bool, bool]], shuffled: random.Random
) -> None:
    """A question is found by what it is, not by when it was asked."""
    before, after = _run([old for old, _ in pairs]), _run([new for _, new in pairs])
    mixed = shuffled.sample(after, len(after))
    assert paired(before, mixed) == paired(before, after)


def test_by_hand() -> None:
    """Nine lost and one gained: 11 of the 1024 ways that ten coins fall."""
    before = _run([True] * 9 + [False] + [True] * 20)
    after = _run([False] * 9 + [True] + [True] * 20)
    one = paired(before, after)[0]
    assert (one.before, one.after, one.lost, one.gained) == (29, 21, 9, 1)
    assert one.chance == pytest.approx(11 / 1024)
    # With `overall`, which is the same here, there are two tests.
    assert one.adjusted == pytest.approx(22 / 1024)


@pytest.mark.parametrize(
    ("new", "lost", "gained"),
    # Three questions about one picture, of which the baseline had the first two.
    [
        ((False, False, False), 1, 0),
        ((False, True, False), 1, 0),
        ((False, True, True), 0, 0),
        ((True, True, True), 0, 1),
        ((False, False, True), 1, 0),
    ],
)
def test_a_picture_counts_once_by_the_majority_of_its_changes(
    new: tuple[bool, ...], lost: int, gained: int
) -> None:
    """Questions about one picture are one change at most."""
    before, after = (
        [_graded(seed, correct=right, picture="same") for seed, right in enumerate(rights)]
        for rights in ((True, True, False), new)
    )
    one = paired(before, after)[0]
    assert (one.pictures, one.lost, one.gained) == (1, lost, gained)


def test_a_picture_counts_once_over_all_skills() -> None:
    """Two skills asked of one picture are two by themselves, and one overall."""
    before, after = (
        [_graded(7, correct=right, skill=skill, picture="same") for skill in ("colour", "count")]
        for right in (True, False)
    )
    lost = {one.skill: one.lost for one in paired(before, after)}
    assert lost == {"colour": 1, "count": 1, OVERALL: 1}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_nothing_and_bonferroni(chances: list[float]) -> None:
    """The smallest is multiplied by all of them, none by more, and their order stays."""
    corrected = holm(chances)
    for chance, more in zip(chances, corrected, strict=True):
        assert chance <= more <= 1
    assert min(corrected) == pytest.approx(min(1.0, min(chances) * len(chances)))
    ranked = sorted(range(len(chances)), key=chances.__getitem__)
    assert [corrected[i] for i in ranked] == sorted(corrected)


def test_holm_by_hand() -> None:
    """0.01 x 3, 0.02 x 2, and 0.03 x 1, which must not be below the one before."""
    assert holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])


@pytest.mark.parametrize("change", ["missing", "more", "other answer", "twice"])
def test_unequal_questions_are_refused(change: str) -> None:
    """What is not in both runs once, and with one answer, cannot be paired."""
    before = _run([True] * 5)
    after = {
        "missing": before[1:],
        "more": [*before, _graded(5, correct=True)],
        "other answer": [before[0].model_copy(update={"expected": "green"}), *before[1:]],
        "twice": [*before, before[0]],
    }[change]
    with pytest.raises(ValueError, match=r"the question about colour, single, seed [05]|seed 0"):
        paired(before, after)


def test_no_answers_at_all_are_refused() -> None:
    """Two empty runs are not equal: there is nothing to say of them."""
    with pytest.raises(ValueError, match="nothing to pair"):
        paired([], [])
