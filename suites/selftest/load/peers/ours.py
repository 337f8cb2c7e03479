"""Our own generator, measured as any other client.

Usage: ours.py BASE_URL CONCURRENCY REQUESTS TIMINGS_FILE
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path

from fixtures.load.arrivals import Closed
from fixtures.load.generator import run_load

_BODY = json.dumps(
    {
        "model": "stub",
        "messages": [{"role": "user", "content": "word " * 50}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 16,
    }
).encode()


def main(base_url: str, concurrency: int, requests: int, timings: Path) -> None:
    """Run a round, and write what it measured."""
    round_ = run_load(base_url, [_BODY] * requests, Closed(concurrency), 60.0)
    answered = [timeline for timeline in round_.timelines if timeline.reply.error is None]
    told = {
        "ttft_s": [timeline.ttft_s for timeline in answered],
        "itl_s": [
            after - before for timeline in answered for before, after in pairwise(timeline.token_s)
        ],
    }
    timings.write_text(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
