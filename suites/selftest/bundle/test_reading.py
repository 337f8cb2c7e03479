import io
import json
import platform
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fixtures.runtimes.bundle import refused
from fixtures.runtimes.bundle.manifest import ManifestError, is_inside, parse_manifest
from fixtures.runtimes.bundle.unpacking import provide_bundle
from fixtures.runtimes.setup.progress import Progress
from fixtures.runtimes.setup.refusals import SetupRefusedError
from suites.selftest.bundle import archives
from suites.selftest.bundle.archives import Told
from suites.selftest.bundle.conftest import Checkout

pytestmark = pytest.mark.selftest

WHEEL = "wheels/one-1.0-py3-none-any.whl"


@pytest.fixture
def refusal(cache: Path, checkout: Checkout, progress: Progress) -> Callable[[Path], str]:
    """Why a bundle is refused, after its name; nothing of it is in the cache then."""

    def refusing(bundle: Path) -> str:
        with pytest.raises(SetupRefusedError) as caught:
            provide_bundle(bundle, checkout.lock.parent, progress)
        left = (
            [path for path in cache.glob("*") if path.suffix != ".lock"] if cache.is_dir() else []
        )
        assert left == []
        line = str(caught.value)
        assert "\n" not in line
        assert line.startswith(f"{bundle} ")
        return line.removeprefix(f"{bundle} ")

    return refusing


Refusal = Callable[[Path], str]


def test_a_file_that_is_not_there(refusal: Refusal, tmp_path: Path) -> None:
    """The line says so, and what to name."""
    why = refusal(tmp_path / "nothing.tar")
    assert why == "does not exist: name a file that `ci/suite bundle` made"


def test_a_folder(refusal: Refusal, tmp_path: Path) -> None:
    """It cannot be read."""
    assert refusal(tmp_path).startswith("cannot be read (Is a directory): name a file")


@pytest.mark.parametrize("content", [b"", b"no archive", bytes(20_000)])
def test_a_file_that_is_no_archive(refusal: Refusal, tmp_path: Path, content: bytes) -> None:
    """The line says so, and what to name."""
    (tmp_path / "x.tar").write_bytes(content)
    why = refusal(tmp_path / "x.tar")
    assert why == "is no bundle of the suite: name a file that `ci/suite bundle` made"


def test_an_archive_of_something_else(refusal: Refusal, tmp_path: Path) -> None:
    """It has no manifest, or another one."""
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("README.md"))
    assert refusal(tmp_path / "x.tar").startswith("is no bundle of the suite: name a file")
    archives.write(tmp_path / "y.tar", {"name": "an extension"}, [])
    why = refusal(tmp_path / "y.tar")
    assert why.startswith("is no bundle of the suite (its manifest.json cannot be read): name a")


def test_a_bundle_of_another_form(refusal: Refusal, bundle: Path, tmp_path: Path) -> None:
    """A later suite may write another one, and this one says that it does not know it."""
    other = archives.with_manifest(
        bundle, tmp_path / "x.tar", lambda told: told.update(minicpmv_bundle=2)
    )
    assert "(it has form 2, and this suite knows 1)" in refusal(other)


@pytest.mark.parametrize("share", [0.999, 0.6, 0.3, 0.1])
def test_a_bundle_that_is_cut_off(
    refusal: Refusal, bundle: Path, tmp_path: Path, share: float
) -> None:
    """Wherever it ends, the member that is not whole is named."""
    _, parts = archives.parts_of(bundle)
    last = parts[-1].info
    ends = last.offset_data + last.size
    (tmp_path / "x.tar").write_bytes(bundle.read_bytes()[: int(ends * share)])
    why = refusal(tmp_path / "x.tar")
    assert why.startswith("is cut off: it ends before all of '")
    assert why.endswith("copy it here anew, or make another with `ci/suite bundle`")


@pytest.mark.parametrize("name", [WHEEL, "suite/ci/suite"])
def test_a_wrong_checksum(refusal: Refusal, bundle: Path, tmp_path: Path, name: str) -> None:
    """The member is named, also where it is not one that would be unpacked."""
    _, parts = archives.parts_of(bundle)
    content = next(part.content for part in parts if part.info.name == name)
    flipped = content[:-1] + bytes([content[-1] ^ 1])
    other = archives.with_content(bundle, tmp_path / "x.tar", name, flipped)
    why = refusal(other)
    assert why.startswith(f"is damaged: '{name}' has not the checksum that its manifest tells: ")


@pytest.mark.parametrize(
    "name", ["wheels/../../out", "/opt/out", "../out", "wheels//out", "wheels/./out", "out"]
)
@pytest.mark.parametrize("told_of", [True, False])
def test_a_member_that_would_leave_its_folder(
    refusal: Refusal, bundle: Path, tmp_path: Path, name: str, *, told_of: bool
) -> None:
    """It is named, whether the manifest tells of it or not, and written nowhere."""
    info = tarfile.TarInfo(name)
    other = archives.with_member(bundle, tmp_path / "x.tar", info, b"x", told_of=told_of)
    why = refusal(other)
    assert why.startswith(f"has the member '{name}', which would leave the folder")
    assert not list(tmp_path.rglob("out"))


