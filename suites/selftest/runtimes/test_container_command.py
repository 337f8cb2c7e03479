import shlex
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cells.cards import GIB
from fixtures.runtimes.container_command import (
    ContainerRun,
    Mount,
    container_name,
    model_inside,
    pullable,
    remove_command,
    run_command,
)
from fixtures.runtimes.engine import ContainerError, Engine

pytestmark = pytest.mark.selftest

DOCKER = Engine("docker", Path("/usr/bin/docker"))
PODMAN = Engine("podman", Path("/usr/bin/podman"))

# How MiniCPM-V 2.6 was served in the incident that this suite is for, as its report has it.
INCIDENT = """
docker run --ipc host --gpus '"device=0"' -v /path/to/models:/models -p 8100:8000
 vllm/vllm-openai:v0.5.4 --model /models/MiniCPM-V-2_6 --trust-remote-code --max-model-len 4096
 --gpu-memory-utilization 1 --max-num-seqs 32 --tensor-parallel-size 1
 --served-model-name MiniCPM-V-2_6
"""
RUN = ContainerRun(
    image="vllm/vllm-openai:v0.5.4",
    name="a-name",
    owner="42-7",
    arguments=tuple(shlex.split(INCIDENT.partition("v0.5.4 ")[2])),
    port=8100,
    mounts=(Mount(Path("/path/to/models"), "/models"),),
    env={},
    gpu="0",
)
WORD = st.text(min_size=1)


def _options(command: tuple[str, ...]) -> list[str]:
    return list(command[2 : command.index("--entrypoint")])


def _values(command: tuple[str, ...], option: str) -> list[str]:
    return [value for name, value in pairwise(command) if name == option]


def test_the_incidents_command_is_run() -> None:
    """Each part of the command that failed is in ours, in its order, and what differs is named."""
    asked = shlex.split(INCIDENT)
    command = run_command(DOCKER, RUN)
    assert command[:2] == ("/usr/bin/docker", "run")
    differing = {"-v": "/path/to/models:/models:ro", "-p": "127.0.0.1:8100:8000"}
    for option in ("--ipc", "--gpus", "-v", "-p"):
        value = asked[asked.index(option) + 1]
        assert _values(command, option) == [differing.get(option, value)]
    assert _values(command, "--gpus") == ['"device=0"']
    image = command.index(RUN.image)
    server = tuple(asked[asked.index(RUN.image) + 1 :])
    assert command[image + 3 : image + 3 + len(server)] == server


def test_the_whole_command_for_docker() -> None:
    """Nothing but what is meant to be there is in the command."""
    run = RUN._replace(arguments=("--model", "/models/m"), env={"HF_HUB_OFFLINE": "1"})
    assert shlex.join(run_command(DOCKER, run)) == (
        "/usr/bin/docker run --name a-name --label minicpmv-suite=42-7 --pull never --ipc host "
        "--gpus '\"device=0\"' -v /path/to/models:/models:ro -p 127.0.0.1:8100:8000 "
        "--env HF_HUB_OFFLINE=1 --entrypoint python3 vllm/vllm-openai:v0.5.4 "
        "-m vllm.entrypoints.openai.api_server --model /models/m"
    )


def test_the_whole_command_for_podman() -> None:
    """Podman gives a GPU by its CDI name, and leaves the mounts readable under SELinux."""
    run = RUN._replace(arguments=("--model", "/models/m"), gpu="GPU-5e3a")
    assert shlex.join(run_command(PODMAN, run)) == (
        "/usr/bin/podman run --name a-name --label minicpmv-suite=42-7 --pull never --ipc host "
        "--device nvidia.com/gpu=GPU-5e3a --security-opt label=disable "
        "-v /path/to/models:/models:ro -p 127.0.0.1:8100:8000 "
        "--entrypoint python3 vllm/vllm-openai:v0.5.4 "
        "-m vllm.entrypoints.openai.api_server --model /models/m"
    )


@pytest.mark.parametrize("engine", [DOCKER, PODMAN], ids=["docker", "podman"])
def test_the_cpu_card_is_the_containers_own_limit(engine: Engine) -> None:
    """Without a GPU none is asked for, and memory is limited with no swap on top."""
    options = _options(run_command(engine, RUN._replace(gpu=None, memory_bytes=6 * GIB)))
    at = options.index("--memory")
    assert options[at:] == ["--memory", str(6 * GIB), "--memory-swap", str(6 * GIB)]
    assert not {"--gpus", "--device"} & set(options)


def test_plugins_are_mounted_and_found() -> None:
    """Folders of plugins stand on the server's path, read-only, and nothing else does."""
    plugins = (Path("/plug ins"), Path("/own"))
    run = RUN._replace(plugins=plugins, env={"PYTHONPATH": "/elsewhere", "A": "b=c d"})
    command = run_command(DOCKER, run)
    assert _values(command, "-v")[1:] == ["/plug ins:/plugins/0:ro", "/own:/plugins/1:ro"]
    assert _values(command, "--env") == ["PYTHONPATH=/plugins/0:/plugins/1", "A=b=c d"]


