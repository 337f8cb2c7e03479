import gc
import json
import os
import signal
import time
from itertools import pairwise

import pytest

from fixtures.load.arrivals import Closed, Open, bursts, constant
from fixtures.load.generator import Round, run_load
from suites.selftest.load.stubs import Done, stubbed
from suites.selftest.standin.streaming_stub import Script, Served

pytestmark = pytest.mark.selftest

PATIENCE_S = 30.0
WHOLE = "".join(f"t{number} " for number in range(16))


def bodies(number: int) -> list[bytes]:
    """So many requests, each with its number."""
    return [json.dumps({"number": turn}).encode() for turn in range(number)]


def loaded(
    script: Script, number: int, arrivals: Closed | Open, timeout_s: float = PATIENCE_S
) -> tuple[Round, Done]:
    """A round against a stub, and what the stub says of it."""
    with stubbed(script._replace(keep_bodies=True)) as stub:
        return run_load(stub.base_url, bodies(number), arrivals, timeout_s), stub.done()


def errors_of(round_: Round) -> list[str | None]:
    """Of each request, in their order."""
    return [timeline.reply.error for timeline in round_.timelines]


def turns_of(served: list[Served]) -> list[int]:
    """In which order the requests came."""
    return [json.loads(one.body)["number"] for one in served]


def most_at_once(round_: Round) -> int:
    """How many requests were open at the busiest moment."""
    steps = [(timeline.sent_s, 1) for timeline in round_.timelines]
    steps += [(timeline.done_s, -1) for timeline in round_.timelines]
    # One that ends at the moment at which another begins makes room for it.
    open_, most = 0, 0
    for _, step in sorted(steps):
        open_ += step
        most = max(most, open_)
    return most


def test_a_closed_loop_keeps_order_and_concurrency() -> None:
    """Requests come in the order of the shots, never more at once than there are clients."""
    round_, done = loaded(Script(ttft_s=0.002, gap_s=0.0005), 100, Closed(1))
    assert turns_of(done.served) == list(range(100))
    assert most_at_once(round_) == 1
    assert done.connections == 1
    round_, done = loaded(Script(ttft_s=0.002, gap_s=0.0005), 300, Closed(8))
    assert sorted(turns_of(done.served)) == list(range(300))
    # Two that are sent at one moment may be read in another order; none overtakes a whole round.
    assert all(abs(turn - place) < 8 for place, turn in enumerate(turns_of(done.served)))
    assert most_at_once(round_) == 8
    assert done.connections == 8
    sent = [timeline.sent_s for timeline in round_.timelines]
    assert sent == sorted(sent)


def test_every_answer_is_read() -> None:
    """Text, counts, and as many tokens as were sent, each not before it was."""
    round_, done = loaded(Script(ttft_s=0.02, gap_s=0.002), 40, Closed(4))
    assert errors_of(round_) == [None] * 40
    for timeline in round_.timelines:
        assert timeline.reply.text == WHOLE
        assert (timeline.reply.prompt_tokens, timeline.reply.completion_tokens) == (70, 16)
        assert len(timeline.token_s) == 16
        assert timeline.due_s <= timeline.sent_s <= timeline.token_s[0]
        assert timeline.ttft_s is not None
        assert timeline.ttft_s >= 0.02
        assert timeline.e2e_s >= 0.02 + 15 * 0.002
        assert all(before <= after for before, after in pairwise(timeline.token_s))
        assert timeline.token_s[-1] <= timeline.done_s
    assert round_.own.wall_s >= max(timeline.done_s for timeline in round_.timelines)
    assert len(done.served) == 40


def test_no_token_is_noted_before_it_was_sent() -> None:
    """From a request's sending to a token takes no less time than from its coming to the write."""
    round_, done = loaded(Script(ttft_s=0.01, gap_s=0.002), 20, Closed(1))
    for timeline, served in zip(round_.timelines, done.served, strict=True):
        # The head was sent first, and is no token.
        assert len(served.sent_s) == len(timeline.token_s) + 1
        since_s = [
            token_s - timeline.sent_s - (sent_s - served.came_s)
            for token_s, sent_s in zip(timeline.token_s, served.sent_s[1:], strict=True)
        ]
        assert min(since_s) >= 0


@pytest.mark.parametrize("piece_bytes", [1, 7, 100])
@pytest.mark.parametrize("length", [False, True])
def test_answers_in_small_pieces_are_the_same(piece_bytes: int, *, length: bool) -> None:
    """Chunks that are cut anywhere, and bodies with a length."""
    script = Script(gap_s=0.0001, piece_bytes=piece_bytes, length=length)
    round_, done = loaded(script, 20, Closed(4))
    assert [timeline.reply.text for timeline in round_.timelines] == [WHOLE] * 20
    assert done.connections == 4


