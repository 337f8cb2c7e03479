"""Three cases in the words of eight versions, written out in `golden/`, to be read by people.

`python -m suites.selftest.runtimes.golden` in the checkout writes them anew.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path

from packaging.version import Version

from fixtures.cells.cards import GIB, Gpu
from fixtures.cells.case import Case
from fixtures.cells.cell import Cell
from fixtures.runtimes.dialect import Setting, Unsupported, Words, words_of

FOLDER = Path(__file__).parent / "golden"
VERSIONS = ("0.5.4", "0.6.3", "0.8.5", "0.10.2", "0.16.0", "0.24.0", "0.29.0", "0.33.0")

A6000 = Gpu(1, "GPU-0f7c1f5e-2f0b-4d7e-9a55-6f1f7f3c2b10", "NVIDIA RTX A6000", 48 * GIB)
CASES = (
    Case(
        card_name="cpu",
        model_name="tiny",
        cell=Cell(max_num_seqs=4, max_model_len=2048, allocator="arena1"),
        budget_bytes=4 * GIB,
    ),
    Case(
        card_name="gpu48",
        model_name="minicpmv-2.6",
        cell=Cell(max_num_seqs=256, max_model_len=8192, allocator="expandable"),
        budget_bytes=44 * GIB,
    ),
    Case(
        card_name="gpu48",
        model_name="minicpmv-2.6",
        cell=Cell(
            max_num_seqs=32, max_model_len=4096, allocator="default", gpu_memory_utilization=1.0
        ),
        budget_bytes=47 * GIB,
    ),
)


def setting_of(case: Case) -> Setting:
    """A made-up place for a case's model, and a made-up GPU where it needs one."""
    device = A6000 if case.card.kind == "gpu" else None
    return Setting(f"/models/{case.model_name}", "minicpm-v", "127.0.0.1", 8000, device)


def text_of(version: str) -> str:
    """What a version is told for each case: variables, then flags, one a line."""
    parts = [f"# vLLM {version}\n"]
    for case in CASES:
        words = words_of(case, Version(version), setting_of(case))
        parts.append("\n".join([case.id, *(f"  {line}" for line in _lines(words))]) + "\n")
    return "\n".join(parts)


def _lines(words: Words | Unsupported) -> Iterator[str]:
    match words:
        case Unsupported(_, why):
            yield f"unsupported: {why}"
        case Words(argv, env):
            yield from (f"{name}={value}" for name, value in sorted(env.items()))
            begins = [i for i, word in enumerate(argv) if word.startswith("--")]
            for begin, end in zip(begins, [*begins[1:], len(argv)], strict=True):
                yield shlex.join(argv[begin:end])


if __name__ == "__main__":
    for each in VERSIONS:
        (FOLDER / f"{each}.txt").write_text(text_of(each), encoding="utf-8")
