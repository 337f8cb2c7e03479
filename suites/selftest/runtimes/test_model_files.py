from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.cells.models import CHECKPOINTS
from fixtures.runtimes.model_files import FoundModel, ModelError, find_model
from suites.selftest.runtimes.checkpoints import (
    LFS_POINTER,
    WEIGHTS,
    safetensors,
    shard,
    sharded_copy,
    tiny_copy,
    tiny_files,
)

pytestmark = pytest.mark.selftest

Damage = Callable[[Path], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint."""
    return tiny_copy(tmp_path / "model")


@pytest.mark.parametrize("name", ["minicpmv-2.6-tiny", "minicpmv-2.6-wide", "minicpmv-2.6-sized"])
def test_the_committed_checkpoints_are_found(name: str) -> None:
    """The folders that the matrix serves pass the look that comes before a start."""
    weights = (CHECKPOINTS / name / WEIGHTS).exists()
    found = find_model(str(CHECKPOINTS / name), weights=weights)
    assert (found.path, found.revision) == (CHECKPOINTS / name, None)


def test_a_folder_is_found_with_its_size(folder: Path) -> None:
    """What a user wrote is kept, and what git keeps for itself is not of the model."""
    (folder / ".git").mkdir()
    (folder / ".git" / "pack").write_bytes(bytes(1000))
    size_bytes = sum(len(content) for content in tiny_files().values())
    found = find_model(str(folder), weights=True)
    assert found == FoundModel(str(folder), folder, None, size_bytes)


@pytest.mark.parametrize("source", ["org/model", "./org/model", "~/org/model"])
def test_a_folder_may_be_named_in_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """An existing folder goes before a model of the hub, and the server gets a whole path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "org").mkdir()
    tiny_copy(tmp_path / "org" / "model")
    assert find_model(source, weights=True).path == tmp_path / "org" / "model"


@pytest.mark.parametrize(
    "source",
    ["", "model", "a/b/c", "https://hub/a/b", "a/b@../../c", "a--b/c", "/no/such", f"/{'x' * 300}"],
)
def test_a_source_that_is_nothing_is_told(source: str) -> None:
    """What is neither a folder nor a model's name is told as it was written."""
    with pytest.raises(ModelError, match=re.escape(source) or "^''"):
        find_model(source, weights=True)


def test_a_file_is_no_model(folder: Path) -> None:
    """A single file, as other engines serve it, is told apart from a folder."""
    with pytest.raises(ModelError, match=r"is a file: name a folder that holds config\.json"):
        find_model(str(folder / WEIGHTS), weights=True)


def test_a_home_that_is_not_there_is_told() -> None:
    """The home of a user who does not exist is an error of the model's name."""
    with pytest.raises(ModelError, match="~nobody-of-that-name/model"):
        find_model("~nobody-of-that-name/model", weights=True)


def _rewrite(name: str, content: bytes | str) -> Damage:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data)


def _remove(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def _dangle(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to("nowhere")

    return damage


def _cut(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[:1_000_000])


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_remove("config.json"), r"lacks config\.json: name a folder"),
        (_rewrite("config.json", "{"), r"config\.json is no valid JSON: .*line 1"),
        (_rewrite("config.json", b"\xff\x00"), r"config\.json is no valid JSON"),
        (_rewrite("config.json", "[" * 100_000), r"config\.json is no valid JSON"),
        (_rewrite("config.json", "[]"), r"config\.json holds no JSON object"),
        (_rewrite("config.json", ""), r"config\.json is empty: copy or download"),
        (_rewrite("config.json", LFS_POINTER), r"config\.json is a Git-LFS pointer"),
        (_rewrite("tokenizer.json", "{,"), r"tokenizer\.json is no valid JSON"),
        (_rewrite("preprocessor_config.json", "x"), r"preprocessor_config\.json is no valid"),
        (_remove("tokenizer.json"), r"lacks a tokenizer .*: copy the rest of the model"),
        (_dangle("tokenizer.json"), r"lacks tokenizer\.json"),
        (_rewrite("tokenizer.model", ""), r"tokenizer\.model is empty"),
        (_remove("configuration_minicpmv.py"), r"lacks configuration_minicpmv\.py"),
        (_remove("image_processing_minicpmv.py"), r"lacks image_processing_minicpmv\.py"),
        (_rewrite("processing_minicpmv.py", LFS_POINTER), r"processing_minicpmv\.py is a Git-LFS"),
        (
            _rewrite("processing_minicpmv.py", "from .resampler import Resampler\n"),
            r"lacks resampler\.py",
        ),
        (_remove(WEIGHTS), r"lacks weights \(model\.safetensors\)"),
        (_dangle(WEIGHTS), r"lacks model\.safetensors"),
        (_cut, r"model\.safetensors is cut off: 1,000,000 bytes are here, its header promises 4,"),
        (
            _rewrite(WEIGHTS, safetensors(2000, more=-500)),
            r"is cut off: 1,6\d\d bytes are here, its header promises 2,1\d\d: copy or download",
        ),
        (_rewrite(WEIGHTS, safetensors(9, more=2)), r"model\.safetensors is too long: "),
        (_rewrite(WEIGHTS, safetensors(9)[:20]), r"model\.safetensors is cut off: .* header alone"),
        (_rewrite(WEIGHTS, "<!DOCTYPE html>Not found"), r"model\.safetensors .* is no safetensors"),
        (_rewrite(WEIGHTS, "<html>"), r"model\.safetensors \(6 bytes\) is no safetensors file"),
        (_rewrite(WEIGHTS, ""), r"model\.safetensors is empty"),
        (_rewrite(WEIGHTS, LFS_POINTER), r"is a Git-LFS pointer, .*: run `git lfs pull`"),
    ],
)
def test_damage_is_told_with_its_file(folder: Path, damage: Damage, told: str) -> None:
    """A file that is missing, cut off or something else is named, in one line, with a remedy."""
    damage(folder)
    with pytest.raises(ModelError, match=told) as raised:
        find_model(str(folder), weights=True)
    assert str(raised.value).startswith(str(folder))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "damage", [_remove(WEIGHTS), _cut, _rewrite(WEIGHTS, LFS_POINTER), _dangle(WEIGHTS)]
)
def test_dummy_weights_need_no_files(folder: Path, damage: Damage) -> None:
    """A server that makes its own weights is not held up by those in the folder."""
    damage(folder)
    assert find_model(str(folder), weights=False).path == folder


