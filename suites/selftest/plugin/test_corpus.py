"""`--corpus` is read before anything starts."""

from pathlib import Path

import pytest

from suites.selftest.plugin.conftest import RunPytest

pytestmark = pytest.mark.selftest

TELLS = """
import pytest

pytestmark = pytest.mark.selftest

def test_it(corpus):
    print("\\nTOLD", corpus.name if corpus else None)
"""


def test_without_the_option_there_is_none(small_suites: RunPytest) -> None:
    """The suite's own questions are no corpus of one's own."""
    ended = small_suites({"selftest/test_it.py": TELLS}, "-s")
    assert ended.code == 0
    assert "TOLD None" in ended.out


def test_a_bad_corpus_ends_the_run_before_it_begins(
    small_suites: RunPytest, tmp_path: Path
) -> None:
    """The file and the remedy are named, and no test is run."""
    (tmp_path / "mine").mkdir()
    ended = small_suites({"selftest/test_it.py": TELLS}, f"--corpus={tmp_path / 'mine'}")
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert "mine/corpus.toml: cannot be read" in ended.err


def test_a_corpus_reaches_the_tests(small_suites: RunPytest, tmp_path: Path) -> None:
    """A folder with a question and its picture is named after the folder."""
    from PIL import Image  # noqa: PLC0415 - only this test draws

    folder = tmp_path / "mine"
    folder.mkdir()
    Image.new("RGB", (4, 4)).save(folder / "a.png")
    question = 'skill = "x"\npictures = ["a.png"]\ntext = "?"\nanswers = ["yes"]\n'
    (folder / "corpus.toml").write_text(f"[accuracy]\nx = 1.0\n[[question]]\n{question}")
    ended = small_suites({"selftest/test_it.py": TELLS}, "-s", f"--corpus={folder}")
    assert ended.code == 0, ended.err
    assert "TOLD mine" in ended.out
