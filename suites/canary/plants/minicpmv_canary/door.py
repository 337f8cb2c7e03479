"""What stands between the HTTP server and vLLM's application.

    uvicorn ──> way ──> FastAPI's own __call__ ──> vLLM

The same in all versions, whatever module builds the application.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, Final

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Way = Callable[[App, Message, Receive, Send], Awaitable[None]]

CHAT: Final = "/v1/chat/completions"


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


async def body_of(receive: Receive) -> bytes:
    """All of a request's body; what has come of it where the client has gone."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)
