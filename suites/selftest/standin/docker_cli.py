"""A program that behaves like `docker` for the commands that this suite uses, and no others.

It checks the whole command line as strictly as the real one, and more: an option that the suite
always gives must be there. What it is asked for is done by a daemon (`docker_daemon.py`), so
that, as with the real one, no container descends from this program or ends with it.

Standard library only. Usage: docker_cli.py STATE_FOLDER ARGUMENT...
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

SOCKET: Final = "engine.sock"
REFUSED: Final = 125
"""How docker ends when it could not do what was asked, as opposed to what the container did."""


class Command(NamedTuple):
    """The command line of one of docker's commands."""

    options: dict[str, str]
    """Those with a value, and what the value must look like."""
    flags: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    least: int = 1
    """How many positional arguments there must be."""


_NAME: Final = r"[a-zA-Z0-9][a-zA-Z0-9_.-]+"
_LABELLED: Final = {"--label": r"minicpmv-suite=\d+-\d+", "--pull": "never", "--entrypoint": ".+"}
COMMANDS: Final = {
    "version": Command({"--format": r"\{\{\.Server\.Version\}\}"}, least=0),
    "image inspect": Command({"--format": r"\{\{\.Id\}\}"}),
    "pull": Command({}),
    "run": Command(
        {
            **_LABELLED,
            "--name": _NAME,
            "--ipc": "host",
            "--gpus": r'"device=(\d+|GPU-[0-9a-f-]+)"',
            "-v": r"/[^:]*:/[^:]*:r[ow]",
            "-p": r"127\.0\.0\.1:\d+:\d+",
            "--env": r"(?s)\w+=.*",
            "--memory": r"\d+",
            "--memory-swap": r"\d+",
        },
        required=frozenset({*_LABELLED, "--name", "--ipc", "-p"}),
    ),
    # Known by its --rm: what is asked of an image, of which nothing stays.
    "run --rm": Command(_LABELLED, frozenset({"--rm"}), frozenset({*_LABELLED, "--rm"})),
    "inspect": Command(
        {"--type": "container", "--format": r'\{\{json \.State\}\}|\{\{\.Id\}\} \{\{index .*"\}\}'},
        required=frozenset({"--type", "--format"}),
    ),
    "ps": Command({"--filter": "label=.+"}, frozenset({"--all", "--quiet"}), least=0),
    "rm": Command({}, frozenset({"--force", "--volumes"}), frozenset({"--force"})),
}


class Parsed(NamedTuple):
    """A command line, taken apart."""

    options: dict[str, list[str]]
    rest: list[str]

    def one(self, name: str) -> str | None:
        """The value of an option that is given once."""
        return self.options[name][-1] if name in self.options else None


def _refuse(message: str, code: int = REFUSED) -> NoReturn:
    sys.stderr.write(message + "\n")
    sys.exit(code)


def parse(name: str, arguments: list[str]) -> Parsed:
    """Take a command line apart, or end as docker does when it does not understand one."""
    command = COMMANDS[name]
    usage = f"\n\nUsage:  docker {name}\n\nRun 'docker {name} --help' for more information"
    options: dict[str, list[str]] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in command.flags:
            options.setdefault(option, []).append("")
        elif option not in command.options:
            kind = "flag: " if option.startswith("--") else "shorthand flag: "
            _refuse(f"unknown {kind}{option}{usage}")
        elif not rest:
            _refuse(f"flag needs an argument: {option}{usage}")
        elif not re.fullmatch(command.options[option], rest[0]):
            _refuse(f'invalid argument "{rest[0]}" for "{option}" flag{usage}')
        else:
            options.setdefault(option, []).append(rest.pop(0))
    if missing := sorted(command.required - options.keys()):
        _refuse(f"the suite always gives {', '.join(missing)}{usage}")
    if len(rest) < command.least:
        _refuse(f"docker {name} requires at least {command.least} argument{usage}")
    return Parsed(options, rest)


def _connect(code: int) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        # Relative to the working folder: a socket's path may have 107 characters.
        connection.connect(SOCKET)
    except OSError:
        where = f"unix://{Path.cwd()}/{SOCKET}"
        _refuse(
            f"Cannot connect to the Docker daemon at {where}. Is the docker daemon running?", code
        )
    return connection


def ask(code: int, **request: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - whatever is JSON
    """What the daemon answers, one message after the other; `code` ends it when there is none."""
    with _connect(code) as connection, connection.makefile("rwb") as stream:
        stream.write(json.dumps(request).encode() + b"\n")
        stream.flush()
        for line in stream:
            yield json.loads(line)


def _run(parsed: Parsed) -> int:
    image, *arguments = parsed.rest
    for volume in parsed.options.get("-v", []):
        if not Path(volume.split(":")[0]).exists():
            _refuse(f"docker: Error response from daemon: invalid mount config: {volume}")
    order = {
        "name": parsed.one("--name"),
        "label": parsed.one("--label"),
        "image": image,
        "entrypoint": parsed.one("--entrypoint"),
        "arguments": arguments,
        "env": dict(value.split("=", 1) for value in parsed.options.get("--env", [])),
        "mounts": [value.split(":")[:2] for value in parsed.options.get("-v", [])],
        "publish": [value.split(":")[1:] for value in parsed.options.get("-p", [])],
        "memory_bytes": int(parsed.one("--memory") or 0) or None,
        "remove": "--rm" in parsed.options,
        "python": os.environ.get("STANDIN_PYTHON"),
    }
    container = ""

    def hand_on(number: int, _: object) -> None:
        list(ask(REFUSED, do="signal", container=container, number=number))

    for message in ask(REFUSED, do="run", order=order):
        if "error" in message:
            said = f"docker: Error response from daemon: {message['error']}"
            _refuse(f"{said}\n\nRun 'docker run --help' for more information", message["code"])
        if "started" in message:
            container = message["started"]
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, hand_on)
        if "output" in message:
            os.write(1, message["output"].encode("latin-1"))
        if "exit_code" in message:
            return int(message["exit_code"])
    return REFUSED


def _simple(do: str, parsed: Parsed) -> int:
    form = parsed.one("--format")
    code = 0
    for message in ask(1, do=do, form=form, names=parsed.rest, filter=parsed.one("--filter")):
        if "error" in message:
            sys.stderr.write(f"Error response from daemon: {message['error']}\n")
            # Since about 23.0 a forced removal of nothing is told, and no failure.
            code = 0 if do == "rm" else message["code"]
        else:
            sys.stdout.write(message["line"] + "\n")
            sys.stdout.flush()
    return code


def main(state: str, *arguments: str) -> int:
    """Do what docker would; its exit status."""
    with Path(state, "commands.jsonl").open("a") as commands:
        commands.write(json.dumps(arguments) + "\n")
    os.chdir(state)
    if arguments == ("--version",):
        sys.stdout.write("Docker version 28.2.2, build standin\n")
        return 0
    words = 2 if arguments[:1] == ("image",) else 1
    name = " ".join(arguments[:words])
    if name not in COMMANDS:
        _refuse(
            f"docker: unknown command: docker {name}\n\nRun 'docker --help' for more information"
        )
    if name == "run":
        kind = "run --rm" if arguments[1:2] == ("--rm",) else "run"
        return _run(parse(kind, list(arguments[1:])))
    return _simple(name, parse(name, list(arguments[words:])))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