def test_a_server_may_write_where_it_is_meant_to_alone() -> None:
    """What it writes comes out of the container through a mount of its own."""
    run = RUN._replace(written=(Mount(Path("/records/case/allocator"), "/allocator"),))
    assert _values(run_command(DOCKER, run), "-v") == [
        "/path/to/models:/models:ro",
        "/records/case/allocator:/allocator:rw",
    ]


@pytest.mark.parametrize("engine", [DOCKER, PODMAN], ids=["docker", "podman"])
def test_a_container_is_attached_and_stays_to_be_asked(engine: Engine) -> None:
    """No terminal, no detaching, no removal: log and end are the suite's to read."""
    options = set(_options(run_command(engine, RUN)))
    assert not {"-i", "-t", "-it", "-d", "--detach", "--rm", "--init"} & options


@pytest.mark.parametrize("path", ["models", "./models", "/models:old", "/a/b:ro"])
def test_a_folder_that_cannot_be_mounted_is_refused(path: str) -> None:
    """A relative path would be a volume's name, and a colon another mount: both are said."""
    run = RUN._replace(mounts=(Mount(Path(path), "/models"),))
    with pytest.raises(ContainerError, match="use an absolute path without a colon"):
        run_command(DOCKER, run)


def test_a_models_folder_keeps_its_name() -> None:
    """A folder is mounted alone, under its own name."""
    assert model_inside(Path("/data/MiniCPM-V-4_5")) == (
        (Path("/data/MiniCPM-V-4_5"), "/models/MiniCPM-V-4_5"),
        "/models/MiniCPM-V-4_5",
    )


def test_a_snapshot_is_mounted_with_what_its_links_lead_to(tmp_path: Path) -> None:
    """Links of a hub snapshot lead within what is mounted."""
    repository = tmp_path / "hub" / "models--openbmb--MiniCPM-V-2_6"
    snapshot = repository / "snapshots" / "e48c"
    blob = repository / "blobs" / "0af3"
    for folder in (snapshot, blob.parent):
        folder.mkdir(parents=True)
    blob.touch()
    (snapshot / "config.json").symlink_to(Path("..", "..", "blobs", "0af3"))
    mount, path = model_inside(snapshot)
    assert path == "/models/models--openbmb--MiniCPM-V-2_6/snapshots/e48c"
    assert mount == (repository, "/models/models--openbmb--MiniCPM-V-2_6")
    assert (snapshot / "config.json").resolve().is_relative_to(mount.source)


@given(st.text())
def test_a_containers_name_is_one_that_both_engines_take(what: str) -> None:
    """Whatever a case is called, its container's name begins with its owner and is legal."""
    name = container_name("42-7", what)
    assert name.startswith("minicpmv-suite-42-7-")
    assert all(letter.isascii() and (letter.isalnum() or letter in "_.-") for letter in name)
    assert len(name) == len("minicpmv-suite-42-7-") + len(what)


@given(st.lists(WORD), st.dictionaries(WORD, st.text()))
def test_arguments_and_values_come_through_whole(arguments: list[str], env: dict[str, str]) -> None:
    """No argument and no value is split, quoted or lost."""
    command = run_command(DOCKER, RUN._replace(arguments=tuple(arguments), env=env))
    server = command[command.index(RUN.image) + 1 :]
    assert server[2:] == tuple(arguments)
    given_env = [f"{name}={value}" for name, value in env.items()]
    start = command.index("127.0.0.1:8100:8000") + 1
    assert list(command[start : start + 2 * len(env)][1::2]) == given_env


def test_removing_is_at_once() -> None:
    """Neither engine waits for manners."""
    assert remove_command(DOCKER, "x")[1:] == ("rm", "--force", "--volumes", "x")
    assert remove_command(PODMAN, "x")[1:] == ("rm", "--force", "--time", "0", "--volumes", "x")


@pytest.mark.parametrize(
    ("reference", "pulled"),
    [
        ("vllm/vllm-openai:v0.5.4", "docker.io/vllm/vllm-openai:v0.5.4"),
        ("python:3.11", "docker.io/library/python:3.11"),
        ("registry.example:5000/vllm:1", "registry.example:5000/vllm:1"),
        ("ghcr.io/x/y", "ghcr.io/x/y"),
        ("localhost/vllm", "localhost/vllm"),
    ],
)
def test_podman_is_told_the_registry_that_docker_means(reference: str, pulled: str) -> None:
    """A name without a registry is Docker Hub's for both."""
    assert pullable(PODMAN, reference) == pulled
    assert pullable(DOCKER, reference) == reference
