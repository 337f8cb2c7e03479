import json
from pathlib import Path

import numpy as np
import pytest

from fixtures.cells.cards import MIB
from fixtures.memory.series import SampleSeries
from fixtures.records.part import Unmeasured
from fixtures.records.upgrade_schema import StartOfSide
from fixtures.reports.html.page import Curve, Curves
from fixtures.reports.html.upgrades import UpgradeView, upgrade_view
from fixtures.reports.html.writing import read_curves
from suites.selftest.reports.html.pages import Parts, a_run, html_of
from suites.selftest.reports.test_upgrade_table import RECORD, SLOWER
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest

STARTS = [
    StartOfSide(pair=1, side="baseline", record="01-baseline/a.json", values={"TTFT p50": 0.04}),
    StartOfSide(pair=1, side="candidate", record="02-candidate/a.json", values={"TTFT p50": 0.05}),
    StartOfSide(pair=2, side="candidate", record="03-candidate/a.json", values={"TTFT p50": 0.06}),
]
CURVE = SampleSeries(np.array([0.0, 1.0]), np.array([1, 2], np.int64) * MIB)


def _view(**changes: object) -> UpgradeView:
    curves: dict[str, Curve] = {"01-baseline/a.json": CURVE, "02-candidate/a.json": NOT_SEEN}
    return upgrade_view(
        RECORD.model_copy(update={"starts": STARTS, **changes}), "upgrade-a", curves
    )


def test_the_forest_is_in_units_of_what_matters() -> None:
    """+20 % where 10 % matters is twice that, and its interval of 12 to 27 % lies about it."""
    forest = _view().changes[0].forest
    assert forest is not None
    assert forest.at == pytest.approx(50 + 20 * 2)
    assert forest.low == pytest.approx(50 + 20 * 1.2)
    assert (forest.high, forest.to_above, forest.from_below) == (100, True, False)


def test_an_interval_without_a_lower_end_is_open_to_the_left() -> None:
    """Less than nothing is no bound."""
    (change,) = _view(comparisons=[SLOWER.model_copy(update={"low": -1.0})]).changes
    assert change.forest is not None
    assert change.forest.from_below
    assert change.between == "any better to +27.0 %"


def test_what_has_no_interval_says_why() -> None:
    """No bar, and the reason of the record."""
    change = _view().changes[1]
    assert change.forest is None
    assert change.why == NOT_SEEN.unmeasured


def test_only_whole_pairs_are_dots() -> None:
    """The second pair has one side: there is nothing to join it to."""
    (slope,) = _view().changes[0].slopes
    assert slope.old_x < slope.new_x
    assert slope.says == "pair 1: 40.0 ms, then 50.0 ms"


def test_starts_without_a_curve_are_named() -> None:
    """One is drawn, of the other two the reasons are told."""
    view = _view()
    assert view.plot is not None
    assert isinstance(view.plot.data, dict)
    traces = view.plot.data["traces"]
    assert json.loads(json.dumps(traces)) == [[1, "baseline", [[[0, 1000], [1, 1]]]]]
    assert [said.partition(":")[0] for said in view.no_curves] == [
        "pair 1, candidate",
        "pair 2, candidate",
    ]


def test_a_record_outside_of_the_run_is_not_read(tmp_path: Path) -> None:
    """A path in a record leads nowhere else."""
    (tmp_path / "run").mkdir()
    (tmp_path / "a.json").write_text("{}", "utf-8")
    outside = STARTS[0].model_copy(update={"record": "../a.json"})
    inside = STARTS[0].model_copy(update={"record": "01-baseline/a.json"})
    compared = RECORD.model_copy(update={"starts": [outside, inside]})
    run = a_run()._replace(folder=tmp_path / "run", comparisons=[compared])
    found = read_curves(run).of_starts
    assert found["../a.json"] == Unmeasured(
        unmeasured="its record is named outside of the run: ../a.json"
    )
    assert found["01-baseline/a.json"] == Unmeasured(
        unmeasured="its record is not here: 01-baseline/a.json"
    )


def test_the_answer_and_its_reasons_come_first() -> None:
    """Then the changes, and what was not compared."""
    run = a_run(planned=[RECORD.case_id], compared=[RECORD.case_id], exit_code=1)
    read = Parts(html_of(run._replace(comparisons=[RECORD]), Curves({}, {}))).read
    places = [
        read.index(part)
        for part in ("Does not ship:", RECORD.reasons[0], "vLLM 0.29.0 against", "Changes")
    ]
    assert places == sorted(places)
    assert "KV cache tokens: not told" in read
