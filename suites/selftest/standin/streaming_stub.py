"""A server that streams answers at exactly known moments, well or badly: a program of its own.

Usage: streaming_stub.py JSON_OF_SCRIPT

It prints its port, serves until its standard input closes, and prints what it did as JSON: the
requests as they came, and when it wrote each piece of their answers, on the monotonic clock.

Each token is a chunk and a write of its own, handed to the kernel at once, as vLLM's server does
it; what is due at the same moment is one write, so that a script without any delay answers with a
single one. A bare epoll loop with a timer of the kernel's: event loops of Python wait in whole
milliseconds. All requests that are there are read before any is answered, and tokens are written
one at a time between two looks, so that a request hardly waits before its coming is noted.
"""

from __future__ import annotations

import ctypes
import heapq
import json
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import count, groupby
from operator import itemgetter
from typing import Final, NamedTuple

Write = tuple[float, bytes | None]
"""Seconds after the request came, and what is written then; None hangs up."""

_CLOCK_MONOTONIC: Final = 1
_ABSOLUTE: Final = 1
_GOLDEN: Final = 0.6180339887
"""Multiples of it fill the numbers from 0 to 1 evenly, however few they are."""
_READ_BYTES: Final = 1 << 20


_MODELS: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 44\r\n\r\n"
    b'{"object": "list", "data": [{"id": "stub"}]}'
)
"""What every GET is answered with: some clients look whether a server is there."""


class Script(NamedTuple):
    """How it answers. Shares are of all requests, spread evenly, the same ones in each run."""

    ttft_s: float = 0.0
    gap_s: float = 0.0
    """Between two tokens."""
    tokens: int = 16
    refused: float = 0.0
    """Share answered with a status of 500."""
    broken: float = 0.0
    """Share whose connection is closed after half of the tokens."""
    faulty: float = 0.0
    """Share with an error event after half of the tokens."""
    silent: float = 0.0
    """Share that is never answered."""
    length: bool = False
    """Whether answers have a Content-Length, and no chunks."""
    piece_bytes: int = 0
    """The most that is written at once; 0 for no limit."""
    idle_s: float = 0.0
    """After so long without a request a connection is closed; 0 for never."""
    close: bool = False
    """Whether each answer ends its connection, and says so."""
    keep_bodies: bool = False


class Served(NamedTuple):
    """A request and its answer; moments on the monotonic clock."""

    connection: int
    """Which one it came on, counted from 0."""
    came_s: float
    """When the whole request was read."""
    sent_s: list[float]
    """When each write began."""
    body: str
    """The request's, where the script keeps them."""


def _event(choices: list[dict[str, object]], **more: object) -> bytes:
    about = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "stub"}
    return b"data: %b\n\n" % json.dumps({**about, "choices": choices, **more}).encode()


def _choice(content: str, finish_reason: str | None = None, **more: object) -> bytes:
    delta = {"content": content, **more}
    return _event([{"index": 0, "delta": delta, "finish_reason": finish_reason}])


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def answer_of(script: Script, kind: str) -> tuple[Write, ...]:
    """All writes of an answer. Kinds are the shares of a script, and `whole`."""
    if kind == "silent":
        return ()
    if kind == "refused":
        said = b'{"error": {"message": "refused by the script"}}'
        head = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: %d\r\n\r\n" % len(said)
        return ((script.ttft_s, head + said),)
    tokens = script.tokens if kind == "whole" else script.tokens // 2
    events = [
        (
            script.ttft_s + number * script.gap_s,
            # vLLM names the role in an event of its own, together with the first token.
            (b"" if number else _choice("", role="assistant"))
            + _choice(f"t{number} ", "stop" if number == script.tokens - 1 else None),
        )
        for number in range(tokens)
    ]
    last_s = events[-1][0] if events else script.ttft_s
    if kind == "faulty":
        events.append((last_s, _event([], error={"message": "faulty by the script"})))
    if kind != "broken":
        usage = {"prompt_tokens": 70, "completion_tokens": tokens}
        events.append((last_s, _event([], usage=usage) + b"data: [DONE]\n\n"))
    return tuple(_merged(_framed(script, kind, events, last_s)))


def _framed(
    script: Script, kind: str, events: list[tuple[float, bytes]], last_s: float
) -> Iterator[Write]:
    how = b"Transfer-Encoding: chunked"
    if script.length:
        how = b"Content-Length: %d" % sum(len(event) for _, event in events)
    close = b"Connection: close\r\n" if script.close else b""
    yield (
        0.0,
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%b%b\r\n\r\n" % (close, how),
    )
    for at_s, event in events:
        yield at_s, event if script.length else _chunk(event)
    if kind != "broken" and not script.length:
        yield last_s, b"0\r\n\r\n"
    if kind == "broken" or script.close:
        yield last_s, None


def _merged(writes: Iterator[Write]) -> Iterator[Write]:
    for at_s, together in groupby(writes, itemgetter(0)):
        parts = [data for _, data in together]
        yield at_s, b"".join(part for part in parts if part is not None)
        if None in parts:
            yield at_s, None


def kind_of(script: Script, number: int) -> str:
    """How the request of this number, counted from 0, is answered."""
    place = number * _GOLDEN % 1
    for kind in ("refused", "broken", "faulty", "silent"):
        place -= getattr(script, kind)
        if place < 0:
            return kind
    return "whole"


