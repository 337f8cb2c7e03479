"""A checkout in which CI's scripts run, with programs that only tell how they were called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

from fixtures.runtimes.environments import CHECKOUT

# Ends with the status that `exits.json` has for its first word.
_STUB = """\
    import json, os, sys
    from pathlib import Path
    here = Path(__file__).parents[1]
    word = Path(__file__).name
    with (here / "calls").open("a") as calls:
        calls.write(json.dumps([os.getpid(), word, *sys.argv[1:]]) + "\\n")
    exits = json.loads((here / "exits.json").read_text())
    print(f"# {word} {' '.join(sys.argv[1:2])}")
    sys.exit(exits.get((sys.argv[1:] or [word])[0], exits.get(word, 0)))
"""


class Ran(NamedTuple):
    """How a script ended."""

    code: int
    out: str
    calls: list[list[str]]
    """What it called, each with its arguments."""
    became: bool
    """Whether the last that it called took the place of its shell."""


class Sandbox:
    """A folder that looks like the checkout to a script."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temp = folder / "temp"
        self.summary = folder / "summary.md"
        self.exits: dict[str, int] = {}
        self.temp.mkdir(parents=True)
        own = self.put("ci/in-cgroup", (CHECKOUT / "ci" / "in-cgroup").read_text())
        own.chmod(0o755)
        for name in ("ci/suite", "ci/reap", "bin/buildkite-agent"):
            self.put(name, f"#!{sys.executable} -I\n" + dedent(_STUB)).chmod(0o755)

    def put(self, name: str, text: str = "{}") -> Path:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, shell: Sequence[str], script: str, env: Mapping[str, str] | None = None) -> Ran:
        """Run a script as CI does: from a file, in the checkout."""
        calls = self.folder / "calls"
        calls.unlink(missing_ok=True)
        self.put("exits.json", json.dumps(self.exits))
        with subprocess.Popen(
            [*shell, str(self.put("script.sh", script))],
            cwd=self.folder,
            env={
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                # No cgroup is made.
                "CGROUP_ROOT": str(self.temp),
                "RUNNER_TEMP": str(self.temp),
                "GITHUB_STEP_SUMMARY": str(self.summary),
                **(env or {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            out, _ = process.communicate()
        called = (
            [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []
        )
        became = bool(called) and called[-1][0] == process.pid
        return Ran(process.returncode, out, [words for _, *words in called], became)

    def files(self) -> set[str]:
        """Names of what lies in it, folders left out."""
        return {
            str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()
        }
