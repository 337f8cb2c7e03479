"""Stand-ins for a server that is sent bad requests: one that does right, and what may go wrong."""

from __future__ import annotations

import base64
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from PIL import Image

from fixtures.questions.asking import Endpoint
from fixtures.questions.hostile.probe import Target
from fixtures.questions.hostile.probes import candidates

TARGET = Target("minicpm-v", 2048, 2)
PATIENCE_S = 30.0
_WORDS = {question.text: question.answer for question in candidates()}
_MISTAKES = (
    *(ValueError, TypeError, LookupError, AttributeError, RecursionError),
    *(OSError, SyntaxError, Warning, Image.DecompressionBombError),
)


class Server(ThreadingHTTPServer):
    """A server on a free port, as a context; what it saw and what became of it."""

    daemon_threads = True

    def __init__(self, handler: type[Careful]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.endpoint = Endpoint(f"http://127.0.0.1:{self.server_port}/v1", "minicpm-v")
        self.accepted = 0
        self.bodies: list[bytes] = []
        self.harmed = threading.Event()
        """Set by a handler to which something bad was sent that does it harm."""
        self.over = threading.Event()
        """Set at the end, for handlers that hang."""
        self.broken_off = threading.Event()
        """Set by a stream whose reader went away."""
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self.die()

    def die(self) -> None:
        """Take no connection any more."""
        self.shutdown()
        self._thread.join()
        self.server_close()

    def why_down(self) -> str | None:
        """As a deployment's."""
        return None if self._thread.is_alive() else "the engine died"

    def get_request(self) -> tuple[Any, Any]:
        """Count the connections."""
        self.accepted += 1
        return super().get_request()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that went away are what it is about."""


class Careful(BaseHTTPRequestHandler):
    """Refuses mistakes with 400 and a reason, and answers the control questions right."""

    server: Server

    def do_POST(self) -> None:
        """Read the request, then answer or refuse it."""
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return
        self.server.bodies.append(body)
        self.respond(body)

    def respond(self, body: bytes) -> None:
        """Do right."""
        try:
            word, streamed = _checked(body)
        except _MISTAKES as mistake:
            self.tell(400, {"error": {"message": f"{type(mistake).__name__}: {mistake}"}})
            return
        if streamed:
            self._stream()
        self.answer(word)

    def answer(self, word: str) -> None:
        """Answer with one word."""
        self.tell(200, {"choices": [{"message": {"content": word}}]})

    def tell(self, status: int, told: dict[str, Any]) -> None:
        """Send a status and JSON."""
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        """Write until the reader goes away."""
        self.send_response(200)
        self.end_headers()
        try:
            while not self.server.over.wait(0.01):
                self.wfile.write(b"data: {}\n\n")
        except OSError:
            self.server.broken_off.set()
            raise

    def log_message(self, *args: object) -> None:
        """Stay silent."""


def _checked(body: bytes) -> tuple[str, bool]:
    """The word for a good request, and whether it is to be streamed; raises for a mistake."""
    request = json.loads(body)
    if request["model"] != TARGET.model or not 0 <= request["temperature"] <= 2:
        msg = "no such model, or no such temperature"
        raise ValueError(msg)
    if not 1 <= request["max_tokens"] <= TARGET.max_model_len or {"n", "logprobs"} & set(request):
        msg = "more than there is"
        raise ValueError(msg)
    if "response_format" in request:
        msg = "no schema"
        raise ValueError(msg)
    (message,) = request["messages"]
    *pictures, text = message["content"]
    text["text"].encode()
    if len(text["text"]) > TARGET.max_model_len or len(pictures) > 2:
        msg = "too long"
        raise ValueError(msg)
    for picture in pictures:
        head, data = picture["image_url"]["url"].split(",")
        if not head.startswith("data:"):
            msg = "no data URL"
            raise ValueError(msg)
        file = io.BytesIO(base64.b64decode(data, validate=True))
        with Image.open(file) as image:
            image.load()
    return _WORDS.get(text["text"], "nothing"), request.get("stream", False)
