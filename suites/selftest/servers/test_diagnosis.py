import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import GIB, Gpu
from fixtures.cells.cell import Cell
from fixtures.servers.diagnosis import Sighting, StartFailure, diagnose
from fixtures.servers.facts import EncoderProfile, StartFacts, Weights
from suites.selftest.servers import logs
from suites.selftest.servers.failure_logs import FAILURES

pytestmark = pytest.mark.selftest

L40S = Gpu(1, "GPU-52a3a85d", "NVIDIA L40S", int(44.99 * GIB))
LOGS = st.lists(
    st.one_of(
        st.sampled_from(logs.START + [line for log in FAILURES.values() for line in log]),
        st.text(),
        st.builds("{}ValueError: {}".format, st.sampled_from(["", "\x1b[31m"]), st.text()),
    ),
    max_size=40,
)
SIGHTINGS = st.builds(
    Sighting,
    phase=st.sampled_from(["boot", "weights", "encoder-profile", "kv-cache", "warm", "serving"]),
    waited_s=st.floats(0, 1e4),
    within_s=st.just(600.0),
    exit_status=st.none() | st.integers(-64, 255),
    oom_kills=st.integers(0, 3),
    log_lines=LOGS,
    silent_s=st.floats(0, 1e4),
    hung=st.booleans(),
    stopped_processes=st.sampled_from([(), ("4711 (VLLM::Worker)",)]),
    dead_processes=st.sampled_from([(), ("4711 (VLLM::Worker): signal 9",)]),
    facts=st.builds(
        StartFacts,
        encoder_profile=st.none()
        | st.builds(
            EncoderProfile,
            at_s=st.just(9.0),
            budget_tokens=st.integers(0, 1 << 17),
            items=st.integers(0, 512),
            modality=st.sampled_from(["video", "image", "audio"]),
        ),
        weights=st.none() | st.just(Weights(9.0, 15 * GIB, None)),
    ),
    cell=st.none()
    | st.builds(
        Cell,
        max_num_seqs=st.integers(1, 512),
        max_model_len=st.integers(1, 1 << 17),
        allocator=st.just("default"),
        gpu_memory_utilization=st.none() | st.floats(0.01, 1),
    ),
    device=st.none() | st.just(L40S),
    peak_bytes=st.none() | st.integers(0, 1 << 40),
    log_path=st.none(),
)


def sighting(log: list[str], status: int | None = 1, phase: str = "boot") -> Sighting:
    """A start that was given up after five minutes."""
    return Sighting(phase, 300.2, 300, status, 0, log)


@pytest.mark.parametrize(
    ("lines", "status", "detail"),
    [
        (logs.PORT_TAKEN, 1, "status 1 during boot: OSError: [Errno 98] Address already in use"),
        (logs.BAD_FLAG, 2, "error: unrecognized arguments: --no-such-flag"),
        (logs.TOO_LONG, 1, "boot: Value error, User-specified max_model_len (999999) is greater"),
        ([], -11, "ended with signal 11 during boot"),
        (["cannot start /rt/python: [Errno 2] No such file"], 127, "boot: cannot start /rt/python"),
    ],
    ids=["port", "flag", "length", "signal", "no-python"],
)
def test_a_death_is_told_with_the_logs_own_cause(
    lines: list[str], status: int, detail: str
) -> None:
    """How it ended, in which phase, and the line that names the cause make one sentence."""
    failure = diagnose(sighting(lines, status))
    assert failure.kind == "died"
    assert detail in failure.detail


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (logs.CUDA_MEMORY, "out of GPU memory during boot: 9.00 GiB asked"),
        (logs.CPU_MEMORY, "DefaultCPUAllocator: can't allocate memory: you tried to allocate 943"),
    ],
    ids=["cuda", "cpu"],
)
@pytest.mark.parametrize("status", [None, 1])
def test_an_allocation_that_failed_is_out_of_memory(
    lines: list[str], cause: str, status: int | None
) -> None:
    """A server that could not get its memory is told as such, whether it has ended yet or not."""
    failure = diagnose(sighting(lines, status))
    assert failure.kind == "out-of-memory"
    assert cause in failure.detail


