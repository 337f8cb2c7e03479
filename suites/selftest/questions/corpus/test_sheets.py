"""The contact sheets show the items of today."""

import numpy as np
import pytest
from PIL import Image

from fixtures.questions.corpus.sheets import FOLDER, SHOWN, sheet

pytestmark = pytest.mark.selftest


def test_every_skill_has_its_sheet_and_no_other_is_there() -> None:
    """Each file in images/sheets is a skill's; a sheet is no larger than 60 kB."""
    kept = {path.stem: path.stat().st_size for path in FOLDER.glob("*.png")}

    assert set(kept) == set(SHOWN)
    assert max(kept.values()) <= 60_000


@pytest.mark.parametrize("skill", SHOWN)
def test_sheet_is_what_would_be_drawn_today(skill: str) -> None:
    """The same pixels, or the items are others than people looked at: draw the sheets anew."""
    with Image.open(FOLDER / f"{skill}.png") as kept:
        assert np.array_equal(
            np.asarray(kept.convert("RGB")), np.asarray(sheet(skill).convert("RGB"))
        )
