import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.cells.matrix import MatrixError, line_of, load_matrix

pytestmark = pytest.mark.selftest

GOOD = """\
# A comment about max_num_seqs.
[[cpu]]
model = "tiny"
budget_gib = 4.0
axes = { max_num_seqs = [4], max_model_len = [2048], allocator = ["glibc"] }
every_run = ["seqs=4-len=2048-alloc=glibc"]

[[gpu48]]
model = "minicpmv-2.6"
budget_gib = 44.0
cells = [
  { max_num_seqs = 1, max_model_len = 2048, allocator = "default" },
  { max_num_seqs = 2, max_model_len = 2048, allocator = "gc0.8", role = "fix" },
]
"""
SINGLE = '{ max_num_seqs = 1, max_model_len = 2048, allocator = "default" }'


def _error(folder: Path, text: str) -> tuple[str, str]:
    """Line and sentence of the error, which is one line and begins with the file."""
    path = folder / "matrix.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MatrixError) as raised:
        load_matrix(path)
    said = str(raised.value)
    assert said.count("\n") == 0
    found = re.match(rf"{re.escape(str(path))}(?::(\d+))?: (.*)", said)
    assert found, said
    return found[1] or "", found[2]


def test_the_matrix_of_these_tests_is_good(tmp_path: Path) -> None:
    """Without a planted fault the text loads: each fault below is the only one."""
    path = tmp_path / "matrix.toml"
    path.write_text(GOOD)
    assert [case.cell.max_num_seqs for case in load_matrix(path)] == [4, 1, 2]


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("[[gpu48]]", "[[gpu49]]", 8, "unknown card 'gpu49': one of cpu, cpu4"),
        ("[[gpu48]]", "[gpu48]", 8, "write [[gpu48]]"),
        ('"tiny"', '"huge"', 3, "unknown model 'huge': one of tiny, wide"),
        ("budget_gib = 4.0", "budget = 4.0", 2, "budget_gib: Field required"),
        ("budget_gib = 4.0", "budget_gib = 4.0\nbudgets = 1", 5, "no such key"),
        ("budget_gib = 4.0", 'budget_gib = "4"', 4, "valid number"),
        ("budget_gib = 4.0", "budget_gib = 0", 4, "greater than 0"),
        ("budget_gib = 44.0", "budget_gib = 49", 10, "budget 49 GiB is above the card (48 GiB)"),
        ("max_num_seqs = [4]", "max_num_seqs = 4", 5, "valid list"),
        ("max_num_seqs = [4]", "max_num_seqs = []", 5, "at least 1 item"),
        ("max_num_seqs = [4]", "max_num_seqs = [0]", 5, "greater than or equal to 1"),
        ("max_num_seqs = [4]", 'max_num_seqs = ["4"]', 5, "valid integer"),
        ("max_num_seqs = [4]", "max_num_seqs = [4, 4]", 2, "stands twice"),
        ('["glibc"]', '["jemalloc"]', 5, "unknown allocator 'jemalloc'"),
        ('["glibc"]', '["expandable"]', 5, "is not for cpu: one of arena1, glibc"),
        ('"gc0.8"', '"glibc"', 13, "is not for gpu48: one of default, expandable, gc0.8"),
        ("every_run = [", 'every_run = ["seqs=9", ', 6, "every_run names 'seqs=9'"),
        ("every_run = [", 'roles = { "seqs=9" = "fix" }\nevery_run = [', 6, "roles names 'seqs=9'"),
        ('role = "fix"', 'role = "cure"', 13, "'incident' or 'fix'"),
        ('role = "fix"', 'roll = "fix"', 13, "roll"),
        ("max_num_seqs = 2", "max_num_seqs = 1.5", 13, "valid integer"),
        ("max_num_seqs = 2", "max_num_seqs = 0", 13, "greater than or equal to 1"),
        ("max_num_seqs = 2", 'extra_flags = "-x", max_num_seqs = 2', 13, "valid tuple"),
        ('role = "fix"', 'versions = "0.9.1"', 13, "cells.1.versions: '0.9.1' names no versions"),
        ('role = "fix"', "versions = 0.9", 13, "valid string"),
        ("budget_gib = 44.0", 'budget_gib = 44\nversions = "<x"', 11, "'<x' names no versions"),
        ("budget_gib = 44.0", "budget_gib =", "", "not TOML"),
    ],
)
def test_a_fault_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, line: int | str, says: str
) -> None:
    """Each fault is one line that names the file, the line of the fault, and what is wrong."""
    assert GOOD.count(old) == 1
    where, sentence = _error(tmp_path, GOOD.replace(old, new))
    assert (where, says in sentence) == (str(line), True), f"{where}: {sentence}"


