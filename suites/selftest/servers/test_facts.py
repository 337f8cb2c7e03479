from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import GIB
from fixtures.servers.facts import (
    EncoderProfile,
    FactReader,
    KvCache,
    StartFacts,
    Weights,
    facts_in,
)
from suites.selftest.servers.logs import START
from suites.selftest.servers.starts import STARTS

pytestmark = pytest.mark.selftest

PREFIXES: Final = (
    "",
    "INFO 08-10 12:00:00 model_runner.py:732] ",
    "(VllmWorkerProcess pid=7) INFO 08-10 12:00:00 model_runner.py:732] ",
    "INFO 04-02 13:32:43 [gpu_worker.py:298] ",
    "(EngineCore_DP0 pid=7) (Worker_TP0 pid=8) INFO 11-24 04:00:00 [gpu_worker.py:298] ",
    "\x1b[0;36m(Worker pid=7)\x1b[0;0m \x1b[32mINFO\x1b[0m \x1b[90m11-24 04:00:00\x1b[0m [w.py:9] ",
    "Capturing CUDA graphs: 100%|####| 67/67 [00:20<00:00,  3.25it/s]\r",
)


def gib(size: float) -> int:
    """Bytes of so many GiB."""
    return round(size * GIB)


OLD: Final = StartFacts(
    weights=Weights(1.0, gib(15.7985), None),
    kv_cache=KvCache(1.0, 345_664),
    graphs_took_s=11.0,
    ready_at_s=1.0,
)
PROFILED: Final = StartFacts(
    weights=Weights(1.0, gib(15.7985), None),
    kv_available_bytes=gib(23.7),
    kv_cache=KvCache(1.0, 443_776),
    max_concurrency=108.34,
    graphs_bytes=gib(0.38),
    graphs_took_s=12.0,
    non_torch_bytes=gib(0.17),
    ready_at_s=1.0,
)
V0: Final = PROFILED._replace(peak_activation_bytes=gib(3.11), init_took_s=21.35)
V1: Final = StartFacts(
    runner="V1",
    weights=Weights(1.0, gib(15.7985), 4.512345),
    encoder_profile=EncoderProfile(1.0, 2048, 2, "video"),
    kv_available_bytes=gib(24.08),
    kv_cache=KvCache(1.0, 450_816),
    max_concurrency=110.06,
    graphs_bytes=gib(0.49),
    graphs_took_s=5.0,
    init_took_s=31.44,
    ready_at_s=1.0,
)
# From 0.14.1 sizes of weights are told with two decimals.
ROUNDED: Final = V1._replace(weights=Weights(1.0, gib(15.8), 4.512345))
ESTIMATED: Final = ROUNDED._replace(graphs_estimate_bytes=gib(0.55))
V2_UNPROFILED: Final = ROUNDED._replace(
    runner="V2",
    encoder_profile=None,
    kv_available_bytes=gib(26.41),
    kv_cache=KvCache(1.0, 494_512),
    max_concurrency=120.73,
)
V2: Final = ESTIMATED._replace(
    runner="V2", peak_activation_bytes=gib(3.09), consumed_bytes=gib(16.01)
)

FACTS: Final = {
    "0.5.4": OLD,
    "0.6.3": OLD._replace(max_concurrency=84.39),
    "0.6.4.post1": PROFILED,
    "0.6.6.post1": V0,
    "0.7.3": V0._replace(runner="V0"),
    "0.8.5.post1": V1._replace(kv_available_bytes=None, graphs_took_s=22.0, init_took_s=48.61),
    "0.9.2": V1._replace(graphs_took_s=22.0, init_took_s=48.61),
    "0.10.2": V1._replace(peak_activation_bytes=gib(2.73), non_torch_bytes=gib(0.17)),
    "0.11.0": V1,
    "0.16.0": ROUNDED,
    "0.20.2": ESTIMATED,
    "0.24.0": ESTIMATED,
    "0.24.0-recorded": ESTIMATED._replace(
        weights=Weights(1.0, gib(15.21), 0.9707),
        kv_available_bytes=gib(23.76),
        kv_cache=KvCache(1.0, 444_832),
        max_concurrency=54.3,
        graphs_bytes=gib(0.46),
        graphs_took_s=6.0,
        graphs_estimate_bytes=gib(0.36),
        init_took_s=51.79,
    ),
    "0.25.1": V2_UNPROFILED,
    "0.26.0": V2_UNPROFILED._replace(peak_activation_bytes=gib(1.35), non_torch_bytes=gib(0.17)),
    "0.29.0": V2,
    "0.33.0": V2,
    "0.29.0-kv-bytes": ROUNDED._replace(
        runner="V2",
        kv_available_bytes=gib(8.0),
        kv_cache=KvCache(1.0, 149_792),
        max_concurrency=36.57,
        graphs_bytes=None,
        graphs_took_s=None,
        skipped=frozenset({"memory_profile", "graphs"}),
    ),
    "0.8.5.post1-cpu": StartFacts(
        runner="V0",
        kv_cache=KvCache(1.0, 74_896),
        max_concurrency=18.29,
        init_took_s=0.12,
        ready_at_s=1.0,
    ),
    "0.16.0-cpu": StartFacts(
        runner="V1",
        kv_cache=KvCache(1.0, 74_880),
        max_concurrency=18.28,
        init_took_s=31.44,
        ready_at_s=1.0,
    ),
    "0.29.0-cpu-recorded": StartFacts(
        runner="V1",
        kv_available_bytes=GIB,
        kv_cache=KvCache(1.0, 524_288),
        max_concurrency=256.0,
        init_took_s=0.61,
        ready_at_s=1.0,
    ),
    "0.33.0-cpu": StartFacts(
        runner="V1",
        encoder_profile=EncoderProfile(1.0, 16384, 16, "video"),
        kv_available_bytes=gib(20.7),
        kv_cache=KvCache(1.0, 387_456),
        max_concurrency=94.59,
        init_took_s=31.44,
        ready_at_s=1.0,
    ),
}


