"""One bundle that is really made, of a tiny suite, and a cache to unpack it into."""

import io
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from fixtures.commands import bundle as word
from fixtures.commands.__main__ import main
from fixtures.runtimes.setup.progress import Progress
from suites.selftest.setup.makers import offline_environment
from suites.selftest.setup.wheels import write_wheel

PINS = "one==1.0\nthree==1.0+cpu\n"
MODEL = "MiniCPM-V-tiny"


class Checkout(NamedTuple):
    """A tiny suite under git."""

    folder: Path
    lock: Path
    wheels: Path
    """The wheels that its lock pins, as an index would have them, and some others."""


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A program, a link to it, a lock, a tracked file that is gone, and one that is not tracked."""
    root = tmp_path_factory.mktemp("bundled here")
    folder, wheels = root / "checkout", root / "wheels"
    lock = folder / "ci" / "locks" / "tiny.txt"
    for parent in (lock.parent, wheels):
        parent.mkdir(parents=True)
    lock.write_text(f"# pins\n{PINS}", "utf-8")
    (folder / "ci" / "suite").write_text("#!/bin/sh\n", "utf-8")
    (folder / "ci" / "suite").chmod(0o755)
    (folder / "link").symlink_to("ci/suite")
    (folder / "gone").touch()
    for command in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    (folder / "gone").unlink()
    (folder / "untracked").touch()
    for name, version in (("one", "1.0"), ("two", "1.0"), ("three", "1.0+cpu")):
        write_wheel(wheels, name, version)
    return Checkout(folder, lock, wheels)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a model's, as the hub's cache has it: links, and a hidden file."""
    root = tmp_path_factory.mktemp("models")
    folder = root / MODEL
    folder.mkdir()
    (root / "blob").write_text("{}", "utf-8")
    (folder / "config.json").symlink_to(root / "blob")
    (folder / "tokenizer.json").write_text("{}", "utf-8")
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    (folder / ".hidden").touch()
    return folder


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, checkout: Checkout, model: Path) -> Path:
    """What `ci/suite bundle` makes of the tiny suite and the model."""
    folder = tmp_path_factory.mktemp("made")
    path = folder / "made" / "bundle.tar"
    with pytest.MonkeyPatch.context() as patch:
        tiny(patch, checkout, folder / "cache")
        assert main(["bundle", "--into", str(path), "--model", str(model)]) == 0
    assert list((folder / "cache").rglob("*.log")) == []
    return path


def tiny(patch: pytest.MonkeyPatch, checkout: Checkout, cache: Path) -> None:
    """Let `ci/suite bundle` be that of the tiny suite, and pip know of its wheels alone."""
    patch.setattr(word, "CHECKOUT", checkout.folder)
    patch.setattr(word, "_LOCKS", {"cpu": (checkout.lock,), "none": ()})
    for name, value in offline_environment(cache, checkout.wheels).items():
        patch.setenv(name, value)
    # pip would take a path apart at its space.
    patch.setenv("PIP_FIND_LINKS", checkout.wheels.as_uri())


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and an environment that names no bundle and no model."""
    for name in ("MINICPMV_BUNDLE", "MINICPMV_MODEL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    # The discard port, where nobody listens: an index that is asked is a failure.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    return tmp_path / "cache" / "minicpmv-vllm-regression"


@pytest.fixture
def said() -> io.StringIO:
    """What the user is shown."""
    return io.StringIO()


@pytest.fixture
def progress(said: io.StringIO) -> Progress:
    """Progress that writes to `said`."""
    return Progress(said)