def test_a_cell_is_for_its_own_versions_and_for_those_of_its_part(tmp_path: Path) -> None:
    """What the part says holds for each of its cells, beside what the cell says itself."""
    path = tmp_path / "matrix.toml"
    part = GOOD.replace("axes =", 'versions = "<0.31"\naxes =')
    part = part.replace("budget_gib = 44.0", 'budget_gib = 44.0\nversions = ">=0.8"')
    path.write_text(part.replace('role = "fix"', 'versions = "<0.9.1"'))
    assert [case.versions for case in load_matrix(path)] == ["<0.31", ">=0.8", ">=0.8, <0.9.1"]


def test_a_cell_in_two_parts_of_a_card_stands_twice(tmp_path: Path) -> None:
    """The second part is the one to be corrected."""
    again = f'\n[[gpu48]]\nmodel = "minicpmv-2.6"\nbudget_gib = 40.0\ncells = [{SINGLE}]\n'
    where, sentence = _error(tmp_path, GOOD + again)
    assert "gpu48-minicpmv-2.6-seqs=1-len=2048-alloc=default stands twice" in sentence
    assert where == str(len((GOOD + again).splitlines()))


def test_a_part_without_cells_is_refused(tmp_path: Path) -> None:
    """A part that yields nothing would look checked."""
    where, sentence = _error(tmp_path, '[[cpu]]\nmodel = "tiny"\nbudget_gib = 4.0\n')
    assert where == "2"
    assert "nothing could be checked" in sentence


@pytest.mark.parametrize("text", ["", "# nothing\n", "cpu = []\n"])
def test_a_matrix_without_cells_is_refused(tmp_path: Path, text: str) -> None:
    """A matrix that yields no cell at all is an error, not an empty run."""
    assert "no cell in it" in _error(tmp_path, text)[1]


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    """The file that is not there is named, with the system's own words."""
    with pytest.raises(MatrixError, match=r"none\.toml: cannot be read \(No such file"):
        load_matrix(tmp_path / "none.toml")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=200))
def test_any_bytes_are_a_matrix_or_a_matrix_error(tmp_path: Path, raw: bytes) -> None:
    """Whatever the file holds, nothing but a `MatrixError` comes out."""
    path = tmp_path / "matrix.toml"
    path.write_bytes(raw)
    with pytest.raises(MatrixError):
        load_matrix(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(data=st.data())
def test_a_damaged_matrix_is_told_in_one_line(tmp_path: Path, data: st.DataObject) -> None:
    """A value torn out of a good matrix gives cases or one line, never a crash."""
    start = data.draw(st.integers(0, len(GOOD)))
    length = data.draw(st.integers(0, 20))
    put_in = data.draw(st.sampled_from(["", "1", '"x"', "[1]", "{}", "true", "1.5", "[[cpu]]\n"]))
    path = tmp_path / "matrix.toml"
    path.write_text(GOOD[:start] + put_in + GOOD[start + length :])
    said = ""
    try:
        cases = load_matrix(path)
    except MatrixError as error:
        said = str(error)
    assert re.fullmatch(rf"{re.escape(str(path))}(:\d+)?: .+", said) if said else cases


@pytest.mark.parametrize(
    ("card", "index", "key", "line"),
    [
        ("cpu", 0, "model", 3),
        ("cpu", 0, "max_num_seqs", 5),
        ("gpu48", 0, "model", 9),
        ("gpu48", 0, "nowhere", 8),
        ("gpu48", 0, "", 8),
        ("gpu80", 0, "model", 1),
    ],
)
def test_a_line_is_the_first_with_the_key_in_the_part(
    card: str, index: int, key: str, line: int
) -> None:
    """Without the key it is the part's header, without the part the first line."""
    assert line_of(GOOD, card, index, key) == line


def test_a_line_is_looked_for_in_the_part_of_its_number() -> None:
    """The same key in an earlier part of the card is not meant."""
    text = '[[cpu]]\nmodel = "tiny"\n[[cpu]]\n# model = 1\nmodel = "wide"\n'
    assert line_of(text, "cpu", 1, "model") == 5


def test_a_brace_in_a_string_opens_no_cell() -> None:
    """JSON in a flag does not shift the cells after it."""
    text = "[[cpu]]\ncells = [\n  { extra_flags = ['{\"a\": 1}'] }, # {\n  { role = 1 },\n]\n"
    assert line_of(text, "cpu", 0, "role", cell=1) == 4
