import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.cells.cards import MIB
from fixtures.runtimes.container import (
    abandoned,
    ask_versions,
    remove,
    require_image,
    state_of,
)
from fixtures.runtimes.container_command import (
    HOST_INSIDE,
    PORT_INSIDE,
    ContainerRun,
    Mount,
    run_command,
)
from fixtures.runtimes.engine import ContainerError, Engine, find_engine
from fixtures.runtimes.owner import namespace, owner_of
from suites.selftest.conftest import CardMaker
from suites.selftest.programs import wait_until
from suites.selftest.standin.engine import StandIn

pytestmark = pytest.mark.selftest

IMAGE = "vllm/vllm-openai:v0.5.4"
_API_SERVER = "vllm/entrypoints/openai/api_server.py"


@pytest.fixture
def engine(docker: StandIn) -> Engine:
    """The stand-in, found as any engine is, with one image."""
    docker.has(IMAGE)
    return find_engine()


def _container(folder: Path, code: str, name: str = "a-name", owner: str = "") -> ContainerRun:
    """A container in which `code` is the API server."""
    plugins = folder / "plugins"
    server = plugins / _API_SERVER
    server.parent.mkdir(parents=True, exist_ok=True)
    server.write_text(code)
    return ContainerRun(
        image=IMAGE,
        name=name,
        owner=owner or owner_of(os.getpid()),
        arguments=("--model", "/models/tiny", "--host", HOST_INSIDE, "--port", str(PORT_INSIDE)),
        port=8100,
        mounts=(Mount(folder, "/models"),),
        env={"ONE": "two=3 4"},
        plugins=(plugins,),
    )


def _run(engine: Engine, run: ContainerRun) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        run_command(engine, run), capture_output=True, text=True, check=False, timeout=60
    )


def _silent(line: str) -> None:
    del line


def test_an_image_that_is_here_is_not_pulled(engine: Engine, docker: StandIn) -> None:
    """What is here is used as it is, without a word."""
    said: list[str] = []
    assert require_image(engine, IMAGE, said.append).startswith("sha256:")
    assert said == []
    assert [command[0] for command in docker.commands()].count("pull") == 0


def test_an_image_that_is_not_here_is_pulled_first(engine: Engine, docker: StandIn) -> None:
    """An absent image is fetched, line by line, and then has an id."""
    docker.offers("vllm/vllm-openai:v0.6.3")
    said: list[str] = []
    assert require_image(engine, "vllm/vllm-openai:v0.6.3", said.append).startswith("sha256:")
    assert said[-1] == "Status: Downloaded newer image for vllm/vllm-openai:v0.6.3"


def test_an_image_that_cannot_be_pulled_is_said(engine: Engine) -> None:
    """The engine's last words and what to do are in one line."""
    with pytest.raises(ContainerError, match="manifest unknown; check the name, log in") as raised:
        require_image(engine, "vllm/vllm-openai:v9.9", _silent)
    assert str(raised.value).startswith("docker cannot pull vllm/vllm-openai:v9.9: ")
    assert "\n" not in str(raised.value)


def test_an_interrupted_pull_ends(engine: Engine, docker: StandIn) -> None:
    """Whoever says no to a line of the pull ends it."""
    docker.offers("big:1")

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt(line)

    with pytest.raises(KeyboardInterrupt, match="Pulling from big:1"):
        require_image(engine, "big:1", interrupt)


def test_an_image_tells_its_versions(engine: Engine) -> None:
    """The image's own python answers, and nothing is left of the question."""
    told = ask_versions(engine, IMAGE)
    assert told["python"] == ".".join(map(str, sys.version_info[:3]))
    assert abandoned(engine) == []


