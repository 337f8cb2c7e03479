from pathlib import Path

import pytest

from fixtures.records.runs import RunError, read_run
from suites.selftest.histories import measured, write_run

pytestmark = pytest.mark.selftest


def test_a_run_is_found_by_its_folder_or_its_id(tmp_path: Path) -> None:
    """Both name the same records; what lies beside them is not read."""
    folder = write_run(tmp_path / "run-1", measured())
    (folder / measured().case_id).mkdir()
    (folder / measured().case_id / "marks.json").write_text("[]", "utf-8")
    assert read_run("run-1", tmp_path) == read_run(str(folder), Path("/nowhere")) == [measured()]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("none", None, "no run 'none': name its folder, or its id below "),
        ("empty", "", "no record in it"),
        ("old", '{"schema_version": 2}', "of schema 2, and this suite reads 3: run it anew"),
        ("other", '{"schema_version": 3}', "no record: run_id: Field required"),
        ("broken", "{", "no record: "),
    ],
)
def test_what_is_no_run_is_told(tmp_path: Path, name: str, text: str | None, said: str) -> None:
    """No folder, no record, one of an older schema or half of one: a line with the reason."""
    if text is not None:
        (tmp_path / name).mkdir()
    if text:
        (tmp_path / name / "case.json").write_text(text, "utf-8")
    with pytest.raises(RunError) as raised:
        read_run(name, tmp_path)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
