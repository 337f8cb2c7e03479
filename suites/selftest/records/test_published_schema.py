import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from fixtures.records.part import Part
from fixtures.records.published_schema import FOLDER, PUBLISHED, schema_of
from fixtures.records.run_schema import LeftOutRecord
from suites.selftest.histories import baseline_of, measured
from suites.selftest.reports.runs import a_failure, a_run, judged
from suites.selftest.reports.test_upgrade_table import RECORD
from suites.selftest.specimens import DIED, NOT_SEEN

pytestmark = pytest.mark.selftest

REAL = Path(__file__).parent / "real"

RUN = a_run(
    judged("fail"),
    failures=[a_failure("boom")],
    left_out=[LeftOutRecord(what="a", why="b")],
    ended_at=NOT_SEEN,
).record


def _faults(name: str, value: Any) -> list[str]:  # noqa: ANN401 - JSON
    return [error.message for error in Draft202012Validator(schema_of(name)).iter_errors(value)]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_committed_copy_is_what_the_models_give(name: str) -> None:
    """A change of form is a change of this file: `ci/suite schema NAME` prints it anew."""
    text = (FOLDER / f"{name}.json").read_text("utf-8")
    assert json.loads(text) == schema_of(name)
    assert text == json.dumps(schema_of(name), indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_schema_is_one_and_says_what_it_is(name: str) -> None:
    """By its dialect, with an id of its name and version, and what fields mean."""
    schema = schema_of(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:minicpmv-vllm-regression:{name}:{PUBLISHED[name].version}"
    assert schema["title"]
    assert schema["description"]


def test_fields_are_described_by_their_docstrings() -> None:
    """Also those of parts, and where the type is one of several."""
    schema = schema_of("record")
    assert schema["properties"]["role"].get("description") is None
    told = schema["properties"]["throughput_repeated"]["description"]
    assert told == "With the same pictures in every round, so that caches are warm."
    phase = schema["$defs"]["PhaseRecord"]["properties"]
    assert phase["plateau_bytes"]["description"].startswith("The level held longest in it")


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("record", measured()),
        ("record", measured(start=DIED, memory=NOT_SEEN, throughput=NOT_SEEN)),
        ("run", RUN),
        ("upgrade", RECORD),
        ("baseline", baseline_of(measured())),
    ],
)
def test_what_is_written_is_valid(name: str, made: Part) -> None:
    """Whole or not; without a key that there must be, or with one more, it is not."""
    value = json.loads(made.model_dump_json())
    assert _faults(name, value) == []
    assert _faults(name, value | {"more": 1})
    del value["case_id" if name != "run" else "own"]
    assert _faults(name, value)


@pytest.mark.parametrize("path", [*REAL.glob("*.json")], ids=lambda path: path.stem)
def test_what_real_runs_wrote_is_valid(path: Path) -> None:
    """Of a cell that was asked and loaded, of one that the kernel killed, and of a comparison.

    Of lists that are long the first entries are kept.
    """
    name = path.stem.partition("-")[0]
    assert _faults(name, json.loads(path.read_text("utf-8"))) == []