def read(lines: list[str]) -> StartFacts:
    """The facts of lines that were all seen after one second."""
    return facts_in((1.0, line) for line in lines)


@pytest.mark.parametrize("name", STARTS)
def test_the_log_of_every_version_is_read(name: str) -> None:
    """Each version's own words tell its facts, and none of its lines about memory is strange."""
    assert read(STARTS[name]) == FACTS[name]


def test_a_recorded_start_of_the_wide_model_is_read() -> None:
    """A real log tells when each thing was seen, in the seconds since the process start."""
    facts = facts_in((float(second), line) for second, line in enumerate(START))
    assert facts == StartFacts(
        runner="V1",
        encoder_profile=EncoderProfile(6.0, 16384, 2, "video"),
        kv_available_bytes=GIB,
        kv_cache=KvCache(10.0, 524_288),
        max_concurrency=256.0,
        init_took_s=26.99,
        ready_at_s=13.0,
    )


def test_nothing_read_is_nothing_known() -> None:
    """Without a line there is no fact: none is 0."""
    assert facts_in([]) == StartFacts()


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", ["0.6.6.post1", "0.10.2", "0.33.0"])
def test_prefixes_change_no_fact(name: str, prefix: str) -> None:
    """Who says a line, in which form, colour or behind a progress bar, does not matter."""
    bare = [line.partition("] ")[2] for line in STARTS[name] if "] " in line]
    assert read([f"{prefix}{line}\r" for line in bare]) == read(bare)
    assert read(bare).weights == FACTS[name].weights


@given(st.lists(st.text() | st.sampled_from([line for log in STARTS.values() for line in log])))
def test_any_text_is_read(lines: list[str]) -> None:
    """No log makes the reader fail, and what it keeps of strange lines is short."""
    facts = read(lines)
    assert len(facts.unknown_memory_lines) <= 20
    assert all(len(line) <= 300 and line.isprintable() for line in facts.unknown_memory_lines)


@given(st.sampled_from(sorted(STARTS)), st.data())
def test_lines_count_the_same_at_once_and_one_by_one(name: str, data: st.DataObject) -> None:
    """How the log arrives in pieces does not change what is read of it."""
    cut = data.draw(st.integers(0, len(STARTS[name])))
    reader = FactReader()
    reader.take(STARTS[name][:cut], 1.0)
    reader.take(STARTS[name][cut:], 1.0)
    assert reader.facts == read(STARTS[name])


@given(st.integers(0, 10**15), st.integers(-(10**9) + 1, 10**9 - 1), st.integers(0, 10**9 - 1))
def test_any_figure_is_read_as_it_stands(tokens: int, whole: int, rest: int) -> None:
    """Counts with and without commas, and sizes below and above 0, come out as they went in."""
    gib_text = f"{whole}.{rest:09d}"
    facts = read(
        [f"GPU KV cache size: {tokens:,} tokens", f"Available KV cache memory: {gib_text} GiB"]
    )
    assert facts.kv_cache == KvCache(1.0, tokens)
    assert facts.kv_available_bytes == gib(float(gib_text))


@pytest.mark.parametrize("block_tokens", [8, 16, 32, 128])
@given(blocks=st.integers(64, 10**6), request_tokens=st.sampled_from([512, 2048, 4096, 32768]))
def test_the_size_of_a_block_is_what_the_concurrency_implies(
    block_tokens: int, blocks: int, request_tokens: int
) -> None:
    """Where blocks are told with the requests that they hold, their tokens are known exactly."""
    concurrency = max(0.01, blocks * block_tokens / request_tokens)
    facts = read(
        [
            f"# cuda blocks: {blocks}, # CPU blocks: 512",
            f"Maximum concurrency for {request_tokens} tokens per request: {concurrency:.2f}x",
        ]
    )
    assert facts.kv_cache == KvCache(1.0, blocks * block_tokens)


