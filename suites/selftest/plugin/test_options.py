from pathlib import Path

import pytest

from fixtures.cells.cards import CARDS
from suites.selftest.plugin.conftest import RunPytest

pytestmark = pytest.mark.selftest

USAGE_ERROR = pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize(
    "argument",
    [
        "--ready-timeout=0",
        "--ready-timeout=nan",
        "--release-timeout=0",
        "--questions=0",
        "--questions=many",
        "--allocator-witness=maybe",
        "--shard=0/3",
        "--shard=4/3",
        "--shard=x",
    ],
)
def test_a_value_that_makes_no_sense_is_refused(small_suites: RunPytest, argument: str) -> None:
    """A bad value ends the run before it begins, and the option and the value are named."""
    ended = small_suites({}, argument)
    option, _, value = argument.partition("=")
    assert ended.code == USAGE_ERROR
    (line,) = [line for line in ended.err.splitlines() if "error:" in line]
    assert option in line
    assert value in line


def test_every_marker_is_registered(small_suites: RunPytest) -> None:
    """Each card and each of the suite's own markers is listed with its meaning."""
    ended = small_suites({}, "--markers")
    assert ended.code == 0
    for marker in (*CARDS, "selftest", "nightly", "needs_answers", "only_case(id)"):
        assert f"@pytest.mark.{marker}: " in ended.out


def test_a_misspelt_marker_is_refused(small_suites: RunPytest) -> None:
    """A test with a marker that nobody registered does not quietly leave every selection."""
    code = "import pytest\n@pytest.mark.selftset\ndef test_it(): pass\n"
    ended = small_suites({"selftest/test_it.py": code})
    assert ended.code == pytest.ExitCode.INTERRUPTED
    assert "'selftset' not found in `markers`" in ended.out


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[[cpu]]\nmodel = "tiny"\nbudget_gib = 7\n', ":3: budget 7 GiB is above the card (6 GiB)"),
        (None, ": cannot be read (No such file or directory)"),
    ],
    ids=["wrong", "missing"],
)
def test_a_wrong_matrix_ends_the_run_with_its_line(
    small_suites: RunPytest, tmp_path: Path, text: str | None, line: str
) -> None:
    """Whatever is wrong with the matrix is said in one line, before anything is collected."""
    matrix = tmp_path / "own.toml"
    if text:
        matrix.write_text(text + "cells = [{max_num_seqs=1,max_model_len=1,allocator='glibc'}]")
    ended = small_suites({}, f"--matrix={matrix}")
    assert ended.code == USAGE_ERROR
    assert ended.err.startswith(f"ERROR: {matrix}{line}")
    assert len(ended.err.strip().splitlines()) == 1


def test_records_that_cannot_be_kept_end_the_run(small_suites: RunPytest, tmp_path: Path) -> None:
    """Without a place for the records nothing is measured, and the option is named."""
    (tmp_path / "file").touch()
    code = "import pytest\n@pytest.mark.selftest\ndef test_it(plan): raise AssertionError\n"
    ended = small_suites({"selftest/test_it.py": code}, f"--records={tmp_path / 'file'}")
    assert ended.code == USAGE_ERROR
    assert "name another with --records" in ended.out
