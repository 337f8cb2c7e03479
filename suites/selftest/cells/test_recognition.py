"""A model that is put in the place of another is recognised, and asked and judged as itself."""

import json
from typing import Any

import pytest

from fixtures.cells.case import Case
from fixtures.cells.cell import Cell
from fixtures.cells.manner import PLAIN
from fixtures.cells.models import CHECKPOINTS, PROFILES, ModelProfile
from fixtures.cells.promises import FLOORS, OF_SCENES, SMALL_FLOORS
from fixtures.cells.recognition import recognised
from fixtures.questions.catalogue import SKILLS, UNIT
from fixtures.verdicts.answers import LIMIT, ONCE_IN
from fixtures.verdicts.binomial import questions_for

pytestmark = pytest.mark.selftest

USUAL_QUESTIONS = 75
RELEASED = [profile for profile in PROFILES.values() if profile.name.startswith("minicpmv-")]


@pytest.mark.parametrize(
    ("config", "profile"),
    [
        ({"model_type": "minicpmv", "version": 2.6, "image_size": 448}, "minicpmv-2.6"),
        ({"model_type": "minicpmv", "version": "2.6", "image_size": 112}, "tiny"),
        ({"architectures": ["MiniCPMV"], "version": 4.0}, "minicpmv-4.0"),
        ({"architectures": ["MiniCPMV"], "version": 4}, "minicpmv-4.0"),
        ({"model_type": "minicpmv", "version": [4, 5]}, "minicpmv-4.5"),
        ({"model_type": "minicpmv", "version": "4.5", "image_size": "448"}, "minicpmv-4.5"),
        ({"model_type": "minicpmv4_6", "version": 2.6}, "minicpmv-4.6"),
        ({"architectures": ["MiniCPMV4_7ForConditionalGeneration"]}, "minicpmv-4.7"),
        ({"model_type": "minicpmv", "hidden_size": 2304, "query_num": 64}, None),
        ({"model_type": "minicpmv", "version": "five"}, None),
        ({"model_type": "minicpmo", "architectures": ["MiniCPMO"], "version": 2.6}, None),
        ({"model_type": "minicpmv4_9"}, None),
        ({"model_type": 7, "architectures": "MiniCPMV", "version": 2.6}, None),
        ({}, None),
    ],
)
def test_a_config_tells_the_model(config: dict[str, Any], profile: str | None) -> None:
    """Number, text or list, or the architecture's name; what is no known version is none."""
    found = recognised(config, "openbmb/MiniCPM-V-4_5")
    assert (found.name if found else None) == profile


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("openbmb/MiniCPM-V-2_6", "minicpmv-2.6"),
        ("openbmb/MiniCPM-V-2_6-int4", "minicpmv-2.6"),
        ("openbmb/MiniCPM-V-4", "minicpmv-4.0"),
        ("openbmb/MiniCPM-V-4-GPTQ", "minicpmv-4.0"),
        ("/models/minicpm-v-4_5", "minicpmv-4.5"),
        ("openbmb/MiniCPM-V-4.6", "minicpmv-4.6"),
        ("openbmb/MiniCPM-V-4.7-35B-A3B@main", "minicpmv-4.7"),
        ("openbmb/MiniCPM-V-2", None),
        ("openbmb/MiniCPM-V", None),
        ("openbmb/MiniCPM-V-4_51", None),
        ("openbmb/MiniCPM-Llama3-V-2_5", None),
        ("openbmb/MiniCPM-o-2_6", None),
        ("Qwen/Qwen2.5-VL-7B", None),
    ],
)
def test_a_name_tells_what_is_not_here_yet(name: str, profile: str | None) -> None:
    """Names of the hub are understood, and of no other family."""
    found = recognised(None, name)
    assert (found.name if found else None) == profile


@pytest.mark.parametrize("released", RELEASED, ids=lambda released: released.name)
def test_each_released_model_is_known_by_its_own_source(released: ModelProfile) -> None:
    """The ids that the profiles have are ones that are recognised."""
    assert recognised(None, released.source) == released


