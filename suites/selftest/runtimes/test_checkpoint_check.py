from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.runtimes.checkpoint_check import modules_of, shards_of
from fixtures.runtimes.hub_files import HubFile, needed
from fixtures.runtimes.model_errors import DamagedFileError
from fixtures.runtimes.safetensors_check import check_safetensors
from suites.selftest.runtimes.checkpoints import safetensors, shard

pytestmark = pytest.mark.selftest

# Each example writes the file anew.
one_file = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@one_file
@given(st.integers(0, 5000), st.data())
def test_every_cut_is_seen(tmp_path: Path, data_bytes: int, data: st.DataObject) -> None:
    """Wherever a safetensors file ends too early, it is told; whole, it passes."""
    path = tmp_path / "model.safetensors"
    content = safetensors(data_bytes)
    path.write_bytes(content)
    check_safetensors(path)
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(DamagedFileError):
        check_safetensors(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "data_offsets", "__metadata__"]), inner, max_size=3)
    ),
)


@one_file
@given(JSON.map(json.dumps).map(str.encode) | st.binary(max_size=40))
def test_whatever_a_header_is_it_is_read_or_told(tmp_path: Path, header: bytes) -> None:
    """A header of any content ends in a verdict on the file, never in another error."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    told = "whole"
    try:
        check_safetensors(path)
    except DamagedFileError as error:
        told = str(error)
    assert re.match(r"whole$|model\.safetensors (is|has|\()", told)


@one_file
@given(st.binary(max_size=40))
def test_any_bytes_are_judged(tmp_path: Path, content: bytes) -> None:
    """Bytes that begin like no safetensors file are told as that."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    if len(content) < 8 or int.from_bytes(content[:8], "little") > len(content) - 8:
        with pytest.raises(DamagedFileError):
            check_safetensors(path)


@pytest.mark.parametrize(
    ("config", "modules"),
    [
        ({}, set()),
        ([], set()),
        ({"auto_map": None}, set()),
        (
            {"auto_map": {"AutoConfig": "configuration_minicpm.MiniCPMVConfig"}},
            {"configuration_minicpm.py"},
        ),
        ({"auto_map": {"AutoModel": "modeling.M", "AutoModelForCausalLM": "modeling.M"}}, set()),
        ({"auto_map": {"AutoProcessor": "org/name--processing.P"}}, set()),
        ({"auto_map": {"AutoTokenizer": ["slow.T", None]}}, {"slow.py"}),
        ({"auto_map": {"AutoTokenizer": [None, "fast.T"]}}, {"fast.py"}),
        ({"auto_map": ["slow.T", "fast.T"]}, {"slow.py", "fast.py"}),
    ],
)
def test_code_is_what_a_server_runs_for_a_config(config: Any, modules: set[str]) -> None:  # noqa: ANN401
    """Classes of config, processor and tokenizer are named; the model's own is not."""
    assert set(modules_of(config)) == modules


def test_a_shard_names_its_siblings() -> None:
    """The name of one shard tells those of all, and that of a single file tells none."""
    assert shards_of(shard(2)) == [shard(1), shard(2), shard(3)]
    assert shards_of("pytorch_model-00001-of-00002.bin")[1] == "pytorch_model-00002-of-00002.bin"
    assert shards_of("model.safetensors") == []


FILES = [
    "config.json",
    "README.md",
    "modeling_minicpmv.py",
    "tokenizer.model",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "pytorch_model.bin",
    "training_args.bin",
    "onnx/model.onnx",
    "original/model.safetensors",
    "ggml-model-Q4_K_M.gguf",
    "assets/demo.mp4",
    "assets/preprocessor.json",
    "LOGO.PNG",
]


def _needed(names: list[str], *, weights: bool) -> list[str]:
    return [file.name for file in needed([HubFile(name, 1) for name in names], weights=weights)]


def test_weights_are_fetched_in_one_format() -> None:
    """Of a model that the hub has in many formats, the one is fetched that vLLM would load."""
    small = [*FILES[:4], "assets/preprocessor.json"]
    assert _needed(FILES, weights=False) == small
    assert _needed(FILES, weights=True) == [*FILES[:6], "assets/preprocessor.json"]
    others = [name for name in FILES if not name.startswith("model-")]
    assert _needed(others, weights=True) == [*FILES[:4], "pytorch_model.bin", small[-1]]
