"""The daemon that `docker_cli.py` talks with: it has the images and runs the containers.

A container is a program under a guardian of its own, which stands where the real one has its
containerd-shim. What it sees of the container's paths and ports is made by translating its
arguments and variables; its memory limit is a real cgroup. It ends, with all its containers,
when its standard input closes.

Usage: python -m suites.selftest.standin.docker_daemon STATE_FOLDER
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socketserver
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from fixtures.servers.cgroup import MemoryCgroup, make_cgroup
from fixtures.servers.process import GuardedProcess, LaunchOrder
from suites.selftest.standin.docker_cli import SOCKET

Message = dict[str, Any]
_LOCK: Final = threading.RLock()
_TICK_S: Final = 0.02


class Refusal(Exception):  # noqa: N818 - what docker calls an error response
    """The daemon does not do it; how the command line then ends."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Container:
    """A container: from its start to its removal."""

    def __init__(self, order: Message, python: str) -> None:
        self.id = uuid.uuid4().hex + uuid.uuid4().hex
        self.name = order["name"] or f"nameless_{self.id[:8]}"
        self.label, _, self.owner = order["label"].partition("=")
        # Short: vLLM makes sockets in it, whose paths may have 107 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="ctr-"))
        self.log = self._folder / "log"
        self.log.touch()
        mounts = [(target, source) for source, target in order["mounts"]]
        for own in ("/tmp", "/root"):  # noqa: S108 - the container's
            (self._folder / own[1:]).mkdir()
            mounts.append((own, str(self._folder / own[1:])))
        self._cgroup: MemoryCgroup | None = None
        if order["memory_bytes"]:
            self._cgroup = make_cgroup(f"docker-{self.id[:8]}", order["memory_bytes"])
        env = {"HOME": "/root", "TMPDIR": "/tmp", **order["env"]}  # noqa: S108 - the container's
        arguments = [translated(argument, mounts) for argument in order["arguments"]]
        for outside, inside in order["publish"]:
            arguments = published(arguments, outside, inside)
        self._process = GuardedProcess(
            LaunchOrder(
                argv=(python, *arguments),
                env={
                    "PATH": os.environ["PATH"],
                    **{
                        name: ":".join(translated(part, mounts) for part in value.split(":"))
                        for name, value in env.items()
                    },
                },
                folder=self._folder,
                log=self.log,
                join=(self._cgroup.procs_file,) if self._cgroup else (),
                folders_to_remove=(self._folder,),
                cgroups_to_remove=(self._cgroup.path,) if self._cgroup else (),
            )
        )
        self.exit_code: int | None = None
        self._oom_killed = False

    def look(self) -> None:
        """See whether the first process has ended: with it goes the whole container."""
        status = self._process.exit_status
        if status is not None and self.exit_code is None:
            self._process.kill()
            if self._cgroup:
                self._oom_killed = self._cgroup.marks().oom_kills > 0
            self.exit_code = status if status >= 0 else 128 - status

    def state(self) -> Message:
        """As `inspect` shows it."""
        self.look()
        running = self.exit_code is None
        return {
            "Status": "running" if running else "exited",
            "Running": running,
            "OOMKilled": self._oom_killed,
            "Pid": self._process.pid if running else 0,
            "ExitCode": self.exit_code or 0,
        }

    def signal(self, number: int) -> None:
        """Send a signal to the first process."""
        if self.exit_code is None and self._process.pid:
            os.kill(self._process.pid, number)

    def remove(self) -> None:
        """End it and leave nothing of it."""
        self._process.kill()
        self.look()
        self._process.close()
        if self._cgroup:
            self._cgroup.remove()
        shutil.rmtree(self._folder, ignore_errors=True)


def translated(text: str, mounts: list[tuple[str, str]]) -> str:
    """A path in the container as it is outside; anything else as it is."""
    for target, source in sorted(mounts, key=lambda mount: -len(mount[0])):
        if text == target or text.startswith(f"{target}/"):
            return source + text[len(target) :]
    return text


def published(arguments: list[str], outside: str, inside: str) -> list[str]:
    """A server's arguments, so that it listens where its container's port is published."""
    moved = {("--port", inside): outside, ("--host", "0.0.0.0"): "127.0.0.1"}  # noqa: S104
    pairs = zip(["", *arguments], arguments, strict=False)
    return [moved.get((option, value), value) for option, value in pairs]