def test_an_image_may_have_another_python(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the image that is asked, and a banner that it prints first does no harm."""
    python = tmp_path / "python-of-the-image"
    answer = '{"distribution": "vllm", "vllm": "0.5.4", "torch": "2.4.0", "transformers": null,'
    python.write_text(f"#!/bin/sh\necho '== CUDA =='\necho '{answer} \"python\": \"3.10.14\"}}'\n")
    python.chmod(0o755)
    monkeypatch.setenv("STANDIN_PYTHON", str(python))
    assert ask_versions(engine, IMAGE)["vllm"] == "0.5.4"


@pytest.mark.parametrize(
    ("python", "why"),
    [("/bin/false", "it said nothing"), ("/bin/echo", "no answer about versions")],
)
def test_an_image_that_does_not_tell_is_said(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, python: str, why: str
) -> None:
    """An image that is none of vLLM's is named."""
    monkeypatch.setenv("STANDIN_PYTHON", python)
    with pytest.raises(ContainerError, match=f"{IMAGE} does not tell which vLLM it has: {why}"):
        ask_versions(engine, IMAGE)


def test_an_image_that_is_gone_is_said(engine: Engine) -> None:
    """What the engine says comes through, without the hint that it ends with."""
    with pytest.raises(ContainerError, match="No such image: gone:1; name an image of vLLM"):
        ask_versions(engine, "gone:1")


def test_a_container_runs_as_it_was_told(engine: Engine, tmp_path: Path) -> None:
    """Arguments, variables, mounts and the published port reach the server; its status returns."""
    code = "import os, sys\nprint(sys.argv[1:], os.environ['ONE'], flush=True)\nsys.exit(5)\n"
    ran = _run(engine, _container(tmp_path, code))
    assert ran.stderr == ""
    arguments = ["--model", f"{tmp_path}/tiny", "--host", "127.0.0.1", "--port", "8100"]
    assert ran.stdout == f"{arguments} two=3 4\n"
    assert ran.returncode == 5
    assert state_of(engine, "a-name") == (False, 5, False, None)


def test_a_container_writes_to_this_machine_where_it_may(engine: Engine, tmp_path: Path) -> None:
    """What its server writes into a folder that is meant for it is there when it has ended."""
    code = "import os\nopen(os.environ['OUT'] + '/said', 'w').write(os.environ['PYTHONPATH'])\n"
    (tmp_path / "out").mkdir()
    (tmp_path / "more").mkdir()
    run = _container(tmp_path, code)
    run = run._replace(
        plugins=(*run.plugins, tmp_path / "more"),
        written=(Mount(tmp_path / "out", "/out"),),
        env={"ONE": "", "OUT": "/out"},
    )
    assert _run(engine, run).returncode == 0
    said = (tmp_path / "out" / "said").read_text()
    assert said == f"{tmp_path / 'plugins'}:{tmp_path / 'more'}"


def test_a_running_container_tells_its_first_process(engine: Engine, tmp_path: Path) -> None:
    """While it runs there is a process, and no exit code that could be taken for one."""
    code = f"import time\nopen({str(tmp_path / 'up')!r}, 'w')\ntime.sleep(600)\n"
    with subprocess.Popen(run_command(engine, _container(tmp_path, code))) as command:
        wait_until((tmp_path / "up").exists, "the container's program")
        state = state_of(engine, "a-name")
        assert state is not None
        assert state.running
        assert state.exit_code is None
        assert state.pid is not None
        assert "api_server" in Path(f"/proc/{state.pid}/cmdline").read_text()
        remove(engine, "a-name")
        assert command.wait(timeout=60) == 128 + 9
    assert state_of(engine, "a-name") is None


def test_a_container_that_outgrew_its_memory_is_told(
    engine: Engine, tmp_path: Path, make_card: CardMaker
) -> None:
    """The kernel's kill is in the state."""
    make_card(64 * MIB)  # Skips where the stand-in could not limit it.
    run = _container(tmp_path, "block = bytearray(b'x') * (200 << 20)")
    ran = _run(engine, run._replace(memory_bytes=64 * MIB))
    assert ran.returncode == 128 + 9, ran.stderr
    assert state_of(engine, "a-name") == (False, 128 + 9, True, None)


def test_removing_what_is_not_there_is_no_error(engine: Engine, tmp_path: Path) -> None:
    """A container is removed once, however often that is asked for."""
    _run(engine, _container(tmp_path, ""))
    for _ in range(2):
        remove(engine, "a-name")
        assert state_of(engine, "a-name") is None


def test_containers_of_dead_suites_are_found(engine: Engine, tmp_path: Path) -> None:
    """Only those whose suite is gone, and was one of this process namespace, are abandoned."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    owners = {
        "of-the-dead": owner_of(dead.pid),
        "of-the-living": owner_of(os.getpid()),
        "of-a-stranger": f"{namespace() + 1}-{dead.pid}",
    }
    for name, owner in owners.items():
        assert _run(engine, _container(tmp_path, "", name, owner)).returncode == 0
    (left,) = abandoned(engine)
    remove(engine, left)
    assert state_of(engine, "of-the-dead") is None
    assert abandoned(engine) == []
    assert state_of(engine, "of-the-living") is not None
    assert state_of(engine, "of-a-stranger") is not None


def test_a_daemon_that_went_away_is_no_absent_container(engine: Engine, docker: StandIn) -> None:
    """Whoever cannot ask does not conclude that nothing is there."""
    docker.close()
    for ask in (
        lambda: state_of(engine, "a-name"),
        lambda: remove(engine, "a-name"),
        lambda: require_image(engine, IMAGE, _silent),
        lambda: abandoned(engine),
    ):
        with pytest.raises(ContainerError, match="Cannot connect to the Docker daemon"):
            ask()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (["--frobnicate"], "unknown flag: --frobnicate"),
        (["-it"], "unknown shorthand flag: -it"),
        (["--gpus", "device=0"], 'invalid argument "device=0" for "--gpus" flag'),
        (["-v", "/a:/b"], 'invalid argument "/a:/b" for "-v" flag'),
    ],
)
def test_the_stand_in_checks_a_command_line(
    engine: Engine, tmp_path: Path, spoil: list[str], said: str
) -> None:
    """A command that docker would refuse, or that the suite must not give, is refused."""
    program, run, *rest = run_command(engine, _container(tmp_path, ""))
    spoilt = subprocess.run(
        [program, run, *spoil, *rest], capture_output=True, text=True, check=False
    )
    assert spoilt.returncode == 125
    assert said in spoilt.stderr


@pytest.mark.parametrize("left_out", ["--name", "--label", "--ipc", "-p", "--pull"])
def test_the_stand_in_misses_an_option(engine: Engine, tmp_path: Path, left_out: str) -> None:
    """An option that every deployment has cannot get lost unseen."""
    command = list(run_command(engine, _container(tmp_path, "")))
    at = command.index(left_out)
    del command[at : at + 2]
    poorer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert poorer.returncode == 125
    assert f"the suite always gives {left_out}" in poorer.stderr
