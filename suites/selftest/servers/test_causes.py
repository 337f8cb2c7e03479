from typing import Final, get_args

import pytest

from fixtures.servers.causes import Cause, root_cause_in
from fixtures.servers.diagnosis import Sighting, diagnose
from fixtures.servers.speech import lines_of
from suites.selftest.servers.failure_logs import FAILURES, RECORDED
from suites.selftest.servers.logs import PORT_TAKEN, START
from suites.selftest.servers.starts import STARTS

pytestmark = pytest.mark.selftest

CAUSES: Final[dict[Cause, tuple[str, ...]]] = {
    "gpu-out-of-memory": (
        "cuda-0.5.4-encoder",
        "cuda-0.6.3-sequences",
        "cuda-0.12-encoder",
        "cuda-0.22-weights",
        "cuda-2.0-others",
        "cuda-2.1-shared",
        "cuda-kv-cache",
        "cuda-graphs",
        "cuda-sampler",
        "cuda-language-model",
        "serving-cuda-memory",
    ),
    "host-out-of-memory": ("host-numpy", "host-bad-alloc", "host-fork", "host-limit"),
    "no-room-for-kv-cache": (
        "kv-v0",
        "kv-v1-0.7",
        "kv-v1-0.29",
        "kv-none",
        "util-small",
        "kv-small",
    ),
    "memory-not-free": ("gate-0.9", "gate-0.29", "gate-released", "kv-above-ram", "util-1"),
    "model-not-found": (
        "missing",
        "missing-repo",
        "model-gated",
        "model-unknown-id",
        "model-offline",
    ),
    "remote-code-not-trusted": ("no-trust", "code-0.5.4"),
    "unsupported-model": (
        "version",
        "arch",
        "version-4.5-on-0.10.0",
        "architecture-4.6-on-0.16",
        "inspection-0.20",
    ),
    "corrupt-weights": (
        "truncated",
        "header",
        "noweights",
        "shape",
        "weights-missing",
        "weights-key",
        "weights-loader",
    ),
    "unknown-flag": ("unknown-flag", "flag-ambiguous"),
    "bad-value": (
        "bad-int",
        "bad-choice",
        "too-long",
        "util-2",
        "value-batched-0.5.4",
        "value-choice",
        "uuid-0.20",
    ),
    "port-taken": ("port", "port-uvicorn-0.5.4"),
    "missing-package": ("package-none", "package-timm", "package-metadata", "package-misfit"),
    "cannot-start": ("no-python",),
    "disk-full": ("disk",),
    "engine-died": (
        "wrapper-0.5.5",
        "wrapper-0.6.2",
        "wrapper-0.29",
        "kill-worker-start",
        "kill-core-start",
        "kill-worker-serving",
        "kill-core-serving",
        "serving-resampler-0.31",
        "serving-v0",
    ),
    "unknown": ("unknown",),
}
NAMED: Final = [(name, cause) for cause, names in CAUSES.items() for name in names]
# Told from what was seen of the processes, not from the log.
SEEN: Final = {"hang", "time-out", "stopped-from-outside"}


@pytest.mark.parametrize(("name", "cause"), NAMED)
def test_every_known_failure_has_its_cause(name: str, cause: Cause) -> None:
    """Recorded or put together, of old versions and new: the log of a failure names its cause."""
    lines = lines_of(FAILURES[name])
    found = root_cause_in(lines, serving="serving" in name)
    assert found is not None
    assert found.cause == cause
    assert lines[found.number].grave


@pytest.mark.parametrize("name", [name for name, _ in NAMED])
def test_a_root_cause_comes_before_those_who_repeat_it(name: str) -> None:
    """The first process to fail is quoted, whatever the processes above it say later."""
    found = root_cause_in(lines_of(FAILURES[name]), serving="serving" in name)
    assert found is not None
    if CAUSES["engine-died"].count(name) == 0:
        assert not found.text.startswith(("RuntimeError: Engine core", "Exception: WorkerProc"))


def test_every_cause_and_every_log_is_held_to_something() -> None:
    """No cause is without a failure that has it, and no failure's log lies unused."""
    assert set(CAUSES) | SEEN == set(get_args(Cause))
    assert sorted(name for name, _ in NAMED) == sorted(FAILURES)


