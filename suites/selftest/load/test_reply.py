import json
from collections.abc import Sequence
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.load.connection import Received
from fixtures.load.reply import read_reply

pytestmark = pytest.mark.selftest

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
TEXTS = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=8)
BYTES = st.binary(max_size=200)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "delta", "content", "usage", "finish_reason", "error"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def event(told: object) -> bytes:
    """A server-sent event."""
    return b"data: " + json.dumps(told).encode() + b"\n\n"


def piece(text: str, finish_reason: str | None = None) -> bytes:
    """The event of a token."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return event({"choices": [choice]})


def events_of(texts: Sequence[str]) -> list[bytes]:
    """A whole answer."""
    usage = {"usage": {"prompt_tokens": 70, "completion_tokens": len(texts)}, "choices": []}
    return [*map(piece, texts), piece("", "stop"), event(usage), b"data: [DONE]\n\n"]


def chunked(parts: Sequence[bytes]) -> bytes:
    """A response with each part as a chunk."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part)
    return HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    """The bytes in pieces, cut at these places."""
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[start:end] for start, end in pairwise(places)]


def received(pieces: Sequence[bytes], *, whole: bool = True) -> Received:
    """Pieces of which the first came at 0, and each other one a second after the one before."""
    return Received(tuple(pieces), tuple(map(float, range(len(pieces)))), whole)


CUTS = st.lists(st.integers(0, 10**6), max_size=40)


@given(TEXTS, CUTS, CUTS)
def test_a_response_reads_the_same_however_it_is_split(
    texts: list[str], chunk_cuts: list[int], piece_cuts: list[int]
) -> None:
    """Cut anywhere into chunks, and these into pieces, it has the same text and counts."""
    body = b"".join(events_of(texts))
    reply = read_reply(received(cut(chunked(cut(body, chunk_cuts)), piece_cuts)))
    assert reply.error is None
    assert reply.text == "".join(texts)
    assert (reply.prompt_tokens, reply.completion_tokens) == (70, len(texts))
    assert reply.finish_reason == "stop"
    assert len(reply.token_s) == len(texts)


@given(TEXTS, CUTS)
def test_a_token_has_come_when_its_last_byte_has(texts: list[str], piece_cuts: list[int]) -> None:
    """Its moment is that of the piece in which its event ends."""
    events = events_of(texts)
    data = chunked(events)
    pieces = cut(data, piece_cuts)
    ends = list(accumulate(map(len, pieces)))
    places = [data.index(one) + len(one) for one in dict.fromkeys(events)]
    expected = {
        one: float(next(turn for turn, end in enumerate(ends) if end >= place))
        for one, place in zip(dict.fromkeys(events), places, strict=True)
    }
    reply = read_reply(received(pieces))
    # Of equal events only the first is looked for, since it is found by its bytes.
    seen: set[bytes] = set()
    for one, moment_s in zip(events, reply.token_s, strict=False):
        assert one in seen or moment_s == expected[one]
        seen.add(one)


@given(TEXTS, CUTS)
def test_a_body_without_chunks_reads_the_same(texts: list[str], piece_cuts: list[int]) -> None:
    """With a length, or up to the end of the connection."""
    body = b"".join(events_of(texts))
    for line in (b"Content-Length: %d\r\n" % len(body), b""):
        reply = read_reply(received(cut(HEAD + line + b"\r\n" + body, piece_cuts)))
        assert (reply.error, reply.text) == (None, "".join(texts))


@given(TEXTS, st.integers(0, 10**6))
def test_what_was_cut_off_is_no_answer(texts: list[str], place: int) -> None:
    """Of each whole event before the end its token is kept; the reply has an error."""
    data = chunked(events_of(texts))
    reply = read_reply(received([data[: place % len(data)]], whole=False))
    assert reply.error
    assert "".join(texts).startswith(reply.text)


@given(st.lists(BYTES, max_size=5), st.booleans())
def test_garbage_never_raises(pieces: list[bytes], whole: bool) -> None:  # noqa: FBT001 - drawn
    """Bytes that mean nothing are an error of the reply, with and without a head before them."""
    for head in (b"", HEAD + b"\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"):
        assert read_reply(received([head, *pieces], whole=whole)).error


@given(JSON)
def test_json_of_any_shape_never_raises(told: object) -> None:
    """An event that is no chat completion gives a reply whose fields are what they say."""
    reply = read_reply(received([chunked([event(told), piece("", "stop")])]))
    assert isinstance(reply.text, str)
    assert reply.prompt_tokens is None or isinstance(reply.prompt_tokens, int)
    assert reply.finish_reason is None or isinstance(reply.finish_reason, str)


@pytest.mark.parametrize(
    "data",
    [
        chunked([event({"choices": [{"delta": {"content": 5}}]})]),
        chunked([b"data: " + b"[" * 100_000 + b"\n\n"]),
        b"HTTP/1.1 " + b"9" * 5000 + b" OK\r\n\r\n",
        HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\n-5\r\nabc",
        b"HTTP/1.1 500 Error\r\n\r\n" + b"[" * 100_000,
    ],
    ids=["number-as-text", "deep", "status", "length", "negative-chunk", "deep-reason"],
)
def test_bytes_that_once_raised_are_errors(data: bytes) -> None:
    """What a parser stumbles over is told in the reply."""
    assert read_reply(received([data])).error


def test_a_status_is_told_with_its_reason() -> None:
    """The message of an API's error, or the body as it is."""
    for body, said in (
        (b'{"error": {"message": "too long"}}', "HTTP 400: too long"),
        (b'{"detail": "no"}', "HTTP 400: {'detail': 'no'}"),
        (b"nginx says no", "HTTP 400: nginx says no"),
    ):
        assert read_reply(received([b"HTTP/1.1 400 Bad\r\n\r\n" + body])).error == said


def test_an_error_within_the_stream_is_the_replys() -> None:
    """vLLM answers 200 before it fails: the error comes as an event."""
    told = event({"error": {"message": "engine died"}})
    reply = read_reply(received([chunked([piece("a"), told, b"data: [DONE]\n\n"])]))
    assert reply.error == "in the stream: engine died"
    assert reply.text == "a"


def test_thoughts_are_text() -> None:
    """A token that is thought counts as one that came, under each name that vLLM gave it."""
    thoughts = [
        event({"choices": [{"delta": {name: name}}]})
        for name in ("content", "reasoning", "reasoning_content")
    ]
    reply = read_reply(received([chunked([*thoughts, piece("", "stop")])]))
    assert reply.text == "contentreasoningreasoning_content"


def test_chunked_in_another_header_is_no_framing() -> None:
    """Only Transfer-Encoding tells how a body is sent."""
    body = b"".join(events_of(["a"]))
    head = HEAD + b"x-note: chunked\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert read_reply(received([head + body])).text == "a"
