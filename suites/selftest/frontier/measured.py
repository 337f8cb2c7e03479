"""Records of real starts of 0.29.0 on two cores: `measured/CASE.json`, one run of the cpu card.

What neither an observation nor an estimate asks of a record is left out.
"""

from pathlib import Path
from typing import Final

from fixtures.cells.models import CHECKPOINTS
from fixtures.frontier.shape import Shape
from fixtures.frontier.stored import read_shape
from fixtures.records.schema import CaseRecord

_FOLDER: Final = Path(__file__).with_name("measured")

RECORDS: Final = {
    path.stem.removeprefix("cpu-"): CaseRecord.model_validate_json(path.read_text("utf-8"))
    for path in sorted(_FOLDER.glob("*.json"))
}
SHAPES: Final[dict[str, Shape]] = {
    name: read_shape(str(CHECKPOINTS / f"minicpmv-2.6-{name}")) for name in ("tiny", "wide")
}
