"""Sheets of an Excel workbook as text: what a cell shows, not what a library makes of it."""

import io
import re
import warnings
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zipfile import BadZipFile

from .findings import Findings
from .headers import table_of
from .sources import Sheet

ERRORS = ("#REF!", "#N/A", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!")


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


def sheets(content: bytes, file: str, found: Findings) -> Iterator[tuple[str, Sheet]]:
    """Each table of the workbook; sheets that are none are a warning."""
    from openpyxl import load_workbook

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and extensions that do not concern the values
            values = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            formulas = load_workbook(io.BytesIO(content), read_only=True, data_only=False)
    except (BadZipFile, KeyError, ValueError, OSError, TypeError):
        found.add(
            file, 0, 0, "error", "workbook",
            "This is no readable Excel workbook (.xlsx); open it in Excel, take off any password and save it anew.",
        )  # fmt: skip
        return
    for sheet in values.worksheets:
        table = table_of(sheet.title)
        name = f"{file}[{sheet.title}]"
        if not table:
            found.add(
                name,
                0,
                0,
                "warning",
                "file-unknown",
                f"The sheet {sheet.title} is no table of a cycle and was not read.",
            )
        elif (read := _sheet(sheet, formulas[sheet.title], name, found)) is not None:
            yield table, read
    values.close()
    formulas.close()


def _sheet(sheet, formulas, file: str, found: Findings) -> Sheet | None:
    header: list[str] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    numeric: dict[int, int] = {}
    broken: dict[int, list[int]] = {}
    sheet.reset_dimensions()
    formulas.reset_dimensions()
    for cells, raw in zip(sheet.iter_rows(), formulas.iter_rows(), strict=True):
        if not any(c.value is not None for c in raw):
            continue
        line = next(c.row for c in raw if c.value is not None)
        for shown, typed in zip(cells, raw, strict=False):
            uncached = typed.data_type == "f" and shown.value is None
            if uncached or shown.data_type == "e" or shown.value in ERRORS:
                broken.setdefault(typed.column - 1, []).append(line)
            if uncached:
                found.add(
                    file, line, typed.column, "error", "formula-uncached",
                    f"The formula in {typed.coordinate} has no stored value, so what it gives is unknown; open the "
                    "workbook "
                    "in Excel and save it, or paste values.",
                )  # fmt: skip
            elif shown.data_type == "e" or shown.value in ERRORS:
                found.add(
                    file, line, shown.column, "error", "cell-error",
                    f"{shown.coordinate} shows the error {shown.value}; mend the formula, or leave the cell empty.",
                )  # fmt: skip
        texts = [text_of(c.value, getattr(c, "number_format", None) or "General") for c in cells]
        if not header:
            while texts and not texts[-1]:
                texts.pop()
            header = texts
            continue
        for at, cell in enumerate(cells):
            if cell.data_type == "n" and cell.value is not None and at not in numeric:
                plain = not re.fullmatch("0{2,}", getattr(cell, "number_format", None) or "")
                if plain and not hasattr(cell.value, "year"):
                    numeric[at] = line
        if any(texts[len(header) :]):
            found.add(
                file, line, len(header) + 1, "error", "ragged",
                "There is a value to the right of the last header; give its column a header or delete it.",
            )  # fmt: skip
        rows.append([*texts, *[""] * len(header)][: len(header)])
        lines.append(line)
    if not header:
        found.add(file, 1, 0, "error", "empty", "The sheet is empty; write the header row, or delete the sheet.")
        return None
    return Sheet(
        file, header, [list(c) for c in zip(*rows, strict=True)] or [[] for _ in header], lines, numeric, broken
    )
