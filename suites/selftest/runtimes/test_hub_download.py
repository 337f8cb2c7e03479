from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from fixtures.runtimes import hub_download
from fixtures.runtimes.environments import CHECKOUT
from fixtures.runtimes.model_files import FoundModel, ModelError, find_model, provide_model
from suites.selftest.programs import PATIENCE_S, no_room, wait_until
from suites.selftest.runtimes.checkpoints import WEIGHTS, in_cache, safetensors, tiny_files
from suites.selftest.runtimes.hubs import COMMIT, NAME, Hub, Refusal, serving

pytestmark = pytest.mark.selftest

GIB = 2**30


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and nothing of the caller's environment that concerns the hub."""
    for name in os.environ:
        if name.startswith(("HF_", "HUGGING", "TRANSFORMERS_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
    return tmp_path / "hf" / "hub"


@pytest.fixture
def hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has the tiny checkpoint, and pictures and weights that nobody needs."""
    assert not cache.exists()
    more = {"assets/demo.png": b"png", "pytorch_model.bin": b"PK", "README.md": b"# Tiny"}
    with serving(Hub(tiny_files() | more)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


def _provide(source: str = NAME, *, weights: bool = True) -> FoundModel:
    return provide_model(source, weights=weights, say=lambda _: None)


def _refused() -> str:
    """What is told of a model that cannot be had; always one line."""
    with pytest.raises(ModelError) as raised:
        _provide()
    told = str(raised.value)
    assert "\n" not in told
    assert told.startswith(NAME)
    return told


def _snapshot(cache: Path) -> Path:
    return cache / f"models--{NAME.replace('/', '--')}" / "snapshots" / COMMIT


def test_a_model_is_fetched_and_found_again(hub: Hub, cache: Path) -> None:
    """What a server needs is fetched once, told of, and found without the hub from then on."""
    said: list[str] = []
    found = provide_model(NAME, weights=True, say=said.append)
    assert found == find_model(NAME, weights=True)
    assert (found.path, found.revision) == (_snapshot(cache), COMMIT)
    assert {path.name: path.read_bytes() for path in found.path.iterdir()} == {
        **tiny_files(),
        "README.md": b"# Tiny",
    }
    assert said == [f"{NAME}: downloading 0.0 GiB into {cache}", f"{NAME}: downloaded"]
    asked = len(hub.asked)
    assert _provide() == found
    assert len(hub.asked) == asked


def test_no_connection_outlasts_a_download(hub: Hub) -> None:
    """Nothing of a download is still open while servers are started and measured."""
    _provide()
    port = urlsplit(hub.endpoint).port
    ends = [connection.raddr for connection in psutil.Process().net_connections()]
    assert port not in [end.port for end in ends if end]


def test_the_token_is_sent(hub: Hub) -> None:
    """A token that was set after the library was imported is the one that the hub sees."""
    _provide()
    assert {asked.authorization for asked in hub.asked} == {"Bearer hf_of_a_test"}


def test_weights_are_fetched_when_they_are_needed(hub: Hub) -> None:
    """A server with dummy weights costs no download of them, and a later one only that."""
    _provide(weights=False)
    assert WEIGHTS not in hub.fetched()
    hub.asked.clear()
    _provide()
    assert hub.fetched() == [WEIGHTS]


def test_a_revision_is_fetched_by_name(hub: Hub) -> None:
    """A tag is looked up on the hub, and known here afterwards."""
    hub.revisions["v1.0"] = COMMIT
    found = _provide(f"{NAME}@v1.0")
    assert (found.source, found.revision) == (f"{NAME}@v1.0", COMMIT)
    assert find_model(f"{NAME}@v1.0", weights=True) == found


def test_a_cached_model_needs_a_note_of_its_revision_only(hub: Hub, cache: Path) -> None:
    """Files that are here already are not fetched under another name of their commit."""
    in_cache(cache, tiny_files() | {"README.md": b"# Tiny"}, "v0")
    assert _provide().path == _snapshot(cache)
    assert hub.fetched() == []


def test_a_gated_model_names_its_page(hub: Hub) -> None:
    """The list of files is open, the files are not: the licence and the token are the remedy."""
    hub.no_file["*"] = Refusal(403, "GatedRepo")
    page = f"{hub.endpoint}/{NAME}"
    assert _refused() == f"{NAME} is gated: accept its licence on {page} and set HF_TOKEN"


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (Refusal(401, "RepoNotFound"), "is not on the hub, or is private: check how it is spelt"),
        (Refusal(404, "RepoNotFound"), "is not on the hub, or is private"),
        (Refusal(404), "is not on the hub, or is private"),
        (Refusal(404, "RevisionNotFound"), "there is no such revision"),
        (Refusal(401, "", "Invalid credentials in Authorization header"), "renew HF_TOKEN"),
        (Refusal(403, "", "Your token has no access"), r"\(Your token has no access\): renew"),
        (Refusal(429, "", "slow down"), r"answers 429 \(slow down\): try again later"),
        (Refusal(503), r"answers 503 \(Service Unavailable\): try again later"),
    ],
)
def test_what_the_hub_refuses_is_told_with_the_remedy(
    hub: Hub, refusal: Refusal, told: str
) -> None:
    """Each answer of the hub that is none has its own remedy."""
    hub.no_listing = refusal
    assert re.search(told, _refused())


def test_a_refusal_while_files_come_is_told_as_the_hubs(hub: Hub) -> None:
    """What the hub answers for a file is told, and not what the library makes of it."""
    hub.no_file["*"] = Refusal(501)
    assert "answers 501 (Not Implemented): try again later" in _refused()


def test_a_hub_out_of_reach_names_both_ways(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network a local folder, or a download elsewhere, is the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", endpoint.replace("//", "//user:secret@"))
    told = _refused()
    assert f"{endpoint} does not answer as a hub" in told
    assert "Connection refused" in told
    assert "secret" not in told
    assert told.endswith(
        f"name a local folder with --model, or run `hf download {NAME} --local-dir FOLDER` "
        "where there is a network and copy FOLDER here"
    )
    assert not cache.exists()


def test_what_is_no_hub_is_told(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's page, say, in the place of the hub's answer is no model."""
    monkeypatch.setattr(hub, "listing", lambda _: b"<html>Please log in</html>")
    assert "does not answer as a hub" in _refused()
    monkeypatch.setattr(hub, "listing", lambda _: b'{"id": "a/b"}')
    assert "names no commit or no files" in _refused()


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_asks_nobody(hub: Hub, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Where the user forbids the network, the hub is not asked, and a cached model is found."""
    monkeypatch.setenv(name, "1")
    assert "HF_HUB_OFFLINE forbids the hub: name a local folder with --model" in _refused()
    assert hub.asked == []


def test_a_broken_connection_is_taken_up_again(hub: Hub) -> None:
    """A file whose connection broke goes on where it stopped, and is whole in the end."""
    # The library keeps what came in pieces of 10 MiB.
    hub.files[WEIGHTS] = safetensors(12_000_000)
    hub.cut[WEIGHTS] = 11_000_000
    found = _provide()
    assert [asked.range for asked in hub.asked if asked.file == WEIGHTS and asked.range] == [
        f"bytes={10 * 2**20}-"
    ]
    assert (found.path / WEIGHTS).read_bytes() == hub.files[WEIGHTS]


def test_a_download_that_broke_off_goes_on(hub: Hub) -> None:
    """What one download brought, the next one does not fetch again."""
    hub.no_file["tokenizer.json"] = Refusal(500)
    assert "answers 500 (Internal Server Error): try again later" in _refused()
    hub.no_file.clear()
    before = set(hub.fetched())
    hub.asked.clear()
    assert _provide() == find_model(NAME, weights=True)
    assert WEIGHTS in before
    assert hub.fetched() == ["tokenizer.json", "tokenizer_config.json", "README.md"]


def test_content_of_another_size_is_no_download(hub: Hub) -> None:
    """A file that ends before its time is told as broken off, and the remedy is to go on."""
    hub.no_file["config.json"] = Refusal(204)
    told = _refused()
    assert "the download broke off (" in told
    assert told.endswith("): run it again, whole files are kept")
    assert "force_download" not in told


def test_no_room_is_told_before_anything_is_fetched(hub: Hub, cache: Path) -> None:
    """A download that the disk cannot hold does not begin; what broken ones left is named."""
    hub.sizes[WEIGHTS] = 1000 * 1024 * GIB
    free = shutil.disk_usage(cache.parents[1]).free / GIB
    told = _refused()
    numbers = re.search(r"room in (\S+): (\S+) GiB are needed, (\S+) GiB are free: ", told)
    assert numbers is not None
    assert numbers[1] == str(cache)
    assert numbers[2] == "1075200.0"
    assert float(numbers[3]) == pytest.approx(free, rel=0.2)
    assert told.endswith("set HF_HOME to a folder on a larger disk")
    assert not cache.exists()
    assert hub.fetched() == []
    blobs = cache / f"models--{NAME.replace('/', '--')}" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "abc.incomplete").write_bytes(bytes(100_000))
    assert "(or delete *.incomplete, 0.0 GiB, of the model's blobs there)" in _refused()


def test_what_is_here_already_needs_no_room(hub: Hub, cache: Path) -> None:
    """Room is asked for what is still to come, and not for the model as a whole."""
    files = tiny_files()
    in_cache(cache, {name: files[name] for name in files if name != "tokenizer.json"})
    hub.sizes[WEIGHTS] = 1000 * 1024 * GIB
    assert _provide() == find_model(NAME, weights=True)


def test_sizes_that_a_mirror_keeps_to_itself_are_told(hub: Hub) -> None:
    """A mirror that names no sizes is trusted to fit, and the total says what it leaves out."""
    hub.sizes[WEIGHTS] = hub.sizes["config.json"] = None
    said: list[str] = []
    provide_model(NAME, weights=True, say=said.append)
    assert "0.0 GiB and 2 files of unknown size" in said[0]


@pytest.mark.usefixtures("hub")
def test_a_disk_that_fills_up_is_told() -> None:
    """Room that is gone by the time is told as such, and with more of it the download goes on."""
    with no_room(1_000_000):
        assert "found no more room in " in _refused()
    assert _provide() == find_model(NAME, weights=True)


def test_a_cache_that_cannot_be_written_is_told(hub: Hub, cache: Path) -> None:
    """A cache in the place of a file names another folder as the remedy."""
    cache.parent.mkdir()
    cache.write_text("in the way")
    told = _refused()
    assert f"cannot be written to {cache}" in told
    assert hub.fetched() == []


def test_a_repository_without_a_tokenizer_is_told(hub: Hub) -> None:
    """What the hub has no server could load: no second download is advised."""
    del hub.files["tokenizer.json"]
    assert "what the hub has lacks a tokenizer" in _refused()
    hub.files["tokenizer.json"] = b"{"
    assert "what the hub has lacks a tokenizer" not in _refused()


def test_a_damaged_blob_is_mended_as_told(hub: Hub) -> None:
    """Deleting the file that the error names, and running again, makes the model whole."""
    whole = _provide()
    weights = (whole.path / WEIGHTS).resolve()
    weights.write_bytes(weights.read_bytes()[:1000])
    told = re.search(r"delete (\S+) and run again", _refused())
    assert told is not None
    hub.asked.clear()
    Path(told[1]).unlink()
    assert _provide() == whole
    assert hub.fetched() == [WEIGHTS]


def test_progress_is_told_while_a_file_comes(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """While gigabytes come, the user reads how far they are."""
    monkeypatch.setattr(hub_download, "TELL_EVERY_S", 0.05)
    hub.held[WEIGHTS] = threading.Event()
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if " of " in line:
            hub.held[WEIGHTS].set()

    provide_model(NAME, weights=True, say=say)
    assert f"{NAME}: 0.0 of 0.0 GiB" in said
    assert not [thread for thread in threading.enumerate() if thread.name == "download progress"]


def test_ctrl_c_ends_a_download(hub: Hub, cache: Path) -> None:
    """An interrupted download ends at once, leaves no half file, and goes on the next time."""
    hub.held[WEIGHTS] = threading.Event()
    code = (
        "from fixtures.runtimes.model_files import provide_model\n"
        f"provide_model({NAME!r}, weights=True, say=print)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=CHECKOUT, stderr=subprocess.PIPE
    ) as run:
        wait_until(lambda: WEIGHTS in hub.fetched(), "the weights to be asked for")
        run.send_signal(signal.SIGINT)
        _, told = run.communicate(timeout=PATIENCE_S)
    assert b"KeyboardInterrupt" in told
    assert not list(cache.rglob("*.incomplete"))
    hub.held.clear()
    hub.asked.clear()
    assert _provide() == find_model(NAME, weights=True)
    assert "config.json" not in hub.fetched()
