"""What MINICPMV_CANARY orders: `peak:256MiB`, `decode:5%,accuracy:3%:count`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Final, NamedTuple

_UNITS: Final[Mapping[str, int]] = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_DECIMAL: Final = r"[0-9]{1,9}(?:\.[0-9]{1,6})?"
_BYTES: Final = re.compile(rf"({_DECIMAL})({'|'.join(_UNITS)})")
_SHARE: Final = re.compile(rf"({_DECIMAL})%")
_WHOLE: Final = re.compile(r"[0-9]{1,9}")

SKILLS: Final = ("colour", "shape", "count", "position")
SIZES: Final[Mapping[str, tuple[str, ...]]] = {
    "peak": ("bytes", "share"),
    "spike": ("bytes",),
    "decode": ("share",),
    "ttft": ("share",),
    "accuracy": ("share",),
    "errors": ("share",),
    "kv": ("share",),
    "leftover": ("bytes",),
    "slow-start": ("share",),
    "log-line": (),
    "crash": (),
    "hang": ("number",),
}
"""The faults, and in what each is measured: one of these; a fault without has no size."""
_LIKE: Final[Mapping[str, str]] = {"bytes": "256MiB", "share": "5%", "number": "100"}
_AT_MOST_ALL: Final = ("accuracy", "errors", "kv")


class Planted(NamedTuple):
    """A fault and its size: what its kind has no use for is 0, or empty."""

    fault: str
    bytes: int = 0
    share: Fraction = Fraction(0)
    """Exact, so that 1 % of requests is one in each hundred."""
    number: int = 0
    skill: str = ""


def parse(order: str) -> tuple[Planted, ...]:
    """The faults of an order, in its order.

    Raises:
        ValueError: it is empty, names a fault or skill that is not known, or one twice, or a size
            is missing, superfluous, zero or not of the fault's kind.
    """
    planted = tuple(_planted(part.strip()) for part in order.split(","))
    names = [one.fault for one in planted]
    if twice := next((name for name in names if names.count(name) > 1), None):
        msg = f"{order!r}: {twice} is planted twice"
        raise ValueError(msg)
    return planted


def _planted(text: str) -> Planted:
    fault, *rest = text.split(":")
    if fault not in SIZES:
        msg = f"{text!r}: no such fault; there are {', '.join(SIZES)}"
        raise ValueError(msg)
    skill = _skill(text, rest.pop() if len(rest) > 1 else "") if fault == "accuracy" else ""
    kinds = SIZES[fault]
    form = ":".join(part for part in (fault, " or ".join(_LIKE[kind] for kind in kinds)) if part)
    if len(rest) != bool(kinds):
        msg = f"{text!r}: is written {form}{':' + SKILLS[0] if fault == 'accuracy' else ''}"
        raise ValueError(msg)
    if not kinds:
        return Planted(fault)
    size = _size(rest[0])
    given = next((kind for kind in size._fields if getattr(size, kind)), None)
    if given not in kinds:
        msg = f"{text!r}: {rest[0]!r} is no size of {fault}, which is written {form}"
        raise ValueError(msg)
    if fault in _AT_MOST_ALL and size.share > 1:
        msg = f"{text!r}: more than all"
        raise ValueError(msg)
    return Planted(fault, size.bytes, size.share, size.number, skill)


def _skill(text: str, skill: str) -> str:
    if skill not in SKILLS:
        msg = f"{text!r}: of which skill? Written accuracy:3%:SKILL, of {', '.join(SKILLS)}"
        raise ValueError(msg)
    return skill


class _Size(NamedTuple):
    bytes: int = 0
    share: Fraction = Fraction(0)
    number: int = 0


def _size(text: str) -> _Size:
    if match := _BYTES.fullmatch(text):
        return _Size(bytes=int(Fraction(match[1]) * _UNITS[match[2]]))
    if match := _SHARE.fullmatch(text):
        return _Size(share=Fraction(match[1]) / 100)
    return _Size(number=int(text)) if _WHOLE.fullmatch(text) else _Size()
