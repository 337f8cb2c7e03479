"""The gate judged by itself: faults of known size in the candidate alone, and none at all."""

from collections.abc import Callable, Iterator

import pytest
from rich.console import Console
from rich.table import Table

from fixtures.plugin.upgrading import ComparedWith
from fixtures.records.upgrade_schema import UpgradeRecord
from fixtures.upgrades.gate import run_gate
from suites.canary.bench import PLANTS, plugin_env
from suites.canary.planted import FAULTS, Fault, accused_falsely, missed, rates

pytestmark = pytest.mark.canary
Tell = Callable[[Fault, UpgradeRecord], None]


@pytest.fixture(scope="module")
def tell(pytestconfig: pytest.Config) -> Iterator[Tell]:
    """Takes what became of each fault, and prints the table of all in the end."""
    table = Table(box=None, pad_edge=False, title="the gate's own canary", title_justify="left")
    for title in ("planted", "answer", "named", "pairs", "minutes"):
        table.add_column(title)

    ran: list[tuple[Fault, UpgradeRecord]] = []

    def add(fault: Fault, record: UpgradeRecord) -> None:
        ran.append((fault, record))
        named = record.reasons or ["nothing"]
        says = str(record.answer)
        minutes = f"{record.took_s / 60:.1f}"
        table.add_row(fault.order or "nothing", says, "\n".join(named), str(record.pairs), minutes)

    yield add
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        Console(width=160).print("\n", table, *(f"\n{line}" for line in rates(ran)))


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_the_gate_names_what_is_planted(
    fault: Fault, compared_with: ComparedWith, tell: Tell
) -> None:
    """Each fault is named for what it is, and nothing else is; where there is none, none is."""
    record = run_gate(compared_with((PLANTS,), plugin_env(fault.order)))
    tell(fault, record)
    assert not missed(fault, record), record.reasons
    assert not accused_falsely(fault, record)
