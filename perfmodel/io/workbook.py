"""Sheets of an Excel workbook as text: what a cell shows, not what a library makes of it."""

import io
import re
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from zipfile import BadZipFile

from .findings import Findings
from .headers import table_of
from .sheet import Sheet, text_of

TITLES = 10  # rows above a header in which its table may be called something
ERRORS = ("#REF!", "#N/A", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!")


def _open(content: bytes, file: str, found: Findings):
    """The workbook twice, values and formulas; None with a finding where it is none."""
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
        return None
    return values, formulas


def some_sheets(
    content: bytes, file: str, found: Findings, wanted: Callable[[list[str]], bool], about: str
) -> tuple[list[Sheet], str]:
    """Sheets with a header that is ``wanted``, and the text of the workbook's own property ``about``, or "".

    The header is the first such row of the sheet; what was written above it, such as a title, is no part of the table.
    """
    opened = _open(content, file, found)
    if opened is None:
        return [], ""
    values, formulas = opened
    chosen = []
    for sheet in values.worksheets:
        filled = (row for row in sheet.iter_rows(values_only=True) if any(row))
        if any(wanted([text_of(value) for value in row]) for row in islice(filled, TITLES)):
            read = _sheet(sheet, formulas[sheet.title], f"{file}[{sheet.title}]", found, wanted)
            chosen += [read] if read is not None else []
    said = next((str(own.value) for own in values.custom_doc_props.props if own.name == about), "")
    values.close()
    formulas.close()
    return chosen, said


def sheets(content: bytes, file: str, found: Findings) -> Iterator[tuple[str, Sheet]]:
    """Each table of the workbook; sheets that are none are a warning."""
    opened = _open(content, file, found)
    if opened is None:
        return
    values, formulas = opened
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


def _sheet(sheet, formulas, file: str, found: Findings, wanted: Callable[[list[str]], bool] = bool) -> Sheet | None:
    """Cells of a sheet under its header: the first row, or the first that is ``wanted``."""
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
            header = texts if wanted(texts) else []
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
