from io import StringIO

import pytest
from rich.console import Console

from suites.selftest.load.peers.commands import Timings
from suites.selftest.load.peers.figures import (
    Errors,
    Speed,
    error_table,
    errors_of,
    middle_errors,
    speed_table,
    truth_of,
)
from suites.selftest.standin.streaming_stub import Script, Served, answer_of, kind_of

pytestmark = pytest.mark.selftest

SERVED = [Served(0, 10.0, [10.001, 10.05, 10.06, 10.08], ""), Served(1, 20.0, [20, 20.07], "")]


def test_the_truth_is_what_the_stub_wrote() -> None:
    """The head is no token; gaps are of one request each, or their mean."""
    truth = truth_of(SERVED, mean_itl=False)
    assert truth.ttft_s == pytest.approx([0.05, 0.07])
    assert truth.itl_s == pytest.approx([0.01, 0.02])
    assert truth_of(SERVED[:1], mean_itl=True).itl_s == pytest.approx([0.015])


def test_errors_are_distances_of_percentiles() -> None:
    """Too early counts as too late does."""
    truth = Timings([0.05] * 100, [0.01] * 100)
    measured = Timings([0.052] * 98 + [0.06] * 2, [0.008] * 100)
    assert errors_of(measured, truth) == pytest.approx((0.002, 0.01, 0.002, 0.002))
    assert errors_of(truth, truth) == (0, 0, 0, 0)


def test_repeats_are_judged_by_their_median() -> None:
    """One bad repeat of three is no figure."""
    repeats = [Errors(1, 2, 3, 4), Errors(9, 9, 9, 9), Errors(2, 1, 3, 4)]
    assert middle_errors(repeats) == (2, 2, 3, 4)


def test_the_tables_tell_who_did_not_run() -> None:
    """With the reason, in the place of figures."""
    why = "not installed: no wheel"
    errors: dict[str, dict[int, Errors] | str] = {
        "this": {1: Errors(0.001, 0.002, 0.003, 0.004)},
        "that": why,
    }
    speeds: dict[str, Speed | str] = {"this": Speed(1234.6, 0.00005, 0.5), "that": why}
    console = Console(width=120, record=True, file=StringIO())
    console.print(error_table("TTFT", errors, 0, [1]))
    console.print(error_table("ITL", errors, 2, [1]))
    console.print(speed_table("fast", speeds, 16))
    said = console.export_text()
    assert "1.00 / 2.00" in said
    assert "3.00 / 4.00" in said
    assert said.count(why) == 3
    for figure in ("1,235", "19,754", "50", "50%"):
        assert figure in said


def test_what_is_due_at_one_moment_is_one_write() -> None:
    """A script without delays answers with a single write, one with delays with a token each."""
    assert len(answer_of(Script(), "whole")) == 1
    writes = answer_of(Script(ttft_s=0.05, gap_s=0.01), "whole")
    assert [at_s for at_s, _ in writes] == pytest.approx(
        [0, *(0.05 + number * 0.01 for number in range(16))]
    )
    (_, only), *rest = answer_of(Script(close=True), "whole")
    assert only is not None
    assert only.endswith(b"0\r\n\r\n")
    assert rest == [(0.0, None)]


def test_shares_are_kept_and_spread() -> None:
    """Of each kind as many as asked for, in every hundred requests."""
    script = Script(refused=0.1, broken=0.2, silent=0.05)
    for begin in (0, 100, 5000):
        kinds = [kind_of(script, begin + number) for number in range(100)]
        for kind, share in (("refused", 10), ("broken", 20), ("silent", 5), ("whole", 65)):
            assert abs(kinds.count(kind) - share) <= 2
