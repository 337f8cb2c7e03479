"""A docker of a test's own, to be put on PATH."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from fixtures.runtimes.environments import CHECKOUT
from suites.selftest.programs import wait_until
from suites.selftest.standin import docker_cli


class StandIn:
    """An engine that runs real processes in the place of containers. `close` in the end.

    An image is a name: what runs in it is `python`, or what STANDIN_PYTHON names.
    """

    def __init__(self, folder: Path, python: Path | None = None) -> None:
        self._state = folder / "docker-state"
        self._state.mkdir()
        (self._state / "python").write_text(str(python or sys.executable))
        self.bin = folder / "docker-bin"
        self.bin.mkdir()
        self.program = self.bin / "docker"
        cli = Path(docker_cli.__file__)
        self.program.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -I "{cli}" "{self._state}" "$@"\n'
        )
        self.program.chmod(0o755)
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def path(self) -> str:
        """PATH with this docker first."""
        return f"{self.bin}{os.pathsep}{os.environ['PATH']}"

    def start(self) -> None:
        """Start the daemon, which is no child of whoever asks it."""
        self._daemon = subprocess.Popen(
            [sys.executable, "-m", "suites.selftest.standin.docker_daemon", str(self._state)],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        wait_until((self._state / docker_cli.SOCKET).exists, "the stand-in's daemon")

    def has(self, *images: str) -> None:
        """Have images here."""
        with (self._state / "images").open("a") as listed:
            listed.writelines(f"{image}\n" for image in images)

    def offers(self, *images: str) -> None:
        """Have images in the registry, to be pulled."""
        with (self._state / "registry").open("a") as listed:
            listed.writelines(f"{image}\n" for image in images)

    def commands(self) -> list[list[str]]:
        """Every command line so far, without the program."""
        path = self._state / "commands.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def close(self) -> None:
        """End the daemon, and with it all containers."""
        if self._daemon and self._daemon.stdin:
            self._daemon.stdin.close()
            self._daemon.wait(timeout=60)
            self._daemon = None
