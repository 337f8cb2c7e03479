"""The instrument's table: each witness, how many spikes of each length it caught, and its cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from fixtures.cells.cards import MIB
from suites.selftest.instrument.spikes import Score


def score_table(
    title: str, scores: Mapping[str, Sequence[Score]], cpu_shares: Mapping[str, float]
) -> Table:
    """One row a witness: caught of planted for each length, worst error, share of a core."""
    lengths = sorted({score.wanted_ms for these in scores.values() for score in these})
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(title, no_wrap=True)
    for length in lengths:
        table.add_column(f"{length} ms", justify="right", no_wrap=True)
    for head in ("worst error", "of a core"):
        table.add_column(head, justify="right", no_wrap=True)
    for witness, these in scores.items():
        by_length = {score.wanted_ms: score for score in these}
        errors = [s.worst_error_bytes for s in these if s.worst_error_bytes is not None]
        share = cpu_shares.get(witness)
        table.add_row(
            witness,
            *(f"{by_length[ms].caught}/{by_length[ms].planted}" for ms in lengths),
            f"{max(errors) / MIB:.2f} MiB" if errors else "-",
            f"{share:.1%}" if share is not None else "-",
        )
    return table
