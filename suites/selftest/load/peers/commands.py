"""The load clients that are compared: how each is started, and what it wrote down.

Each runs as a process of its own on one core. What it measured of single requests is taken, and
never a percentile of its own making, so that all are judged by the same arithmetic.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from fixtures.runtimes.environments import CHECKOUT

_HERE: Final = CHECKOUT / "suites" / "selftest" / "load" / "peers"


class Task(NamedTuple):
    """What a client is to do."""

    base_url: str
    concurrency: int
    requests: int
    folder: Path
    """Where it may write."""
    tokenizer: Path
    """A folder with one, for clients that cannot do without."""


class Timings(NamedTuple):
    """What a client measured, in seconds, over the requests that it saw answered."""

    ttft_s: list[float]
    itl_s: list[float]


class Peer(NamedTuple):
    """A load client."""

    name: str
    argv: Callable[[Task], list[str]]
    read: Callable[[Path], Timings]
    """From the task's folder."""
    rounds: tuple[int, int]
    """Requests of a short and of a long round at full speed, some seconds apart."""
    mean_itl: bool = False
    """Whether it tells a mean for each request only, and no time between two tokens."""


def _ours(task: Task) -> list[str]:
    return _program(Path(sys.executable), "ours", task)


def _openai(task: Task) -> list[str]:
    return _program(Path(sys.executable), "openai_client", task)


def _program(python: Path, name: str, task: Task) -> list[str]:
    words = (task.base_url, str(task.concurrency), str(task.requests), _timings(task.folder))
    return [str(python), "-m", f"suites.selftest.load.peers.{name}", *map(str, words)]


def _timings(folder: Path) -> Path:
    return folder / "timings.json"


def _read(folder: Path) -> Timings:
    return Timings(**json.loads(_timings(folder).read_text()))


OURS: Final = Peer("this generator", _ours, _read, (5_000, 45_000))
OPENAI: Final = Peer("openai, AsyncOpenAI", _openai, _read, (200, 1_000))


def vllm_bench(python: Path, version: str) -> Peer:
    """The benchmark of a vLLM, with its own Python."""

    def argv(task: Task) -> list[str]:
        words = (task.tokenizer, task.base_url, task.concurrency, task.requests)
        return [
            *(str(python), str(_HERE / "vllm_bench.py")),
            *map(str, words),
            str(_timings(task.folder)),
        ]

    return Peer(f"vllm bench serve {version}", argv, _read, (1_000, 6_000))


def guidellm(env: Path, version: str) -> Peer:
    """GuideLLM in its environment."""

    def argv(task: Task) -> list[str]:
        return [
            *(str(env / "bin" / "guidellm"), "run", "--disable-console"),
            *("--backend", f"kind=openai_http,target={task.base_url},model=stub"),
            *("--profile", f"kind=concurrent,streams={task.concurrency}"),
            *("--constraint", f"kind=max_requests,count={task.requests}"),
            *("--data", "kind=synthetic_text,prompt_tokens=50,output_tokens=16"),
            *("--tokenizer", f"kind=huggingface_auto,model={task.tokenizer}"),
            *("--output", f"kind=json,path={task.folder / 'guidellm.json'}"),
        ]

    return Peer(f"guidellm {version}, mean ITL", argv, _read_guidellm, (200, 600), mean_itl=True)


def _read_guidellm(folder: Path) -> Timings:
    (benchmark,) = json.loads((folder / "guidellm.json").read_text())["benchmarks"]
    answered: list[dict[str, Any]] = benchmark["requests"]["successful"]
    return Timings(
        [one["time_to_first_token_ms"] / 1000 for one in answered],
        [one["inter_token_latency_ms"] / 1000 for one in answered],
    )


def aiperf(env: Path, version: str) -> Peer:
    """AIPerf in its environment."""

    def argv(task: Task) -> list[str]:
        return [
            *(str(env / "bin" / "aiperf"), "profile", "--ui", "none", "--streaming"),
            *("--url", task.base_url.removesuffix("/v1"), "-m", "stub", "--endpoint-type", "chat"),
            *("--tokenizer", str(task.tokenizer), "--concurrency", str(task.concurrency)),
            *("--request-count", str(task.requests), "--isl", "50", "--osl", "16"),
            *("--output-artifact-dir", str(task.folder)),
        ]

    return Peer(f"aiperf {version}", argv, _read_aiperf, (200, 600))


def _read_aiperf(folder: Path) -> Timings:
    lines = (folder / "profile_export.jsonl").read_text().splitlines()
    metrics = [json.loads(line)["metrics"] for line in lines]
    answered = [one for one in metrics if "time_to_first_token" in one]
    return Timings(
        [one["time_to_first_token"]["value"] / 1000 for one in answered],
        [gap / 1000 for one in answered for gap in one["inter_chunk_latency"]["value"]],
    )
