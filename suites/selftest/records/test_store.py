import errno
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from fixtures.records.schema import VerdictRecord
from fixtures.records.store import RunStore, StoreError, new_run_id
from suites.selftest.programs import no_room
from suites.selftest.specimens import a_record

pytestmark = pytest.mark.selftest


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    """A store of one run."""
    return RunStore(tmp_path / "records", "run")


def test_what_is_written_is_read(store: RunStore) -> None:
    """Each record is one file of the run, named by its case, and comes back by file name."""
    records = [a_record().model_copy(update={"case_id": name}) for name in ("b", "a")]
    paths = [store.write(record) for record in records]
    assert [path.name for path in paths] == ["b.json", "a.json"]
    assert store.read_all() == records[::-1]
    assert sorted(path.name for path in store.folder.iterdir()) == ["a.json", "b.json"]


def test_a_later_version_takes_the_place_of_the_earlier(store: RunStore) -> None:
    """A case has one record, the last one written."""
    verdict = VerdictRecord(about="start", outcome="pass", reason="ready")
    later = a_record().model_copy(update={"verdicts": [verdict]})
    store.write(a_record())
    store.write(later)
    assert store.read_all() == [later]


def test_a_write_that_fails_half_way_keeps_the_last_version(store: RunStore) -> None:
    """A record that finds no room raises, names file and remedy, and harms nothing written."""
    store.write(a_record())
    verdict = VerdictRecord(about="start", outcome="fail", reason="x" * 200_000)
    later = a_record().model_copy(update={"verdicts": [verdict]})
    with no_room(100_000), pytest.raises(StoreError) as raised:
        store.write(later)
    assert str(store.folder / a_record().case_id) in str(raised.value)
    assert os.strerror(errno.EFBIG) in str(raised.value)
    assert "--records" in str(raised.value)
    assert store.read_all() == [a_record()]
    assert not list(store.folder.glob("*.partial"))


def test_a_folder_that_is_gone_is_a_store_error(store: RunStore) -> None:
    """A run folder removed meanwhile is told as such, not as a crash."""
    store.folder.rmdir()
    with pytest.raises(StoreError, match=os.strerror(errno.ENOENT)):
        store.write(a_record())


def test_a_folder_that_cannot_be_made_names_the_option(tmp_path: Path) -> None:
    """A store below a file is refused with the option that names another place."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="--records"):
        RunStore(tmp_path / "file", "run")


def test_a_file_of_another_schema_is_not_skipped(store: RunStore) -> None:
    """A damaged record is an error: a case must not vanish from a report."""
    store.write(a_record())
    (store.folder / "damaged.json").write_text("{}")
    with pytest.raises(ValidationError):
        store.read_all()


def test_raw_material_has_a_folder_a_case(store: RunStore) -> None:
    """The folder of a case is made once and stays."""
    folder = store.case_folder("cpu-tiny-x")
    (folder / "server.log").write_text("first\n")
    assert store.case_folder("cpu-tiny-x") == folder
    assert (folder / "server.log").read_text() == "first\n"


def test_run_ids_differ() -> None:
    """Two runs in the same second do not share a folder."""
    assert len({new_run_id() for _ in range(20)}) > 10
