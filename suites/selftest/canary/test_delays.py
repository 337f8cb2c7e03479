"""How answers are delayed: a share of what each one's first token took."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suites.canary.plants.minicpmv_canary.door import Message
from suites.canary.plants.minicpmv_canary.report import Report
from suites.canary.plants.minicpmv_canary.ttft import Delays, Line

pytestmark = pytest.mark.selftest
_FIRST_S = st.floats(0.01, 1.0)


@given(st.lists(_FIRST_S, min_size=50, max_size=50), st.floats(0, 0.0005))
def test_delays_are_the_share_in_sum(firsts: list[float], late_s: float) -> None:
    """Although each one is late: what was too long is taken off the next."""
    delays = Delays(0.1, Report("ttft"))
    total_s = 0.0
    for first_s in firsts:
        delay_s = delays.of(first_s)
        delays.was(delay_s, late_s)
        total_s += delay_s + late_s
    assert total_s == pytest.approx(0.1 * sum(firsts), abs=0.0006)


def test_no_answer_goes_out_early_or_twice_as_late() -> None:
    """After an answer that was held for a second others go out at once, not before."""
    delays = Delays(0.1, Report("ttft"))
    delays.was(0.0, 1.0)
    assert [delays.of(0.1) for _ in range(3)] == [0.0, 0.0, 0.0]


async def _sent(content_type: bytes) -> list[tuple[str, bytes]]:
    out: list[tuple[str, bytes]] = []

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        out.append((message["type"], message.get("body", b"")))

    line = Line(Delays(0.5, Report("ttft")), send)
    sending = asyncio.ensure_future(line.run())
    headers = [(b"content-type", content_type)]
    await line.take({"type": "http.response.start", "status": 200, "headers": headers})
    for piece in (b"a", b"b", b""):
        await line.take({"type": "http.response.body", "body": piece})
    line.end()
    await sending
    return out


@pytest.mark.parametrize("content_type", [b"text/event-stream; charset=utf-8", b"application/json"])
def test_pieces_keep_their_order(content_type: bytes) -> None:
    """Head, pieces, end: what goes out is what came."""
    body = "http.response.body"
    assert asyncio.run(_sent(content_type)) == [
        ("http.response.start", b""),
        (body, b"a"),
        (body, b"b"),
        (body, b""),
    ]
