"""A short soak of a small HTTP server that speaks as vLLM does."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from fixtures.load.counters import standing_of
from fixtures.load.generator import Timeline
from fixtures.load.mixture import mixture_for
from fixtures.load.reply import failed
from fixtures.load.soaking import FILLING, Site, has_left, soak
from fixtures.questions.asking import Endpoint

pytestmark = pytest.mark.selftest

LONG_TOKENS = 512
LONG_S = 1.6


RUNNING = "vllm:num_requests_running"


class _Answers(BaseHTTPRequestHandler):
    """Answers at once, and over long ones takes longer than anyone waits; fails where told to."""

    protocol_version = "HTTP/1.1"
    failing = False

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with suppress(OSError):
            if asked["max_completion_tokens"] >= LONG_TOKENS:
                time.sleep(LONG_S)
            elif self.failing and asked.get("ignore_eos"):
                self._say(500, b'{"error": {"message": "planted"}}')
                return
            told: dict[str, Any] = {"delta": {"content": "red"}, "finish_reason": "stop"}
            self._say(200, b"data: %b\n\n" % json.dumps({"choices": [told]}).encode())

    def do_GET(self) -> None:
        self._say(200, f"# TYPE {RUNNING} gauge\n{RUNNING} 0.0\n".encode())

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the terminal clean."""


class _Failing(_Answers):
    failing = True


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Where the server of the test's parameter is."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), request.param)
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    root = f"http://127.0.0.1:{server.server_address[1]}"
    yield Site(f"{root}/v1", clients=3)
    server.shutdown()
    serving.join()
    server.socket.close()


@pytest.mark.parametrize("site", [_Answers], indirect=True)
def test_a_soak_answers_all_but_those_who_leave(site: Site) -> None:
    """However short, it has a slice to judge; who left is counted and is no failure."""
    mixture = mixture_for(Endpoint(site.base_url, "minicpm-v"), 4 * LONG_TOKENS)
    soaked = soak(site, mixture, lasting_s=0.0)
    assert len(soaked.slices) == FILLING + 1
    assert all(len(one.answered) == len(mixture.patient) for one in soaked.slices)
    assert not any(one.errors for one in soaked.slices)
    assert all(one.yardstick_s > 0 for one in soaked.slices)
    assert sum(one.left for one in soaked.slices) > 0
    assert [standing_of(told).running for _, told in soaked.told] == [0.0] * 3


@pytest.mark.parametrize("site", [_Failing], indirect=True)
def test_an_error_of_the_server_is_one_of_the_soak(site: Site) -> None:
    """Requests that the server fails are told with its words, in every slice."""
    mixture = mixture_for(Endpoint(site.base_url, "minicpm-v"), 4 * LONG_TOKENS)
    soaked = soak(site, mixture, lasting_s=0.0)
    assert all("HTTP 500: planted" in one.errors for one in soaked.slices)


@pytest.mark.parametrize("site", [_Answers], indirect=True)
def test_a_soak_ends_with_its_server(site: Site) -> None:
    """What is down is not loaded for minutes."""
    mixture = mixture_for(Endpoint(site.base_url, "minicpm-v"), 4 * LONG_TOKENS)
    soaked = soak(site, mixture, 600.0, lambda: "the engine died")
    assert len(soaked.slices) == 1
    assert soaked.slices[0].errors


@pytest.mark.parametrize(
    ("sent_s", "done_s", "left"),
    [(1.0, 1.2, True), (1.03, 1.2, True), (1.0, 1.196, True), (1.0, 1.19, False)],
    ids=["as long as it would", "a slow connection", "an early timer", "too early"],
)
def test_who_leaves_has_waited_for_a_connection_too(
    sent_s: float, done_s: float, *, left: bool
) -> None:
    """Patience begins with the client's turn; what ends before it did is a failure."""
    timeline = Timeline(1.0, sent_s, done_s, (), failed("no whole answer"))
    assert has_left(timeline, 0.2) is left
