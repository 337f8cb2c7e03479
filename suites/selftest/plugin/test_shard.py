"""Runs of small suites in shards, and the same in one process."""

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from fixtures.commands.__main__ import main
from fixtures.records.run_schema import RunRecord
from fixtures.records.runs import Run, read_whole
from fixtures.reports.table import render_table
from suites.selftest.plugin.conftest import (
    Ended,
    RunPytest,
    environment,
    seeming_vllm,
    small_command,
    write,
)

pytestmark = pytest.mark.selftest

CASE = "def test_it(case): pass\n"
MATRIX = """
[[cpu]]
model = "tiny"
budget_gib = 4.0
cells = [
  { max_num_seqs = 1, max_model_len = 2048, allocator = "glibc" },
  { max_num_seqs = 2, max_model_len = 2048, allocator = "glibc" },
  { max_num_seqs = 3, max_model_len = 2048, allocator = "glibc" },
  { max_num_seqs = 4, max_model_len = 2048, allocator = "glibc" },
]
"""
CELLS = [f"cpu-tiny-seqs={number}-len=2048-alloc=glibc" for number in (1, 2, 3, 4)]
SUITES = {
    "startup/test_it.py": """
        from fixtures.verdicts.verdict import Verdict

        def test_it(deployment, judge):
            deployment.close()
            number = deployment.case.cell.max_num_seqs
            judge(Verdict("it", "fail" if number == 3 else "pass", f"it was {number}"))

        def test_other(case):
            pass
    """,
    "selftest/test_own.py": """
        import pytest

        @pytest.mark.selftest
        def test_own():
            pass
    """,
}


@pytest.fixture(scope="session")
def vllm_that_ends(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment in which a vLLM seems to be installed whose servers end at once."""
    return seeming_vllm(tmp_path_factory.mktemp("runtime"), "raise SystemExit('it is over')\n")


def _start(folder: Path, vllm: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *small_command(folder),
            *(f"--matrix={folder / 'matrix.toml'}", f"--runtime=venv:{vllm}"),
            *("-m", "selftest or cpu", *arguments),
        ],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _ended(run: subprocess.Popen[str]) -> Ended:
    out, _ = run.communicate()
    return Ended(run.returncode, out, "")


def _only_run(root: Path) -> Run:
    (folder,) = root.iterdir()
    return read_whole(folder.name, root)


def _failed(record: RunRecord) -> list[tuple[str, str]]:
    return [(one.test, one.case_id) for one in record.failures]


def _cells_and_verdicts(run: Run) -> list[tuple[str, ...]]:
    """The table's rows, without figures that no two starts have alike."""
    table, _, _ = render_table(run.cases, 120, color=False).partition("\n\n")
    rows = [row.split() for row in table.splitlines() if row.startswith("cpu-tiny")]
    return [(row[0], row[-1]) for row in rows]


def test_three_processes_joined_are_one(
    tmp_path: Path, vllm_that_ends: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same cells, verdicts, failures, counts, remarks and exit code, each cell started once."""
    write(tmp_path, SUITES)
    (tmp_path / "matrix.toml").write_text(MATRIX)
    whole_ended = _ended(_start(tmp_path, vllm_that_ends, f"--records={tmp_path / 'whole'}"))
    assert whole_ended.code == 1, whole_ended.out
    shards = [
        _start(tmp_path, vllm_that_ends, f"--shard={n}/3", f"--records={tmp_path / f'shard-{n}'}")
        for n in (1, 2, 3)
    ]
    said = [_ended(run).out for run in shards]
    parts = [_only_run(tmp_path / f"shard-{n}") for n in (1, 2, 3)]
    owned = [part.record.own for part in parts if isinstance(part.record, RunRecord)]
    assert sorted(map(len, owned)) == [1, 1, 2]
    folders = [str(part.folder) for part in parts]
    joined_at = tmp_path / "joined" / "run"
    assert main(["merge", *folders, "--into", str(joined_at)]) == 1
    capsys.readouterr()
    joined, whole = read_whole("run", tmp_path / "joined"), _only_run(tmp_path / "whole")
    assert isinstance(joined.record, RunRecord)
    assert isinstance(whole.record, RunRecord)
    for name in ("planned", "own", "tests", "left_out", "exit_code", "suite_version"):
        assert getattr(joined.record, name) == getattr(whole.record, name), name
    assert _failed(joined.record) == _failed(whole.record)
    assert _cells_and_verdicts(joined) == _cells_and_verdicts(whole)
    assert Counter(outcome for _, outcome in _cells_and_verdicts(whole)) == {"pass": 3, "fail": 1}
    assert [[v.reason for v in case.verdicts] for case in joined.cases] == [
        [v.reason for v in case.verdicts] for case in whole.cases
    ]
    for out, cells in zip(said, owned, strict=True):
        others = [cell for cell in CELLS if cell not in cells]
        left_out = out.partition(" left out ")[2].partition(" short test summary ")[0]
        assert [cell for cell in CELLS if cell in left_out] == others


def _collected(small_suites: RunPytest, tmp_path: Path, *arguments: str) -> Ended:
    (tmp_path / "matrix.toml").write_text(MATRIX)
    return small_suites(
        SUITES, f"--matrix={tmp_path / 'matrix.toml'}", "--collect-only", "-q", *arguments
    )


def test_the_suites_own_tests_are_the_first_shards(small_suites: RunPytest, tmp_path: Path) -> None:
    """Beside its share of the cells, each with all of its tests."""
    ended = _collected(small_suites, tmp_path, "-m", "selftest or cpu", "--shard=1/2")
    assert ended.ids[0] == "suites/selftest/test_own.py::test_own"
    assert len(ended.ids) == 1 + 2 * 2


def test_other_shards_say_who_has_the_suites_own_tests(
    small_suites: RunPytest, tmp_path: Path
) -> None:
    """As they say who has which cells."""
    ended = _collected(small_suites, tmp_path, "-m", "selftest or cpu", "--shard=2/2")
    assert len(ended.ids) == 2 * 2
    assert "cells of shard 1/2: cpu-tiny-" in ended.out
    assert "tests that look at no cell: shard 1/2 has them" in ended.out


@pytest.mark.parametrize("shard", ["1/5", "5/5"])
def test_more_shards_than_cells_are_refused_in_every_shard(
    small_suites: RunPytest, tmp_path: Path, shard: str
) -> None:
    """With the most that there may be: a shard without a cell would be red, for nothing."""
    ended = _collected(small_suites, tmp_path, "-m", "cpu", f"--shard={shard}")
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    said = f"--shard {shard}: only 4 cells are selected: at most --shard N/4"
    assert said in ended.err


def test_tests_without_a_cell_cannot_be_dealt(small_suites: RunPytest, tmp_path: Path) -> None:
    """A run of the suite's own tests alone has no shards."""
    ended = _collected(small_suites, tmp_path, "-m", "selftest", "--shard=1/2")
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert "--shard 1/2: only 0 cells are selected: leave --shard out" in ended.err


def test_a_cell_of_a_night_is_dealt_with_the_night(collect: RunPytest) -> None:
    """What is left out anyway is no part of the deal, and each test is in exactly one shard."""
    paths = ("suites/startup", "suites/upgrade", "suites/memory")
    night = ("-m", "cpu and nightly")
    parts = [collect(*night, *paths, f"--shard={n}/2").ids for n in (1, 2)]
    assert sorted(parts[0] + parts[1]) == sorted(collect(*night, *paths).ids)
    assert not set(parts[0]) & set(parts[1])
