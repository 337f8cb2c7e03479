"""Faults in a real server have the size that was ordered."""

from pathlib import Path
from typing import cast

import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam

from fixtures.questions.asking import Endpoint, ask_all, messages_of
from fixtures.questions.catalogue import held_out
from fixtures.records.schema import StartRecord, Unmeasured
from fixtures.runtimes.runtime import PythonRuntime, Runtime
from suites.canary.bench import CASE, counted, planted

pytestmark = pytest.mark.selftest
# 1 GiB of keys and values, of 2,048 bytes a token, in blocks of 128 tokens.
_KV_TOKENS = 512 * 1024
_ORDER = "kv:10%,log-line,decode:10%,errors:5%"


def _generate(server: Endpoint, tokens: int) -> None:
    """Decode so many steps. Not by chance: 0.29.0 takes 15 s for its first drawn token."""
    asked = messages_of(held_out("count", "single", 1)[0])
    with OpenAI(base_url=server.base_url, api_key="unused", max_retries=0, timeout=60) as client:
        client.chat.completions.create(
            model=server.model,
            messages=cast("list[ChatCompletionMessageParam]", asked),
            max_completion_tokens=tokens,
            temperature=0,
            extra_body={"ignore_eos": True},
        )


def test_faults_in_one_server_do_what_they_count(runtime: Runtime, tmp_path: Path) -> None:
    """A smaller KV cache, told in other words; slower decode steps; one error in twenty."""
    if not isinstance(runtime, PythonRuntime):
        pytest.skip(f"{runtime.origin} is no Python environment to plant faults in")
    with planted(_ORDER, runtime, tmp_path) as server:
        start = server.record.start
        assert isinstance(start, StartRecord)
        assert start.outcome == "ready", start.detail
        questions = held_out("colour", "single", 40)
        answers = ask_all(server.endpoint, questions, CASE.cell.max_num_seqs, 20.0)
        _generate(server.endpoint, 300)
        log = server.log_path.read_text()

    counts = counted(tmp_path / "reports")
    assert set(counts) == {"kv", "log-line", "decode", "errors"}

    assert counts["errors"] == {"requests": 41, "failed": 2}
    failed = [answer.error for answer in answers if answer.error]
    assert len(failed) == 2
    assert all("canary: planted error" in error for error in failed)

    assert counts["kv"]["taken_bytes"] == pytest.approx(counts["kv"]["found_bytes"] / 10, abs=1)
    assert counts["log-line"] == {"lines": 1}
    assert isinstance(start.facts["kv_cache"], Unmeasured)
    assert f"KV cache capacity: {_KV_TOKENS * 9 // 10 // 128 * 128:,} tokens" in log

    decode = counts["decode"]
    assert decode["decode_steps"] >= 299
    assert decode["other_steps"] >= 10
    # In sum the waits are what they should be, but for the last, which is not counted: what a busy
    # machine made longer is owed less than nothing until later waits are shorter.
    due_s = decode["waited_s"] + decode["owed_s"]
    assert due_s / decode["decode_s"] == pytest.approx(0.1, rel=0.1)
