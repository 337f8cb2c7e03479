"""A proxy before a real server that plants one fault in the pictures or in the requests.

    ask_all ──> proxy: change the request ──> the server's /v1 ──> its reply, byte for byte

Standard library and Pillow; one connection for each request, so that a stream's end is its close.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from fixtures.questions.asking import Endpoint
from fixtures.questions.catalogue import UNIT

Body = dict[str, Any]
Fault = Callable[[list[Body]], Body]
"""From all requests that came, the latest last, to what is forwarded for the latest."""

_DATA_URL: Final = "data:image/png;base64,"
_EVERY: Final = 20
"""One in so many requests is answered with another's answer."""
_FURTHER_TOKENS: Final = 8
_CLOSE_WITHIN_S: Final = 5.0


def _pictures(body: Body) -> list[Body]:
    content: list[Body] = body["messages"][0]["content"]
    return [part for part in content if part["type"] == "image_url"]


def _each_picture(change: Callable[[Image.Image], Image.Image]) -> Fault:
    """The fault that changes each picture of each request."""

    def plant(requests: list[Body]) -> Body:
        for part in _pictures(requests[-1]):
            raw = base64.b64decode(part["image_url"]["url"].removeprefix(_DATA_URL))
            file = io.BytesIO()
            with Image.open(io.BytesIO(raw)) as picture:
                # Little compression: the proxy must not be what is waited for.
                change(picture).save(file, format="PNG", compress_level=1)
            part["image_url"]["url"] = _DATA_URL + base64.b64encode(file.getvalue()).decode()
        return requests[-1]

    return plant


def _swap_channels(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(np.asarray(picture)[:, :, ::-1]))


def _turn(picture: Image.Image) -> Image.Image:
    return picture.transpose(Image.Transpose.ROTATE_90)


def _halve(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BICUBIC)


def _reorder_slices(picture: Image.Image) -> Image.Image:
    """Each quadrant in the next one's place, where a picture is cut into quadrants at all."""
    if max(picture.size) <= UNIT:
        return picture
    middle_y, middle_x = picture.height // 2, picture.width // 2
    pixels = np.asarray(picture)
    return Image.fromarray(np.roll(pixels, (middle_y, middle_x), axis=(0, 1)))


def _drop(which: int) -> Fault:
    def plant(requests: list[Body]) -> Body:
        body = requests[-1]
        pictures = _pictures(body)
        if len(pictures) > which and len(pictures) > 1:
            body["messages"][0]["content"].remove(pictures[which])
        return body

    return plant


def _answer_of_the_previous(requests: list[Body]) -> Body:
    return requests[-2] if len(requests) % _EVERY == 0 else requests[-1]


def _run_on(requests: list[Body]) -> Body:
    """What vLLM calls ignore_eos: the engine goes on after the stop token."""
    body = requests[-1]
    more = {
        "ignore_eos": True,
        "max_completion_tokens": body["max_completion_tokens"] + _FURTHER_TOKENS,
    }
    return body | more


FAULTS: Final[Mapping[str, Fault]] = {
    "none": lambda requests: requests[-1],
    "channels swapped": _each_picture(_swap_channels),
    "picture turned": _each_picture(_turn),
    "second picture dropped": _drop(1),
    "first picture dropped": _drop(0),
    "slices reordered": _each_picture(_reorder_slices),
    "picture halved": _each_picture(_halve),
    "answer of the previous request": _answer_of_the_previous,
    "stop token ignored": _run_on,
}
"""What can be planted, by name."""


class _Proxy:
    def __init__(self, upstream: str, fault: Fault) -> None:
        address = urlsplit(upstream)
        self._host, self._port = str(address.hostname), int(address.port or 80)
        self._fault = fault
        self._requests: list[Body] = []
        # asyncio forgets the task of a connection that its client has closed: it would be
        # collected while it still waits for the server's close.
        self._open: set[asyncio.Task[None] | None] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request, forward what becomes of it, and hand back the reply."""
        mine = asyncio.current_task()
        self._open.add(mine)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            length = next(
                int(line.split(":")[1])
                for line in head
                if line.lower().startswith("content-length:")
            )
            self._requests.append(json.loads(await reader.readexactly(length)))
            # A fault may change a request in place: what is kept of earlier ones stays as it was.
            latest: Body = json.loads(json.dumps(self._requests[-1]))
            body = json.dumps(self._fault([*self._requests[:-1], latest])).encode()
            await self._forward(head[0], body, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The client went away: that is its right.
        finally:
            writer.close()
            self._open.discard(mine)

    async def _forward(self, request: str, body: bytes, to: asyncio.StreamWriter) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        writer.write(
            f"{request}\r\nHost: {self._host}:{self._port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        )
        writer.write(body)
        try:
            while piece := await reader.read(65536):
                to.write(piece)
                await to.drain()
        finally:
            writer.close()


@contextmanager
def faulty(server: Endpoint, fault: str) -> Iterator[Endpoint]:
    """Serve what `server` serves with one of `FAULTS` in it, until the block ends.

    Raises:
        KeyError: no fault has this name.
    """
    proxy = _Proxy(server.base_url, FAULTS[fault])
    listening: Future[_Listening] = Future()
    thread = threading.Thread(
        target=asyncio.run, args=(_listen(proxy, listening),), name=f"proxy: {fault}"
    )
    thread.start()
    port, loop, enough = listening.result(timeout=10)
    try:
        yield Endpoint(f"http://127.0.0.1:{port}/v1", server.model)
    finally:
        loop.call_soon_threadsafe(enough.set)
        thread.join()


class _Listening(NamedTuple):
    port: int
    loop: asyncio.AbstractEventLoop
    enough: asyncio.Event


async def _listen(proxy: _Proxy, told: Future[_Listening]) -> None:
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    enough = asyncio.Event()
    port = server.sockets[0].getsockname()[1]
    told.set_result(_Listening(port, asyncio.get_running_loop(), enough))
    async with server:
        await enough.wait()
    # A client is content with the stream's last event; the server closes a moment later.
    while open_ones := asyncio.all_tasks() - {asyncio.current_task()}:
        _, late = await asyncio.wait(open_ones, timeout=_CLOSE_WITHIN_S)
        for task in late:
            task.cancel()
