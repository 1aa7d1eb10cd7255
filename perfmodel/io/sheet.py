"""What every source is read into: one table as text, and a stored value as the text a person would write."""

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ..errors import DataError, Finding


@dataclass
class Sheet:
    """One table as text. ``cells`` by column, in the order of ``header``; ``lines`` of each row from 1.

    ``numeric`` holds, for columns (from 0) with cells that the source stores as numbers, the first such line:
    an id there may have lost its leading zeros. ``broken`` holds, by column, the lines of cells that have
    been refused already.
    """

    file: str
    header: list[str]
    cells: list[list[str]]
    lines: list[int]
    numeric: dict[int, int] = field(default_factory=dict)
    broken: dict[int, list[int]] = field(default_factory=dict)


def text_of(value: Any, shown: str = "General") -> str:
    """A stored value as a person would write it; ``shown`` is the cell's number format.

    A cell formatted as a percentage holds 0.12 and shows 12%: the text is what is shown, so that the
    grammar treats it like a typed one. So too ids padded with zeros by the format 000.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ") if value.time().isoformat() != "00:00:00" else value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (int, float, Decimal)):
        if value != value:
            return ""
        whole = bool(abs(float(value)) < 1e15 and value == int(value))
        if re.fullmatch("0{2,}", shown) and whole:
            return str(int(value)).zfill(len(shown))
        if "%" in shown:
            return f"{(Decimal(repr(value) if not isinstance(value, Decimal) else value) * 100).normalize():f}%"
        return str(int(value)) if whole else repr(float(value))
    return str(value)


def refuse(file: str, code: str, message: str) -> DataError:
    finding = Finding(file, 0, 0, "error", code, message)
    return DataError(str(finding), [finding])
