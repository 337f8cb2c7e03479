"""A vLLM server for stand-in GPUs: it says and takes what a script tells it, and answers /health.

It is a process that serves and one that works, as vLLM's API server and engine are. The worker
takes memory through the CUDA driver and writes lines of the log in step with it. STANDIN_SCRIPTS
names a folder in which `N.json` is the script of the server that is given `--max-num-seqs N`: a
list of steps for the start, and one for after SIGTERM. Test and server wait for each other by
files in that folder: `N.WORD` is there once the word has been said. The server itself says
"asked" when it has been asked for its health.

Needs Python's standard library only: it runs in an environment of its own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import venv
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NoReturn

from suites.selftest.standin.cuda import Cuda

SCRIPTS: Final = "STANDIN_SCRIPTS"
_MIB: Final = 1024**2
_LOOK_EVERY_S: Final = 0.01
_CHECKOUT: Final = Path(__file__).parents[3]
_PROGRAM: Final = f"""\
import sys
sys.path.insert(0, {str(_CHECKOUT)!r})
from suites.selftest.standin.pretend_vllm import serve
serve(sys.argv)
"""


def make_environment(folder: Path, version: str) -> None:
    """Make an environment in which this seems to be an installed vLLM for GPUs."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    info = packages / f"vllm-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
    module = packages / "vllm" / "entrypoints" / "openai" / "api_server.py"
    module.parent.mkdir(parents=True)
    module.write_text(_PROGRAM)


class _Worker:
    """What takes memory; each method is a step of a script, by its name."""

    def __init__(self, script: Path, when_ready: int) -> None:
        self._script = script
        self._when_ready = when_ready
        self._cuda: Cuda | None = None
        self._held: dict[str, list[int]] = {}
        self._strays: list[int] = []

    def run(self, steps: list[list[Any]]) -> None:
        """Go through steps: each a word and what belongs to it."""
        for word, *details in steps:
            getattr(self, word)(*details)

    def ready(self) -> None:
        """Let the server serve."""
        os.write(self._when_ready, b".")

    def log(self, line: str) -> None:
        """Write a line to the log."""
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def context(self) -> None:
        """Open the GPU, which takes memory too."""
        self._cuda = Cuda()

    def take(self, name: str, mib: float) -> None:
        """Take memory under a name."""
        assert self._cuda is not None
        address = self._cuda.allocate(int(mib * _MIB))
        self._held.setdefault(name, []).append(address)

    def free(self, name: str) -> None:
        """Give back what was taken under a name."""
        assert self._cuda is not None
        for address in self._held.pop(name):
            self._cuda.free(address)

    def flash(self, mib: float) -> None:
        """Take memory and give it back at once."""
        self.take("flash", mib)
        self.free("flash")

    def stray(self, device: str) -> None:
        """Let a process of this server open a GPU, whichever it was given; it stays to the end.

        It must come before `context`: a fork has no CUDA of its parent's.
        """
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(self._when_ready)
            os.environ["CUDA_VISIBLE_DEVICES"] = device
            opened = Cuda()
            os.write(writer, b".")
            signal.pause()
            opened.close()
        os.read(reader, 1)
        self._strays.append(pid)

    def end(self) -> None:
        """End the strays."""
        for pid in self._strays:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def pause(self, for_s: float) -> None:
        """Do nothing for a while."""
        time.sleep(for_s)

    def tell(self, word: str) -> None:
        """Let the test know that it has come so far."""
        told(self._script, word).touch()

    def wait(self, word: str) -> None:
        """Wait until the test says this."""
        while not told(self._script, word).exists():
            time.sleep(_LOOK_EVERY_S)


def told(script: Path, word: str) -> Path:
    """The file that is there when a word has been said to or by the server of a script."""
    return script.with_suffix(f".{word}")


def serve(argv: list[str]) -> None:
    """Be the server of a command line, until SIGTERM."""
    sequences = argv[argv.index("--max-num-seqs") + 1]
    script = Path(os.environ[SCRIPTS]) / f"{sequences}.json"
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    ready, when_ready = os.pipe()
    worker = os.fork()
    if not worker:
        _work(script, when_ready)
    os.close(when_ready)
    if not os.read(ready, 1):
        sys.exit("Engine core initialization failed.")
    port = int(argv[argv.index("--port") + 1])
    server = _Server(("127.0.0.1", port), _Health)
    server.script = script
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if signal.sigwait({signal.SIGTERM, signal.SIGCHLD}) == signal.SIGCHLD:
        sys.exit("Engine core died.")
    os.kill(worker, signal.SIGTERM)
    os.waitpid(worker, 0)


def _work(script: Path, when_ready: int) -> NoReturn:
    worker = _Worker(script, when_ready)
    status = 1
    try:
        steps = json.loads(script.read_text())
        worker.run(steps["start"])
        signal.sigwait({signal.SIGTERM})
        worker.run(steps["stop"])
        status = 0
    except Exception as error:  # noqa: BLE001 - as an engine ends: with its last words
        worker.log(f"ERROR {error!r}")
    worker.end()
    os._exit(status)


class _Server(ThreadingHTTPServer):
    script: Path
    daemon_threads = True


class _Health(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Say that it is well."""
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", "0")
        self.end_headers()
        told(self.server.script, "asked").touch()

    def log_message(self, *_: object) -> None:
        """Say nothing about who asked."""
