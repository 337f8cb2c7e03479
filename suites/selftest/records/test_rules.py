from datetime import date
from pathlib import Path

import pytest

from fixtures.commands.parser import BASELINES
from fixtures.records.metrics import metrics_of
from fixtures.records.tolerances import read_tolerances, tolerance_for
from fixtures.records.toml_rows import RowsError
from fixtures.records.waivers import read_waivers
from suites.selftest.histories import measured

pytestmark = pytest.mark.selftest

TOLERANCE = """
[[tolerance]]
metrics = ["start_s"]
better = "lower"
relative = 0.1
absolute = 2
"""
WAIVER = """
[[waiver]]
metric = "start_s"
cell = "cpu-*"
reason = "known"
until = 2026-03-01
"""


def _file(folder: Path, text: str) -> Path:
    path = folder / "rules.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_committed_rules_can_be_used() -> None:
    """Every metric that a record can have has a tolerance, on each card; waivers can be read."""
    tolerances = read_tolerances(BASELINES / "tolerances.toml")
    for case_id in ("cpu-tiny-x", "gpu48-minicpmv-2.6-x"):
        for name in [*metrics_of(measured()), "accuracy_under_load.count"]:
            assert tolerance_for(tolerances, name, case_id) is not None, name
    read_waivers(BASELINES / "waivers.toml")


def test_the_committed_tolerances_go_the_right_way() -> None:
    """Less memory and time is better, and more of everything else."""
    tolerances = read_tolerances(BASELINES / "tolerances.toml")
    for name in metrics_of(measured()):
        found = tolerance_for(tolerances, name, "cpu-tiny-x")
        assert found is not None
        less = "_bytes" in name or (name.endswith("_s") and not name.endswith("_per_s"))
        assert found.better == ("lower" if less else "higher"), name


def test_the_first_that_fits_counts(tmp_path: Path) -> None:
    """A tolerance for some cells stands before the one for all, and the larger amount is borne."""
    own = TOLERANCE.replace("better", 'cells = "cpu-*"\nbetter').replace("0.1", "0.5")
    rules = read_tolerances(_file(tmp_path, own + TOLERANCE))
    found = [tolerance_for(rules, "start_s", case_id) for case_id in ("cpu-x", "gpu48-x")]
    assert [one.relative for one in found if one] == [0.5, 0.1]
    assert rules[1].allowed(10.0) == 2
    assert rules[1].allowed(100.0) == 10
    assert tolerance_for(rules, "peak_bytes", "cpu-x") is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"lower"', '"less"', ":4: better: "),
        ("0.1", "-0.1", ":5: relative: "),
        ('"lower"\nrelative = 0.1', '"higher"\nrelative = 1', ":5: relative: "),
        ("0.1", '"10 %"', ":5: relative: "),
        ("absolute = 2", "", ":2: absolute: Field required"),
        ("absolute", "absolut", ":6: absolut: "),
        ('["start_s"]', "[]", ":3: metrics: "),
        ("[[tolerance]]", "[tolerance]", ":2: 'tolerance' does not belong here"),
        ("[[tolerance]]", "[[tolerances]]", "'tolerances' does not belong here"),
        ("[[", "[[[", "not TOML"),
    ],
)
def test_a_wrong_tolerance_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    """A misspelt key, a missing one and a value of another kind are errors, in one line."""
    path = _file(tmp_path, TOLERANCE.replace(old, new, 1))
    with pytest.raises(RowsError) as raised:
        read_tolerances(path)
    assert str(raised.value).startswith(str(path))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_without_tolerances_is_an_error(tmp_path: Path) -> None:
    """Nothing could be compared, and that is not fine."""
    with pytest.raises(RowsError, match="nothing could be compared"):
        read_tolerances(_file(tmp_path, "# empty\n"))
    with pytest.raises(RowsError, match="cannot be read"):
        read_tolerances(tmp_path / "none.toml")


def test_a_waiver_holds_until_its_day_is_over(tmp_path: Path) -> None:
    """It knows its metric, its cells and its line, and expires the day after."""
    (waiver,) = read_waivers(_file(tmp_path, WAIVER))
    assert waiver.place.endswith("rules.toml:2")
    assert waiver.is_for("start_s", "cpu-tiny-x")
    assert not waiver.is_for("start_s", "gpu48-x")
    assert not waiver.is_for("tokens_per_s", "cpu-tiny-x")
    assert [waiver.expired(date(2026, 3, day)) for day in (1, 2)] == [False, True]
    assert read_waivers(tmp_path / "none.toml") == ()


@pytest.mark.parametrize("key", ["metric", "cell", "reason", "until"])
def test_a_waiver_without_one_of_its_keys_is_refused(tmp_path: Path, key: str) -> None:
    """Metric, cell, reason and date are all needed; the line of the waiver is told."""
    lines = [line for line in WAIVER.splitlines() if not line.startswith(key)]
    path = _file(tmp_path, "\n".join(lines))
    with pytest.raises(RowsError, match=rf"rules.toml:2: {key}: Field required"):
        read_waivers(path)


@pytest.mark.parametrize(
    ("old", "new"), [("2026-03-01", '"soon"'), ('"known"', '""'), ("reason", "because")]
)
def test_a_waiver_of_another_form_is_refused(tmp_path: Path, old: str, new: str) -> None:
    """No date, no reason and an unknown key are errors with their line."""
    with pytest.raises(RowsError, match=r"rules.toml:\d: "):
        read_waivers(_file(tmp_path, WAIVER.replace(old, new)))
