from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.runtimes.environments import CHECKOUT
from fixtures.runtimes.hub_cache import HubId, cache_folder, parse_hub_id
from fixtures.runtimes.model_files import FoundModel, ModelError, find_model
from suites.selftest.runtimes.checkpoints import WEIGHTS, in_cache, tiny_files
from suites.selftest.runtimes.hubs import COMMIT, NAME

pytestmark = pytest.mark.selftest


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, named by the variable that goes before all others."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("openbmb/MiniCPM-V-2_6", HubId("openbmb/MiniCPM-V-2_6", "main")),
        ("a/b@v1.0", HubId("a/b", "v1.0")),
        ("a/b@refs/pr/3", HubId("a/b", "refs/pr/3")),
        ("a/b@", None),
        ("a", None),
        ("a/b/c", None),
        ("a/b c", None),
        ("a/b@../x", None),
        ("a/b--c", None),
        ("-a/b", None),
        ("a/.b", None),
        ("a/b\n", None),
    ],
)
def test_a_model_of_the_hub_is_told_by_its_form(source: str, expected: HubId | None) -> None:
    """An organisation, a name, and a revision where one is given."""
    assert parse_hub_id(source) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "/h/.cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"),
        ({"HF_HOME": "/hf", "XDG_CACHE_HOME": "/x"}, "/hf/hub"),
        ({"HF_HOME": "~/hf"}, "/h/hf/hub"),
        ({"HF_HOME": "$HOME/hf"}, "/h/hf/hub"),
        ({"HUGGINGFACE_HUB_CACHE": "/old", "HF_HOME": "/hf"}, "/old"),
        ({"HF_HUB_CACHE": "/new", "HUGGINGFACE_HUB_CACHE": "/old"}, "/new"),
        ({"HF_HUB_CACHE": "", "HF_HOME": ""}, "/h/.cache/huggingface/hub"),
    ],
)
def test_the_cache_is_where_the_hubs_library_has_it(
    environ: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's variables are read in its order, when they are needed."""
    monkeypatch.setenv("HOME", "/h")
    assert cache_folder(environ) == Path(expected)


@pytest.mark.parametrize("environ", [{}, {"HF_HOME": "/hf"}, {"HF_HUB_CACHE": "~/c"}])
def test_the_hubs_library_agrees_on_the_cache(environ: dict[str, str]) -> None:
    """The folder is the one that the library itself would use."""
    home = {"HOME": "/h", **environ}
    code = "import huggingface_hub.constants as c; print(c.HF_HUB_CACHE)"
    told = subprocess.run(
        [sys.executable, "-c", code], env=home, capture_output=True, text=True, check=True
    )
    code = "from fixtures.runtimes.hub_cache import cache_folder; print(cache_folder())"
    ours = subprocess.run(
        [sys.executable, "-c", code],
        env=home,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ours.stdout == told.stdout


@pytest.mark.parametrize(
    ("source", "revision"),
    [(NAME, "main"), (f"{NAME}@v1", "v1"), (f"{NAME}@{COMMIT}", "main")],
)
def test_a_cached_model_is_found(cache: Path, source: str, revision: str) -> None:
    """By branch, by tag and by commit, its snapshot is what the server gets."""
    snapshot = in_cache(cache, tiny_files(), revision)
    size_bytes = sum(len(content) for content in tiny_files().values())
    assert find_model(source, weights=True) == FoundModel(source, snapshot, COMMIT, size_bytes)


def test_a_model_that_is_not_cached_names_the_command(cache: Path) -> None:
    """Neither a model nor a revision that was never here is taken for another."""
    told = f"{NAME} is not in the hub's cache, {cache}: run `hf download {NAME}`, or name a folder"
    with pytest.raises(ModelError, match=re.escape(told)):
        find_model(NAME, weights=True)
    in_cache(cache, tiny_files())
    with pytest.raises(ModelError, match=re.escape(f"`hf download {NAME} --revision v1`")):
        find_model(f"{NAME}@v1", weights=True)
    with pytest.raises(ModelError, match="is not in the hub's cache"):
        find_model(f"{NAME}@{'f' * 40}", weights=True)


def test_a_revision_without_its_files_is_not_there(cache: Path) -> None:
    """A note of a commit whose snapshot was never begun is no model."""
    snapshot = in_cache(cache, {})
    snapshot.rmdir()
    with pytest.raises(ModelError, match="is not in the hub's cache"):
        find_model(NAME, weights=True)
    (snapshot.parents[1] / "blobs" / "abc.1234abcd.incomplete").write_bytes(bytes(100_000))
    with pytest.raises(ModelError, match="is only half downloaded in the hub's cache"):
        find_model(NAME, weights=True)


def test_a_half_downloaded_model_names_what_it_lacks(cache: Path) -> None:
    """Files that never came are told; without need of weights the rest may do."""
    files = tiny_files()
    snapshot = in_cache(cache, {name: files[name] for name in files if name != WEIGHTS})
    told = f"{NAME} lacks weights (model.safetensors) in {snapshot}: run `hf download {NAME}`"
    with pytest.raises(ModelError, match=re.escape(told)):
        find_model(NAME, weights=True)
    assert find_model(NAME, weights=False).path == snapshot


def test_what_an_earlier_download_left_does_no_harm(cache: Path) -> None:
    """A model that is whole is found, whatever half files lie beside it."""
    snapshot = in_cache(cache, tiny_files())
    (snapshot.parents[1] / "blobs" / "abc.incomplete").write_bytes(bytes(100))
    assert find_model(NAME, weights=True).path == snapshot


def test_a_deleted_blob_is_a_missing_file(cache: Path) -> None:
    """A link of the cache to nowhere counts as the file that it stood for."""
    snapshot = in_cache(cache, tiny_files())
    (snapshot / "tokenizer.json").resolve().unlink()
    with pytest.raises(ModelError, match=r"lacks tokenizer\.json in"):
        find_model(NAME, weights=True)


def test_a_damaged_blob_is_named(cache: Path) -> None:
    """The remedy names the file behind the link: without it a new download mends the model."""
    snapshot = in_cache(cache, tiny_files())
    blob = (snapshot / WEIGHTS).resolve()
    blob.write_bytes(blob.read_bytes()[:1000])
    told = rf"model\.safetensors is cut off: .*: delete {re.escape(str(blob))} and run again"
    with pytest.raises(ModelError, match=told):
        find_model(NAME, weights=True)


def test_finding_needs_no_library(cache: Path) -> None:
    """The hub's library, a second to import, is not touched while nothing is downloaded."""
    in_cache(cache, tiny_files())
    code = (
        "import sys; from fixtures.runtimes.model_files import find_model;"
        f"find_model({NAME!r}, weights=True); print('huggingface_hub' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert told.stdout == "False\n"