def test_the_incident_is_told_with_phase_and_gpu() -> None:
    """Though 0.5.4 has no line for its profile, the traceback says where it failed, and on what."""
    device = Gpu(1, "GPU-52a3a85d", "NVIDIA RTX 3090", 24 * GIB)
    seen = sighting(FAILURES["cuda-0.5.4-encoder"], None, "weights")._replace(device=device)
    failure = diagnose(seen)
    assert (failure.kind, failure.cause, failure.phase) == (
        "out-of-memory",
        "gpu-out-of-memory",
        "encoder-profile",
    )
    assert failure.detail == (
        "out of GPU memory during encoder-profile: 2.00 GiB asked, 0.96 GiB of 23.69 GiB free"
        " on GPU 0 of the log, which is NVML 1, GPU-52a3a85d, NVIDIA RTX 3090"
    )
    assert failure.evidence[0] == "Traceback (most recent call last):"
    assert failure.evidence[-1].startswith("torch.OutOfMemoryError: CUDA out of memory. Tried to")


def test_a_sampler_that_does_not_fit_is_told_with_its_requests() -> None:
    """The warm-up of the sampler has no phase of its own, and is named in the sentence."""
    failure = diagnose(sighting(FAILURES["cuda-sampler"], 1, "graph-capture"))
    assert failure.detail.startswith(
        "out of GPU memory during graph-capture (sampler warm-up with 1024 dummy requests): "
    )


def test_a_server_that_still_runs_never_got_ready() -> None:
    """Without an end and without an error in the log, time and phase are all that is known."""
    failure = diagnose(sighting(logs.START, None))
    assert (failure.kind, failure.cause) == ("never-ready", "time-out")
    assert failure.detail == "not ready within 300 s, still in boot"
    assert failure.remedy.startswith("raise --ready-timeout above 300, should boot be slow: ")
    assert failure.evidence == ()


def test_an_engine_that_failed_is_told_though_its_api_server_waits_on() -> None:
    """What the log names is the cause also of a server that was given up while it still ran."""
    failure = diagnose(sighting(FAILURES["bad-choice"], None, "weights"))
    assert (failure.kind, failure.cause) == ("never-ready", "bad-value")
    assert failure.detail == (
        "not ready within 300 s, still in weights: ValueError: Load format `nonsense` is not"
        " supported"
    )


@pytest.mark.parametrize(("kills", "said"), [(1, "1 process"), (2, "2 processes")])
def test_the_kernels_word_counts_more_than_the_logs(kills: int, said: str) -> None:
    """Where the kernel killed for memory, what the survivors wrote is no cause."""
    failure = diagnose(sighting(logs.PORT_TAKEN)._replace(oom_kills=kills))
    assert (failure.kind, failure.cause) == ("out-of-memory", "host-out-of-memory")
    assert failure.detail == f"the kernel killed {said} for memory during boot"


def test_a_silent_server_hangs() -> None:
    """A start that shows no sign of life is told with how long it has shown none."""
    failure = diagnose(sighting(logs.START[:5], None, "weights")._replace(hung=True, silent_s=61))
    assert (failure.kind, failure.cause) == ("never-ready", "hang")
    assert failure.detail == "hangs in weights: no sign of life for 61 s"


@pytest.mark.parametrize("phase", ["weights", "serving"])
def test_a_stopped_process_is_named(phase: str) -> None:
    """A process that a signal stopped holds all others up, and can be let go on."""
    stopped = ("4711 (VLLM::Worker)",)
    seen = sighting(logs.START, None, phase)._replace(hung=True, stopped_processes=stopped)
    failure = diagnose(seen)
    assert (failure.kind, failure.cause) == ("never-ready", "hang")
    assert failure.detail == f"hangs in {phase}: 4711 (VLLM::Worker) stopped by a signal"
    assert "kill -CONT 4711" in failure.remedy


