"""Valid requests with something changed at random, and the hunt for one that does harm."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fixtures.deployments.robustness_section import probe_record
from fixtures.questions.asking import Endpoint
from fixtures.questions.hostile import pictures
from fixtures.questions.hostile.probe import (
    SENSELESS,
    Probe,
    Target,
    asked,
    control_probe,
    data_url,
    encoded,
    message,
    request_of,
)
from fixtures.questions.hostile.probes import candidates
from fixtures.questions.probing import ask_control, send
from fixtures.questions.scenes import draw
from fixtures.records.schema import Unmeasured
from fixtures.verdicts.deviations import known_response
from fixtures.verdicts.robustness import response_fault

EXAMPLES: Final = 60
_CONTROL: Final = candidates()[0]
_PIXELS: Final = draw(_CONTROL.pictures[0])
_PNG_HEAD: Final = 33
"""Bytes before the data of a PNG: a size that was changed would be another probe's business."""
_PICTURES: Final = (
    ("image/png", pictures.saved(_PIXELS, "PNG")),
    ("image/png", pictures.interlaced_png(_PIXELS)),
    ("image/png", pictures.palette_png(_PIXELS)),
    ("image/jpeg", pictures.saved(_PIXELS, "JPEG")),
    ("image/gif", pictures.animated_gif(_PIXELS)),
)
MORE: Final[dict[str, Any]] = {
    "n": 1,
    "seed": 0,
    "stop": ["."],
    "top_p": 1.0,
    "logit_bias": {"7": 0.0},
    "presence_penalty": 0.0,
    "response_format": {"type": "text"},
    "user": "somebody",
}
"""Valid fields besides those that every request has, to be changed as well."""
_OTHERS: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    2**70,
    1e308,
    "x",
    "\0",
    [],
    {},
    [[]],
    {"type": "x"},
)
"""Values that few fields take."""

Path = tuple[str | int, ...]


def paths_of(value: object, before: Path = ()) -> Iterator[Path]:
    """Where in a JSON value something stands that can be dropped or replaced."""
    if isinstance(value, dict):
        items: list[tuple[str | int, object]] = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return
    for key, inner in items:
        yield (*before, key)
        yield from paths_of(inner, (*before, key))


@st.composite
def changed_pictures(draw_one: st.DrawFn, target: Target) -> bytes:
    """A request whose picture is cut short, or has up to four bytes changed, or both."""
    mime, picture = draw_one(st.sampled_from(_PICTURES))
    changed = bytearray(picture)
    for at, mask in draw_one(
        st.lists(
            st.tuples(st.integers(_PNG_HEAD, len(picture) - 1), st.integers(1, 255)), max_size=4
        )
    ):
        changed[at] ^= mask
    cut = bytes(changed[: len(changed) - draw_one(st.integers(0, len(changed)))])
    if mime == "image/png" and draw_one(st.booleans()):
        cut = pictures.png_with_right_crcs(cut)
    return encoded(request_of(target, message(_CONTROL.text, data_url(cut, mime))))


@st.composite
def changed_fields(draw_one: st.DrawFn, target: Target) -> bytes:
    """A request with one or two of its values dropped, or replaced by one of another type."""
    request: Any = json.loads(encoded(asked(target, _CONTROL, **MORE)))
    for _ in range(draw_one(st.integers(1, 2))):
        paths = sorted(paths_of(request), key=str)
        if not paths:
            break
        *way, last = draw_one(st.sampled_from(paths))
        holder = request
        for key in way:
            holder = holder[key]
        if draw_one(st.booleans()):
            del holder[last]
        else:
            # A copy: the second change must not reach into the value that others share.
            holder[last] = json.loads(json.dumps(draw_one(st.sampled_from(_OTHERS))))
    return encoded(request)


def hunt(
    endpoint: Endpoint,
    target: Target,
    version: str | Unmeasured,
    why_down: Callable[[], str | None],
) -> int:
    """Send changed requests, the same ones each time; how many were sent.

    One that gets what no request must get, or spoils the control question, fails, made as small as
    hypothesis can. One that takes the server down fails as it is: there is nobody left to ask.
    """
    sent = 0
    killers: list[str] = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
    )
    @given(st.one_of(changed_pictures(target), changed_fields(target)))
    def one(body: bytes) -> None:
        nonlocal sent
        if killers:
            return
        sent += 1
        record = probe_record(send(endpoint, Probe("changed request", "", body, SENSELESS)))
        if down := why_down():
            killers.append(f"{down}, after: {body!r}")
            return
        fault = "" if known_response(record, version) else response_fault(record)
        assert not fault, f"{fault}: {body!r}"
        control = ask_control(endpoint, target, _CONTROL)
        assert not control, f"then the control question: {control}: {body!r}"

    before = send(endpoint, control_probe(target, _CONTROL))
    assert before.status == 200, before.said
    try:
        one()
    finally:
        if killers:
            pytest.fail(killers[0])
    return sent
