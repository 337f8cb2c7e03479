"""The incident of August 2024 from what was recorded of it: the suite would have told it."""

import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.version import Version

from fixtures.cells.cards import CARDS, GIB, MIB, Gpu
from fixtures.cells.case import Case
from fixtures.cells.cell import Cell
from fixtures.frontier.dummy_items import DummyItems
from fixtures.runtimes.dialect import Setting, Words, words_of
from fixtures.servers.diagnosis import diagnose
from fixtures.servers.sighting import Sighting
from suites.selftest.frontier.test_estimate import SHAPE_2_6, holds, incident, part
from suites.selftest.servers.failure_logs import FAILURES

pytestmark = pytest.mark.selftest

TOLD: Final[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("recorded.toml").read_text())
OLD: Final = Version("0.5.4")
SECOND: Final = Gpu(1, "GPU-52a3a85d", "NVIDIA RTX 3090", 24 * GIB)


def gib(gb: float) -> float:
    """As it was reported, in GiB."""
    return gb * 1e9 / GIB


@pytest.mark.parametrize("row", TOLD["dummy_pictures"], ids=str)
def test_dummy_pictures_follow_both_knobs(row: dict[str, int]) -> None:
    """As many as profile_run made, for each pair of max_num_seqs and max_model_len."""
    found = incident(row["max_num_seqs"], row["max_model_len"]).pictures
    assert isinstance(found, DummyItems)
    assert found.pictures == row["pictures"]


def test_the_shape_of_its_memory_is_foretold() -> None:
    """16 GB of weights, 29 and 70 GB for an instant at the defaults, 19 GB with the fix."""
    memory, fix = TOLD["memory"], TOLD["fix"]
    defaults = incident(256, 32768)
    assert holds(part(defaults, "weights"), gib(memory["weights_gb"]))
    assert holds(defaults.profile, gib(memory["profile_gb"]))
    assert holds(defaults.profile, gib(TOLD["other_memory"]["profile_gb"]))
    mended = incident(fix["max_num_seqs"], fix["max_model_len"])
    assert holds(mended.needed, gib(memory["steady_gb"]))
    assert mended.profile.best < defaults.profile.low


def test_the_allocation_that_failed_is_the_softmax_of_all_pictures() -> None:
    """32 dummy pictures of 64 MiB are the 2 GiB that the log asked for."""
    softmax, vision = TOLD["softmax"], SHAPE_2_6.vision
    each = vision.heads * vision.patches**2 * 4
    assert each == softmax["mib_a_picture"] * MIB
    assert each * softmax["pictures"] == softmax["asked_gib"] * GIB


def test_the_error_names_the_gpu_that_was_assigned() -> None:
    """torch said "GPU 0" of the second one; phase, GPU and the knob that helps are told."""
    log = FAILURES["cuda-0.5.4-encoder"]
    assert any("GPU 0 " in line for line in log)
    seen = Sighting("weights", 300.2, 300, None, 0, log)._replace(device=SECOND)
    failure = diagnose(seen)
    assert (failure.kind, failure.phase) == ("out-of-memory", "encoder-profile")
    assert "GPU 0 of the log, which is NVML 1, GPU-52a3a85d" in failure.detail
    assert "max_num_seqs" in failure.remedy


@pytest.mark.parametrize("allocator", ["default", "expandable"])
def test_the_fix_is_said_in_the_words_of_its_vllm(allocator: str) -> None:
    """Three flags, and expandable segments where they are asked for."""
    fix = TOLD["fix"]
    cell = Cell(
        max_num_seqs=fix["max_num_seqs"],
        max_model_len=fix["max_model_len"],
        gpu_memory_utilization=fix["gpu_memory_utilization"],
        allocator=allocator,
    )
    case = Case(
        card_name="gpu48", model_name="minicpmv-2.6", cell=cell, budget_bytes=47 * GIB, role="fix"
    )
    setting = Setting("openbmb/MiniCPM-V-2_6", "minicpm-v", "0.0.0.0", 8000, SECOND)  # noqa: S104 - a word
    words = words_of(case, OLD, setting)
    assert isinstance(words, Words)
    said = " ".join(words.argv)
    assert "--max-num-seqs 32" in said
    assert "--max-model-len 4096" in said
    assert "--gpu-memory-utilization 1.0" in said
    expandable = "expandable_segments:True" in words.env.get("PYTORCH_CUDA_ALLOC_CONF", "")
    assert expandable == (allocator == "expandable")
    assert CARDS["gpu48"].kind == "gpu"
