"""A corpus of one's own is read whole, or refused with the file, the question and the remedy."""

from pathlib import Path

import pytest
from PIL import Image

from fixtures.cells.manner import PLAIN
from fixtures.questions.asked import content_of, grade_of, id_of
from fixtures.questions.corpus.folder import Corpus, CorpusError, read_corpus

pytestmark = pytest.mark.selftest

GOOD = """
[accuracy]
total = 0.9

[[question]]
skill = "total"
pictures = ["scan.png"]
text = "What is the total? Answer with the number only."
answers = ["1240.50"]
grading = "number"
"""


def _corpus(folder: Path, text: str = GOOD) -> Corpus:
    folder = folder / "invoices"
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (40, 30), "white").save(folder / "scan.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "corpus.toml").write_text(text)
    return read_corpus(folder, frozenset({"colour"}))


def test_a_question_is_asked_as_it_is_written(tmp_path: Path) -> None:
    """Picture, text, answer and grading are the file's, and its name says where it is from."""
    corpus = _corpus(tmp_path)
    (item,) = corpus.items
    assert (corpus.name, corpus.accuracy, corpus.visible_drop) == ("invoices", {"total": 0.9}, 0.25)
    assert id_of(item) == "invoices/total-scan"
    assert grade_of(item, "The total is 1,240.50.").correct
    kinds = [part["type"] for part in content_of(item, PLAIN)]
    assert kinds == ["image_url", "text"]


def test_a_picture_can_stand_within_the_text(tmp_path: Path) -> None:
    """Where the text names it, the model's placeholder does."""
    (item,) = _corpus(tmp_path, GOOD.replace("What is", "Of <picture>what is")).items
    assert content_of(item, PLAIN)[-1]["text"].startswith("Of (<image>./</image>)what is the")


def test_two_questions_about_a_picture_have_two_names(tmp_path: Path) -> None:
    """A question put before others leaves their names as they are."""
    again = GOOD[GOOD.index("[[question]]") :]
    names = [item.id for item in _corpus(tmp_path, GOOD + again).items]
    assert names == ["total-scan", "total-scan-2"]


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("[accuracy]", "[accuracy", "not TOML"),
        ("total = 0.9", "total = 1.9", "total of accuracy: Input should be less than or equal"),
        ("total = 0.9", "", "no accuracy is promised for 'total': add it"),
        ("total = 0.9", "total = 0.9\nother = 0.5", "promises 'other', and no question"),
        ('skill = "total"', 'skill = "colour"', "the suite has a skill 'colour' of its own"),
        ('skill = "total"', "", "skill of number 1 of question: Field required"),
        ("scan.png", "gone.png", "question 1 (total): "),
        ("scan.png", "gone.png", "gone.png cannot be read (No such file"),
        ("scan.png", "empty.png", "empty.png is no picture that can be decoded"),
        ('"number"', '"numbers"', "grading of number 1 of question: Input should be 'word'"),
        ("1240.50", "plenty", "grading 'number': one number must be expected"),
        ("What is", "<picture><picture>What is", "the text has 2 x <picture> and 1 pictures"),
        ("answers", "anwsers", "anwsers of number 1 of question: Extra inputs"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, was: str, becomes: str, said: str) -> None:
    """One sentence with the file; nothing is left out in silence."""
    with pytest.raises(CorpusError) as raised:
        _corpus(tmp_path, GOOD.replace(was, becomes, 1))
    assert said in str(raised.value), str(raised.value)
    assert str(raised.value).startswith(str(tmp_path / "invoices" / "corpus.toml"))


def test_a_folder_without_the_file_is_refused(tmp_path: Path) -> None:
    """The remedy is the file's name."""
    with pytest.raises(CorpusError, match=r"a corpus is a folder with corpus\.toml"):
        read_corpus(tmp_path, frozenset())
