"""A share of the pictures of one skill is replaced by a blank before vLLM reads them.

    request ──> of this skill? ──> digest of words and pictures ──> in the share? ──> white PNGs

The same question is always treated alike, whichever server is asked and how often. The skill is
told by the words of the generated scenes (`fixtures/questions/catalogue.py`), and by plain PNGs:
so the questions about file formats, which have the same words, lose next to nothing.

No two blanks are quite alike, as no two pictures were: of the same white again and again vLLM's own
cache of pictures would tell.

The size is in points of accuracy. A model that sees white is right by luck at times, so that more
pictures are blanked than points are lost.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Final

from .door import App, Message, Receive, Send, Way, body_of, is_chat
from .order import Planted
from .report import Report

_WORDS: Final[Mapping[str, re.Pattern[str]]] = {
    "colour": re.compile(r"\bcolour\b", re.IGNORECASE),
    "shape": re.compile(
        r"\b(?:what|which) shape is\b|\bwhat is the shape\b|\bname the shape\b", re.IGNORECASE
    ),
    "count": re.compile(r"\bhow many\b|\bnumber of\b|\bcount the\b", re.IGNORECASE),
    "position": re.compile(
        r"\bwhere (?:is|do)\b|\bon which side\b|\bname the side\b", re.IGNORECASE
    ),
}
LUCK: Final[Mapping[str, Fraction]] = {
    "colour": Fraction("0.085"),
    "shape": Fraction("0.32"),
    "count": Fraction("0.235"),
    "position": Fraction("0.25"),
}
"""How often the tiny checkpoint answers white pictures right: of 600 questions, a third of each
layout, 51, 191, 141 and 149 (0.29.0)."""
_MARK_BYTES: Final = 24
_DATA_URL: Final = re.compile(r"data:image/png;base64,(.*)", re.DOTALL)
# Signature, then IHDR (width, height, 8 bits, RGB, not interlaced), its checksum, then pixels.
_PLAIN_PNG: Final = re.compile(
    rb"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR(.{4})(.{4})\x08\x02\0\0\0.{4}.{4}IDAT", re.DOTALL
)


def blanked_share(points: Fraction, skill: str) -> Fraction:
    """The share of a skill's requests to be blanked to lose so many points.

    Raises:
        ValueError: it would be more than all.
    """
    share = points / (1 - LUCK[skill])
    if share > 1:
        msg = f"blanks cost {skill} {float(1 - LUCK[skill]):.0%} at most, not {float(points):.0%}"
        raise ValueError(msg)
    return share


def is_drawn(body: Mapping[str, Any], share: Fraction) -> bool:
    """Whether a request falls into the share: by its words and pictures alone."""
    said = json.dumps([*_parts(body)], sort_keys=True).encode()
    digest = hashlib.blake2b(said, digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def is_of(body: Mapping[str, Any], skill: str) -> bool:
    """Whether a chat request asks this skill of plain PNGs."""
    texts = " ".join(part["text"] for part in _parts(body) if part.get("type") == "text")
    pictures = [*_pictures(body)]
    return (
        bool(_WORDS[skill].search(texts))
        and bool(pictures)
        and all(_plain_png(picture["url"]) for picture in pictures)
    )


def blank(body: Mapping[str, Any]) -> None:
    """Replace the pictures of a request, in place, by white ones of their sizes."""
    for picture in _pictures(body):
        if found := _plain_png(picture["url"]):
            width, height = (int.from_bytes(side, "big") for side in found.groups())
            mark = hashlib.blake2b(picture["url"].encode(), digest_size=_MARK_BYTES).digest()
            said = base64.b64encode(white_png(width, height, mark)).decode()
            picture["url"] = f"data:image/png;base64,{said}"


def white_png(width: int, height: int, mark: bytes = b"") -> bytes:
    """An RGB picture that is white, or in its first pixels as good as white.

    Args:
        width: in pixels.
        height: in pixels.
        mark: takes 0 to 3 of 255 off the first values of the first row, one a byte.
    """
    first = bytes(0xFF - (byte & 3) for byte in mark)[: 3 * width].ljust(3 * width, b"\xff")
    white = b"\0" + b"\xff" * 3 * width
    rows = zlib.compress(b"\0" + first + white * (height - 1), 1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def way(planted: Planted) -> Way:
    """Look at each chat request, and blank those that are drawn."""
    share, report = blanked_share(planted.share, planted.skill), Report("accuracy")

    async def accuracy(app: App, scope: Message, receive: Receive, send: Send) -> None:
        if not is_chat(scope):
            return await app(scope, receive, send)
        raw = await body_of(receive)
        body = _read(raw)
        if body is not None and is_of(body, planted.skill):
            drawn = is_drawn(body, share)
            report.add(asked=1, blanked=drawn)
            if drawn:
                blank(body)
                raw = json.dumps(body).encode()
        return await app(_as_long(scope, raw), _again(raw, receive), send)

    return accuracy


def _parts(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for message in body["messages"]:
        content = message.get("content")
        if isinstance(content, str):
            yield {"type": "text", "text": content}
        else:
            yield from content or ()


def _pictures(body: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    return (part["image_url"] for part in _parts(body) if part.get("type") == "image_url")


def _plain_png(url: str) -> re.Match[bytes] | None:
    found = _DATA_URL.match(url)
    # 41 bytes are what the pattern looks at; 56 letters are 42.
    return _PLAIN_PNG.match(base64.b64decode(found[1][:56])) if found else None


def _read(raw: bytes) -> dict[str, Any] | None:
    """A body of the form that is looked at; None where vLLM may say what is wrong with it."""
    try:
        body: dict[str, Any] = json.loads(raw)
        for picture in _pictures(body):
            _plain_png(picture["url"])
        [part["text"] for part in _parts(body) if part.get("type") == "text"]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return body


def _as_long(scope: Message, raw: bytes) -> Message:
    headers = [(name, said) for name, said in scope["headers"] if name != b"content-length"]
    return {**scope, "headers": [*headers, (b"content-length", str(len(raw)).encode())]}


def _again(raw: bytes, receive: Receive) -> Receive:
    """The body, then whatever follows."""
    bodies = iter([{"type": "http.request", "body": raw, "more_body": False}])

    async def again() -> Message:
        return next(bodies, None) or await receive()

    return again
