import pytest

from fixtures.cells.cards import CARDS, GIB, MIB, Gpu
from fixtures.cells.cell import Cell
from fixtures.servers.diagnosis import Sighting, StartFailure, diagnose
from fixtures.servers.facts import EncoderProfile, StartFacts, Weights
from suites.selftest.servers.failure_logs import FAILURES

pytestmark = pytest.mark.selftest

CELL = Cell(max_num_seqs=256, max_model_len=32768, allocator="default")
CELL_095 = CELL.model_copy(update={"gpu_memory_utilization": 0.95})
L40S = Gpu(1, "GPU-52a3a85d", "NVIDIA L40S", int(44.99 * GIB))


def remedy_of(name: str, cell: Cell | None = CELL, device: Gpu | None = None) -> str:
    """What is to be changed after a failure of that name."""
    return _diagnosed(name, cell, device).remedy


def _diagnosed(name: str, cell: Cell | None, device: Gpu | None) -> StartFailure:
    phase = "serving" if name.startswith("serving") else "boot"
    return diagnose(Sighting(phase, 9, 60, 1, 0, FAILURES[name], cell=cell, device=device))


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("kv-v0", "lower max_model_len from 29000 to 23648, or raise --gpu-memory-utilization"),
        ("kv-v1-0.29", "needs 1.75 GiB of KV cache and 0.71 GiB are free: lower to 13280 or plan"),
        ("kv-v1-0.7", "needs 24.00 GiB of KV cache and 9.97 GiB are free: lower to 435584 or plan"),
        ("kv-none", "raise --gpu-memory-utilization, lower what the start-up profile takes"),
        ("util-small", "the 0.18 GiB planned with do not hold the worker itself"),
        ("kv-small", "no length fits or plan more (--gpu-memory-utilization, or --kv-cache-memory"),
        (
            "host-limit",
            "1.00 GiB were asked for and not to be had: lower VLLM_CPU_KVCACHE_SPACE or",
        ),
        ("gate-0.9", "lower --gpu-memory-utilization to 0.27 or free what other processes hold"),
        ("gate-0.29", "wants 44.42 GiB where 43.98 of 44.42 are free: lower --gpu-memory-utiliz"),
        ("gate-released", "have the GPU alone, try again"),
        ("util-1", "lower --gpu-memory-utilization to 0.89"),
        ("kv-above-ram", "lower VLLM_CPU_KVCACHE_SPACE to 15 (GiB) or --kv-cache-memory-bytes"),
        ("host-numpy", "7.45 GiB were asked for and not to be had: lower max_num_seqs from 256 to"),
        ("cuda-0.22-weights", "more than the 14.56 GiB here (14.44 GiB held when 0.13 GiB more"),
        ("cuda-2.1-shared", "other processes hold 9.18 GiB of this GPU: free it"),
        ("cuda-kv-cache", "lower --gpu-memory-utilization from 0.9 to 0.86, or lower max_num_seqs"),
        ("cuda-kv-cache", "2.10 GiB lie cached in pieces: allocator 'expandable' would join them"),
        ("cuda-graphs", "--enforce-eager, fewer --cudagraph-capture-sizes, or lower --gpu-memory"),
        ("cuda-sampler", "lower it from 1024 to 512, or lower --gpu-memory-utilization"),
        ("cuda-language-model", "lower --max-num-batched-tokens: the profile runs that many"),
        ("serving-cuda-memory", "from 0.9 to 0.87, or lower max_num_seqs from 256 to 128"),
    ],
)
def test_memory_is_answered_in_numbers(name: str, remedy: str) -> None:
    """vLLM's and torch's own figures become values to set."""
    assert remedy in remedy_of(name)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("missing", "/checkpoints/none is no folder with a config.json"),
        ("missing-repo", "servers start offline: fetch the model first (`hf download openbmb/Mini"),
        ("model-offline", "`hf download REPOSITORY`"),
        ("model-unknown-id", "`hf download openbmb/MiniCPM-V-2_7`"),
        ("model-gated", "accept its terms on the hub and set HF_TOKEN"),
        ("no-trust", "add --trust-remote-code"),
        ("version-4.5-on-0.10.0", "MiniCPM-V 4.5 needs vLLM 0.10.2 or newer"),
        ("architecture-4.6-on-0.16", "MiniCPM-V 4.6 needs vLLM 0.22.1 or newer"),
        ("version", "no vLLM up to 0.33 is known to serve version 9.9 of MiniCPM-V"),
        ("arch", "no vLLM up to 0.33 is known to serve this model"),
        ("uuid-0.20", "no UUID in CUDA_VISIBLE_DEVICES: give NVML's number with CUDA_DEVICE_ORDER"),
        ("truncated", "a file of the checkpoint is cut or damaged: fetch it again"),
        ("noweights", "the folder holds no weights"),
        ("shape", "weights and config.json do not belong together"),
        ("unknown-flag", "this version has no --no-such-flag"),
        ("flag-ambiguous", "this version has no --kv-cache:"),
        ("bad-int", "give --max-num-batched-tokens as the message says"),
        ("too-long", "lower max_model_len from 999999 to 8192, the most of this model"),
        ("util-2", "give gpu_memory_utilization a value that is less than or equal to 1"),
        ("value-batched-0.5.4", "raise --max-num-batched-tokens to max_model_len at least"),
        ("port", "another process listens there"),
        ("package-none", "install vllm into the runtime"),
        ("package-timm", "install timm into the runtime"),
        ("package-misfit", "the runtime's packages do not fit one another"),
        ("no-python", "the runtime's Python is not there"),
        ("disk", "make room where the message says"),
        ("serving-v0", "report the traceback, or pin another version"),
        ("wrapper-0.29", "or run it once with VLLM_LOGGING_LEVEL=DEBUG"),
    ],
)
def test_everything_else_is_answered_by_name(name: str, remedy: str) -> None:
    """The thing that is missing, misspelt or in the way is named, and what to do about it."""
    assert remedy in remedy_of(name)


