import numpy as np
import pytest

from fixtures.verdicts.upgrade.answer import answer, goes_on
from fixtures.verdicts.upgrade.bounds import Floats
from fixtures.verdicts.upgrade.comparison import Comparison, Pair, compared
from fixtures.verdicts.upgrade.looks import Plan
from fixtures.verdicts.upgrade.metric import Metric
from suites.selftest.sharpness.gates import end_of
from suites.selftest.sharpness.power import plan_of
from suites.selftest.sharpness.series import Noise, in_turns, starts

pytestmark = pytest.mark.selftest

METRICS = (
    Metric("rate", "", "lower", 0.05, 0, 5),
    Metric("time", "", "higher", 0.10, 0, 3),
    Metric("memory", "", "higher", 0.02, 0, 1),
)
GATES = 60


def _real(worsenings: Floats, plan: Plan) -> list[Comparison]:
    """One gate, as a run would have it judged: the comparisons of its last look."""
    ratios = np.exp([-worsenings[0], worsenings[1], worsenings[2]])
    found: list[Comparison] = []
    for look in plan.looks:
        if goes_on(found, [], plan):
            measured = {
                metric: [Pair(7.0, 7.0 * float(ratio)) for ratio in row[:look]]
                for metric, row in zip(METRICS, ratios, strict=True)
            }
            found = compared(measured, look, plan, besides=1)
    return found


def test_simulated_gates_end_as_real_ones_do() -> None:
    """The same answer after as many pairs, whether something is worse or not."""
    sides = in_turns(starts(np.random.default_rng(8), (GATES, 3, 24), Noise("", 0.02)))
    slower = np.linspace(0, 0.08, GATES)[:, None, None]
    worsenings = sides.new - sides.old + slower
    plan = Plan()
    ended = end_of(worsenings, METRICS, plan, besides=1)
    real = [_real(one, plan) for one in worsenings]
    assert [answer(one, []).says for one in real] == ended.says.tolist()
    assert [one[0].pairs for one in real] == ended.pairs.tolist()
    assert [[one.outcome for one in gate] for gate in real] == ended.fell.tolist()
    assert set(ended.says.tolist()) == {"ship", "do not ship", "cannot tell"}


def test_sides_take_turns_in_being_first() -> None:
    """A B B A A B: each pair has one of both, and a steady drift leaves none behind on average."""
    old, new = in_turns(np.arange(8.0))
    assert old.tolist() == [0, 3, 4, 7]
    assert new.tolist() == [1, 2, 5, 6]
    assert (new - old).mean() == 0


def test_a_longer_plan_looks_at_the_same_parts() -> None:
    """Twelve pairs are the gate's own plan; six leave no two looks alike."""
    assert plan_of(12) == Plan()
    assert plan_of(24).looks == (8, 12, 16, 24)
    assert plan_of(6).looks == (3, 4, 6)
