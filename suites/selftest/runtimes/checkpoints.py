"""Models on the disk to be damaged: copies of the tiny checkpoint, and a hub's cache of it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from fixtures.cells.models import CHECKPOINTS
from suites.selftest.runtimes.hubs import COMMIT, NAME

TINY = CHECKPOINTS / "minicpmv-2.6-tiny"
WEIGHTS = "model.safetensors"
LFS_POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


def tiny_files() -> dict[str, bytes]:
    """Names and contents of the tiny checkpoint's files."""
    return {path.name: path.read_bytes() for path in sorted(TINY.iterdir()) if path.is_file()}


def tiny_copy(folder: Path) -> Path:
    """A copy of the tiny checkpoint to be damaged."""
    folder.mkdir()
    for path in TINY.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    return folder


def safetensors(data_bytes: int, *, more: int = 0) -> bytes:
    """A file with one tensor of so many bytes, and `more` (or fewer) than its header promises."""
    tensor = {"dtype": "U8", "shape": [data_bytes], "data_offsets": [0, data_bytes]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "weight": tensor}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(data_bytes + more)


def shard(number: int, count: int = 3) -> str:
    """Name of one of several weight files."""
    return f"model-{number:05}-of-{count:05}.safetensors"


def sharded_copy(folder: Path, *, index: bool = True) -> Path:
    """A copy of the tiny checkpoint with weights in three small files."""
    tiny_copy(folder)
    (folder / WEIGHTS).unlink()
    for number in (1, 2, 3):
        (folder / shard(number)).write_bytes(safetensors(100))
    if index:
        weight_map = {f"layer.{number}": shard(number) for number in (1, 2, 3)}
        (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


def in_cache(cache: Path, files: dict[str, bytes], revision: str = "main") -> Path:
    """Lay files into a hub's cache as the hub's library does; the snapshot's folder."""
    repository = cache / f"models--{NAME.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    for folder in (snapshot, repository / "blobs", repository / "refs"):
        folder.mkdir(parents=True, exist_ok=True)
    (repository / "refs" / revision).write_text(COMMIT)
    for name, content in files.items():
        blob = repository / "blobs" / hashlib.sha256(content).hexdigest()
        blob.write_bytes(content)
        (snapshot / name).symlink_to(f"../../blobs/{blob.name}")
    return snapshot
