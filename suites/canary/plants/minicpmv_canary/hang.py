"""One chat request, the so-many-th, is never answered."""

from __future__ import annotations

from itertools import count

from .door import App, Message, Receive, Send, Way, is_chat
from .order import Planted
from .report import Report


def way(planted: Planted) -> Way:
    """Leave it until its client goes."""
    report, numbers = Report("hang"), count(1)

    async def hang(app: App, scope: Message, receive: Receive, send: Send) -> None:
        if not is_chat(scope):
            return await app(scope, receive, send)
        hit = next(numbers) == planted.number
        report.add(requests=1, hung=hit)
        if not hit:
            return await app(scope, receive, send)
        while (await receive())["type"] != "http.disconnect":
            pass
        return None

    return hang