def test_a_larger_share_is_named_where_the_card_has_it() -> None:
    """With the card's size known, a KV cache that lacks a gigabyte is a share of it."""
    assert "or raise --gpu-memory-utilization from 0.9 to 0.93" in remedy_of(
        "kv-v1-0.29", CELL, L40S
    )
    assert "no --gpu-memory-utilization is enough" in remedy_of("kv-v1-0.29", CELL_095, L40S)


def test_the_share_of_the_weights_is_told() -> None:
    """With nothing left for the KV cache, the weights stand beside what was planned with."""
    facts = StartFacts(weights=Weights(9.0, 15 * GIB, 4.0))
    seen = Sighting("kv-cache", 9, 60, 1, 0, FAILURES["kv-none"], facts=facts, device=L40S)
    assert "weights take 15.00 GiB of the 40.49 GiB planned with" in diagnose(seen).remedy


def test_a_profile_that_the_log_told_is_answered_with_its_items() -> None:
    """Of a V1 engine the profiled items and the budget are known, and what governs them."""
    facts = StartFacts(encoder_profile=EncoderProfile(9.0, 8192, 8, "video"))
    log = FAILURES["cuda-0.12-encoder"]
    failure = diagnose(Sighting("encoder-profile", 9, 60, 1, 0, log, facts=facts, cell=CELL))
    assert failure.remedy.startswith(
        "the encoder profile asked for 4.00 GiB with 1.06 GiB free: lower max_num_seqs to 1 with"
        " max_model_len to 2048 or --max-num-batched-tokens from 8192 to 2048"
    )
    assert "8 video items in a budget of 8192 tokens" in failure.remedy


def test_a_kill_by_the_kernel_is_answered_by_phase() -> None:
    """What to lower after a kill for memory depends on what was being made just then."""
    facts = StartFacts(encoder_profile=EncoderProfile(9.0, 16384, 16, "video"))
    cell = Cell(max_num_seqs=4, max_model_len=4096, allocator="glibc")
    killed = Sighting("encoder-profile", 9, 60, 1, 1, [], facts=facts, cell=cell)
    assert "lower max_num_seqs from 4 to 2" in diagnose(killed).remedy
    later = killed._replace(phase="kv-cache", peak_bytes=3 * GIB)
    assert diagnose(later).remedy == (
        "all processes together had 3.00 GiB at most:"
        " lower VLLM_CPU_KVCACHE_SPACE or --kv-cache-memory-bytes"
    )
    assert "a host or a card with more memory" in diagnose(killed._replace(phase="weights")).remedy


@pytest.mark.parametrize(
    ("status", "word"), [(-4, "instruction"), (-7, "weights file"), (-11, "stack")]
)
def test_a_fault_in_native_code_is_answered_by_its_signal(status: int, word: str) -> None:
    """A process that a signal of its own making ended is told what that signal means."""
    failure = diagnose(Sighting("boot", 9, 60, status, 0, []))
    assert failure.cause == "unknown"
    assert word in failure.remedy


H100_AS_48 = CARDS["gpu48"].on(Gpu(1, "GPU-52a3a85d", "NVIDIA H100", 81_559 * MIB))


def _on_emulated(line: str) -> str:
    seen = Sighting("kv-cache", 9, 60, 1, 0, [line], cell=CELL, device=H100_AS_48)
    return diagnose(seen).remedy


@pytest.mark.parametrize(("own_gib", "others"), [(43.6, None), (38.6, "5.33 GiB")])
def test_a_ballast_is_no_other_process(own_gib: float, others: str | None) -> None:
    """What of the GPU is not the emulated card's is nobody's to free, and in no share of it."""
    remedy = _on_emulated(
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total"
        " capacity of 79.18 GiB of which 610.00 MiB is free. Including non-PyTorch memory, this"
        f" process has {own_gib} GiB memory in use."
    )
    assert "lower --gpu-memory-utilization from 0.9 to 0.86" in remedy
    assert ("other processes hold" in remedy) == (others is not None)
    assert (others or "") in remedy


def test_the_gate_is_answered_with_a_share_of_the_emulated_card() -> None:
    """The log's share is a rescaled one; the matrix takes one of the card."""
    remedy = _on_emulated(
        "ValueError: Free memory on device cuda:0 (40.10/79.18 GiB) on startup is less than desired"
        " GPU memory utilization (0.5366, 42.49 GiB). Decrease GPU memory utilization or reduce GPU"
        " memory used by other processes."
    )
    assert "lower --gpu-memory-utilization to 0.90 or free" in remedy
