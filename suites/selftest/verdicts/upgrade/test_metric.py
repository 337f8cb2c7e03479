from math import expm1, inf, log1p

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.verdicts.upgrade.gated import ANSWERS_WEIGHT, GATED
from fixtures.verdicts.upgrade.metric import Metric, check, smallest_that_matters
from suites.selftest.verdicts.upgrade.given import MEMORY, RATE, RETURN, TIME

pytestmark = pytest.mark.selftest


def test_what_matters_is_above_both() -> None:
    """A percent of 8 GiB is more than 32 MiB, and of 2 GiB it is less."""
    mib = 2**20
    assert smallest_that_matters(MEMORY, 8192 * mib) == pytest.approx(log1p(0.01))
    assert smallest_that_matters(MEMORY, 2048 * mib) == pytest.approx(log1p(32 / 2048))


@given(st.floats(0.001, 1e6), st.floats(0, 0.9))
def test_the_absolute_part_is_the_same_fall_in_the_unit(old: float, share: float) -> None:
    """A rate that gets worse by just what matters has fallen by the absolute part."""
    metric = RATE._replace(matters=1e-9, matters_absolute=share * old)
    factor = 1 + expm1(smallest_that_matters(metric, old))
    assert old - old / factor == pytest.approx(share * old, rel=1e-6, abs=1e-6 * old)


def test_what_cannot_fall_so_far_never_matters() -> None:
    """A rate of 5 cannot fall by 10; a time of 5 can grow by it."""
    assert smallest_that_matters(RATE._replace(matters_absolute=10), 5) == inf
    assert smallest_that_matters(TIME._replace(matters_absolute=10), 5) == pytest.approx(log1p(2))


def test_differences_matter_in_their_unit() -> None:
    """Without a share, the old side's figure has no part in it."""
    assert smallest_that_matters(RETURN, 0.0) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        RATE._replace(matters=0),
        RATE._replace(matters=-0.1),
        RATE._replace(matters_absolute=-1),
        RATE._replace(matters=inf),
        RATE._replace(alpha_weight=0),
        RATE._replace(alpha_weight=inf),
    ],
)
def test_a_metric_that_cannot_be_judged_is_refused(wrong: Metric) -> None:
    """Where everything matters, or nothing, or it may never be worse."""
    with pytest.raises(ValueError, match="tokens/s"):
        check(wrong)


def test_the_gates_own_metrics_can_be_judged() -> None:
    """Each is sound, names are unlike, and weights are percent."""
    for metric in GATED:
        check(metric)
    assert len({metric.name for metric in GATED}) == len(GATED)
    assert sum(metric.alpha_weight for metric in GATED) + ANSWERS_WEIGHT == pytest.approx(100)