def test_an_open_loop_waits_for_no_answer() -> None:
    """A server that never answers delays nobody: all are sent before the first is given up."""
    arrivals = constant(20, 100)
    round_, done = loaded(Script(silent=1), 20, arrivals, timeout_s=2)
    assert turns_of(done.served) == list(range(20))
    assert max(t.sent_s for t in round_.timelines) < min(t.done_s for t in round_.timelines)
    assert [timeline.due_s for timeline in round_.timelines] == pytest.approx(arrivals.at_s)
    assert all(timeline.sent_s >= timeline.due_s for timeline in round_.timelines)
    assert errors_of(round_) == ["no whole answer within 2 s"] * 20


def test_requests_due_while_the_server_stands_still_show_it() -> None:
    """No coordinated omission: each has the rest of the stall in its time to first token."""
    with stubbed(Script()) as stub:
        os.kill(stub.process.pid, signal.SIGSTOP)

        def look() -> None:
            """The first look, which begins with the round."""
            time.sleep(0.5)
            os.kill(stub.process.pid, signal.SIGCONT)

        round_ = run_load(stub.base_url, bodies(50), constant(50, 100), PATIENCE_S, look)
    assert errors_of(round_) == [None] * 50
    for timeline in round_.timelines:
        assert timeline.ttft_s is not None
        assert timeline.ttft_s >= 0.5 - timeline.due_s - 1e-6


def test_times_are_from_when_a_request_was_due() -> None:
    """Of many that are due at once the last is sent last, and its waiting counts."""
    round_, _ = loaded(Script(), 100, bursts(100, 100, 1.0))
    last = max(round_.timelines, key=lambda timeline: timeline.sent_s)
    assert last.sent_s > last.due_s
    assert {timeline.due_s for timeline in round_.timelines} == {last.due_s}
    assert last.ttft_s == pytest.approx(last.token_s[0] - last.due_s)
    assert last.e2e_s == pytest.approx(last.done_s - last.due_s)


def test_an_open_loop_uses_connections_again() -> None:
    """Requests that come one after the other need not a connection each."""
    round_, done = loaded(Script(), 20, constant(20, 20))
    assert errors_of(round_) == [None] * 20
    assert done.connections < 20


def test_stale_connections_are_not_used() -> None:
    """Neither one that the server has closed, nor one that it may close at any moment."""
    for idle_s, pause_s in ((0.5, 1.9), (0.0, 3.5)):
        round_, done = loaded(Script(idle_s=idle_s), 2, Open((0.0, pause_s)))
        assert errors_of(round_) == [None, None]
        assert [one.connection for one in done.served] == [0, 1]


def test_a_server_that_closes_after_each_answer_is_asked_anew() -> None:
    """It says so with Connection: close, and no request is lost on a connection that ends."""
    round_, done = loaded(Script(close=True, gap_s=0.0001), 100, Closed(4))
    assert errors_of(round_) == [None] * 100
    assert sorted(one.connection for one in done.served) == list(range(100))


@pytest.mark.parametrize("arrivals", [Closed(4), Open(())])
def test_a_round_of_nothing_is_empty(arrivals: Closed | Open) -> None:
    """It ends at once, and its server need not be there."""
    assert run_load("http://127.0.0.1:1/v1", [], arrivals, PATIENCE_S).timelines == ()


def test_more_clients_than_requests_are_not_connected() -> None:
    """Each request has its connection, and no other is made."""
    round_, done = loaded(Script(), 3, Closed(64))
    assert errors_of(round_) == [None] * 3
    assert done.connections <= 3


def test_the_generator_watches_itself() -> None:
    """Its processor time and its lateness, beat by beat."""
    round_, _ = loaded(Script(ttft_s=0.3), 2, Closed(1))
    own = round_.own
    assert 0 < own.cpu_s < own.wall_s
    assert 0 < len(own.late_s) <= own.wall_s / 0.01 + 1
    assert min(own.late_s) >= 0


def test_what_cannot_be_sent_is_refused() -> None:
    """Another scheme, or moments that do not fit the requests, before anything is sent."""
    with pytest.raises(ValueError, match="plain http only"):
        run_load("https://example.org/v1", [], Closed(1), 1)
    with pytest.raises(ValueError, match="2 moments for 1 requests"):
        run_load("http://127.0.0.1:1/v1", bodies(1), Open((0.0, 1.0)), 1)


def test_collection_is_on_again() -> None:
    """A round runs without Python's garbage collector, and leaves it as it was."""
    seen = []
    run_load("http://127.0.0.1:1/v1", bodies(1), Closed(1), 1, lambda: seen.append(gc.isenabled()))
    assert not any(seen)
    assert gc.isenabled()
