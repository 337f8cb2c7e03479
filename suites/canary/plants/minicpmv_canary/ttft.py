"""Each streamed answer comes later as a whole, by a share of what its first token took.

    vLLM ──> piece at t ──> out at t + delay,  delay = share * (first piece - request's arrival)

A delay line, and not a held first piece: that would let the second one come right behind it, and
decoding look quicker. In time as in tokens each answer is what it was, only later. The engine is
left alone, so that requests that decode meanwhile are not slowed down. An answer that is not
streamed has no first token, and is left alone too.

A busy event loop is late, and its timers are no finer than 1 ms: what answers were delayed too long
is taken off the delays of others, so that in sum they are as long as they should be.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from .door import App, Message, Receive, Send, Way, is_chat
from .order import Planted
from .report import Report


def way(planted: Planted) -> Way:
    """Put the delay line behind the server's chat."""
    delays = Delays(float(planted.share), Report("ttft"))

    async def delayed(app: App, scope: Message, receive: Receive, send: Send) -> None:
        if not is_chat(scope):
            return await app(scope, receive, send)
        line = Line(delays, send)
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

    return delayed


class Delays:
    """How long answers are to be delayed, and how long they were."""

    def __init__(self, share: float, report: Report) -> None:
        self._share = share
        self._report = report
        self._excess_s = 0.0

    def of(self, first_s: float) -> float:
        """The delay of an answer whose first token took so long."""
        self._report.add(answers=1, first_s=first_s)
        wanted_s = self._share * first_s
        delay_s = min(max(0.0, wanted_s - self._excess_s), 2 * wanted_s)
        self._excess_s += delay_s - wanted_s
        return delay_s

    def was(self, delay_s: float, late_s: float) -> None:
        """Note that an answer was delayed so long, and a little longer."""
        self._report.add(delayed_s=delay_s + late_s)
        self._excess_s += late_s


class Line:
    """The messages of one answer, on their way out."""

    def __init__(self, delays: Delays, send: Send) -> None:
        self._delays = delays
        self._send = send
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
            self._delay_s = self._delays.of(now_s - self._began_s)
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
            if first and self._delay_s is not None and message["type"] == "http.response.body":
                first = False
                self._delays.was(self._delay_s, self._now() - due_s)
            await self._send(message)
