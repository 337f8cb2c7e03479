import shlex
from pathlib import Path

import pytest
import yaml

from fixtures.cells.case import Case
from fixtures.cells.matrix import load_matrix
from fixtures.reports import commands
from fixtures.runtimes.container_command import Mount
from fixtures.runtimes.dialect import Words
from fixtures.runtimes.environments import CHECKOUT

pytestmark = pytest.mark.selftest

CASES = {case.id: case for case in load_matrix(CHECKOUT / "suites" / "matrix.toml")}
GPU = CASES["gpu48-minicpmv-2.6-seqs=32-len=4096-alloc=expandable"]
CPU = CASES["cpu-tiny-seqs=4-len=2048-alloc=glibc"]
WORDS = Words(
    ("--model", "/models/MiniCPM-V-2_6", "--limit-mm-per-prompt", '{"image": 2}', "--seed", "0"),
    {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True", "CUDA_VISIBLE_DEVICES": "3"},
)


def _deployed(case: Case) -> commands.Deployed:
    mount = Mount(Path("/srv/MiniCPM-V-2_6"), "/models/MiniCPM-V-2_6")
    return commands.Deployed(case, WORDS, "0.33.0", "vllm:v1", "/rt/bin/python", mount, "3")


def test_a_shell_command_is_what_the_suite_runs() -> None:
    """Variables, program and arguments come back whole from a POSIX shell's own splitting."""
    words = shlex.split(commands.shell(_deployed(GPU)).replace("\\\n", " "))
    variables = [f"{name}={value}" for name, value in WORDS.env.items()]
    assert words == [
        *variables,
        "/rt/bin/python",
        "-m",
        "vllm.entrypoints.openai.api_server",
        *WORDS.argv,
    ]


def test_a_docker_command_is_whole() -> None:
    """The container gets the GPU, the model, the variables and every argument."""
    words = shlex.split(commands.docker(_deployed(GPU)).replace("\\\n", " "))
    assert words[:2] == ["docker", "run"]
    assert '"device=3"' in words
    assert "/srv/MiniCPM-V-2_6:/models/MiniCPM-V-2_6:ro" in words
    assert tuple(words[-len(WORDS.argv) :]) == WORDS.argv


def test_a_kubernetes_container_is_whole() -> None:
    """The spec reads back as YAML, with one GPU, the model, shared memory and the arguments."""
    pod = yaml.safe_load(commands.kubernetes(_deployed(GPU)))
    (container,) = pod["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 1}
    assert tuple(container["args"]) == WORDS.argv
    assert container["command"] == ["python3", "-m", "vllm.entrypoints.openai.api_server"]
    # Which GPU it is, is the cluster's business.
    assert {entry["name"] for entry in container["env"]} == {"PYTORCH_CUDA_ALLOC_CONF"}
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]} == {"shm", "model"}
    assert container["name"].replace("-", "").isalnum()
    assert len(container["name"]) <= 63


def test_a_compose_service_is_whole() -> None:
    """The service reads back as YAML, with the GPU asked for, and no variable replaced in it."""
    deployed = _deployed(GPU)._replace(words=Words(("--x", "$HOME"), dict(WORDS.env)))
    (service,) = yaml.safe_load(commands.compose(deployed))["services"].values()
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "device_ids": ["3"], "capabilities": ["gpu"]}
    assert service["command"] == ["--x", "$$HOME"]
    assert service["ipc"] == "host"


@pytest.mark.parametrize("form", [commands.docker, commands.kubernetes, commands.compose])
def test_the_cpu_card_is_a_limit_of_memory(form: object) -> None:
    """A deployment without a GPU asks for none, and is limited to the card."""
    assert callable(form)
    said = form(_deployed(CPU))
    assert str(CPU.card.capacity_bytes) in said
    assert "nvidia" not in said
    assert "device=" not in said