def test_the_projects_checkpoints_are_known_by_their_folders() -> None:
    """The trained one is the tiny one; the untrained one is no model to be asked."""
    config = json.loads((CHECKPOINTS / "minicpmv-2.6-tiny" / "config.json").read_text())
    assert recognised(config, "anything") == PROFILES["tiny"]


def test_a_folder_that_says_so_is_served_with_random_weights() -> None:
    """The checkpoint of true sizes is never taken for the released one, nor one of lost weights."""
    config = json.loads((CHECKPOINTS / "minicpmv-2.6-sized" / "config.json").read_text())
    assert recognised(config, "anything") == PROFILES["sized"]
    assert not PROFILES["sized"].has_weights
    assert recognised({**config, "dummy_weights": False}, "any") == PROFILES["minicpmv-2.6"]
    assert recognised({**config, "version": "4.5"}, "any") is None


def test_random_weights_stay_random_in_another_place() -> None:
    """On a GPU's cells it is loaded as it must be, and a model with weights is not."""
    case = _case("gpu48", "minicpmv-2.6", "sized")
    assert case.flags == ("--load-format", "dummy")
    assert (case.model.has_weights, case.model.answers) == (False, False)
    assert _case("gpu48", "sized", None).flags == case.flags
    back = _case("gpu48", "sized", "minicpmv-2.6")
    assert (back.flags, back.model.has_weights, back.model.answers) == ((), True, True)


def _case(card: str, model: str, in_place: str | None) -> Case:
    allocator = "glibc" if card == "cpu" else "default"
    cell = Cell(max_num_seqs=4, max_model_len=2048, allocator=allocator)
    return Case(card_name=card, model_name=model, cell=cell, budget_bytes=1, put_in_place=in_place)


def test_a_case_is_asked_and_judged_as_what_is_in_its_place() -> None:
    """Manner, promises, first version and remote code change; name, flags and limits do not."""
    case = _case("cpu", "tiny", "minicpmv-4.6")
    own, other = PROFILES["tiny"], PROFILES["minicpmv-4.6"]
    assert case.id == _case("cpu", "tiny", None).id
    assert case.model == own.like(other)
    assert (case.model.manner, case.model.accuracy) == (other.manner, other.accuracy)
    assert (case.model.since, case.model.trust_remote_code) == ("0.22.0", False)
    assert (case.model.name, case.model.source) == (own.name, own.source)
    assert (case.model.flags, case.model.images_per_prompt) == (own.flags, 2)


def test_the_tiny_checkpoint_stays_tiny_wherever_it_is_served() -> None:
    """On its own card nothing changes; on a GPU it is asked bare questions, on small pictures."""
    assert _case("cpu", "tiny", "tiny").model == PROFILES["tiny"]
    on_a_gpu = _case("gpu48", "minicpmv-2.6", "tiny").model
    assert on_a_gpu.manner == PLAIN
    assert on_a_gpu.accuracy == PROFILES["tiny"].accuracy
    assert on_a_gpu.flags == ()


def test_every_released_model_promises_something_of_each_skill() -> None:
    """None of them is served and not asked, and the catalogue's skills are all among them."""
    assert OF_SCENES == SKILLS
    assert len(RELEASED) == 5
    for profile in RELEASED:
        assert profile.accuracy.keys() == FLOORS.keys() == SMALL_FLOORS.keys()
        assert tuple(profile.accuracy_of_scenes) == SKILLS
        assert profile.manner.enlargement * UNIT == 448


@pytest.mark.parametrize("floors", [FLOORS, SMALL_FLOORS])
def test_the_usual_number_of_questions_suffices_for_each_floor(floors: dict[str, float]) -> None:
    """No promise lies where a drop would need more questions than are asked."""
    for floor in floors.values():
        level = ONCE_IN / len(floors)
        assert questions_for(min(LIMIT, floor), floor, level) <= USUAL_QUESTIONS
