"""A share of the chat requests is answered with 500: at 1 % the hundredth, the two hundredth ..."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import count
from typing import Final

from .door import App, Message, Receive, Send, Way, body_of, is_chat
from .order import Planted
from .report import Report

_ERROR: Final = {
    "message": "canary: planted error",
    "type": "InternalServerError",
    "param": None,
    "code": 500,
}


def falls_on(number: int, share: Fraction) -> bool:
    """Whether the `number`-th request, from 1, is among the share: spread evenly, and exact."""
    return int(number * share) > int((number - 1) * share)


def way(planted: Planted) -> Way:
    """Let vLLM have all requests but those."""
    report, numbers = Report("errors"), count(1)

    async def errors(app: App, scope: Message, receive: Receive, send: Send) -> None:
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

    return errors
