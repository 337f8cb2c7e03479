import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import pytest

from fixtures.load.arrivals import Closed, constant
from fixtures.load.generator import run_load
from fixtures.runtimes.environments import CHECKOUT
from suites.selftest.load.stubs import open_sockets, stubbed
from suites.selftest.load.test_generator import (
    PATIENCE_S,
    WHOLE,
    bodies,
    errors_of,
    loaded,
    turns_of,
)
from suites.selftest.programs import wait_until
from suites.selftest.standin.streaming_stub import Script, kind_of

pytestmark = pytest.mark.selftest

ERRORS = {
    "refused": "HTTP 500: refused by the script",
    "broken": "the stream ended before the answer did",
    "faulty": "in the stream: faulty by the script",
    "silent": "no whole answer within 3 s",
    "whole": None,
}


@pytest.fixture(autouse=True)
def _nothing_is_left_open() -> Iterator[None]:
    """After each of these rounds no socket is open that was not before it."""
    before = open_sockets()
    yield
    assert open_sockets() == before


def test_each_failure_is_told_and_the_rest_is_answered() -> None:
    """Status, break-off, an error in the stream and silence, for the requests that had it."""
    script = Script(gap_s=0.0001, refused=0.1, broken=0.1, faulty=0.1, silent=0.05)
    round_, done = loaded(script, 100, Closed(10), timeout_s=3)
    kinds = dict(zip(turns_of(done.served), (kind_of(script, n) for n in range(100)), strict=True))
    assert set(kinds.values()) == set(ERRORS)
    for turn, timeline in enumerate(round_.timelines):
        assert timeline.reply.error == ERRORS[kinds[turn]]
        tokens = {"whole": 16, "broken": 8, "faulty": 8}.get(kinds[turn], 0)
        assert len(timeline.token_s) == tokens
        assert WHOLE.startswith(timeline.reply.text)


def test_a_connection_that_was_given_up_is_not_used_again() -> None:
    """Its answer, should it come, would be taken for another's."""
    script = Script(silent=0.5)
    round_, done = loaded(script, 6, Closed(1), timeout_s=1)
    silent = [kind_of(script, number) == "silent" for number in range(6)]
    assert [error is not None for error in errors_of(round_)] == silent
    pairs = list(pairwise(done.served))
    assert any(not before.sent_s for before, _ in pairs)
    for before, after in pairs:
        assert (before.connection == after.connection) == bool(before.sent_s)


def test_a_slow_answer_keeps_the_tokens_that_came() -> None:
    """The time-out is for the whole answer, however steadily it comes."""
    round_, _ = loaded(Script(gap_s=0.2), 1, Closed(1), timeout_s=1)
    (timeline,) = round_.timelines
    assert timeline.reply.error == "no whole answer within 1 s"
    assert 0 < len(timeline.token_s) < 16
    assert WHOLE.startswith(timeline.reply.text)
    assert timeline.ttft_s is not None


def test_nobody_listening_is_told_by_each_request() -> None:
    """Whether arrivals are closed or open."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for arrivals in (Closed(3), constant(5, 1000)):
        round_ = run_load(f"http://127.0.0.1:{port}/v1", bodies(5), arrivals, PATIENCE_S)
        assert all("not connected" in (error or "") for error in errors_of(round_))


def test_a_server_that_takes_no_connection_ends_with_the_time_out() -> None:
    """Where the kernel's queue is full, connecting hangs: that is part of the answer's time."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as busy:
        port = busy.getsockname()[1]
        round_ = run_load(f"http://127.0.0.1:{port}/v1", bodies(6), Closed(6), 0.5)
    assert errors_of(round_) == ["no whole answer within 0.5 s"] * 6


def test_a_server_that_dies_ends_the_round_with_its_reason() -> None:
    """What was answered is kept; what was open or not yet sent has the reason."""
    with stubbed(Script(ttft_s=0.02)) as stub:
        looks = iter(range(10**6))

        def look() -> str | None:
            if next(looks) == 2:
                stub.process.kill()
                stub.process.wait()
            return None if stub.process.poll() is None else "killed"

        round_ = run_load(stub.base_url, bodies(20_000), Closed(4), 3600, look)
    errors = errors_of(round_)
    assert errors[0] is None
    assert set(errors) - {None} <= {
        "the server is down: killed",
        "not sent: the server is down: killed",
    }
    assert errors[-1] is not None


def test_a_server_that_hangs_ends_the_round_when_its_reason_is_known() -> None:
    """No time-out is waited for, neither by who waits for an answer nor by who is not yet due."""
    looks = iter([None, "hangs"])
    with stubbed(Script(silent=1)) as stub:
        round_ = run_load(
            stub.base_url, bodies(3), constant(3, 1 / 3600), 3600, lambda: next(looks, "hangs")
        )
    assert errors_of(round_) == [
        "the server is down: hangs",
        "not sent: the server is down: hangs",
        "not sent: the server is down: hangs",
    ]


def test_a_round_that_fails_before_the_next_look_still_has_the_reason() -> None:
    """A dead server refuses everything at once: it is looked at once more."""
    with stubbed(Script(silent=1)) as stub:

        def look() -> str | None:
            if stub.process.poll() is not None:
                return "out of memory"
            stub.process.kill()
            stub.process.wait()
            return None

        round_ = run_load(stub.base_url, bodies(2), Closed(1), PATIENCE_S, look)
    assert errors_of(round_) == ["the server is down: out of memory"] * 2


def test_looks_at_a_server_follow_each_other() -> None:
    """A round that is over does not look while the look that it gave up is still at it."""
    looking, met = threading.Lock(), []

    def look() -> None:
        alone = looking.acquire(blocking=False)
        met.append(not alone)
        if alone:
            time.sleep(0.3)
            looking.release()

    run_load("http://127.0.0.1:1/v1", bodies(2), Closed(1), PATIENCE_S, look)
    assert met
    assert not any(met)


def test_a_fault_of_whoever_looks_is_not_the_servers() -> None:
    """What `why_down` raises reaches the caller."""
    with stubbed(Script(silent=1)) as stub, pytest.raises(ZeroDivisionError):
        run_load(stub.base_url, bodies(1), Closed(1), PATIENCE_S, lambda: str(1 // 0))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_round_leaves_nothing_open(number: int, tmp_path: Path) -> None:
    """Ctrl-C, and a SIGTERM that is mapped to it, end it with an interrupt and no warning."""
    code = """
        import signal, sys
        from pathlib import Path
        from fixtures.load.arrivals import Closed
        from fixtures.load.generator import run_load
        from suites.selftest.load.stubs import open_sockets
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        def look():
            Path(sys.argv[2]).touch()
        try:
            run_load(sys.argv[1], [b"{}"] * 100, Closed(8), 3600, look)
        except KeyboardInterrupt:
            print("interrupted", open_sockets())
    """
    begun = tmp_path / "begun"
    with stubbed(Script(silent=1)) as stub:
        argv = [sys.executable, "-W", "error", "-c", dedent(code), stub.base_url, str(begun)]
        child = subprocess.Popen(
            argv, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            wait_until(begun.exists, "the round's first look")
            child.send_signal(number)
            said, warned = child.communicate(timeout=PATIENCE_S)
        finally:
            child.kill()
    assert (said, warned, child.returncode) == ("interrupted 0\n", "", 0)
