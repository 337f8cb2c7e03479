"""A proxy before a real server that plants one fault in its load: a program of its own.

Usage: python -m suites.selftest.standin.load_proxy HOST PORT FAULT

It prints its port and serves until its standard input closes. Connections are kept, so that a load
generator meets what it meets without a proxy; /metrics is handed on as it is.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from itertools import count
from typing import Final, Literal, NamedTuple, get_args

import uvloop

from fixtures.questions.priority import run_first

Fault = Literal["none", "tokens held", "one in fifty fails", "answers from a cache"]
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)

_HELD_S: Final = 0.02
_FIFTY: Final = 50
_FAILED: Final = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops"


class _Message(NamedTuple):
    head: bytes
    """With the blank line."""
    body: bytes


async def _read(reader: asyncio.StreamReader) -> _Message:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-len")),
        0,
    )
    return _Message(head, await reader.readexactly(length))


class _Proxy:
    def __init__(self, host: str, port: int, fault: Fault) -> None:
        self._host, self._port, self._fault = host, port, fault
        self._numbers = count(1)
        self._cache: dict[str, bytes] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand on each request of a connection, and its answer."""
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        try:
            while True:
                request = await _read(reader)
                own = self._own_answer(request)
                if own is not None:
                    writer.write(own)
                    continue
                upstream = upstream or await asyncio.open_connection(self._host, self._port)
                upstream[1].write(request.head + request.body)
                pieces = []
                answer = self._answer(upstream[0])
                if self._fault == "tokens held" and request.body:
                    answer = _held(answer)
                async for piece in answer:
                    pieces.append(piece)
                    writer.write(piece)
                    await writer.drain()
                self._cache[_words(request)] = b"".join(pieces)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # One of the two went away: that is its right.
        finally:
            writer.close()
            if upstream:
                upstream[1].close()

    def _own_answer(self, request: _Message) -> bytes | None:
        """What is answered without asking the server; None where it is asked."""
        if not request.body:
            return None
        if self._fault == "one in fifty fails" and next(self._numbers) % _FIFTY == 0:
            return _FAILED
        if self._fault == "answers from a cache":
            return self._cache.get(_words(request))
        return None

    async def _answer(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        """An answer's head, then its chunks, or all of its body."""
        head = await reader.readuntil(b"\r\n\r\n")
        yield head
        if b"chunked" not in head.lower():
            length = head.lower().split(b"content-length:")[1].split(b"\r\n")[0]
            yield await reader.readexactly(int(length))
            return
        while True:
            size = await reader.readuntil(b"\r\n")
            yield size + await reader.readexactly(int(size, 16) + 2)
            if int(size, 16) == 0:
                return


async def _held(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Each as long after the one before as the server took, and `_HELD_S` besides.

    Not only so much after it came: of a server that takes longer than that for a token, all would
    come by the same time later, and none further from the next.
    """
    clock = asyncio.get_running_loop().time
    came: asyncio.Queue[tuple[float, bytes] | None] = asyncio.Queue()

    async def read() -> None:
        try:
            async for piece in pieces:
                came.put_nowait((clock(), piece))
        finally:
            came.put_nowait(None)

    reading = asyncio.create_task(read())
    held_s = 0.0
    while (one := await came.get()) is not None:
        at_s, piece = one
        held_s += _HELD_S
        await asyncio.sleep(at_s + held_s - clock())
        yield piece
    await reading


def _words(request: _Message) -> str:
    """What is asked, without the pictures: a bad key for a cache."""
    if not request.body:
        return ""
    content = json.loads(request.body)["messages"][0]["content"]
    return " ".join(part["text"] for part in content if part["type"] == "text")


async def _main(host: str, port: int, fault: Fault) -> None:
    server = await asyncio.start_server(_Proxy(host, port, fault).serve, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    named = next(fault for fault in FAULTS if fault == sys.argv[3])
    # A path that is late because the machine is busy would be a fault of its own.
    with run_first():
        uvloop.run(_main(sys.argv[1], int(sys.argv[2]), named))
