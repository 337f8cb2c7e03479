import os
from pathlib import Path

import pytest

from suites.selftest.plugin.conftest import RunPytest

pytestmark = pytest.mark.selftest

SUITES = {
    "selftest/test_page.py": """
        import pytest
        pytestmark = pytest.mark.selftest

        @pytest.mark.browser
        def test_looks(): raise SystemExit("it ran")

        def test_reads(): pass
    """
}
ENTRY = "1 tests of pages in a browser: no Chromium here: apt-get install chromium"


def test_without_a_browser_its_tests_are_left_out_by_name(
    small_suites: RunPytest, tmp_path: Path
) -> None:
    """They are no skips, which look green, and the run says how to have them."""
    ended = small_suites(SUITES, "-m", "selftest", env={"PATH": str(tmp_path)})
    assert ended.code == 0
    assert "1 passed, 1 deselected" in ended.out
    assert ENTRY in ended.out
    assert "skipped" not in ended.out


def test_asked_for_by_name_they_are_not_left_out(small_suites: RunPytest, tmp_path: Path) -> None:
    """Nothing is run in their place."""
    ended = small_suites(SUITES, "-m", "browser", env={"PATH": str(tmp_path)})
    assert ended.code == 4
    assert "no Chromium here: apt-get install chromium" in ended.err + ended.out


def test_with_a_browser_they_run(small_suites: RunPytest, tmp_path: Path) -> None:
    """Whatever is found on PATH under its name."""
    (tmp_path / "chromium").write_text("#!/bin/sh\n", "utf-8")
    (tmp_path / "chromium").chmod(0o755)
    ended = small_suites(SUITES, "-m", "selftest", env={"PATH": f"{tmp_path}{os.pathsep}/usr/bin"})
    assert "it ran" in ended.out + ended.err
    assert "pages in a browser" not in ended.out
