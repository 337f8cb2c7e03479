import subprocess
import sys

import pytest

from fixtures.cells.cards import CARDS, GIB
from fixtures.runtimes.environments import CHECKOUT
from fixtures.servers.devices import absent_cards, gpus
from suites.selftest.standin.gpus import Machine

pytestmark = pytest.mark.selftest


def test_the_cpu_card_is_everywhere() -> None:
    """A card that the suite makes itself is never absent, and no GPU is asked for it."""
    assert absent_cards(["cpu"]) == {}


def test_every_gpu_card_is_here_or_told_why_not() -> None:
    """A card is absent exactly when no GPU of this machine has its size; what is here is told."""
    here = gpus()
    names = [name for name, card in CARDS.items() if card.kind == "gpu"]
    absent = absent_cards(names)
    for name in names:
        fits = any(CARDS[name].fits_into(gpu.total_bytes) for gpu in here)
        assert (name in absent) != fits
    for name, why in absent.items():
        assert why.startswith(f"needs {CARDS[name].what} or a larger one; ")
        assert all(gpu.name in why for gpu in here) if here else why.endswith("no NVIDIA GPU here")


def test_gpus_are_those_that_the_driver_lists() -> None:
    """NVML and nvidia-smi name the same GPUs, by their UUIDs; without a driver there are none."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        listed = []
    assert sorted(gpu.uuid for gpu in gpus()) == sorted(listed)


def _asked(question: str) -> str:
    """What `devices` answers in a process of its own, which loads the driver anew."""
    code = f"from fixtures.servers.devices import *\nprint({question})"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    return run.stdout or run.stderr


def test_gpus_have_their_number_name_and_size(machine: Machine) -> None:
    """What NVML tells of each GPU is what the suite chooses by."""
    machine.add_gpu("NVIDIA L4", 23 * GIB, uuid="GPU-1")
    machine.add_gpu("NVIDIA H100 80GB HBM3", 80 * GIB, uuid="GPU-2")
    assert _asked("[tuple(gpu[:4]) for gpu in gpus()]").strip() == str(
        [(0, "GPU-1", "NVIDIA L4", 23 * GIB), (1, "GPU-2", "NVIDIA H100 80GB HBM3", 80 * GIB)]
    )
    absent = _asked("absent_cards(['gpu24', 'gpu48', 'gpu80', 'gpu141'])")
    assert "'gpu141': 'needs one NVIDIA GPU with 141 GB" in absent
    assert "here: NVIDIA L4 (23.0 GiB), NVIDIA H100 80GB HBM3 (80.0 GiB)" in absent
    # The H100 stands in for the card between them.
    assert not [name for name in ("'gpu24'", "'gpu48'", "'gpu80'") if name in absent]


def test_a_lost_gpu_is_an_error_with_the_driver_s_words(machine: Machine) -> None:
    """A GPU off the bus is no GPU that is not there."""
    machine.add_gpu()
    machine.lose(0)
    assert "DevicesError: a GPU does not answer: GPU is lost" in _asked("gpus()")


def test_a_driver_that_does_not_run_has_no_gpu(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library of a driver that is not loaded is no driver."""
    machine.add_gpu()
    monkeypatch.delenv("STANDIN_GPUS")
    assert _asked("gpus()") == "[]\n"
