from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.servers.log import LogTail, read_lines

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


def test_a_log_that_is_not_there_yet_has_no_lines(tmp_path: Path) -> None:
    """Before the server has written its first line there is nothing to tell."""
    path = tmp_path / "server.log"
    tail = LogTail(path)
    assert tail.new_lines() == read_lines(path) == []
    path.write_text("first\n")
    assert tail.new_lines() == read_lines(path) == ["first"]