@pytest.mark.parametrize(
    "harmless",
    [
        _rewrite("notes.json", "{"),
        _rewrite("demo.png", LFS_POINTER),
        _rewrite("training.py", ""),
        _rewrite("training_args.bin", ""),
        _rewrite("pytorch_model.bin", ""),
    ],
)
def test_files_that_no_server_reads_may_be_anything(folder: Path, harmless: Damage) -> None:
    """A model is not refused for a file that its server would not have opened."""
    harmless(folder)
    assert find_model(str(folder), weights=True).path == folder


def test_what_a_training_left_is_no_weights(folder: Path) -> None:
    """The suffix alone does not make weights of a file."""
    (folder / WEIGHTS).rename(folder / "training_args.bin")
    with pytest.raises(ModelError, match="lacks weights"):
        find_model(str(folder), weights=True)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00001.bin", "a.pt"])
def test_weights_of_older_formats_are_taken_by_their_presence(folder: Path, name: str) -> None:
    """Where there are no safetensors, what vLLM would load instead has to be there."""
    (folder / WEIGHTS).unlink()
    (folder / name).write_bytes(b"PK")
    assert find_model(str(folder), weights=True).path == folder
    (folder / name).write_bytes(b"")
    with pytest.raises(ModelError, match=f"{re.escape(name)} is empty"):
        find_model(str(folder), weights=True)


@pytest.mark.parametrize("index", [True, False])
def test_every_shard_is_looked_for(tmp_path: Path, index: bool) -> None:  # noqa: FBT001
    """A missing shard is told by the index, and without one by the names of the others."""
    folder = sharded_copy(tmp_path / "model", index=index)
    assert find_model(str(folder), weights=True).path == folder
    (folder / shard(2)).unlink()
    with pytest.raises(ModelError, match=f"lacks {shard(2)}: copy the rest"):
        find_model(str(folder), weights=True)


def test_many_missing_shards_stay_one_line(tmp_path: Path) -> None:
    """Of the many files of a large model a few are named, and the rest is counted."""
    folder = sharded_copy(tmp_path / "model")
    for number in (1, 2, 3):
        (folder / shard(number)).unlink()
    with pytest.raises(ModelError, match=rf"lacks {shard(1)}, .*{shard(3)}: "):
        find_model(str(folder), weights=True)
    (folder / shard(1, 70)).write_bytes(safetensors(1))
    with pytest.raises(ModelError, match=rf"lacks {shard(1, 3)}, .* and 69 more: "):
        find_model(str(folder), weights=True)


@pytest.mark.parametrize("index", ['{"weight_map": 3}', "{}", "[]"])
def test_an_index_without_shards_is_damaged(tmp_path: Path, index: str) -> None:
    """An index that is JSON and names no shards is told as such."""
    folder = sharded_copy(tmp_path / "model")
    (folder / f"{WEIGHTS}.index.json").write_text(index)
    with pytest.raises(ModelError, match=r"index\.json names no shards"):
        find_model(str(folder), weights=True)
