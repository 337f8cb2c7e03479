"""What passes between the HTTP server and vLLM's application, and what does not."""

import asyncio
import json
from fractions import Fraction
from typing import Any

import pytest

from fixtures.cells.manner import PLAIN
from fixtures.questions.asked import content_of
from fixtures.questions.catalogue import Question, held_out
from suites.canary.plants.minicpmv_canary import accuracy, errors, hang
from suites.canary.plants.minicpmv_canary.accuracy import LUCK, blank
from suites.canary.plants.minicpmv_canary.door import CHAT, Message, Receive, Send, Way, body_of
from suites.canary.plants.minicpmv_canary.order import Planted

pytestmark = pytest.mark.selftest
_ILL_ENCODED = json.dumps(
    {
        "messages": [
            {
                "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,not base64"}},
                    {"type": "text", "text": "How many are there?"},
                ]
            }
        ]
    }
).encode()
_GONE: Message = {"type": "http.disconnect"}


class _Request:
    """One request, on its way in two pieces, and what came of it."""

    def __init__(self, raw: bytes, path: str = CHAT) -> None:
        self.scope: Message = {
            "type": "http",
            "method": "POST",
            "path": path,
            "headers": [(b"content-length", str(len(raw)).encode()), (b"x-own", b"kept")],
        }
        middle = len(raw) // 2
        self._pieces: list[Message] = [
            {"type": "http.request", "body": raw[:middle], "more_body": True},
            {"type": "http.request", "body": raw[middle:]},
        ]
        self.reached: list[tuple[dict[bytes, bytes], bytes, Message]] = []
        self.statuses: list[int] = []

    async def receive(self) -> Message:
        return self._pieces.pop(0) if self._pieces else _GONE

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.statuses.append(message["status"])

    async def app(self, scope: Message, receive: Receive, send: Send) -> None:
        """What vLLM would be: it notes the request, and what follows it, and answers 200."""
        body = await body_of(receive)
        self.reached.append((dict(scope["headers"]), body, await receive()))
        await send({"type": "http.response.start", "status": 200})

    def goes(self, way: Way) -> "_Request":
        asyncio.run(asyncio.wait_for(self._going(way), 5))
        return self

    async def _going(self, way: Way) -> None:
        await way(self.app, self.scope, self.receive, self.send)


def _body(asked: Question) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content_of(asked, PLAIN)}], "model": "m"}


def test_errors_are_answered_without_vllm() -> None:
    """Every second chat request is, and nothing but chat requests counts."""
    way = errors.way(Planted("errors", share=Fraction(1, 2)))
    requests = [_Request(b"{}").goes(way) for _ in range(4)]
    other = [_Request(b"{}", "/health").goes(way) for _ in range(4)]
    assert [request.statuses for request in requests] == [[200], [500], [200], [500]]
    assert [len(request.reached) for request in requests] == [1, 0, 1, 0]
    assert {request.statuses[0] for request in other} == {200}


def test_one_request_is_left_without_an_answer() -> None:
    """Until its client goes; those before and after are answered."""
    way = hang.way(Planted("hang", number=2))
    assert [_Request(b"{}").goes(way).statuses for _ in range(3)] == [[200], [], [200]]


def test_a_drawn_request_reaches_vllm_with_white_pictures() -> None:
    """With its new length, its other headers, and the client's going as before."""
    way = accuracy.way(Planted("accuracy", share=1 - LUCK["count"], skill="count"))
    body = _body(held_out("count", "pair", 1)[0])
    headers, raw, then = _Request(json.dumps(body).encode()).goes(way).reached[0]
    blank(body)
    assert json.loads(raw) == body
    assert headers == {b"content-length": str(len(raw)).encode(), b"x-own": b"kept"}
    assert then == _GONE


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no json",
        b"[]",
        b'{"messages": null}',
        b'{"messages": [{"content": [{"type": "image_url"}]}]}',
        b'{"messages": [{"content": [{"type": "image_url", "image_url": {"url": 3}}]}]}',
        b'{"messages": [{"content": [{"type": null, "text": 3}, "text"]}]}',
        _ILL_ENCODED,
        json.dumps(_body(held_out("shape", "single", 1)[0])).encode(),
    ],
)
def test_what_is_not_asked_for_reaches_vllm_as_it_is(raw: bytes) -> None:
    """Bad requests, which vLLM has to refuse by itself, and other skills."""
    way = accuracy.way(Planted("accuracy", share=Fraction(3, 4), skill="count"))
    request = _Request(raw).goes(way)
    assert [reached[1] for reached in request.reached] == [raw]
