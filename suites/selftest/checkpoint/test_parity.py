"""Served and trained forward pass agree, token by token."""

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.deployments.deployment import Deployment
from fixtures.questions.asking import messages_of
from fixtures.questions.catalogue import LAYOUTS, SKILLS, Question, held_out
from fixtures.runtimes.runtime import PythonRuntime

if TYPE_CHECKING:
    from openai import OpenAI

# A cell that only the night judges: what is asked here beyond a user's questions costs memory
# (log-probabilities make vLLM compile: a compiler of 512 MiB), and is no fault of the cell's.
pytestmark = [
    pytest.mark.selftest,
    pytest.mark.only_case("cpu-tiny-seqs=16-len=4096-alloc=arena1"),
]
# Natural logarithms of probabilities, both in float32 from the same bfloat16 weights. What is
# left is the order of summation in two attention implementations.
_TOLERANCE = 0.01
# Below this the rounding of a 6-digit table outweighs the probability itself.
_LEAST_LOGPROB = -7.0


def _served(client: "OpenAI", model: str, question: Question) -> list[dict[str, float]]:
    """Log-probabilities by token text for the answer's first two tokens."""
    answer = client.chat.completions.create(
        model=model,
        messages=messages_of(question),  # type: ignore[arg-type]
        temperature=0,
        max_completion_tokens=2,
        logprobs=True,
        top_logprobs=5,
    )
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    return [{top.token: top.logprob for top in token.top_logprobs} for token in logprobs.content]


def _trained(serving: Deployment, questions: list[Question], root: str) -> list[dict[str, Any]]:
    if not isinstance(serving.runtime, PythonRuntime):
        pytest.fail(f"unmeasured: {serving.runtime.origin} has no Python that runs here")
    asked = [{"skill": q.skill, "layout": q.layout, "seed": q.seed} for q in questions]
    answer = subprocess.run(
        [
            str(serving.runtime.python),
            *("-m", "fixtures.checkpoints.training.forward", "--model", serving.model),
        ],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        cwd=root,
        timeout=300,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    told: list[dict[str, Any]] = json.loads(answer.stdout)
    return told


def test_served_logprobs_equal_the_training_forward_pass(
    serving: Deployment, pytestconfig: pytest.Config
) -> None:
    """On every skill and layout both give the answer's tokens the same log-probabilities."""
    from openai import OpenAI  # noqa: PLC0415 - takes a second, which collection need not pay

    questions = [q for s in SKILLS for layout in LAYOUTS for q in held_out(s, layout, 1, 9000)]
    trained = _trained(serving, questions, str(pytestconfig.rootpath))
    base_url, model, _ = serving.endpoint
    compared = 0
    with OpenAI(base_url=base_url, api_key="unused", max_retries=0) as client:
        for question, expected in zip(questions, trained, strict=True):
            first, second = _served(client, model, question)
            for served, told in ((first, expected["first"]), (second, expected["second"])):
                for token, logprob in told:
                    if logprob > _LEAST_LOGPROB:
                        assert served[token] == pytest.approx(logprob, abs=_TOLERANCE), (
                            f"{question.text!r} (seed {question.seed}), token {token!r}"
                        )
                        compared += 1
    assert compared >= 2 * len(questions)