@pytest.mark.parametrize("log", [[], FAILURES["wrapper-0.29"]], ids=["silent", "repeated"])
def test_a_killed_worker_is_named_where_nobody_says_more(log: list[str]) -> None:
    """A child that a signal ended is the cause where the log only says that something died."""
    dead = ("4711 (VLLM::Worker): signal 9",)
    failure = diagnose(sighting(log, 1, "weights")._replace(dead_processes=dead))
    assert (failure.kind, failure.cause) == ("died", "engine-died")
    assert failure.detail == (
        "ended with exit status 1 during weights: 4711 (VLLM::Worker): signal 9"
    )
    assert "OOM killer" in failure.remedy


def test_a_worker_that_said_why_is_not_told_as_killed() -> None:
    """Workers that are ended because another has failed do not hide the failure."""
    seen = sighting(FAILURES["truncated"], 1, "weights")
    failure = diagnose(seen._replace(dead_processes=("4711 (VLLM::Worker): signal 15",)))
    assert failure.cause == "corrupt-weights"


@pytest.mark.parametrize("status", [-9, -15])
def test_a_signal_that_nobody_here_sent_came_from_outside(status: int) -> None:
    """A server that a person or a service ended has not failed by itself."""
    failure = diagnose(sighting(logs.START[:5], status, "weights"))
    assert (failure.kind, failure.cause) == ("died", "stopped-from-outside")
    assert failure.detail == f"ended with signal {-status} during weights"


@pytest.mark.parametrize(
    ("log", "detail"),
    [
        (
            FAILURES["serving-resampler-0.31"],
            "AttributeError: module 'torch._C' has no attribute '_cuda_isCurrentStreamCapturing'",
        ),
        (
            FAILURES["serving-v0"],
            "RuntimeError: CUDA error: an illegal memory access was encountered",
        ),
    ],
    ids=["worker", "v0"],
)
def test_an_engine_that_dies_while_serving_is_told_with_its_root_cause(
    log: list[str], detail: str
) -> None:
    """The API server may live on and answer 500: the engine's own last words are what counts."""
    failure = diagnose(sighting(log, None, "serving"))
    assert (failure.kind, failure.cause, failure.phase) == ("died", "engine-died", "serving")
    assert failure.detail == f"engine died while serving: {detail}"


def test_a_server_that_stops_serving_without_a_word_is_told_so() -> None:
    """Where neither the log nor a process says why, that is what is said."""
    failure = diagnose(sighting(logs.START, None, "serving"))
    assert (failure.kind, failure.cause) == ("died", "engine-died")
    assert failure.detail == "engine died while serving without a word"


def test_a_worker_killed_while_serving_is_named() -> None:
    """An engine that lost its worker is told with who it was."""
    dead = ("4711 (VLLM::Worker): signal 9",)
    seen = sighting(FAILURES["kill-worker-serving"], 1, "serving")._replace(dead_processes=dead)
    failure = diagnose(seen)
    assert failure.detail == "engine died while serving: 4711 (VLLM::Worker): signal 9"


def test_memory_that_ran_out_while_serving_is_out_of_memory() -> None:
    """A server that was ready can still ask for too much."""
    failure = diagnose(sighting(FAILURES["serving-cuda-memory"], 1, "serving"))
    assert (failure.kind, failure.phase) == ("out-of-memory", "serving")
    assert failure.detail.startswith("out of GPU memory while serving: 0.88 GiB asked")


def _is_whole(failure: StartFailure) -> bool:
    sentences = (failure.detail, failure.remedy)
    return all(text.isprintable() and 0 < len(text) < 500 for text in sentences)


@given(SIGHTINGS)
def test_any_log_gives_one_sentence(seen: Sighting) -> None:
    """No log makes the diagnosis fail, and what it says is one printable line each."""
    failure = diagnose(seen)
    assert _is_whole(failure)
    assert failure.phase in failure.detail
    assert failure.phase == seen.phase or failure.kind == "out-of-memory"
    assert len(failure.last_lines) <= 25
    assert len(failure.evidence) <= 20
    assert (failure.kind == "out-of-memory") == failure.cause.endswith("out-of-memory")


def test_the_end_of_the_log_is_kept() -> None:
    """The last lines that hold anything are there for people to read."""
    lines = [f"line {i}" for i in range(40)] + ["", "  "]
    failure = diagnose(sighting(lines))
    assert failure.last_lines[-1] == "line 39"
    assert all(line.strip() for line in failure.last_lines)
