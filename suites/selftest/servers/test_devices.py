import subprocess

import pytest

from fixtures.cells.cards import CARDS
from fixtures.servers.devices import absent_cards, gpus

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
