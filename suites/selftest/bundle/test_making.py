import hashlib
import subprocess
import tarfile
from pathlib import Path

import pytest

from fixtures.commands.__main__ import main
from fixtures.runtimes.bundle.manifest import MANIFEST, Manifest, Member
from fixtures.runtimes.bundle.packing import Source, write_bundle
from fixtures.runtimes.environments import digest_of_pins
from fixtures.runtimes.setup.refusals import SetupRefusedError
from suites.selftest.bundle.archives import parts_of
from suites.selftest.bundle.conftest import MODEL, Checkout, tiny
from suites.selftest.programs import no_room
from suites.selftest.setup.wheels import write_wheel

pytestmark = pytest.mark.selftest

SUITE = ["suite/ci/locks/tiny.txt", "suite/ci/suite", "suite/link"]
WHEELS = ["wheels/one-1.0-py3-none-any.whl", "wheels/three-1.0+cpu-py3-none-any.whl"]
MODELS = [
    f"model/{MODEL}/{name}" for name in ("config.json", "model.safetensors", "tokenizer.json")
]


def test_it_holds_what_is_tracked_what_is_pinned_and_the_model(bundle: Path) -> None:
    """In this order, each once; nothing that is untracked, hidden, gone, or pinned by no lock."""
    told, parts = parts_of(bundle)
    assert [part.info.name for part in parts] == SUITE + WHEELS + MODELS
    assert [one["path"] for one in told["members"]] == SUITE + WHEELS + MODELS
    assert told["model"] == MODEL


def test_its_manifest_tells_every_checksum(bundle: Path, checkout: Checkout) -> None:
    """Of a file that of its content, of a link that of the path; and the locks that it is of."""
    told, parts = parts_of(bundle)
    contents = {part.info.name: part.info.linkname.encode() or part.content for part in parts}
    for one in told["members"]:
        content = contents[one["path"]]
        expected = (len(content), hashlib.sha256(content).hexdigest())
        assert (one["size_bytes"], one["sha256"]) == expected
    assert told["locks"] == {"tiny": digest_of_pins(checkout.lock)}


def test_a_user_begins_with_tar_alone(bundle: Path, tmp_path: Path) -> None:
    """`tar xf BUNDLE suite` gives the suite: its programs run, its links lead where they led."""
    subprocess.run(["tar", "xf", bundle, "suite"], cwd=tmp_path, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["suite"]
    assert (tmp_path / "suite" / "link").resolve() == tmp_path / "suite" / "ci" / "suite"
    subprocess.run([tmp_path / "suite" / "ci" / "suite"], check=True)


def test_it_does_not_tell_whose_files_they_were(bundle: Path) -> None:
    """Neither the owner's name nor a number of his is in the archive."""
    with tarfile.open(bundle) as archive:
        assert {(one.uid, one.gid, one.uname, one.gname) for one in archive} == {(0, 0, "", "")}


def test_the_same_makes_the_same(
    bundle: Path,
    checkout: Checkout,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A second bundle has the first one's manifest, so that hosts need not unpack it again."""
    tiny(monkeypatch, checkout, tmp_path / "cache")
    again = tmp_path / "again.tar"
    again.write_text("what was there before", "utf-8")
    assert main(["bundle", "--into", str(again), "--model", str(model)]) == 0
    assert parts_of(again)[0] == parts_of(bundle)[0]


def test_without_a_runtime_its_packages_are_left_out(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--runtime none` is for hosts that have a vLLM of their own."""
    tiny(monkeypatch, checkout, tmp_path / "cache")
    assert main(["bundle", "--into", str(tmp_path / "x.tar"), "--runtime", "none"]) == 0
    told, parts = parts_of(tmp_path / "x.tar")
    assert [part.info.name for part in parts] == SUITE
    assert (told["locks"], told["model"]) == ({}, None)


def _refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """The one line of a bundle that is not made, and leaves nothing behind."""
    folder = tmp_path / "into"
    assert main(["bundle", "--into", str(folder / "bundle.tar"), *args]) == 4
    assert not folder.exists() or list(folder.iterdir()) == []
    return capsys.readouterr().err.splitlines()[-1]


def test_a_package_that_no_index_has_is_named(
    checkout: Checkout,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As it is when an environment is made."""
    lock = tmp_path / "absent.txt"
    lock.write_text("one==1.0\nabsent==2.5\n", "utf-8")
    tiny(monkeypatch, checkout._replace(lock=lock), tmp_path / "cache")
    line = _refused(tmp_path, capsys)
    assert line.startswith("ci/suite bundle: pip finds no absent==2.5 for this Python and machine:")
    assert list((tmp_path / "cache").rglob("*.log")) == []


def test_what_pip_said_is_kept_where_it_tells_more(
    checkout: Checkout,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A failure of no known kind sends its reader to the log."""
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "one").write_bytes(b"no wheel")
    tiny(monkeypatch, checkout._replace(wheels=tmp_path / "wheels"), tmp_path / "cache")
    lock = tmp_path / "one.txt"
    lock.write_text("one==1.0\n", "utf-8")
    monkeypatch.setattr("fixtures.commands.bundle._LOCKS", {"cpu": (lock,)})
    line = _refused(tmp_path, capsys)
    (log,) = (tmp_path / "cache").rglob("*.log")
    assert "pip failed: " in line
    assert f"(all of it: {log})" in line


def test_a_model_that_is_not_whole_is_refused_first(
    checkout: Checkout,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before a package is fetched."""
    tiny(monkeypatch, checkout, tmp_path / "cache")
    (tmp_path / "config.json").write_text("{}", "utf-8")
    line = _refused(tmp_path, capsys, "--model", str(tmp_path))
    assert line.startswith(f"ci/suite bundle: {tmp_path} lacks a tokenizer")


def test_a_suite_that_is_no_git_checkout_is_refused(
    checkout: Checkout,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also where it lies within the checkout of something else, whose files would be packed."""
    inner = checkout.folder / "inner"
    inner.mkdir(exist_ok=True)
    tiny(monkeypatch, checkout._replace(folder=inner), tmp_path / "cache")
    line = _refused(tmp_path, capsys)
    assert line.startswith(f"ci/suite bundle: {inner}: git does not tell which files are the suite")
    assert line.endswith("make the bundle in a git checkout of it")


def test_a_place_that_cannot_be_written_is_told_with_the_remedy(
    checkout: Checkout,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And nothing of the archive stays."""
    tiny(monkeypatch, checkout, tmp_path / "cache")
    with no_room(100):
        line = _refused(tmp_path, capsys, "--runtime", "none")
    assert "bundle.tar: cannot be made (" in line
    assert line.endswith("name another file with --into")


def test_a_file_that_changes_meanwhile_is_not_packed(tmp_path: Path) -> None:
    """Its checksum would be wrong on every host."""
    path = tmp_path / "weights"
    path.write_bytes(b"abc")
    sha256 = hashlib.sha256(b"abd").hexdigest()
    manifest = Manifest("1", None, "3.11.0", "m", {}, None, (Member("model/a", 3, sha256),))
    with pytest.raises(SetupRefusedError, match=r"weights was changed while it was packed"):
        write_bundle(tmp_path / "x", manifest, [Source(path, "model/a")], lambda _: None)
    with tarfile.open(tmp_path / "x") as archive:
        assert archive.getnames() == [MANIFEST, "model/a"]