@pytest.mark.parametrize(
    ("line", "facts"),
    [
        (
            "Skipping memory profiling for multimodal encoder and encoder cache.",
            StartFacts(skipped=frozenset({"encoder_profile"})),
        ),
        (
            "Skipping encoder profiling for embedding-only mode (all modality limits=0 with",
            StartFacts(skipped=frozenset({"encoder_profile"})),
        ),
        (
            "Skipping CUDA graph capture. To turn on CUDA graph capture, ensure `cudagraph_mode`",
            StartFacts(skipped=frozenset({"graphs"})),
        ),
        (
            (
                "Initial free memory 47.05GiB, reserved 8.00GiB memory for KV Cache as specified "
                "by kv_cache_memory_bytes config and skipped memory profiling. This does does not"
            ),
            StartFacts(kv_available_bytes=gib(8.0), skipped=frozenset({"memory_profile"})),
        ),
        (
            "Reserving 2.0 GiB of GPU memory for ...; KV cache memory reduced to 22.08 GiB.",
            StartFacts(kv_available_bytes=gib(22.08)),
        ),
        (
            "Available KV cache memory: -3.21 GiB",
            StartFacts(kv_available_bytes=-gib(3.21)),
        ),
        (
            "Model loading took 15.7985 GB and 4.512345 seconds",
            StartFacts(weights=Weights(1.0, gib(15.7985), 4.512345)),
        ),
        ("# CPU blocks: 4681", StartFacts(kv_cache=KvCache(1.0, 74_896))),
        (
            (
                "GPU + host KV cache size: 1,048,576 tokens, "
                "Maximum concurrency for 4,096 tokens per request: 256.00x"
            ),
            StartFacts(kv_cache=KvCache(1.0, 1_048_576), max_concurrency=256.0),
        ),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_rarer_lines_are_read_too(line: str, facts: StartFacts) -> None:
    """What flags, failures and releases without a whole log here say is in the table as well."""
    assert read([line]) == facts


def test_a_sample_of_graphs_is_not_the_graphs() -> None:
    """What the runner V2 captures for its estimate, before there is a cache, counts as nothing."""
    log = STARTS["0.33.0"]
    cache = next(i for i, line in enumerate(log) if "Available KV cache memory" in line)
    assert "took 0.21 GiB" in "".join(log[:cache])
    assert read(log[:cache]).graphs_bytes is None
    assert read(log).graphs_bytes == gib(0.49)


def test_what_comes_after_ready_is_not_of_the_start() -> None:
    """A server that serves may write what it likes about memory."""
    later = ["GPU KV cache size: 1 tokens", "Freed 3 GiB of cache"]
    assert read(STARTS["0.33.0"] + later) == FACTS["0.33.0"]


REWORDED: Final[dict[str, Callable[[str], str]]] = {
    "weights": lambda line: line.replace("Model loading took", "Weights are loaded:"),
    "encoder_profile": lambda line: line.replace(
        "Encoder cache will be initialized", "Encoder cache"
    ),
    "kv_available_bytes": lambda line: line.replace("Available KV cache memory", "KV memory"),
    "kv_cache": lambda line: line.replace("KV cache size: ", "KV cache capacity: "),
    "graphs_bytes": lambda line: line.replace("Graph capturing finished", "Graphs are captured"),
    "graphs_estimate_bytes": lambda line: line.replace("CUDA graph pool", "Graph pool"),
    "consumed_bytes": lambda line: line.replace("GiB for consumed", "GiB of used"),
}


@pytest.mark.parametrize("field", REWORDED)
def test_a_reworded_line_is_seen_and_not_guessed_at(field: str) -> None:
    """A fact whose line has changed its words is absent, and the line is kept for people."""
    facts = read([REWORDED[field](line) for line in STARTS["0.29.0"]])
    assert getattr(FACTS["0.29.0"], field) is not None
    if field == "kv_cache":
        # The same line tells the concurrency, and is known by that.
        assert (facts.kv_cache, facts.max_concurrency) == (None, 110.06)
        return
    assert getattr(facts, field) is None
    assert facts.unknown_memory_lines


def test_strange_lines_are_kept_once_and_not_all() -> None:
    """Workers that repeat each other are told once, and 20 lines are enough."""
    repeated = [f"(Worker_TP{i} pid={i}) Arena of 3 GiB allocated" for i in range(4)]
    many = [f"Arena of {i} GiB allocated" for i in range(40)]
    assert read(repeated).unknown_memory_lines == ("Arena of 3 GiB allocated",)
    assert read(many).unknown_memory_lines == tuple(many[:20])


@pytest.mark.parametrize(
    "line",
    [
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has",
        "Multiplying the GPU KV cache size by the dcp_world_size 2.",
        "Possibly too large swap space. 8.00 GiB out of the 15.61 GiB total CPU memory",
        "Estimated FULL CUDA graph memory: 30.00 MiB first-capture + (35-1) \u00d7 4.00 MiB",
        "Memory profiling takes 3.51 seconds. Total non KV cache memory: 16.51GiB; torch peak",
        "Avg prompt throughput: 12.0 tokens/s, GPU KV cache usage: 3.0%",
        "Using cache directory: /cache/torch_compile_cache/3f7/rank_0 for vLLM's torch.compile",
    ],
)
def test_known_words_about_memory_are_no_finding(line: str) -> None:
    """What vLLM is known to say, and what the diagnosis tells, is not strange."""
    assert read([line]) == StartFacts()
