import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.records.upgrade_schema import FOLDER, UpgradeRecord
from fixtures.runtimes.environments import CHECKOUT
from fixtures.runtimes.runtime import Runtime

pytestmark = pytest.mark.thorough


def test_a_whole_comparison_names_a_crash_that_is_planted_in_one_side(
    tmp_path: Path, runtime: Runtime
) -> None:
    """Two real servers of the same vLLM; one pair decides, and both starts' records are kept."""
    del runtime  # There before the run is timed.
    program = ("-m", "pytest", "-c", "pyproject.toml", "-p", "fixtures.plugin")
    chosen = ("-m", "cpu and canary", "-k", "crash", f"--records={tmp_path}", "suites/canary")
    ended = subprocess.run(
        [sys.executable, *program, "-p", "no:cacheprovider", *chosen],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-4000:]
    (path,) = tmp_path.glob(f"*/compared-01/{FOLDER}/*.json")
    record = UpgradeRecord.model_validate_json(path.read_text(encoding="utf-8"))
    assert (record.answer, record.pairs) == ("do not ship", 1)
    (reason,) = record.reasons
    assert reason.startswith("serving: the candidate: engine died")
    assert "canary" in reason
    assert "crash" in ended.stdout
    starts = [path.parent.parent / start.record for start in record.starts]
    assert [start.side for start in record.starts] == ["baseline", "candidate"]
    assert all(start.exists() for start in starts)
