"""Small OpenAI endpoints that behave well or badly: real sockets, standard library only."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from fixtures.questions.asking import Endpoint


class OpenAiHandler(BaseHTTPRequestHandler):
    """Streams the last word of the question, in two pieces."""

    requests: ClassVar[list[dict[str, Any]]]
    """The bodies that came, in their order."""

    def do_POST(self) -> None:
        """Read the request and answer."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append(body)
        self.question = str(body["messages"][0]["content"][-1]["text"])
        self.answer()

    def answer(self) -> None:
        """Stream a whole answer."""
        word = self.question.split()[-1]
        self.begin()
        self.send({"role": "assistant", "content": ""})
        self.send({"content": word[:1]})
        self.send({"content": word[1:]}, finish_reason="stop")
        self.send_usage(prompt=70, completion=2)
        self.wfile.write(b"data: [DONE]\n\n")

    def begin(self) -> None:
        """Send the head of a stream of server-sent events."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()

    def send(self, delta: dict[str, str], finish_reason: str | None = None) -> None:
        """Send one piece of the answer."""
        self._event([{"index": 0, "delta": delta, "finish_reason": finish_reason}])

    def send_usage(self, prompt: int, completion: int) -> None:
        """Send the token counts, as the last event before the end."""
        total = prompt + completion
        counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
        self._event([], usage=counts)

    def _event(self, choices: list[dict[str, Any]], **more: object) -> None:
        chunk = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "minicpm-v",
            "choices": choices,
        }
        self.wfile.write(b"data: " + json.dumps(chunk | more).encode() + b"\n\n")
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        """Stay silent."""


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that went away are what some tests are about."""


@contextmanager
def serving(handler: type[OpenAiHandler]) -> Iterator[Endpoint]:
    """Serve on a free port until the block ends."""
    handler.requests = []
    with _QuietServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Endpoint(f"http://127.0.0.1:{server.server_port}/v1", "minicpm-v")
        finally:
            server.shutdown()
            thread.join()
