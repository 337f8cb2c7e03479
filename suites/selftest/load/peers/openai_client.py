"""OpenAI's asynchronous client, streaming, with a semaphore: how load is often made by hand.

Usage: openai_client.py BASE_URL CONCURRENCY REQUESTS TIMINGS_FILE
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import pairwise
from pathlib import Path

from openai import AsyncOpenAI


async def _token_s(client: AsyncOpenAI, gate: asyncio.Semaphore) -> list[float]:
    """When a request was sent, and when each of its tokens came."""
    async with gate:
        moments_s = [time.monotonic()]
        stream = await client.chat.completions.create(
            model="stub",
            messages=[{"role": "user", "content": "word " * 50}],
            stream=True,
            stream_options={"include_usage": True},
            max_completion_tokens=16,
        )
        moments_s += [
            time.monotonic()
            async for chunk in stream
            if chunk.choices and chunk.choices[0].delta.content
        ]
        return moments_s


async def main(base_url: str, concurrency: int, requests: int) -> dict[str, list[float]]:
    """Ask; what was measured."""
    gate = asyncio.Semaphore(concurrency)
    async with AsyncOpenAI(base_url=base_url, api_key="unused", max_retries=0) as client:
        answers = await asyncio.gather(*(_token_s(client, gate) for _ in range(requests)))
    return {
        "ttft_s": [moments_s[1] - moments_s[0] for moments_s in answers],
        "itl_s": [
            after - before for moments_s in answers for before, after in pairwise(moments_s[1:])
        ],
    }


if __name__ == "__main__":
    _told = asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
    Path(sys.argv[4]).write_text(json.dumps(_told))
