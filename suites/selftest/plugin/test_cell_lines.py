"""Each cell is told once, when its last test is over."""

from textwrap import dedent

import pytest

from suites.selftest.histories import measured
from suites.selftest.plugin.conftest import RunPytest

pytestmark = pytest.mark.selftest

# Keeps a record as a deployment does, without a server.
LOOKS = f"""
    from pathlib import Path
    from fixtures.plugin.keeping import STORE
    from fixtures.records.schema import CaseRecord
    from fixtures.records.store import RunStore

    def test_it(case, pytestconfig):
        store = RunStore(Path("records"), "run")
        pytestconfig.stash[STORE] = store
        record = CaseRecord.model_validate_json({measured(took_s=81.0).model_dump_json()!r})
        store.write(record.model_copy(update={{"case_id": case.id}}))
"""
LATER = "def test_later(case): assert 'seqs=16' not in case.id\n"
ASKED = ("-m", "cpu", "-k", "tiny")


def test_a_line_comes_with_the_last_test_of_each_cell(small_suites: RunPytest) -> None:
    """Between its tests and those of the next cell, whether they failed or not, unstyled."""
    files = {"startup/test_it.py": LOOKS, "shutdown/test_later.py": LATER}
    ended = small_suites(files, "-v", *ASKED)
    lines = ended.out.splitlines()
    cells = [line.partition("[")[2].partition("]")[0] for line in lines if "test_later[" in line]
    assert len(cells) >= 4
    told = [line for line in lines if ": pass, start 21 s, peak 3,000 / 4,096 MiB" in line]
    assert [line.partition(":")[0] for line in told] == list(dict.fromkeys(cells))
    for line in told:
        before = lines[lines.index(line) - 1]
        assert "test_later.py::test_later[" + line.partition(":")[0] in before
        assert line.endswith("tokens/s, 1.4 min")
    assert "\x1b" not in ended.out


@pytest.mark.parametrize("arguments", [("-q", *ASKED), ("-m", "selftest", "-k", "tiny")])
def test_where_nobody_asked_no_line_comes(
    small_suites: RunPytest, arguments: tuple[str, ...]
) -> None:
    """Neither in a quiet run nor for a cell that only a selftest looked at."""
    marked = f"import pytest\npytestmark = pytest.mark.selftest\n{dedent(LOOKS)}"
    ended = small_suites({"startup/test_it.py": LOOKS, "selftest/test_own.py": marked}, *arguments)
    assert ended.code == 0, ended.out
    assert ": pass, start" not in ended.out


def test_how_many_cells_there_are_is_told_first(small_suites: RunPytest) -> None:
    """Before any of them is started."""
    ended = small_suites({"startup/test_it.py": LOOKS}, *ASKED)
    said = "4 cells, for an unknown time: no earlier run went as far"
    assert ended.out.index(said) < ended.out.index("test_it.py")
