"""What perfmodel wrote or a committee filled in, read back: tables of a run, rows of decisions and of votes."""

import csv
from collections.abc import Callable, Collection
from pathlib import Path

import pandas as pd

from ..errors import DataError
from .findings import Findings, format_findings
from .sheet import Sheet
from .sources import read_csv
from .workbook import TITLES, some_sheets
from .write import FORMULA

RUN = "perfmodel run"  # the workbook's own property that names the run it was written by


def read_table(path: str | Path, texts: Collection[str]) -> pd.DataFrame:
    """A table that ``csv_bytes`` wrote. Columns of ``texts`` and grades stay text, empty where missing; others are
    numbers where every cell that is not empty is one."""
    with open(path, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    columns = {}
    for at, name in enumerate(header):
        cells = [row[at] for row in rows]
        numbers = None if name in texts or name.startswith("grade_") else _numbers(cells)
        columns[name] = pd.Series([_bare(cell) for cell in cells], dtype=object) if numbers is None else numbers
    return pd.DataFrame(columns, columns=header)


def _numbers(cells: list[str]) -> pd.Series | None:
    try:
        return pd.Series([float(cell) if cell else float("nan") for cell in cells], dtype=float)
    except ValueError:
        return None


def _bare(text: str) -> str:
    """The apostrophe that kept a text from being run as a formula is no part of it."""
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA and len(text) > 1 else text


def read_filled(path: str | Path, wanted: Callable[[list[str]], bool]) -> tuple[tuple[Sheet, ...], str]:
    """Sheets of a workbook, or the one of a CSV file, that have a ``wanted`` header; and the run that wrote it, or "".

    A title above the header is no part of the table.

    Raises
    ------
    DataError
        If the file cannot be read, a cell holds an error or a formula without a value, or no sheet is wanted.
    """
    path, found, run = Path(path), Findings(), ""
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise DataError(f"{path} cannot be read: {problem.strerror}. Name the filled-in file.") from None
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        sheets, run = some_sheets(content, path.name, found, wanted, RUN)
    else:
        read = read_csv(content, path.name, found)
        sheets = [table] if read is not None and (table := _under(read, wanted)) else []
    errors = [finding for finding in found.sorted() if finding.level == "error"]
    if errors:
        raise DataError(f"{path.name} cannot be relied on, so nothing was recorded.\n{format_findings(errors)}")
    if not sheets:
        raise DataError(
            f"{path.name} has no table with the columns that are needed here. For decisions: employee_id, decision, "
            "reason_code, reason; for votes: employee_id, voter, vote."
        )
    return tuple(sheets), run


def _under(sheet: Sheet, wanted: Callable[[list[str]], bool]) -> Sheet | None:
    """The table under the first row that is a ``wanted`` header, as ``some_sheets`` finds it; None without one."""
    if wanted(sheet.header):
        return sheet
    rows = [list(row) for row in zip(*(column[:TITLES] for column in sheet.cells), strict=True)]
    at = next((at for at, row in enumerate(rows) if wanted(row)), None)
    if at is None:
        return None
    return Sheet(sheet.file, rows[at], [column[at + 1 :] for column in sheet.cells], sheet.lines[at + 1 :])
