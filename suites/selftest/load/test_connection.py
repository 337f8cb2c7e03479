import asyncio
import socket
from collections.abc import Sequence

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from fixtures.load.connection import Connection, Received
from fixtures.load.reply import read_reply
from suites.selftest.load.test_reply import CUTS, HEAD, TEXTS, chunked, cut, events_of

pytestmark = pytest.mark.selftest

PATIENCE_S = 30.0
ANSWER = chunked(events_of(["a", "0"]))
VALUES = st.text(st.sampled_from("ab-0"), min_size=1, max_size=8)


async def _exchange(pieces: Sequence[bytes], *, hang_up: bool) -> tuple[Received, bool]:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    theirs.settimeout(0)
    with theirs:
        _, connection = await loop.create_connection(Connection, sock=ours)
        waiting = connection.exchange(b"request")
        assert await loop.sock_recv(theirs, 100) == b"request"
        for piece in pieces:
            await loop.sock_sendall(theirs, piece)
            # The loop reads what was sent before the next piece is.
            await asyncio.sleep(0)
        if hang_up:
            theirs.close()
        received = await asyncio.wait_for(waiting, PATIENCE_S)
        usable = connection.usable
        connection.close()
    return received, usable


def exchanged(pieces: Sequence[bytes], *, hang_up: bool = False) -> tuple[Received, bool]:
    """What a connection receives from a peer that sends these, and whether it is usable then."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_exchange(pieces, hang_up=hang_up))


@given(TEXTS, CUTS, CUTS)
def test_the_end_is_seen_however_a_response_is_split(
    texts: list[str], chunk_cuts: list[int], piece_cuts: list[int]
) -> None:
    """Its last byte ends it, and none before: the connection stays open and usable."""
    data = chunked(cut(b"".join(events_of(texts)), chunk_cuts))
    received, usable = exchanged(cut(data, piece_cuts))
    assert b"".join(received.pieces) == data
    assert received.whole
    assert usable
    assert read_reply(received).text == "".join(texts)


@given(st.lists(VALUES, max_size=3))
def test_no_header_looks_like_an_end(values: list[str]) -> None:
    """The last line of a head may end in a 0, and come alone."""
    lines = b"".join(b"x-id: %b\r\n" % value.encode() for value in values)
    data = ANSWER.replace(b"chunked\r\n\r\n", b"chunked\r\n%b\r\n" % lines)
    head, found, body = data.partition(b"\r\n\r\n")
    received, _ = exchanged([head + found, body])
    assert b"".join(received.pieces) == data


def test_a_chunk_of_ten_is_not_the_last() -> None:
    """A length that ends in 0 is none, even where an empty line comes after it."""
    data = chunked([b"\r\n" + b"x" * 14, b"data: [DONE]\n\n"])
    place = data.index(b"10\r\n\r\n") + 6
    received, _ = exchanged([data[:place], data[place:]])
    assert b"".join(received.pieces) == data


@pytest.mark.parametrize("body", [b"", b"0", b"x" * 1000])
def test_a_length_is_an_end(body: bytes) -> None:
    """A response with a Content-Length is whole after so many bytes, of which there may be none."""
    data = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    for pieces in ([data], cut(data, range(len(data)))):
        received, usable = exchanged(pieces)
        assert (b"".join(received.pieces), received.whole, usable) == (data, True, True)


def test_without_length_the_hang_up_is_the_end() -> None:
    """Such a response is whole when its connection is closed."""
    received, usable = exchanged([HEAD + b"\r\n", b"data: x\n\n"], hang_up=True)
    assert (received.whole, usable) == (True, False)


@pytest.mark.parametrize(
    "data", [b"", HEAD, ANSWER[:-1], HEAD + b"Content-Length: 9\r\n\r\nabc"], ids=len
)
def test_a_hang_up_before_the_end_is_none(data: bytes) -> None:
    """What came is kept, and not whole."""
    received, usable = exchanged([data] if data else [], hang_up=True)
    assert (b"".join(received.pieces), received.whole, usable) == (data, False, False)


@pytest.mark.parametrize(
    "data",
    [
        ANSWER.replace(b"\r\n", b"\r\nConnection: close\r\n", 1),
        ANSWER.replace(b"\r\n", b"\r\nconnection: Close\r\n", 1),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["close", "in-another-case", "http-1.0"],
)
def test_a_connection_that_will_be_closed_is_not_used_again(data: bytes) -> None:
    """The server says so in the head; it need not have closed yet."""
    received, usable = exchanged([data])
    assert (received.whole, usable) == (True, False)


async def _unasked() -> bool:
    ours, theirs = socket.socketpair()
    with theirs:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, sock=ours)
        theirs.sendall(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        deadline_s = loop.time() + PATIENCE_S
        while connection.usable and loop.time() < deadline_s:  # noqa: ASYNC110 - has no event
            await asyncio.sleep(0.01)
        usable = connection.usable
        connection.close()
    return usable


def test_what_nobody_asked_for_ends_a_connection() -> None:
    """Else it would be taken for the answer to the next request."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert not runner.run(_unasked())


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5))
def test_garbage_never_breaks_a_connection(pieces: list[bytes]) -> None:
    """Whatever comes, the exchange ends at the latest with the connection."""
    for head in (b"", HEAD + b"\r\n", HEAD + b"Content-Length: %b\r\n\r\n" % (b"9" * 5000)):
        received, _ = exchanged([head, *pieces] if head else pieces, hang_up=True)
        assert read_reply(received).error
