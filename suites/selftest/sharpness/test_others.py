import numpy as np
import pytest

from suites.selftest.sharpness.others import RULES, Seen

pytestmark = pytest.mark.selftest

OMNI, ASV = "vllm-omni, 10 % three times", "asv, factor 1.1"
BENCHMARK = "pytest-benchmark mean:10%"
AFTER, BEFORE = "TensorRT-LLM, 5 % (after it)", "TensorRT-LLM, 10 % (before a merge)"


def _seen(new: float, *, nights: list[float] | None = None) -> Seen:
    """Figures that hardly scatter, of which the new side's are so many times as large."""
    hardly = np.random.default_rng(2).normal(0, 1e-4, (1, 120))
    since = np.log([new] * 3 if nights is None else nights)
    old, other, before, after, _ = np.split(hardly, [12, 24, 114, 117], axis=1)
    return Seen(old, other + np.log(new), before, after + since)


@pytest.mark.parametrize(
    ("new", "alarms"),
    [
        (1.0, set()),
        (1.04, set()),
        (1.07, {AFTER}),
        (1.12, {BENCHMARK, BEFORE, AFTER, OMNI, ASV}),
        (0.8, set()),
    ],
)
def test_each_rule_alarms_beyond_its_own_number(new: float, alarms: set[str]) -> None:
    """Where nothing scatters, 5 and 10 % are exact."""
    assert {name for name, rule in RULES.items() if rule(_seen(new)).all()} == alarms


def test_two_nights_are_not_three() -> None:
    """vllm-omni waits for the third in a row, TensorRT-LLM for none."""
    seen = _seen(1.2, nights=[1.2, 1.2, 1.0])
    assert not RULES[OMNI](seen).any()
    assert RULES[BEFORE](seen).all()
