"""What the tests of faults stand on."""

from collections.abc import Iterator

import pytest

from fixtures.runtimes.runtime import Runtime
from suites.selftest.faults.runs import Run, StartRun


@pytest.fixture(scope="module")
def start_run(
    pytestconfig: pytest.Config, runtime: Runtime, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartRun]:
    """Start a run of the suite on a matrix of one tiny cell, with further arguments."""
    # There before a run is timed.
    del runtime
    runs: list[Run] = []

    def start(*arguments: str) -> Run:
        runs.append(Run(pytestconfig.rootpath, tmp_path_factory.mktemp("run"), arguments))
        return runs[-1]

    yield start
    for run in runs:
        run.clean_up()