class Daemon:
    """What the daemon has, and what it does with it."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._containers: dict[str, Container] = {}

    def _listed(self, name: str) -> list[str]:
        path = self._state / name
        return path.read_text().split() if path.exists() else []

    def _find(self, name: str) -> Container:
        for container in self._containers.values():
            if container.name == name or container.id.startswith(name):
                return container
        msg = f"No such container: {name}"
        raise Refusal(msg, 1)

    def version(self, _: Message) -> Iterator[Message]:
        """Which one it is."""
        yield {"line": "28.2.2"}

    def image_inspect(self, request: Message) -> Iterator[Message]:
        """The id of an image that is here."""
        for name in request["names"]:
            if name not in self._listed("images"):
                msg = f"No such image: {name}"
                raise Refusal(msg, 1)
            yield {"line": f"sha256:{uuid.uuid5(uuid.NAMESPACE_URL, name).hex}"}

    def pull(self, request: Message) -> Iterator[Message]:
        """Fetch an image, if the registry has it."""
        (name,) = request["names"]
        yield {"line": f"Pulling from {name}"}
        if name not in self._listed("registry"):
            msg = f"manifest for {name} not found: manifest unknown: manifest unknown"
            raise Refusal(msg, 1)
        with (self._state / "images").open("a") as images:
            images.write(f"{name}\n")
        yield {"line": f"Status: Downloaded newer image for {name}"}

    def ps(self, request: Message) -> Iterator[Message]:
        """Ids of the containers with a label."""
        label = request["filter"].removeprefix("label=")
        yield from ({"line": c.id[:12]} for c in self._containers.values() if c.label == label)

    def inspect(self, request: Message) -> Iterator[Message]:
        """How containers are, or whose."""
        missing = None
        for name in request["names"]:
            try:
                container = self._find(name)
            except Refusal as refusal:
                missing = refusal
                continue
            if request["form"] == "{{json .State}}":
                yield {"line": json.dumps(container.state())}
            else:
                yield {"line": f"{container.id} {container.owner}"}
        if missing:
            raise missing

    def rm(self, request: Message) -> Iterator[Message]:
        """Kill and remove containers."""
        for name in request["names"]:
            container = self._find(name)
            container.remove()
            del self._containers[container.id]
            yield {"line": name}

    def signal(self, request: Message) -> Iterator[Message]:
        """Hand a signal on."""
        self._find(request["container"]).signal(request["number"])
        yield {}

    def create(self, order: Message) -> Container:
        """Start a container."""
        if order["image"] not in self._listed("images"):
            msg = f"No such image: {order['image']}"
            raise Refusal(msg, 125)
        if order["entrypoint"] != "python3":
            msg = f'exec: "{order["entrypoint"]}": executable file not found in $PATH'
            raise Refusal(msg, 127)
        if any(order["name"] == container.name for container in self._containers.values()):
            msg = f'Conflict. The container name "/{order["name"]}" is already in use'
            raise Refusal(msg, 125)
        python = order["python"] or (self._state / "python").read_text()
        container = Container(order, python)
        self._containers[container.id] = container
        return container

    def look(self) -> None:
        """See which containers have ended."""
        for container in self._containers.values():
            container.look()

    def close(self) -> None:
        """Leave nothing."""
        for container in self._containers.values():
            container.remove()
        self._containers.clear()

    def run(self, order: Message, send: Callable[[Message], None]) -> None:
        """Run a container, its log and its end handed on; it goes on when nobody listens."""
        with _LOCK:
            container = self.create(order)
        send({"started": container.id})
        with container.log.open("rb") as log:
            while True:
                ended = container.exit_code is not None
                if chunk := log.read():
                    send({"output": chunk.decode("latin-1")})
                if ended:
                    break
                time.sleep(_TICK_S)
        if order["remove"]:
            with _LOCK, suppress(Refusal):
                list(self.rm({"names": [container.id]}))
        send({"exit_code": container.exit_code})


def _closed(pipe: int) -> bool:
    """Whether whoever holds the other end has let go; a tick later if not."""
    readable, _, _ = select.select([pipe], [], [], _TICK_S)
    return bool(readable) and not os.read(pipe, 1)


def serve(state: Path) -> None:
    """Answer until standard input closes."""
    daemon = Daemon(state)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            def send(message: Message) -> None:
                self.wfile.write(json.dumps(message).encode() + b"\n")

            request = json.loads(self.rfile.readline())
            # Whoever asked may have been killed, which is nothing to a container.
            with suppress(BrokenPipeError, ConnectionResetError):
                try:
                    if request["do"] == "run":
                        daemon.run(request["order"], send)
                    else:
                        with _LOCK:
                            answer = getattr(daemon, request["do"].replace(" ", "_"))
                            for message in answer(request):
                                send(message)
                except Refusal as refusal:
                    send({"error": str(refusal), "code": refusal.code})

    os.chdir(state)
    Path(SOCKET).unlink(missing_ok=True)
    unheard = Path(f"{SOCKET}.partial")
    unheard.unlink(missing_ok=True)
    with socketserver.ThreadingUnixStreamServer(str(unheard), Handler) as server:
        # Whoever finds it can connect: between its making and its listening nobody can.
        unheard.rename(SOCKET)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        while not _closed(sys.stdin.fileno()):
            with _LOCK:
                daemon.look()
        Path(SOCKET).unlink(missing_ok=True)
        server.shutdown()
        with _LOCK:
            daemon.close()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(Path(sys.argv[1]))
