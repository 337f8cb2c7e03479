import pytest

from suites.selftest.plugin.conftest import RunPytest

pytestmark = pytest.mark.selftest

LOOKS = {"startup/test_it.py": "def test_it(case): raise AssertionError\n"}
INCIDENT = "--cell=gpu48-minicpmv-2.6-seqs=32-len=4096-alloc=default-util=1"


def test_the_incidents_fix_is_printed_as_it_was_found(small_suites: RunPytest) -> None:
    """Without a GPU, an image or a model here, the command that mended the incident comes out."""
    ended = small_suites(
        LOOKS,
        *("-m", "gpu48", INCIDENT, "--runtime=image:vllm/vllm-openai:v0.5.4"),
        *("--served-model-name=MiniCPM-V-2_6", "--print-command=docker", "--gpu=0"),
    )
    assert ended.code == 0
    said = " ".join(ended.out.replace("\\\n", " ").split())
    for part in (
        "docker run",
        "--ipc host",
        "--gpus '\"device=0\"'",
        "vllm/vllm-openai:v0.5.4",
        "--trust-remote-code",
        "--max-model-len 4096",
        "--gpu-memory-utilization 1",
        "--max-num-seqs 32",
        "--tensor-parallel-size 1",
        "--served-model-name MiniCPM-V-2_6",
    ):
        assert part in said


@pytest.mark.parametrize("form", ["shell", "docker", "kubernetes", "compose"])
def test_a_command_for_people_has_nothing_of_the_suites_own(
    small_suites: RunPytest, form: str
) -> None:
    """The witness that the suite brings into its servers is in no command, even when asked for."""
    ended = small_suites(
        LOOKS,
        *("-m", "gpu48", INCIDENT, "--runtime=pypi:vllm==0.8.5", f"--print-command={form}"),
        "--allocator-witness=on",
    )
    assert ended.code == 0
    assert "vllm.entrypoints.openai.api_server" in ended.out
    for own in (
        "allocator-witness",
        "allocator_witness",
        "ALLOCATOR_DIR",
        "PYTHONPATH",
        "/plugins",
    ):
        assert own not in ended.out


def test_what_a_version_cannot_express_is_printed_as_that(small_suites: RunPytest) -> None:
    """A command that would be refused at start is not printed for pasting."""
    ended = small_suites(
        LOOKS, "-m", "gpu48", INCIDENT, "--runtime=pypi:vllm==0.33.0", "--print-command=shell"
    )
    assert ended.code == 0
    assert "# unsupported by vLLM 0.33.0: " in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-m", "gpu48", "--print-command=shell"], "which vLLM?"),
        (["-m", "cpu", "--print-command=compose"], "which image?"),
        (["-m", "selftest", "--print-command=shell"], "no cell is selected"),
        (["-m", "cpu", "--print-command=helm"], "'helm' is none of shell, docker"),
    ],
    ids=["no version", "no image", "no cell", "no such form"],
)
def test_what_cannot_be_printed_is_refused(
    small_suites: RunPytest, arguments: list[str], said: str
) -> None:
    """The error says what to name; nothing is guessed into a command."""
    own = {"selftest/test_own.py": "import pytest\n@pytest.mark.selftest\ndef test_it(): pass\n"}
    ended = small_suites(LOOKS | own, *arguments)
    assert ended.code != 0
    assert said in ended.out + ended.err
