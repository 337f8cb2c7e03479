import sys
from pathlib import Path

import pytest

from fixtures.runtimes.setup.dry_run import UnresolvedError, resolve
from fixtures.runtimes.setup.programs import Watch
from suites.selftest.setup.wheels import write_wheel

pytestmark = [pytest.mark.selftest, pytest.mark.usefixtures("cache")]


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """Nobody looks, and nobody else comes between."""
    return Watch(tmp_path / "log", None, lambda _: None, lambda: None)


def test_another_python_is_asked_from_an_environment_of_its_own(
    tmp_path: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any Python can be asked, its versions bind the answer, and names are in their usual form."""
    folder = tmp_path / "index"
    folder.mkdir()
    write_wheel(folder, "Some-Thing", "1.0")
    write_wheel(folder, "Some-Thing", "1.1")
    write_wheel(folder, "four", requires=["some.thing"])
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    python = str(Path(sys.executable).resolve())
    pins = resolve(python, ["four"], {"some-thing": "1.0"}, watch)
    assert pins == {"four": "1.0", "some-thing": "1.0"}


def test_python_that_makes_no_environment_is_told(tmp_path: Path, watch: Watch) -> None:
    """A Python without its venv module gives its own words."""
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\necho No module named venv\nexit 1\n", "utf-8")
    python.chmod(0o755)
    with pytest.raises(UnresolvedError, match=r"^No module named venv$"):
        resolve(str(python), ["one"], {}, watch)
