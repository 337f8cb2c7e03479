from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.runtimes.dialect import Words
from fixtures.runtimes.launching import Brought, Launch, python_launch

pytestmark = pytest.mark.selftest

SCRATCH = Path("/scratch")
WORDS = Words(("--model", "/models/tiny", "--port", "4711"), {"MALLOC_ARENA_MAX": "1"})
FAMILIES = ("VLLM_", "PYTORCH_", "TORCH_", "MALLOC_", "HF_", "TRANSFORMERS_", "MINICPMV_")


NOTHING = Brought((), {})


def _launch(inherited: Mapping[str, str] | None = None, brought: Brought = NOTHING) -> Launch:
    return python_launch(Path("/rt/bin/python"), WORDS, SCRATCH, inherited or {}, brought)


def test_the_api_server_is_run_by_the_runtimes_python() -> None:
    """The one entry point of all versions, then the case's own words."""
    program = ("/rt/bin/python", "-m", "vllm.entrypoints.openai.api_server")
    assert _launch().argv == (*program, *WORDS.argv)


@given(st.dictionaries(st.sampled_from(FAMILIES), st.text("ABC_", min_size=1), max_size=7))
def test_nothing_that_changes_the_measurement_is_inherited(words: dict[str, str]) -> None:
    """A variable of vLLM, torch, malloc or Hugging Face in the caller's shell has no effect."""
    theirs = {family + word + "Q": "1" for family, word in words.items()}
    theirs |= {"PYTHONPATH": "/theirs", "PYTHONHOME": "/theirs"}
    assert _launch(theirs).env == _launch().env


def test_the_deployments_own_variables_win() -> None:
    """What the case asks for stands over whatever the caller had set."""
    assert _launch({"MALLOC_ARENA_MAX": "8"}).env["MALLOC_ARENA_MAX"] == "1"


def test_what_the_server_needs_of_its_surroundings_is_kept() -> None:
    """Search path, devices, and where and as whom models are downloaded come along."""
    kept = {
        "PATH": "/bin",
        "HF_TOKEN": "hf_x",
        "HF_HOME": "/models",
        "HF_HUB_CACHE": "/models/hub",
    }
    env = _launch(kept).env
    assert {key: env.get(key) for key in kept} == kept


def test_what_the_server_leaves_lies_in_its_scratch_folder() -> None:
    """Temporary files, sockets and caches go where the suite tidies up."""
    env = _launch({"TMPDIR": "/theirs"}).env
    for name in ("TMPDIR", "VLLM_CACHE_ROOT", "VLLM_RPC_BASE_PATH", "HF_MODULES_CACHE"):
        assert Path(env[name]).is_relative_to(SCRATCH)


def test_a_server_tells_nobody_outside_and_downloads_nothing() -> None:
    """Usage statistics are off, and so is the hub: a download would count as a start."""
    env = _launch().env
    assert (env["VLLM_NO_USAGE_STATS"], env["DO_NOT_TRACK"]) == ("1", "1")
    assert env["HF_HUB_OFFLINE"] == "1"


def test_plugins_are_on_the_servers_path_alone() -> None:
    """Folders of plugins are its PYTHONPATH; without one there is none."""
    two = Brought((Path("/one"), Path("/other")), {})
    assert _launch({"PYTHONPATH": "/theirs"}, two).env["PYTHONPATH"] == "/one:/other"
    assert "PYTHONPATH" not in _launch({"PYTHONPATH": "/theirs"}).env


def test_plugins_are_told_what_the_suite_says() -> None:
    """A variable of the suite's own reaches the server when the suite sets it, and not else."""
    inherited = {"MINICPMV_ALLOCATOR_DIR": "/theirs"}
    brought = Brought((), {"MINICPMV_ALLOCATOR_DIR": "/records/case/allocator"})
    assert _launch(inherited, brought).env["MINICPMV_ALLOCATOR_DIR"] == "/records/case/allocator"
    assert "MINICPMV_ALLOCATOR_DIR" not in _launch(inherited).env
