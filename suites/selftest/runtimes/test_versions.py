import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.runtimes.versions import ASK_VERSIONS, Told, parse_told

pytestmark = pytest.mark.selftest

VERSIONS = st.none() | st.text(max_size=20)


def test_a_python_answers_the_question() -> None:
    """A real interpreter, asked, tells its own version, and what it lacks as None."""
    asked = subprocess.run(
        [sys.executable, "-I", "-c", "import sys; sys.path = sys.path[:3]\n" + ASK_VERSIONS],
        capture_output=True,
        text=True,
        check=True,
    )
    told = parse_told(asked.stdout)
    assert told["python"] == ".".join(map(str, sys.version_info[:3]))
    assert (told["vllm"], told["distribution"]) == (None, None)


@given(st.builds(Told, **dict.fromkeys(Told.__annotations__, VERSIONS)), st.text())
def test_what_was_printed_before_the_answer_does_not_count(told: Told, before: str) -> None:
    """Banners and warnings above the answer change nothing."""
    assert parse_told(f"{before}\n{json.dumps(told)}\n") == told


@pytest.mark.parametrize("text", ["", "\n", "garbage", "[]", "3", "null", '{"vllm": "0.5.4"}'])
def test_what_is_no_answer_is_an_error(text: str) -> None:
    """Anything else is an error that shows what was said."""
    with pytest.raises(ValueError, match="no answer about versions: ") as raised:
        parse_told(text)
    assert (text.strip() or "nothing was printed") in str(raised.value)
