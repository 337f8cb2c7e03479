"""The start takes so much longer: a share of all that it took, waited just before it serves."""

from __future__ import annotations

import asyncio
import time

from .door import App, Message, Receive, Send, Way
from .order import Planted
from .report import Report


def way(planted: Planted) -> Way:
    """Wait when the HTTP server is about to start; the engine is ready by then."""
    report = Report("slow-start")

    async def slow(app: App, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            import psutil  # noqa: PLC0415 - vLLM has imported it

            age_s = time.time() - psutil.Process().create_time()
            wait_s = age_s * float(planted.share)
            report.add(took_s=age_s, waited_s=wait_s)
            await asyncio.sleep(wait_s)
        await app(scope, receive, send)

    return slow
