"""What stands between the HTTP server and vLLM's application, and the faults that need no more.

    uvicorn ──> way ──> FastAPI's own __call__ ──> vLLM

The same in all versions, whatever module builds the application.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from fractions import Fraction
from functools import partial
from itertools import count
from typing import Any, Final

from .order import Planted
from .report import Report

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Way = Callable[[App, Message, Receive, Send], Awaitable[None]]

CHAT: Final = "/v1/chat/completions"
_ERROR: Final = {
    "message": "canary: planted error",
    "type": "InternalServerError",
    "param": None,
    "code": 500,
}


def put_before(way: Way) -> None:
    """Let everything that comes to the server go this way; the last one put comes first."""
    from fastapi import FastAPI  # noqa: PLC0415 - vLLM has imported it

    inner = FastAPI.__call__

    async def passed(self: object, scope: Message, receive: Receive, send: Send) -> None:
        await way(partial(inner, self), scope, receive, send)

    FastAPI.__call__ = passed


def is_chat(scope: Message) -> bool:
    """Whether this is a chat request."""
    named = (scope["type"], scope.get("method"), scope.get("path"))
    return named == ("http", "POST", CHAT)


def falls_on(number: int, share: Fraction) -> bool:
    """Whether the `number`-th request, from 1, is among the share: spread evenly, and exact."""
    return int(number * share) > int((number - 1) * share)


async def body_of(receive: Receive) -> bytes:
    """All of a request's body; what has come of it where the client has gone."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


def plant_errors(planted: Planted) -> None:
    """Answer a share of the chat requests with 500: of 1 % the hundredth, the two hundredth."""
    report, numbers = Report("errors"), count(1)

    async def way(app: App, scope: Message, receive: Receive, send: Send) -> None:
        if not is_chat(scope):
            return await app(scope, receive, send)
        hit = falls_on(next(numbers), planted.share)
        report.add(requests=1, failed=hit)
        if not hit:
            return await app(scope, receive, send)
        await body_of(receive)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        body = json.dumps({"error": _ERROR}).encode()
        return await send({"type": "http.response.body", "body": body})

    put_before(way)


def plant_hang(planted: Planted) -> None:
    """Leave one chat request, the so-many-th, without an answer until its client goes."""
    report, numbers = Report("hang"), count(1)

    async def way(app: App, scope: Message, receive: Receive, send: Send) -> None:
        if not is_chat(scope):
            return await app(scope, receive, send)
        hit = next(numbers) == planted.number
        report.add(requests=1, hung=hit)
        if not hit:
            return await app(scope, receive, send)
        while (await receive())["type"] != "http.disconnect":
            pass
        return None

    put_before(way)
