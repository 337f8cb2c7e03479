"""What must not be told is not, and what is measured stays as it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.runtimes.redaction import (
    REDACTED,
    is_secret_name,
    redacted,
    redacted_text,
    secrets_of,
)

pytestmark = pytest.mark.selftest

TOKEN = "hf_" + "aB3" * 9


@pytest.mark.parametrize(
    "text",
    [
        f"GET https://host/x with {TOKEN} failed",
        "--api-key sekret-value-1",
        "vllm serve --api-key=sekret-value-1",
        "api_key='sekret-value-1'",
        "HF_TOKEN=sekret-value-1 vllm serve",
        '{"password": "sekret-value-1"}',
        "Namespace(api_key=['sekret-value-1'], port=1)",
        "Namespace(hf_token='sekret-value-1')",
        "https://alice:sekret-value-1@host/simple",
        "https://sekret-value-1@host/simple",
        "https://host/file?X-Amz-Signature=sekret-value-1&x=1",
        "Authorization: Bearer sekret-value-1",
    ],
)
def test_a_secret_in_a_text_is_not_told(text: str) -> None:
    """Flags, variables, URLs and headers lose what they hold, and nothing else."""
    said = redacted_text(text)

    assert "sekret" not in said
    assert TOKEN not in said
    assert REDACTED in said


@pytest.mark.parametrize(
    "text",
    [
        "stop token ignored: 12 answers",
        "Namespace(api_key=None, hf_token=True, token: \nnext line)",
        "Avg generation throughput: 12.3 tokens/s, Running: 4 reqs",
        "--max-num-batched-tokens 8192 --limit-mm-per-prompt '{\"image\": 1}'",
        "--tokenizer-mode auto",
        "KV cache size: 471,808 tokens",
        "prompt_tokens=12, completion_tokens: 16",
        "/roots/of/things and file://localhost/x@2x.png",
        "--user 1000:1000",
    ],
)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    """Tokens of a model are no secrets."""
    assert redacted_text(text) == text


def test_a_home_folder_names_nobody() -> None:
    """Whose home it is stays untold; the rest of the path is kept."""
    said = redacted_text("/home/alice/models/x, /root/y '/Users/bob': /srv/home/kept")

    assert said == "~/models/x, ~/y '~': /srv/home/kept"


def test_secrets_of_the_environment_are_found_wherever_they_stand() -> None:
    """A log that repeats the value of a secret variable does not tell it."""
    secrets = secrets_of({"HF_TOKEN": "quite-unusual", "PATH": "/usr/bin", "API_KEY": "short"})

    assert secrets == ("quite-unusual",)
    assert redacted({"detail": ["denied for quite-unusual"]}, secrets) == {
        "detail": [f"denied for {REDACTED}"]
    }


def test_a_list_of_arguments_loses_what_follows_a_secret_flag() -> None:
    """As a record keeps command lines: flag and value apart."""
    args = ["serve", "--api-key", "x", "--port", "1", "--hf-token", "y"]

    assert redacted(args, ()) == [
        "serve",
        "--api-key",
        REDACTED,
        "--port",
        "1",
        "--hf-token",
        REDACTED,
    ]


def test_fields_named_as_secrets_or_users_are_not_told() -> None:
    """Of a record's own environment too."""
    assert redacted({"HF_TOKEN": "x", "USER": "alice", "tokens": 3, "stop": {"port": 1}}, ()) == {
        "HF_TOKEN": REDACTED,
        "USER": REDACTED,
        "tokens": 3,
        "stop": {"port": 1},
    }


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text("abc 12./"),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["a", "peak_bytes"]), inner)
        ),
    )
)
def test_what_holds_no_secret_is_what_it_was(value: object) -> None:
    """Nothing measured changes."""
    assert redacted(value, ()) == value
    assert json.loads(json.dumps(redacted(value, ()))) == value


def test_counts_of_tokens_are_no_secret_names() -> None:
    """Only a name that ends in the word."""
    assert is_secret_name("HF_TOKEN")
    assert is_secret_name("--api-key")
    assert not is_secret_name("prompt_tokens")
    assert not is_secret_name("max-num-batched-tokens")
    assert not is_secret_name("tokenizer")