@pytest.mark.parametrize(
    "line",
    [
        # The summary of a start that went well begins like the gate's refusal.
        (
            "INFO 11-24 04:00:00 [gpu_worker.py:358] Free memory on device cuda:0 (43.98/44.42"
            " GiB) on startup. Desired GPU memory utilization is (0.9, 39.98 GiB)."
        ),
        (
            "(EngineCore pid=3) INFO 03-27 10:29:03 [model_runner.py:1442] Capturing cudagraphs. If"
            " out-of-memory error occurs, CUDA out of memory, lower `gpu_memory_utilization`"
        ),
        (
            "(APIServer pid=1) INFO 11-25 03:00:49 [api_utils.py:286] non-default args: {'model':"
            " 'ValueError: CUDA out of memory', 'trust_remote_code=True': 1}"
        ),
        (
            "WARNING 11-25 09:11:38 [system_utils.py:299] This can cause fd limit errors like"
            " `OSError: [Errno 24] Too many open files`"
        ),
        "(Worker pid=5) WARNING 11-25 09:11:38 [decorators.py:1] RuntimeError: CUDA out of memory",
        "[W1125 09:13:03.812119145 utils.cpp:68] Warning: CUDA out of memory",
        "[W socket.cpp:401] [c10d] The server socket has failed to bind: Address already in use",
        "/rt/torch/cuda/__init__.py:24: UserWarning: CUDA out of memory",
        "W0812 07:01:02.000000 123 torch/_inductor/utils.py:9] CUDA out of memory",
        "(Worker pid=5)     raise ValueError('No available memory for the cache blocks')",
        'ERROR 11-24 04:00:05 [core.py:9]     "initializing the engine.") from e; MemoryError',
        "Loading safetensors checkpoint shards: 100% Completed | 4/4 [00:02<00:00,  1.6it/s]",
        "INFO:     Application startup complete.",
    ],
)
def test_what_is_no_failure_names_no_cause(line: str) -> None:
    """Information, advice, warnings, quoted arguments and program text are no failure."""
    assert root_cause_in(lines_of([line])) is None
    assert root_cause_in(lines_of([*START, line])) is None


@pytest.mark.parametrize("name", STARTS)
@pytest.mark.parametrize("serving", [False, True])
def test_a_healthy_start_names_no_cause(name: str, *, serving: bool) -> None:
    """Of no version is a line of a start that went well taken for a failure."""
    assert root_cause_in(lines_of(STARTS[name]), serving=serving) is None


def test_an_empty_log_names_no_cause() -> None:
    """Where nothing was said there is nothing to quote."""
    assert root_cause_in([]) is None


def test_what_a_process_got_over_is_no_cause() -> None:
    """A traceback whose process then went on to its next phase was handled."""
    handled = ["(Worker pid=6493) ERROR 11-25 03:02:00 [a.py:1] torch.OutOfMemoryError: handled"]
    assert root_cause_in(lines_of(handled)) is not None
    assert root_cause_in(lines_of(handled + START)) is None
    found = root_cause_in(lines_of(handled + START + PORT_TAKEN))
    assert found is not None
    assert found.cause == "port-taken"


def test_an_error_that_names_a_phase_opens_none() -> None:
    """A failure whose words are those of a phase is not taken for the start going on."""
    line = "(Worker pid=6493) ERROR 11-25 03:02:00 [a.py:1] ValueError: GPU KV cache size: 0 tokens"
    found = root_cause_in(lines_of([line]))
    assert found is not None
    assert found.cause == "unknown"


def test_a_complaint_before_the_next_process_started_is_no_cause() -> None:
    """An API server that went on to start its engine has found its way around an error."""
    retried = "(APIServer pid=6321) ERROR 11-25 03:01:50 [a.py:1] OSError: No space left on device"
    assert root_cause_in(lines_of([*START[:3], retried])) is not None
    found = root_cause_in(lines_of([*START[:3], retried, *START[3:5], *FAILURES["wrapper-0.29"]]))
    assert found is not None
    assert found.cause == "engine-died"


def test_what_another_process_did_next_excuses_nobody() -> None:
    """An API server that failed has failed, though its engine still goes from phase to phase."""
    found = root_cause_in(lines_of(START[:5] + PORT_TAKEN + START[5:9]))
    assert found is not None
    assert found.cause == "port-taken"


def test_a_request_that_was_refused_is_not_how_an_engine_died() -> None:
    """Of a server that served, the engine's words count, not the API server's about a client."""
    found = root_cause_in(lines_of(FAILURES["serving-resampler-0.31"]), serving=True)
    assert found is not None
    assert found.text.startswith("AttributeError: module 'torch._C'")


def test_what_happened_while_starting_is_not_how_an_engine_died() -> None:
    """Of a server that served, only what it said since then counts."""
    lines = lines_of([*PORT_TAKEN, *START, "(EngineCore pid=3) KeyError: 'x'"])
    found = root_cause_in(lines, serving=True)
    assert found is not None
    assert (found.cause, found.text) == ("engine-died", "KeyError: 'x'")


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_logs_are_neutral(name: str) -> None:
    """No log in the tree tells of the machine that it was recorded on, and none is long."""
    text = "\n".join(RECORDED[name])
    assert len(RECORDED[name]) <= 30
    assert not any(word in text for word in ("/root", "/home", "hf.co"))


def test_evidence_holds_the_root_cause() -> None:
    """Whatever the failure, its evidence is short and holds the line that is quoted."""
    for name, log in FAILURES.items():
        phase = "serving" if "serving" in name else "boot"
        failure = diagnose(Sighting(phase, 9, 60, 1, 0, log))
        found = root_cause_in(lines_of(log), serving=phase == "serving")
        assert found is not None
        assert len(failure.evidence) <= 20
        assert any(lines_of([line])[0].text in found.text for line in failure.evidence), name
