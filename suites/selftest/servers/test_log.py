from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.servers.log import LogTail, hide_secrets, read_lines, stripped

pytestmark = pytest.mark.selftest


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from([b"", b"a", b"\n", b"b\n", b"c\nd", b"\xc3", b"\xa4\n"]), max_size=10)
)
def test_every_whole_line_is_told_once(tmp_path: Path, pieces: list[bytes]) -> None:
    """However a log arrives in pieces, its lines come in order, each when it is whole."""
    path = tmp_path / "server.log"
    path.write_bytes(b"")
    tail = LogTail(path)
    told: list[str] = []
    for piece in pieces:
        with path.open("ab") as log:
            log.write(piece)
        told += tail.new_lines()
    assert told == [line.decode("utf-8", "replace") for line in b"".join(pieces).split(b"\n")[:-1]]


def test_a_progress_bar_is_told_while_it_is_drawn(tmp_path: Path) -> None:
    """Its first drawing as soon as there is a second, long before its newline; each once."""
    path = tmp_path / "server.log"
    tail = LogTail(path)
    told = []
    for drawn in (
        b"(EngineCore pid=7) \r",
        b"Capturing:   0%",
        b"\rCapturing:  50%",
        b"\rdone\r\n",
    ):
        with path.open("ab") as log:
            log.write(drawn)
        told.append(tail.new_lines())
    assert told == [
        ["(EngineCore pid=7) "],
        [],
        ["Capturing:   0%"],
        ["Capturing:  50%", "done"],
    ]
    assert [line for lines in told for line in lines] == read_lines(path)


def test_a_log_that_is_not_there_yet_has_no_lines(tmp_path: Path) -> None:
    """Before the server has written its first line there is nothing to tell."""
    path = tmp_path / "server.log"
    tail = LogTail(path)
    assert tail.new_lines() == read_lines(path) == []
    path.write_text("first\n")
    assert tail.new_lines() == read_lines(path) == ["first"]


@pytest.mark.parametrize(
    "before",
    [
        "",
        "INFO 08-10 12:00:00 model_runner.py:732] ",
        "(VllmWorkerProcess pid=7) INFO 08-10 12:00:00 model_runner.py:732] ",
        "INFO 04-02 13:32:43 [gpu_model_runner.py:1347] ",
        "(EngineCore_DP0 pid=7) INFO 11-24 04:00:00 [gpu_worker.py:298] ",
        "(EngineCore pid=7) DEBUG 11-24 04:00:00 [v1/worker/gpu_worker.py:298] ",
        "\x1b[0;36m(EngineCore pid=7)\x1b[0;0m \x1b[32mINFO\x1b[0m 11-24 04:00:00 [worker.py:9] ",
        "\x1b[A\r(Worker_TP0 pid=7) [rank0]: ",
    ],
    ids=["none", "old", "old-worker", "new", "process", "debug", "colours", "rank"],
)
def test_what_every_line_begins_with_is_taken_off(before: str) -> None:
    """Of every version's form, process, level, time and file go, and what is said stays."""
    assert stripped(f"{before}took 15.80 GB\r") == "took 15.80 GB"


@pytest.mark.parametrize(
    "line",
    ["INFO: ready", "took 3 s (compilation: 2 s)", "error at worker.py:7] twice", "[1/2] ok"],
)
def test_what_is_no_prefix_stays(line: str) -> None:
    """A line that only resembles one of those forms is left as it is."""
    assert stripped(line) == line


def test_no_line_that_is_read_tells_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither as it grows nor as a whole; and once it has ended, nor does the file."""
    monkeypatch.setenv("SOME_API_KEY", "quite-unusual")
    path = tmp_path / "server.log"
    path.write_bytes(b"\xffkey quite-unusual\npip: https://alice:pass@host/x\n")
    told = ["\ufffdkey [redacted]", "pip: https://[redacted]@host/x"]

    assert LogTail(path).new_lines() == read_lines(path) == told
    hide_secrets(path)
    assert path.read_bytes() == b"\xffkey [redacted]\npip: https://[redacted]@host/x\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_log_without_secrets_is_not_written_anew(tmp_path: Path) -> None:
    """It stays the file that it was; one that is not there stays away."""
    path = tmp_path / "server.log"
    hide_secrets(path)
    assert not path.exists()
    path.write_text("nothing to hide\n")
    before = path.stat()
    hide_secrets(path)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@given(st.text())
def test_a_stripped_line_is_printable_and_stays_so(line: str) -> None:
    """Any text becomes one printable line, and nothing is left to take off it."""
    once = stripped(line)
    assert once.isprintable()
    assert stripped(once) == once
