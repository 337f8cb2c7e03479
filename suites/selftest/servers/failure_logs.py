"""Logs of failures by name: what stands in `failures/recorded.txt` and `failures/rendered.txt`.

A file begins with where its logs come from; each log has a headline "##### NAME".
"""

from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).with_name("failures")


def logs_of(file_name: str) -> dict[str, list[str]]:
    """The logs of one file, as lines, by name."""
    _, *sections = (_FOLDER / file_name).read_text("utf-8").split("##### ")
    named = (section.partition("\n") for section in sections)
    return {name: text.strip("\n").splitlines() for name, _, text in named}


RECORDED: Final = logs_of("recorded.txt")
RENDERED: Final = logs_of("rendered.txt")
FAILURES: Final = RECORDED | RENDERED
