from pathlib import Path

import pytest

from fixtures.memory.allocator_folder import PLUGIN
from suites.selftest.plugin.conftest import RunPytest

pytestmark = pytest.mark.selftest

TELLS = """
import pytest

pytestmark = pytest.mark.selftest

def test_it(plan):
    print("\\nTOLD", *plan.plugins)
"""


@pytest.mark.parametrize(
    ("arguments", "variables", "brought"),
    [
        ([], {}, [PLUGIN]),
        (["--server-plugins=theirs"], {}, [PLUGIN, "theirs"]),
        (["--allocator-witness=off"], {}, []),
        (["--server-plugins=theirs"], {"MINICPMV_ALLOCATOR_WITNESS": "off"}, ["theirs"]),
        (["-o", "minicpmv_allocator_witness=off"], {}, []),
    ],
    ids=["default", "with the user's", "off", "off, with the user's", "off in the ini file"],
)
def test_the_witness_stands_beside_the_users_plugins(
    small_suites: RunPytest,
    tmp_path: Path,
    arguments: list[str],
    variables: dict[str, str],
    brought: list[Path | str],
) -> None:
    """It is brought in unless that is turned off, and takes nothing of the user's away."""
    records = f"--records={tmp_path / 'records'}"
    ended = small_suites({"selftest/test_it.py": TELLS}, "-s", records, *arguments, env=variables)
    assert ended.code == 0
    (line,) = [line for line in ended.out.splitlines() if line.startswith("TOLD")]
    assert line.split()[1:] == [str(tmp_path / plugin) for plugin in brought]
