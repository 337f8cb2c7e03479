"""`ci/suite merge` on runs as they lie on disk."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.commands.__main__ import main
from fixtures.commands.beside import beside
from fixtures.records.run_schema import RunRecord
from fixtures.records.runs import read_whole
from fixtures.records.store import replace
from fixtures.reports.table import render_table
from fixtures.runtimes.environments import CHECKOUT
from suites.selftest.programs import no_room
from suites.selftest.reports.test_upgrade_table import RECORD
from suites.selftest.sharded import (
    CELLS,
    DEALT,
    a_comparison,
    a_run,
    changed,
    three_shards,
    write,
)

pytestmark = pytest.mark.selftest


def _merge(root: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """What `ci/suite merge` becomes, with the runs of `root` by their ids."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "fixtures.commands", "merge", *args, f"--records={root}"],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the runs of three shards and that of one process lie."""
    for run in three_shards():
        write(tmp_path, run)
    write(tmp_path, a_run("whole", CELLS))
    return tmp_path


def _beside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_three_shards_joined_are_one_process(root: Path) -> None:
    """The same records, verdicts, table, counts, failures and exit code as the run of all cells."""
    ended = _merge(root, "run-3", "run-1", "run-2", f"--into={root / 'joined'}")
    joined, whole = (read_whole(name, root) for name in ("joined", "whole"))
    assert isinstance(joined.record, RunRecord)
    assert isinstance(whole.record, RunRecord)
    in_one = [case.model_copy(update={"run_id": "whole"}) for case in joined.cases]
    assert in_one == list(whole.cases)
    table = render_table(whole.cases, 120, color=False)
    assert render_table(joined.cases, 120, color=False) == table
    assert table in ended.stdout
    for name in ("planned", "own", "tests", "failures", "left_out", "exit_code", "ended_at"):
        assert getattr(joined.record, name) == getattr(whole.record, name), name
    assert ended.returncode == whole.record.exit_code == 1
    assert joined.record.merged_from == ["run-1", "run-2", "run-3"]


def test_what_lies_beside_the_records_comes_along(root: Path) -> None:
    """Each case's log, and nothing of the folders from which it came is changed."""
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    _merge(root, "run-1", "run-2", "run-3", f"--into={root / 'joined'}")
    assert {path: path.read_bytes() for path in before} == before
    for case_id in CELLS:
        log = root / "joined" / case_id / "server.log"
        assert log.read_text() == f"log of {case_id}\n"
    reports = ("report", "summary.md", "metrics.prom")
    names = [*CELLS, *(f"{case_id}.json" for case_id in CELLS), "run.json", *reports]
    assert _beside(root / "joined") == sorted(names)


def test_starts_of_comparisons_get_a_folder_a_run(tmp_path: Path) -> None:
    """Both have a `01-baseline`; the paths in the joined records lead to the right one."""
    for number, case_id in enumerate(CELLS[:2], 1):
        run_id = f"run-{number}"
        run = changed(a_run(run_id, (), (number, 2)), own=[case_id], compared=[case_id])
        folder = write(tmp_path, run)
        (folder / "upgrade").mkdir()
        comparison = a_comparison(run_id, case_id, RECORD)
        replace(folder / "upgrade" / f"{case_id}.json", comparison)
        for start in comparison.starts:
            path = folder / start.record
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{run_id} {start.side}")
    _merge(tmp_path, "run-1", "run-2", f"--into={tmp_path / 'joined'}")
    joined = read_whole("joined", tmp_path)
    assert [one.case_id for one in joined.comparisons] == list(CELLS[:2])
    for one in joined.comparisons:
        told = [(joined.folder / start.record).read_text() for start in one.starts]
        assert told == [f"{one.run_id} baseline", f"{one.run_id} candidate"]


def test_without_a_place_it_is_a_run_of_its_own_below_the_records(root: Path) -> None:
    """With a new id, by which other words find it."""
    before = _beside(root)
    _merge(root, "run-1", "run-2", "run-3")
    (new,) = set(_beside(root)) - set(before)
    record = read_whole(new, root).record
    assert isinstance(record, RunRecord)
    assert record.run_id == new


def test_a_missing_shard_is_named_and_red(root: Path) -> None:
    """What there is is joined all the same."""
    ended = _merge(root, "run-1", "run-3", f"--into={root / 'joined'}")
    assert ended.returncode == 1
    assert f"there is no record of: {', '.join(['shard 2/3', *DEALT[1]])}\n" in ended.stderr
    joined = read_whole("joined", root)
    assert [case.case_id for case in joined.cases] == [c for c in CELLS if c not in DEALT[1]]
    summary = (joined.folder / "summary.md").read_text("utf-8")
    for cell in DEALT[1]:
        assert f"- **missing**: `{cell}`: `cell`: `planned, and has no record`" in summary
    metrics = (joined.folder / "metrics.prom").read_text("utf-8")
    assert f"minicpmv_run_planned_cells {float(len(CELLS))}\n" in metrics
    assert f"minicpmv_run_missing_cells {float(len(DEALT[1]))}\n" in metrics


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("run-1", "run-1"), "they are the same run"),
        (("run-1", "whole"), "whole is no part of a run: it ran without --shard"),
        (("run-1", "run-9"), "no run 'run-9'"),
        (("run-1", "--into=FULL"), "FULL: there is something in it"),
        (("run-1", "--into=run-1/x"), "run-1/x: lies within run-1"),
    ],
)
def test_what_cannot_be_joined_is_exit_code_4(
    root: Path, args: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, and nothing is written."""
    (root / "FULL").mkdir()
    (root / "FULL" / "file").touch()
    before = _beside(root)
    monkeypatch.chdir(root)
    ended = _merge(root, *args)
    assert (ended.returncode, ended.stdout) == (4, "")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert _beside(root) == before


def test_no_room_leaves_no_half_folder(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told with the remedy."""
    before = _beside(root)
    with no_room(2_000):
        code = main(["merge", "run-1", "run-2", "--into", str(root / "x"), "--records", str(root)])
    assert code == 4
    assert "x: cannot be written" in capsys.readouterr().err
    assert _beside(root) == before


def _cancelled(into: Path) -> None:
    with beside(into) as folder:
        (folder / "half").touch()
        os.kill(os.getpid(), signal.SIGTERM)
        signal.sigtimedwait([signal.SIGUSR1], 5)


def test_a_signal_leaves_no_half_folder(tmp_path: Path) -> None:
    """A cancelled job has either the whole folder or none, and signals mean what they did."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        _cancelled(tmp_path / "joined")
    assert _beside(tmp_path) == []
    assert signal.getsignal(signal.SIGTERM) == before