@pytest.mark.parametrize(
    ("name", "target"), [("suite/a", "../../etc"), ("suite/a", "/etc"), ("wheels/a", "b")]
)
def test_a_link_that_leads_out(
    refusal: Refusal, bundle: Path, tmp_path: Path, name: str, target: str
) -> None:
    """Of the suite's it must lead to a place within it; what is unpacked has no links at all."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    other = archives.with_member(bundle, tmp_path / "x.tar", info)
    assert refusal(other).startswith(f"has the member '{name}', which would leave the folder")


def test_a_device(refusal: Refusal, bundle: Path, tmp_path: Path) -> None:
    """Whatever is neither file nor link is refused."""
    info = tarfile.TarInfo("wheels/a")
    info.type = tarfile.FIFOTYPE
    other = archives.with_member(bundle, tmp_path / "x.tar", info)
    assert refusal(other).startswith("has 'wheels/a', which is neither a file nor a link: ")


def test_a_member_that_the_manifest_does_not_tell_of(
    refusal: Refusal, bundle: Path, tmp_path: Path
) -> None:
    """A wheel that was slipped in is not unpacked."""
    info = tarfile.TarInfo("wheels/evil-1.0-py3-none-any.whl")
    other = archives.with_member(bundle, tmp_path / "x.tar", info, b"x", told_of=False)
    why = refusal(other)
    assert why.startswith("is damaged: its manifest does not tell of 'wheels/evil-1.0-py3-none-any")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"machine": "s390x"}, f"is for s390x machines, and this is {platform.machine()}: make"),
        ({"python": "3.1.4"}, f"is for Python 3.1, and this is 3.{sys.version_info.minor}: call"),
        ({"locks": {"tiny": "0" * 64}}, "has other packages than ci/locks/tiny.txt of this check"),
        ({"locks": {"gone": "0" * 64}}, "has other packages than ci/locks/gone.txt of this check"),
    ],
)
def test_a_bundle_of_another_place(
    refusal: Refusal, bundle: Path, tmp_path: Path, changed: Told, expected: str
) -> None:
    """Of another machine, Python or lock: the line says which, and what to do."""
    other = archives.with_manifest(bundle, tmp_path / "x.tar", lambda told: told.update(changed))
    assert refusal(other).startswith(expected)


@pytest.mark.parametrize(
    "changed",
    [
        {"members": None},
        {"members": [{"path": "wheels/a"}]},
        {"members": [{"path": "wheels/a", "size_bytes": 1, "sha256": "x"}]},
        {"members": [{"path": "wheels/a", "size_bytes": -1, "sha256": "0" * 64}]},
        {"members": [{"path": "wheels/a", "size_bytes": "1", "sha256": "0" * 64}]},
        {"members": [{"path": "wheels/\x1b[2J", "size_bytes": 1, "sha256": "0" * 64}]},
        {"members": [{"path": "other/a", "size_bytes": 1, "sha256": "0" * 64}]},
        {"members": [{"path": "wheels/a", "size_bytes": 0, "sha256": "0" * 64}] * 2},
        {"python": 3},
        {"machine": "\x1b[2J"},
        {"locks": {"\x1b[2J": ""}},
        {"model": 1},
        {"model": "../x"},
        {"more": 1},
    ],
)
def test_a_manifest_that_is_none(bundle: Path, changed: dict[str, Any]) -> None:
    """What is missing, of another kind, twice there or a terminal's command is no manifest."""
    told, _ = archives.parts_of(bundle)
    with pytest.raises(ManifestError):
        parse_manifest(json.dumps(told | changed))


@pytest.mark.parametrize("text", ["", "[]", "3", '"x"', "[" * 100_000])
def test_a_text_that_is_no_manifest(text: str) -> None:
    """Whatever JSON it is."""
    with pytest.raises(ManifestError):
        parse_manifest(text)


def test_plain_paths_stay_inside() -> None:
    """Dots within a name are no way out."""
    assert is_inside("wheels/a..b-1.0+cpu.whl")
    assert not is_inside("wheels")


def test_a_full_disk_names_bundle_folder_and_remedy() -> None:
    """Whatever the kernel calls it."""
    said = str(refused.of_writing(Path("/b.tar"), Path("/cache"), OSError(28, "No space left")))
    assert said.startswith("/b.tar cannot be unpacked, the disk of /cache is full: free some space")


def test_an_unreadable_disk_is_no_full_one(
    bundle: Path,
    checkout: Checkout,
    progress: Progress,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An error in reading the bundle sends nobody to the cache folder."""

    class _Failing(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 2_048:
                raise OSError(5, "Input/output error")
            return super().read(size) or b""

    opening = tarfile.open
    with _Failing(bundle) as file:
        monkeypatch.setattr(tarfile, "open", lambda _, mode: opening(fileobj=file, mode=mode))
        with pytest.raises(SetupRefusedError, match=r"cannot be read \(Input/output error\): name"):
            provide_bundle(bundle, checkout.lock.parent, progress)
    assert not list(cache.glob("*.partial"))
