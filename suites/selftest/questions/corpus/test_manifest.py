"""The manifest says what is asked today, and its schema is the one that is published."""

import json

import pytest

from fixtures.cells.models import PROFILES
from fixtures.questions.catalogue import SKILLS
from fixtures.questions.corpus.built_in import MAKERS
from fixtures.questions.corpus.folder import CorpusFile
from fixtures.questions.corpus.manifest import FOLDER, LISTED, Manifest, manifest

pytestmark = pytest.mark.selftest

KEPT = Manifest.model_validate_json((FOLDER / "manifest.json").read_text(encoding="utf-8"))


def test_the_corpus_is_what_the_manifest_says() -> None:
    """The same words, answers and pixels, or figures of before cannot be compared."""
    today = manifest()
    assert [item.id for item in today.items] == [item.id for item in KEPT.items]
    for drawn, kept in zip(today.items, KEPT.items, strict=True):
        assert drawn == kept


@pytest.mark.parametrize(("name", "model"), [("manifest", Manifest), ("corpus", CorpusFile)])
def test_the_published_schema_is_the_one_that_is_read(
    name: str, model: type[Manifest | CorpusFile]
) -> None:
    """Editors check by what the suite checks by."""
    published = json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    assert published == model.model_json_schema()


def test_every_skill_is_listed_and_says_what_it_guards() -> None:
    """None is short, and no id is there twice."""
    ids = [item.id for item in KEPT.items]
    assert len(ids) == len(set(ids)) == LISTED * len(MAKERS)
    assert {item.skill for item in KEPT.items} == set(MAKERS)
    assert all(item.guards for item in KEPT.items)


def test_every_promise_has_questions_and_every_skill_a_model_that_is_asked() -> None:
    """What is promised can be asked, and nothing is drawn that no released model is asked."""
    known = {*SKILLS, *MAKERS}
    for profile in PROFILES.values():
        asked = {*profile.accuracy, *profile.unpromised}
        assert asked <= known
        if profile.name.startswith("minicpmv-"):
            assert asked == known
