"""Each streamed answer comes later as a whole, by a share of what its first token took.

    vLLM ──> piece at t ──> out at t + delay,  delay = share * (first piece - request's arrival)

A delay line, and not a held first piece: that would let the second one come right behind it, and
decoding look quicker. In time as in tokens each answer is what it was, only later. The engine is
left alone, so that requests that decode meanwhile are not slowed down. An answer that is not
streamed has no first token, and is left alone too.

An event loop's timers are as fine as 1 ms, so that a single delay may be off by half of one.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from .door import App, Message, Receive, Send, is_chat, put_before
from .order import Planted
from .report import Report


def plant(planted: Planted) -> None:
    """Put the delay line behind the server's chat."""
    share, report = float(planted.share), Report("ttft")

    async def way(app: App, scope: Message, receive: Receive, send: Send) -> None:
        if not is_chat(scope):
            return await app(scope, receive, send)
        line = _Line(share, send, report)
        sending = asyncio.ensure_future(line.run())
        try:
            await app(scope, receive, line.take)
            line.end()
            await sending
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
        return None

    put_before(way)


class _Line:
    """The messages of one answer, on their way out."""

    def __init__(self, share: float, send: Send, report: Report) -> None:
        self._share = share
        self._send = send
        self._report = report
        self._now = asyncio.get_running_loop().time
        self._began_s = self._now()
        self._delay_s: float | None = None
        self._streamed = False
        self._waiting: asyncio.Queue[tuple[float, Message] | None] = asyncio.Queue()

    async def take(self, message: Message) -> None:
        """What vLLM calls to send; it never waits."""
        now_s = self._now()
        if message["type"] == "http.response.start":
            headers = dict(message.get("headers", ()))
            self._streamed = headers.get(b"content-type", b"").startswith(b"text/event-stream")
        elif self._streamed and self._delay_s is None:
            self._delay_s = self._share * (now_s - self._began_s)
            self._report.add(answers=1, first_s=now_s - self._began_s)
        self._waiting.put_nowait((now_s + (self._delay_s or 0.0), message))

    def end(self) -> None:
        """Nothing follows."""
        self._waiting.put_nowait(None)

    async def run(self) -> None:
        """Send each message when it is due."""
        first = True
        while item := await self._waiting.get():
            due_s, message = item
            if (early_s := due_s - self._now()) > 0:
                await asyncio.sleep(early_s)
            if first and self._delay_s is not None:
                first = False
                self._report.add(delayed_s=self._now() - due_s + self._delay_s)
            await self._send(message)
