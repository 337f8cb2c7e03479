from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from fixtures.cells.allocators import ALLOCATORS
from fixtures.cells.case import Case
from fixtures.cells.matrix import load_matrix
from fixtures.runtimes.dialect import SERVED_MODEL_NAME, Invocation, invocation
from fixtures.runtimes.environments import CHECKOUT

pytestmark = pytest.mark.selftest

MATRIX = load_matrix(CHECKOUT / "suites" / "matrix.toml")
CASES = [case for case in MATRIX if case.is_for(Version("0.29.0"))]
PYTHON = Path("/runtime/bin/python")
SCRATCH = Path("/scratch")
FAMILIES = ("VLLM_", "PYTORCH_", "TORCH_", "MALLOC_", "HF_", "TRANSFORMERS_")


def _invocation(case: Case = CASES[0], inherited: Mapping[str, str] | None = None) -> Invocation:
    return invocation(case, PYTHON, 4711, SCRATCH, inherited or {})


def _flags(argv: tuple[str, ...]) -> dict[str, str]:
    """Every word after a flag, by flag."""
    return {argv[i]: argv[i + 1] for i in range(len(argv) - 1) if argv[i].startswith("--")}


def test_the_command_says_what_the_case_says() -> None:
    """Sequences, length, model, port and the model's own flags are on the command line."""
    for case in CASES:
        argv = _invocation(case).argv
        flags = _flags(argv)
        assert argv[:3] == (str(PYTHON), "-m", "vllm.entrypoints.openai.api_server")
        assert flags["--max-num-seqs"] == str(case.cell.max_num_seqs)
        assert flags["--max-model-len"] == str(case.cell.max_model_len)
        assert flags["--model"] == case.model.source
        assert flags["--served-model-name"] == SERVED_MODEL_NAME
        assert (flags["--host"], flags["--port"]) == ("127.0.0.1", "4711")
        assert " ".join(case.model.flags) in " ".join(argv)
        assert "--gpu-memory-utilization" not in argv


def test_a_case_that_the_version_cannot_express_has_no_command() -> None:
    """What a version cannot be told is refused with the case, the version and the reason."""
    (found, *_) = [case for case in MATRIX if case.cell.gpu_memory_utilization == 1]
    with pytest.raises(ValueError, match=rf"{found.id} is not for vLLM 0\.29\.0: --gpu-memory"):
        _invocation(found)


def test_what_a_cell_adds_comes_last() -> None:
    """A share of the card and further flags are passed on, and win over the model's own."""
    cell = CASES[0].cell.model_copy(
        update={"gpu_memory_utilization": 0.85, "extra_flags": ("--dtype", "bfloat16")}
    )
    argv = _invocation(CASES[0].model_copy(update={"cell": cell})).argv
    assert _flags(argv)["--gpu-memory-utilization"] == "0.85"
    assert argv[-2:] == ("--dtype", "bfloat16")


@pytest.mark.parametrize("name", sorted(ALLOCATORS))
def test_an_allocator_is_its_variables(name: str) -> None:
    """The cell's allocator sets its variables, over whatever the caller had set."""
    cell = CASES[0].cell.model_copy(update={"allocator": name})
    case = CASES[0].model_copy(update={"cell": cell})
    theirs = {"MALLOC_ARENA_MAX": "8", "PYTORCH_CUDA_ALLOC_CONF": "backend:native"}
    env = _invocation(case, theirs).env
    assert {key: env[key] for key in theirs if key in env} == dict(ALLOCATORS[name])


@given(st.dictionaries(st.sampled_from(FAMILIES), st.text("ABC_", min_size=1), max_size=6))
def test_nothing_that_changes_the_measurement_is_inherited(words: dict[str, str]) -> None:
    """A variable of vLLM, torch, malloc or Hugging Face in the caller's shell has no effect."""
    theirs = {family + word + "Q": "1" for family, word in words.items()}
    theirs |= {"PYTHONPATH": "/theirs", "PYTHONHOME": "/theirs"}
    assert _invocation(inherited=theirs).env == _invocation().env


def test_what_the_server_needs_of_its_surroundings_is_kept() -> None:
    """Search path, devices, and where and as whom models are downloaded come along."""
    kept = {
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "1",
        "HF_TOKEN": "hf_x",
        "HF_HOME": "/models",
        "HF_HUB_CACHE": "/models/hub",
    }
    env = _invocation(inherited=kept).env
    assert {key: env.get(key) for key in kept} == kept


def test_what_the_server_leaves_lies_in_its_scratch_folder() -> None:
    """Temporary files, sockets and caches go where the suite tidies up."""
    env = _invocation(inherited={"TMPDIR": "/theirs"}).env
    for name in ("TMPDIR", "VLLM_CACHE_ROOT", "VLLM_RPC_BASE_PATH", "HF_MODULES_CACHE"):
        assert Path(env[name]).is_relative_to(SCRATCH)


def test_a_server_tells_nobody_outside() -> None:
    """Usage statistics are off."""
    env = _invocation().env
    assert (env["VLLM_NO_USAGE_STATS"], env["DO_NOT_TRACK"]) == ("1", "1")


def test_only_the_cpu_card_has_a_kv_cache_size() -> None:
    """The host's memory is not the card's: on the cpu card the KV cache is given in GiB."""
    for case in CASES:
        assert ("VLLM_CPU_KVCACHE_SPACE" in _invocation(case).env) == (case.card_name == "cpu")
