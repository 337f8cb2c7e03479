import pytest

from fixtures.cells.matrix import load_matrix
from fixtures.runtimes.environments import CHECKOUT
from suites.selftest.plugin.conftest import RunPytest

pytestmark = pytest.mark.selftest

CPU = [case for case in load_matrix(CHECKOUT / "suites" / "matrix.toml") if case.card_name == "cpu"]
FOLDERS = ("suites/soak", "suites/startup")


def test_a_soak_runs_only_when_it_is_named(collect: RunPytest) -> None:
    """A run of the card leaves it out, and says how it is asked for."""
    for expression in ("cpu", "cpu and nightly"):
        ended = collect("-m", expression, *FOLDERS)
        assert not any("suites/soak" in test for test in ended.ids)
        assert any("suites/startup" in test for test in ended.ids)
        assert 'soak of cpu cells: it runs with -m "cpu and soak"' in ended.out


def test_a_named_soak_runs_alone_and_on_one_cell(collect: RunPytest) -> None:
    """The first cell of every run that can be asked, and no other stage."""
    ended = collect("-m", "cpu and soak", *FOLDERS)
    (test,) = ended.ids
    first = next(case for case in CPU if case.every_run and case.model.answers)
    assert test.startswith("suites/soak/")
    assert test.endswith(f"[{first.id}]")
    assert "soak of 7 further cpu cells: name them with --cell" in ended.out


def test_a_crosscheck_runs_only_when_it_is_named(collect: RunPytest) -> None:
    """It stands beside a stage of every run, and is none."""
    assert not any("crosscheck" in test for test in collect("-m", "cpu", "suites/throughput").ids)
    (test,) = collect("-m", "cpu and crosscheck", "suites/throughput").ids
    assert test.startswith("suites/throughput/test_crosscheck.py")


def test_other_cells_are_soaked_where_they_are_named(collect: RunPytest) -> None:
    """`--cell` chooses, nightly cells too."""
    named = "cpu-tiny-seqs=16-len=2048-alloc=glibc"
    (test,) = collect("-m", "cpu and soak", f"--cell={named}", *FOLDERS).ids
    assert test.endswith(f"[{named}]")
