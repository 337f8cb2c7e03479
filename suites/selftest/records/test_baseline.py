import json
from pathlib import Path

import pytest

from fixtures.records.baseline import Baseline, BaselineError, accept, questions_of
from fixtures.records.baseline_files import read_baselines, text_of, write_baseline
from fixtures.records.schema import CaseRecord, Unmeasured
from suites.selftest.histories import baseline_of, graded, loaded_at, measured, of_model
from suites.selftest.specimens import an_answers

pytestmark = pytest.mark.selftest


def _written(folder: Path, baseline: Baseline, **figure: object) -> Path:
    """The file of a baseline whose last peak has these keys changed by hand."""
    path = write_baseline(folder, baseline)
    table = json.loads(path.read_text("utf-8"))
    table["last"]["metrics"]["peak_bytes"] |= figure
    path.write_text(json.dumps(table), "utf-8")
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """A baseline comes back as it was, under the id of its case."""
    baseline = baseline_of(measured())
    write_baseline(tmp_path / "new", baseline)
    assert read_baselines(tmp_path / "new") == {baseline.case_id: baseline}
    assert read_baselines(tmp_path / "none") == {}


def test_the_same_record_makes_the_same_file() -> None:
    """A file differs only where a figure does, and has the samples of each on one line."""
    first, second = baseline_of(measured()), baseline_of(measured(throughput=loaded_at(90.0)))
    before, after = text_of(first).splitlines(), text_of(second).splitlines()
    assert text_of(first) == text_of(baseline_of(measured()))
    changed = [old for old, new in zip(before, after, strict=True) if old != new]
    assert [line.strip() for line in changed[:2]] == [
        '"value": 100.0,',
        '"samples": [95.0, 100.0, 105.0]',
    ]


def test_the_anchor_stays_when_another_is_accepted() -> None:
    """Only the last one moves, until the anchor is given up by name."""
    first = baseline_of(measured())
    later = measured("later", throughput=loaded_at(97.0))
    second = accept(later, first, "a new compiler", "2026-02-08")
    assert (second.anchor, second.last.run_id) == (first.last, "later")
    third = accept(later, second, "as meant", "2026-02-15", new_anchor=True)
    assert third.anchor == third.last


@pytest.mark.parametrize(
    ("figure", "why"),
    [
        ({"value": 0, "samples": [0]}, "peak_bytes is 0, which nothing can be compared with"),
        ({"samples": []}, "peak_bytes has no samples"),
        ({"value": 3_500_000_000}, "its samples do not give that: a tolerance stands in"),
        ({"rule": "share"}, "has samples that make no share"),
        ({"tolerance": 0.1}, "Extra inputs are not permitted"),
    ],
    ids=["zero", "no-samples", "folded-in", "another-rule", "tolerance-beside"],
)
def test_a_baseline_that_says_nothing_is_refused(
    tmp_path: Path, figure: dict[str, object], why: str
) -> None:
    """0, no samples, and a value that its samples do not give are told in one line, with the file.

    The folded one is the peak with a tenth added, as a threshold would be written.
    """
    path = _written(tmp_path, baseline_of(measured()), **figure)
    with pytest.raises(BaselineError) as raised:
        read_baselines(tmp_path)
    assert str(raised.value).startswith(f"{path}: ")
    assert why in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "accept" in str(raised.value)


def test_a_file_is_named_by_its_case(tmp_path: Path) -> None:
    """One that was copied for another cell is refused."""
    path = write_baseline(tmp_path, baseline_of(measured()))
    path.rename(tmp_path / "cpu-other.json")
    with pytest.raises(BaselineError, match=r"cpu-other.json: is of the case cpu-tiny"):
        read_baselines(tmp_path)


def test_another_schema_of_baselines_is_refused(tmp_path: Path) -> None:
    """A file says which schema it is of."""
    path = write_baseline(tmp_path, baseline_of(measured()))
    path.write_text(path.read_text("utf-8").replace('version": 1', 'version": 2', 1), "utf-8")
    with pytest.raises(BaselineError, match="baseline_version: Input should be 1"):
        read_baselines(tmp_path)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (measured(throughput=loaded_at(0.0)), "tokens_per_s is 0"),
        (of_model(measured(), Unmeasured(unmeasured="a hub id")), "no digest of the model"),
        (measured(answers=an_answers()), "has kept no graded answers"),
    ],
    ids=["zero", "no-digest", "no-answers-kept"],
)
def test_a_record_that_cannot_be_compared_is_no_baseline(record: CaseRecord, why: str) -> None:
    """A rate of 0, a model without digest and answers without questions are refused."""
    with pytest.raises(BaselineError, match=why):
        baseline_of(record)


def test_an_anchor_of_other_questions_has_to_be_given_up() -> None:
    """What cannot be compared with the anchor is not put beside it."""
    first = baseline_of(measured())
    other = measured(answers=graded(74, seed=5))
    with pytest.raises(BaselineError, match=r"another set of questions .*--new-anchor"):
        baseline_of(other, first)
    assert accept(other, first, "new", "2026-02-08", new_anchor=True).anchor.reason == "new"


def test_questions_are_the_same_whatever_was_answered() -> None:
    """Their identity does not depend on answers or order, and does on each question."""
    answers = graded(74)
    turned = answers.model_copy(update={"graded": answers.graded[::-1]})
    assert questions_of(answers) == questions_of(turned) == questions_of(graded(3))
    assert questions_of(answers) != questions_of(graded(74, asked=74))
