import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fixtures.cells.cards import MIB
from fixtures.runtimes.environments import CHECKOUT
from suites.selftest.standin.gpus import Machine

pytestmark = pytest.mark.selftest

SOLD = [
    ("NVIDIA H200", 143_771),
    ("NVIDIA H100 80GB HBM3", 81_559),
    ("NVIDIA L40S", 46_068),
    ("NVIDIA L4", 23_034),
]
H200, H100, L40S, L4 = range(4)

_CODE = """
import json, sys
from fixtures.cells.cards import CARDS
from fixtures.servers.device_lock import DeviceBusyError, choose_gpu
from fixtures.servers.devices import absent_cards
def chosen(card, wanted=None):
    try:
        gpu = choose_gpu(CARDS[card], wanted)
    except DeviceBusyError as error:
        return str(error)
    emulation = gpu.emulation
    return gpu.number, emulation and [emulation.card_name, emulation.ballast_bytes >> 20]
print(json.dumps(eval(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def here(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One GPU of each size, the largest first, and locks in a folder of the test's own."""
    for name, total_mib in SOLD:
        machine.add_gpu(name, total_mib * MIB)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@contextmanager
def suite(question: str, env: Mapping[str, str] | None = None) -> Iterator[tuple[int, Any]]:
    """A suite of its own, its process id and what it answers; it keeps its locks meanwhile."""
    with subprocess.Popen(
        [sys.executable, "-c", _CODE, question],
        cwd=CHECKOUT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        yield process.pid, json.loads(process.stdout.readline())
        process.kill()


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("gpu24", [[L4, None], [L40S, ["gpu24", 23_337]], [H100, ["gpu24", 58_828]]]),
        ("gpu48", [[L40S, None], [H100, ["gpu48", 35_491]], [H200, ["gpu48", 97_703]]]),
        ("gpu80", [[H100, None], [H200, ["gpu80", 62_212]]]),
        ("gpu141", [[H200, None]]),
    ],
)
def test_suites_beside_each_other_take_the_next_larger_gpu(card: str, expected: list[Any]) -> None:
    """The card itself first, and of those that are left the smallest that has room."""
    with ExitStack() as running:
        found = [running.enter_context(suite(f"chosen({card!r})")) for _ in expected]
        assert [chosen for _, chosen in found] == expected


def test_when_all_are_in_use_each_holder_is_told() -> None:
    """Who has the card itself and who the larger ones, and which are too small."""
    with (
        suite("[chosen('gpu80', number) for number in ('0', '1')]") as (pid, _),
        suite("chosen('gpu80')") as (_, said),
    ):
        assert said.startswith("no GPU for gpu80: GPU 1 (GPU-")
        assert said.count(f"is in use by the suite with process id {pid}") == 2
        assert "NVIDIA L40S) has only 45.0 GiB" in said
        assert "NVIDIA L4) has only 22.5 GiB" in said


def test_a_suite_uses_one_gpu_for_several_cards() -> None:
    """Its own lock is no other's: what emulates one card may emulate the next, or be it."""
    with suite("[chosen(card, '1') for card in ('gpu24', 'gpu48', 'gpu80')]") as (_, said):
        assert said == [[1, ["gpu24", 58_828]], [1, ["gpu48", 35_491]], [1, None]]


@pytest.mark.parametrize(("wanted", "number"), [("0", H200), ("uuid", H100)])
def test_a_larger_gpu_is_named_by_number_or_uuid(
    machine: Machine, wanted: str, number: int
) -> None:
    """What is asked for emulates the card though the card itself is there."""
    name = machine.uuid(number) if wanted == "uuid" else wanted
    with suite(f"chosen('gpu48', {name!r})") as (_, said):
        assert said[0] == number
        assert said[1][0] == "gpu48"


_ABSENT = "absent_cards(('cpu', 'gpu24', 'gpu48', 'gpu80', 'gpu141'))"


def test_with_a_larger_gpu_no_smaller_card_is_absent() -> None:
    """Where the largest card is, every other one is."""
    with suite(_ABSENT) as (_, absent):
        assert absent == {}


def test_a_card_is_absent_where_nothing_has_room_for_it(tmp_path: Path) -> None:
    """What it needs is told, and what is here instead."""
    small = Machine(tmp_path / "small")
    small.add_gpu("NVIDIA L4", 23_034 * MIB)
    with suite(_ABSENT, small.env) as (_, absent):
        assert list(absent) == ["gpu48", "gpu80", "gpu141"]
        assert absent["gpu80"] == (
            "needs one NVIDIA GPU with 80 GB (A100-80G, H100) or a larger one;"
            " here: NVIDIA L4 (22.5 GiB)"
        )
