"""Load is asked as the OpenAI client asks: the same request, and the same answer."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from fixtures.cells.manner import Manner
from fixtures.deployments.deployment import Deployment
from fixtures.load.arrivals import Closed
from fixtures.load.generator import run_load
from fixtures.load.shots import answers_of, fresh_questions, shots_of
from fixtures.questions.asking import Endpoint, ask_all
from fixtures.questions.catalogue import LAYOUTS, SKILLS, held_out
from suites.selftest.questions.endpoints import OpenAiHandler
from suites.selftest.questions.endpoints import serving as listening

pytestmark = pytest.mark.selftest

QUESTIONS = [q for s in SKILLS for layout in LAYOUTS for q in held_out(s, layout, 2, 7000)]
WANTED = Manner(
    instructed=True,
    enlargement=2,
    stop_token_ids=(7, 9),
    chat_template_kwargs={"enable_thinking": False},
)


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(body))  # type: ignore[no-any-return]


@pytest.mark.parametrize("manner", [Manner(), WANTED], ids=["plain", "wanted"])
def test_both_ways_of_asking_send_the_same(manner: Manner) -> None:
    """Field by field, the bodies are those of the OpenAI client."""
    with listening(OpenAiHandler) as endpoint:
        asked = endpoint._replace(manner=manner)
        ask_all(asked, QUESTIONS, 1, 10.0)
        by_client = [_plain(body) for body in OpenAiHandler.requests]
    assert [json.loads(shot.body) for shot in shots_of(QUESTIONS, asked)] == by_client


def test_fixed_lengths_change_the_length_alone() -> None:
    """The same request, but that its answer goes on and shows every token."""
    endpoint = Endpoint("http://127.0.0.1:1/v1", "x")
    (natural,), (fixed,) = (shots_of(QUESTIONS[:1], endpoint, n) for n in (None, 32))
    before, after = json.loads(natural.body), json.loads(fixed.body)
    assert after == before | {
        "max_completion_tokens": 32,
        "ignore_eos": True,
        "skip_special_tokens": False,
    }


@pytest.mark.only_case("cpu-tiny-seqs=16-len=4096-alloc=arena1")
def test_both_ways_of_asking_get_the_same_answer(serving: Deployment) -> None:
    """Asked of a real server one by one, every text, count and reason is the same."""
    by_client = ask_all(serving.endpoint, QUESTIONS, 1, 60.0, serving.why_down)
    shots = shots_of(QUESTIONS, serving.endpoint)
    load = run_load(serving.endpoint.base_url, [s.body for s in shots], Closed(1), 60.0)
    by_load = answers_of(shots, load)
    for one, other in zip(by_client, by_load, strict=True):
        assert one.error is other.error is None
        assert (one.text, one.prompt_tokens) == (other.text, other.prompt_tokens)
        assert one.completion_tokens == other.completion_tokens
        assert one.finish_reason == other.finish_reason


@pytest.mark.only_case("cpu-tiny-seqs=16-len=4096-alloc=arena1")
def test_fixed_lengths_are_generated_and_shown(serving: Deployment) -> None:
    """As many tokens as were asked for, and each of them arrives as text."""
    shots = shots_of(fresh_questions(8), serving.endpoint, 24)
    load = run_load(serving.endpoint.base_url, [s.body for s in shots], Closed(1), 60.0)
    for line in load.timelines:
        assert line.reply.completion_tokens == 24
        assert line.reply.finish_reason == "length"
        assert len(line.token_s) == 24
