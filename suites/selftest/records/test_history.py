import sqlite3
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from fixtures.records.history import HistoryError, add_run, read_history
from fixtures.records.history_schema import MIGRATIONS
from fixtures.records.metrics import measured_of
from suites.selftest.histories import loaded_at, measured, on_host
from suites.selftest.specimens import NOT_SEEN

pytestmark = pytest.mark.selftest

FIGURES = len(measured_of(measured()))
WRITERS, FILES = 2, 100


def _write(folder: Path, own: str, together: Barrier) -> None:
    """Add a run of its own, and one that the other writer adds as well, to one file after another.

    The other one makes each file at the same moment.
    """
    for number in range(FILES):
        together.wait(60)
        path = folder / f"{number}.sqlite"
        add_run(path, [measured(own)])
        add_run(path, [measured("shared")])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of history that is not there yet, in a folder that is not there either."""
    return tmp_path / "records" / "history.sqlite"


def _rows(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as file:
        (count,) = file.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - own names
    return int(count)


def _version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as file:
        (version,) = file.execute("PRAGMA user_version").fetchone()
    return int(version)


def test_a_run_is_in_it_once(path: Path) -> None:
    """Adding it again adds nothing, and changes nothing."""
    assert add_run(path, [measured("a")]) == FIGURES
    assert add_run(path, [measured("a", throughput=loaded_at(1.0))]) == 0
    assert (_rows(path, "figure"), _rows(path, "cell")) == (FIGURES, 1)
    (series,) = read_history(path, "tokens_per_s")
    assert [night.value for night in series.nights] == [100.0]


def test_what_a_run_measured_later_is_put_to_it(path: Path) -> None:
    """A run that was added before it ended is completed, not kept in halves."""
    add_run(path, [measured("a", throughput=NOT_SEEN)])
    assert read_history(path, "tokens_per_s") == []
    add_run(path, [measured("a")])
    assert _rows(path, "figure") == FIGURES


def test_series_are_in_order_of_time(path: Path) -> None:
    """Whatever the order in which runs were added; the newest ones are asked for by number."""
    for day in (3, 1, 2):
        record = measured(f"run-{day}", throughput=loaded_at(float(day)))
        started = {"started_at": f"2026-02-0{day}T03:00:00+00:00"}
        provenance = record.provenance.model_copy(update=started)
        add_run(path, [record.model_copy(update={"provenance": provenance})])
    (series,) = read_history(path, "tokens_per_s", "cpu-tiny-*")
    assert [night.value for night in series.nights] == [1, 2, 3]
    assert {night.vllm for night in series.nights} == {"0.29.0"}
    (newest,) = read_history(path, "tokens_per_s", last=2)
    assert [night.value for night in newest.nights] == [2, 3]
    assert read_history(path, "tokens_per_s", "gpu48-*") == []


def test_speed_of_two_kinds_of_hosts_is_two_series(path: Path) -> None:
    """Another machine is no change of level; memory goes on in the same series."""
    add_run(path, [measured("a")])
    add_run(path, [on_host(measured("b"), cores=8)])
    assert [series.host for series in read_history(path, "tokens_per_s")] == [
        "EPYC, 2 cores",
        "EPYC, 8 cores",
    ]
    (memory,) = read_history(path, "peak_bytes")
    assert (memory.host, len(memory.nights)) == ("", 2)


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    """Two processes that make a file and write it at once both get everything in, each time."""
    context = get_context("spawn")
    together = context.Barrier(WRITERS)
    writers = [
        context.Process(target=_write, args=(tmp_path, own, together)) for own in ("left", "right")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    for number in range(FILES):
        path = tmp_path / f"{number}.sqlite"
        assert (_rows(path, "cell"), _rows(path, "figure")) == (3, 3 * FIGURES)


def test_a_writer_waits_for_one_that_brings_the_file_up_to_date(path: Path) -> None:
    """What it saw before the other was done is not what it goes by."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(add_run, path, [measured("a")])
            # A writer that starts later than this has nothing to wait for, and does no harm.
            wait([waiting], timeout=0.5)
            for statements in MIGRATIONS:
                for statement in statements:
                    other.execute(statement)
            other.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            other.execute("COMMIT")
            assert waiting.result() == FIGURES


def test_a_file_of_the_first_form_becomes_one_of_the_newest(path: Path) -> None:
    """What was in it stays; what was not kept then is the empty word; and it goes on from there."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as file:
        for statement in MIGRATIONS[0]:
            file.execute(statement)
        file.execute("PRAGMA user_version = 1")
        file.execute("INSERT INTO cell VALUES ('old', 'cpu-x', '2025-12-01', '0.28.0')")
        file.execute("INSERT INTO figure VALUES ('old', 'cpu-x', 'peak_bytes', 'memory', 7.0)")
        file.commit()
    (series,) = read_history(path)
    assert _version(path) == len(MIGRATIONS) > 1
    assert series.nights == [("2025-12-01", "old", 7.0, "0.28.0", "", "")]
    assert add_run(path, [measured("new")]) == FIGURES


def test_every_form_leads_to_the_newest(tmp_path: Path) -> None:
    """A file left at any form has the same tables in the end as one made today."""

    def tables(path: Path) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(path)) as file:
            return [
                (name, column)
                for name in ("cell", "figure")
                for _, column, *_ in file.execute(f"PRAGMA table_info({name})")
            ]

    found = []
    for form in range(len(MIGRATIONS) + 1):
        path = tmp_path / f"{form}.sqlite"
        with closing(sqlite3.connect(path)) as file:
            for statements in MIGRATIONS[:form]:
                for statement in statements:
                    file.execute(statement)
            file.execute(f"PRAGMA user_version = {form}")
        read_history(path)
        found.append(tables(path))
    assert found == [found[0]] * len(found)
    assert ("cell", "host") in found[0]


def test_a_file_of_a_newer_suite_is_left_alone(path: Path) -> None:
    """It is refused with both numbers, and stays as it is."""
    add_run(path, [measured("a")])
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version = 99")
    with pytest.raises(HistoryError, match=f"form 99, this one knows {len(MIGRATIONS)}"):
        add_run(path, [measured("b")])
    assert (_version(path), _rows(path, "cell")) == (99, 1)


def test_what_is_no_history_is_told(path: Path) -> None:
    """A file that is not there, and one that is no database, are refused with the remedy."""
    with pytest.raises(HistoryError, match="ci/suite history add RUN"):
        read_history(path)
    path.parent.mkdir()
    path.write_text("no database" * 100, "utf-8")
    with pytest.raises(HistoryError, match="name another file with --file"):
        read_history(path)
