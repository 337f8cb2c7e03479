"""What MINICPMV_CANARY may say."""

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.questions.catalogue import SKILLS as ASKED
from suites.canary.plants.minicpmv_canary.faults import _PLACES
from suites.canary.plants.minicpmv_canary.order import SIZES, SKILLS, Planted, parse

pytestmark = pytest.mark.selftest
MIB = 1024**2


@pytest.mark.parametrize(
    ("order", "planted"),
    [
        ("peak:256MiB", Planted("peak", bytes=256 * MIB)),
        ("peak:2%", Planted("peak", share=Fraction(1, 50))),
        ("spike:0.5GiB", Planted("spike", bytes=512 * MIB)),
        ("decode:1.5%", Planted("decode", share=Fraction(3, 200))),
        ("accuracy:3%:count", Planted("accuracy", share=Fraction(3, 100), skill="count")),
        ("slow-start:150%", Planted("slow-start", share=Fraction(3, 2))),
        ("hang:100", Planted("hang", number=100)),
        ("crash", Planted("crash")),
    ],
)
def test_a_fault_has_its_size(order: str, planted: Planted) -> None:
    """Bytes, shares and numbers are read exactly."""
    assert parse(order) == (planted,)


def test_several_faults_are_planted_in_one_server() -> None:
    """They are separated by commas, with or without a space."""
    assert [one.fault for one in parse("kv:10%, log-line,errors:1%")] == [
        "kv",
        "log-line",
        "errors",
    ]


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ("", "no such fault; there are peak, spike"),
        ("peek:1%", "'peek:1%': no such fault"),
        ("peak", "is written peak:256MiB or 5%"),
        ("peak:256", "'256' is no size of peak"),
        ("peak:256MB", "'256MB' is no size of peak"),
        ("peak:0%", "'0%' is no size of peak"),
        ("decode:256MiB", "is no size of decode, which is written decode:5%"),
        ("decode:-5%", "'-5%' is no size of decode"),
        ("decode:5%:6%", "is written decode:5%"),
        ("crash:1%", "is written crash"),
        ("hang:1%", "is no size of hang, which is written hang:100"),
        ("accuracy:3%", "of which skill? Written accuracy:3%:SKILL, of colour"),
        ("accuracy:3%:taste", "of which skill?"),
        ("accuracy:colour", "of which skill?"),
        ("kv:101%", "more than all"),
        ("errors:1%,errors:2%", "errors is planted twice"),
        ("errors:1%,", "no such fault"),
    ],
)
def test_an_order_that_is_not_understood_is_refused(order: str, says: str) -> None:
    """With what is wrong, and how it is written."""
    with pytest.raises(ValueError, match=r".") as refused:
        parse(order)
    assert says in str(refused.value)


@given(st.text())
def test_no_order_is_misread(order: str) -> None:
    """Whatever is written there is a list of known faults, or refused."""
    with suppress(ValueError):
        assert {one.fault for one in parse(order)} <= set(SIZES)


def test_every_fault_has_a_place() -> None:
    """What can be ordered is what can be planted."""
    assert set(_PLACES) == set(SIZES)


def test_the_skills_are_those_of_the_scenes() -> None:
    """The plants cannot import the questions: their list must be the same."""
    assert SKILLS == ASKED
