"""What the gate says of a planted fault is told to be right or wrong."""

import pytest

from fixtures.records.upgrade_schema import UpgradeRecord
from suites.canary.planted import FAULTS, Fault, accused_falsely, missed, rates

pytestmark = pytest.mark.selftest
BY_NAME = {fault.name: fault for fault in FAULTS}
PEAK, ONE_PERCENT = BY_NAME["peak-256-MiB"], BY_NAME["decode-1-percent-slower"]
SEVERAL, NOTHING = BY_NAME["several-at-once"], BY_NAME["nothing"]


def _said(answer: str, *reasons: str) -> UpgradeRecord:
    return UpgradeRecord.model_construct(answer=answer, reasons=list(reasons))


@pytest.mark.parametrize(
    ("fault", "said", "is_missed", "is_false"),
    [
        (PEAK, _said("do not ship", "peak, serving: +7 %"), False, False),
        (PEAK, _said("do not ship", "tokens/s: -9 %"), True, True),
        (PEAK, _said("do not ship", "steady memory: +7 %", "answers: 3 lost"), False, True),
        (PEAK, _said("ship"), True, False),
        # What is not known yet stands among the reasons of that answer, and accuses nobody.
        (PEAK, _said("cannot tell", "peak, serving: open"), True, False),
        (NOTHING, _said("ship"), False, False),
        (NOTHING, _said("do not ship", "peak, serving: +1 %"), False, True),
        (ONE_PERCENT, _said("ship"), False, False),
        (ONE_PERCENT, _said("do not ship", "TPOT p50, one client: +1 %"), False, False),
        (ONE_PERCENT, _said("do not ship", "peak, serving: +1 %"), False, True),
        (SEVERAL, _said("do not ship", "peak, serving: +7 %", "tokens/s: -9 %"), True, False),
    ],
)
def test_what_was_missed_and_what_was_accused_falsely(
    fault: Fault, said: UpgradeRecord, *, is_missed: bool, is_false: bool
) -> None:
    """Only "do not ship" names anything; each group of reasons must be among them, and no other."""
    assert bool(missed(fault, said)) == is_missed
    assert bool(accused_falsely(fault, said)) == is_false


def test_rates_have_intervals() -> None:
    """Faults that matter are caught or not; anything may be accused falsely."""
    caught = _said("do not ship", "peak, serving: +7 %")
    assert rates([(PEAK, caught), (PEAK, _said("ship")), (NOTHING, caught)]) == [
        "caught: 1 of 2 (95 %: 1% to 99%)",
        "something named that was not planted: 1 of 3 (95 %: 1% to 91%)",
    ]
    assert rates([(NOTHING, _said("ship"))])[0] == "caught: none was run"
