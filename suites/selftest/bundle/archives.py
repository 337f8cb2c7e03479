"""Bundles that something is wrong with: made of a good one, member by member."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from fixtures.runtimes.bundle.manifest import MANIFEST

Told = dict[str, Any]
"""A manifest, as JSON has it."""


class Part(NamedTuple):
    """A member, and its content."""

    info: tarfile.TarInfo
    content: bytes


def parts_of(bundle: Path) -> tuple[Told, list[Part]]:
    """The manifest of an archive, and its other members."""
    with tarfile.open(bundle) as archive:
        found = [
            Part(info, (file.read() if (file := archive.extractfile(info)) else b""))
            if info.isreg()
            else Part(info, b"")
            for info in archive
        ]
    return json.loads(found[0].content), found[1:]


def write(path: Path, told: Told, parts: Iterable[Part]) -> Path:
    """Write an archive of a manifest and other members."""
    text = json.dumps(told).encode()
    first = tarfile.TarInfo(MANIFEST)
    first.size = len(text)
    with tarfile.open(path, "w") as archive:
        archive.addfile(first, io.BytesIO(text))
        for info, content in parts:
            archive.addfile(info, io.BytesIO(content))
    return path


def with_manifest(bundle: Path, into: Path, change: Callable[[Told], object]) -> Path:
    """A bundle whose manifest tells something else."""
    told, parts = parts_of(bundle)
    change(told)
    return write(into, told, parts)


def with_content(bundle: Path, into: Path, name: str, content: bytes) -> Path:
    """A bundle with another content in one member, of which its manifest knows nothing."""
    told, parts = parts_of(bundle)
    changed = [part._replace(content=content) if part.info.name == name else part for part in parts]
    return write(into, told, changed)


def with_member(
    bundle: Path, into: Path, info: tarfile.TarInfo, content: bytes = b"", *, told_of: bool = True
) -> Path:
    """A bundle with a member more, which its manifest tells of or not."""
    told, parts = parts_of(bundle)
    info.size = len(content)
    tied = info.linkname.encode() or content
    if told_of:
        digest = hashlib.sha256(tied).hexdigest()
        told["members"].append({"path": info.name, "size_bytes": len(tied), "sha256": digest})
    return write(into, told, [*parts, Part(info, content)])
