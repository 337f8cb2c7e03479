import shlex
from fnmatch import fnmatchcase

import pytest

from fixtures.records.part import Unmeasured
from fixtures.records.run_schema import RunRecord
from fixtures.reports.html.repeating import of_cell, of_run
from suites.selftest.reports.html.pages import CASE, a_run_record
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest


def _run(*args: str, **variables: str) -> RunRecord:
    return a_run_record([CASE], args=list(args), variables=variables)


def test_a_run_is_repeated_as_it_was_called() -> None:
    """Quoted for a shell, with what was set in the environment."""
    run = _run("-m", "cpu and nightly", MINICPMV_MODEL="/my models/a")
    said = of_run(run)
    assert said == "MINICPMV_MODEL='/my models/a' ci/suite -m 'cpu and nightly'"
    assert of_run(NOT_SEEN) == NOT_SEEN


@pytest.mark.parametrize(
    "args",
    [
        ["-m", "cpu and nightly", "--questions", "9"],
        ["-m", "selftest or cpu", "--questions", "9", "--cell", "cpu-*"],
        ["--shard=2/3", "--questions", "9", "--cell=x", "--records", "elsewhere"],
    ],
)
def test_a_cell_is_repeated_alone(args: list[str]) -> None:
    """What chose the cells is taken away, and all else of the call stays."""
    said = of_cell(CASE, "cpu", _run(*args), None)
    assert shlex.split(said) == ["ci/suite", "-m", "cpu", "--questions", "9", f"--cell={CASE}"]


def test_a_cell_of_a_run_without_a_record_has_a_command_too() -> None:
    """The card's marker and the cell are enough."""
    said = of_cell(CASE, "cpu", Unmeasured(unmeasured="old"), None)
    assert shlex.split(said) == ["ci/suite", "-m", "cpu", f"--cell={CASE}"]


def test_an_id_with_brackets_matches_itself() -> None:
    """`--cell` is a pattern, in which a bracket would be no bracket."""
    odd = "cpu-tiny-seqs=1-len=2-alloc=glibc-flags=x{'a': [1]}?*"
    pattern = shlex.split(of_cell(odd, "cpu", _run(), None))[-1].removeprefix("--cell=")
    assert fnmatchcase(odd, pattern)
    assert not fnmatchcase(odd.replace("[1]", "1"), pattern)
