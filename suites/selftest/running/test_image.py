"""A whole run through `--runtime image:`: real vLLM, in the hands of a stand-in for docker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.questions.pairs import INVARIANTS
from fixtures.records.schema import MemoryRecord, StartRecord
from fixtures.runtimes.runtime import PythonRuntime, Runtime
from suites.selftest.faults.runs import Asked, Run
from suites.selftest.standin.engine import StandIn

pytestmark = pytest.mark.thorough

IMAGE = "vllm/vllm-openai-cpu:v0.29.0"


@pytest.fixture
def docker_with_vllm(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StandIn]:
    """A docker in whose images the runtime under test is the Python."""
    if not isinstance(runtime, PythonRuntime):
        pytest.skip(f"{runtime.origin} has no Python to stand in for an image's")
    docker = StandIn(tmp_path, runtime.python)
    monkeypatch.setenv("PATH", docker.path)
    docker.offers(IMAGE)
    docker.start()
    yield docker
    docker.close()


def test_a_server_in_a_container_is_measured_and_judged(
    docker_with_vllm: StandIn, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    """The image is pulled first, the container is the card, and nothing of it is left."""
    # Not its load: that is plain HTTP to a port, in a container or not.
    asked = Asked(stages=("startup", "memory", "answers", "shutdown"))
    arguments = ("--runtime", f"image:{IMAGE}", "--questions", "27")
    run = Run(pytestconfig.rootpath, tmp_path, arguments, asked)
    try:
        code = run.wait(within_s=400)
        assert code == pytest.ExitCode.OK, run.output.read_text()[-4000:]
        record = run.record()
        assert record is not None
        assert isinstance(record.start, StartRecord)
        assert isinstance(record.memory, MemoryRecord)
        # The engine's own program weighs 50 MiB; a server of vLLM more than 2 GiB.
        assert record.memory.peak_bytes > 2 << 30
        assert record.memory.card_mark_bytes
        assert {v.about: v.outcome for v in record.verdicts} == {
            "start": "pass",
            "peak memory": "pass",
            "answers": "pass",
            "answers by symptom": "pass",
            "prompt tokens": "pass",
            **{f"invariant: {name}": "pass" for name in INVARIANTS},
            "shutdown": "pass",
        }
        words = [command[0] for command in docker_with_vllm.commands()]
        assert words.index("pull") < words.index("run")
        (started,) = [c for c in docker_with_vllm.commands() if c[0] == "run" and "--name" in c]
        assert "--memory" in started
        assert started[started.index("--max-num-seqs") + 1] == "4"
    finally:
        run.clean_up()
