"""Logs of whole starts by name: `starts/NAME.log`, NAME being vLLM's version, and -cpu for that.

Those named `recorded` are what a server wrote, with paths made neutral, and its routes and most
drawings of its progress bars left out: 0.24.0 on an H200, with weights of MiniCPM-V 2.6's sizes.
All others are rendered from the format strings of that version's released sources, in the order in
which its program comes to them, with figures that one GPU of 48 GB could show: they hold the
wording, not the figures, to the truth.
"""

from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).with_name("starts")

STARTS: Final = {
    path.stem: path.read_text("utf-8").split("\n")[:-1] for path in sorted(_FOLDER.glob("*.log"))
}