class _Timer:
    """A descriptor that can be read from a moment on; exact where time-outs are rounded."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._libc.timerfd_create(_CLOCK_MONOTONIC, 0)
        self._set_s = 0.0

    def set(self, at_s: float) -> None:
        """Wake at this moment."""
        if at_s != self._set_s:
            self._set_s = at_s
            seconds, rest = divmod(max(int(at_s * 1e9), 1), 10**9)
            self._libc.timerfd_settime(
                self.descriptor, _ABSOLUTE, (ctypes.c_long * 4)(0, 0, seconds, rest), None
            )


class _Client:
    """One connection."""

    def __init__(self, number: int, connected: socket.socket) -> None:
        self.number, self.socket = number, connected
        self.unread = b""
        self.open = True
        self.requests = 0

    def take(self) -> tuple[bytes, bytes] | None:
        """Method and body of the next request, if all of it is there."""
        head, found, rest = self.unread.partition(b"\r\n\r\n")
        if not found:
            return None
        length = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
        if len(rest) < length:
            return None
        self.unread = rest[length:]
        self.requests += 1
        return head.partition(b" ")[0], rest[:length]


class _Stub:
    """The server while it runs."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._answer = cache(lambda kind: answer_of(script, kind))
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._clients: dict[int, _Client] = {}
        self.served: list[Served] = []
        self.connections = 0
        self._timer = _Timer()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._poll = select.epoll()
        for descriptor in (self.listener.fileno(), sys.stdin.fileno()):
            self._poll.register(descriptor, select.EPOLLIN)
        # Told once when it is due: it is never read.
        self._poll.register(self._timer.descriptor, select.EPOLLIN | select.EPOLLET)

    def serve(self) -> None:
        """Serve until standard input closes."""
        listener, stdin = self.listener.fileno(), sys.stdin.fileno()
        agenda = self._agenda
        while True:
            due = bool(agenda) and agenda[0][0] <= time.monotonic()
            if agenda and not due:
                self._timer.set(agenda[0][0])
            asked: list[tuple[_Client, int]] = []
            for descriptor, _ in self._poll.poll(0 if due else None):
                if descriptor == stdin:
                    return
                if descriptor == listener:
                    self._accept()
                elif client := self._clients.get(descriptor):
                    asked += self._read(client)
            for client, number in asked:
                self._go_on(client, number, 0)
            if agenda and agenda[0][0] <= time.monotonic():
                heapq.heappop(agenda)[2]()

    def _at(self, at_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (at_s, next(self._order), act))

    def _accept(self) -> None:
        connected, _ = self.listener.accept()
        connected.settimeout(0)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = self._clients[connected.fileno()] = _Client(self.connections, connected)
        self.connections += 1
        self._poll.register(connected.fileno(), select.EPOLLIN)
        self._close_when_idle(client)

    def _read(self, client: _Client) -> Iterator[tuple[_Client, int]]:
        try:
            data = client.socket.recv(_READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._hang_up(client)
            return
        client.unread += data
        while (request := client.take()) is not None:
            method, body = request
            if method != b"POST":
                self._write(client, _MODELS)
                continue
            kept = body.decode() if self._script.keep_bodies else ""
            self.served.append(Served(client.number, time.monotonic(), [], kept))
            yield client, len(self.served) - 1

    def _go_on(self, client: _Client, number: int, turn: int) -> None:
        """Write what is due of an answer, from its write of this turn on."""
        _, came_s, sent_s, _ = self.served[number]
        writes = self._answer(kind_of(self._script, number))
        while turn < len(writes) and client.open:
            after_s, data = writes[turn]
            if came_s + after_s > time.monotonic():
                self._at(came_s + after_s, partial(self._go_on, client, number, turn))
                return
            if data is None:
                self._hang_up(client)
            else:
                sent_s.append(time.monotonic())
                self._write(client, data)
            turn += 1
        self._close_when_idle(client)

    def _write(self, client: _Client, data: bytes) -> None:
        size = self._script.piece_bytes or len(data)
        try:
            for start in range(0, len(data), size):
                client.socket.send(data[start : start + size])
        except OSError:
            # Gone, or it does not read: a stub waits for nobody.
            self._hang_up(client)

    def _close_when_idle(self, client: _Client) -> None:
        if self._script.idle_s:
            requests = client.requests

            def close() -> None:
                if client.requests == requests:
                    self._hang_up(client)

            self._at(time.monotonic() + self._script.idle_s, close)

    def _hang_up(self, client: _Client) -> None:
        if client.open:
            client.open = False
            del self._clients[client.socket.fileno()]
            client.socket.close()


def main(script: Script) -> None:
    """Serve, and tell what was done."""
    stub = _Stub(script)
    print(stub.listener.getsockname()[1], flush=True)  # noqa: T201 - what its caller waits for
    stub.serve()
    done = {
        "connections": stub.connections,
        "cpu_s": time.process_time(),
        "served": stub.served,
    }
    print(json.dumps(done), flush=True)  # noqa: T201 - what its caller reads


if __name__ == "__main__":
    main(Script(**json.loads(sys.argv[1])))
