import resource
import signal
import threading
from pathlib import Path

import pytest

from fixtures.records.runs import Run
from fixtures.reports.files import write_reports, write_whole
from suites.selftest.reports.runs import a_run, judged

pytestmark = pytest.mark.selftest


def test_a_failed_report_is_one_line_and_hides_no_other(tmp_path: Path) -> None:
    """Whatever went wrong in it, the next one is written."""

    def broken(run: Run, folder: Path) -> Path:
        msg = f"{run.folder.name}\nof {folder.name}"
        raise ValueError(msg)

    def fine(run: Run, folder: Path) -> Path:
        return write_whole(folder / "fine.txt", run.folder.name)

    written = write_reports(a_run(judged("pass")), tmp_path, (broken, fine))
    assert written.paths == [tmp_path / "fine.txt"]
    said = f"broken: not written: ValueError: 20260201T030000Z-0001 of {tmp_path.name}"
    assert written.complaints == [said]


def test_nobody_reads_half_of_a_file(tmp_path: Path) -> None:
    """A collector finds the earlier version or the later one, at any moment."""
    path = tmp_path / "metrics.prom"
    texts = ["a" * 500_000, "b" * 500_000]
    write_whole(path, texts[0])
    seen: set[str] = set()
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            seen.add(path.read_text("utf-8"))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(10):
        write_whole(path, texts[number % 2])
    ended.set()
    reader.join()
    assert seen <= set(texts)


@pytest.mark.parametrize("text", ["x" * 20_000, "\ud800"])
def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path, text: str) -> None:
    """The earlier version stays, and nothing that is half of one lies beside it."""
    path = write_whole(tmp_path / "summary.md", "before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises((OSError, UnicodeEncodeError)):
            write_whole(path, text)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert path.read_text("utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]
