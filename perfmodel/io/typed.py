"""From cells of text to a typed table: every column by the grammar of its kind, every problem with its place.

Each distinct text is read once, so a table of 800 000 rows costs little more than its distinct values.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..tables import DAY, ID, NUMBER, SHARE, TEXT, YES, Column, Table
from . import headers
from .findings import Findings
from .grammar import NOTES, READERS, Unreadable
from .sheet import Sheet

_MISSING = {ID: "", TEXT: "", NUMBER: np.nan, SHARE: np.nan, DAY: np.datetime64("NaT"), YES: None}
_DTYPE = {ID: "str", TEXT: "str", NUMBER: "float64", SHARE: "float64", DAY: "datetime64[s]", YES: "boolean"}
_PERCENT = {("results", c) for c in ("target", "actual", "threshold", "stretch", "target_original")}


@dataclass
class Rows:
    """A typed table and where it stands: file, line of each row, number of each column that the file has.

    ``percent`` marks, by column, the cells that were written with a percent sign.
    """

    name: str
    file: str
    frame: pd.DataFrame
    lines: np.ndarray
    columns: dict[str, int]
    percent: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.frame)

    def has(self, column: str) -> np.ndarray:
        """Whether each row's text cell of ``column`` holds anything."""
        return (self.frame[column] != "").to_numpy(bool)

    def numbers(self, column: str) -> np.ndarray:
        return self.frame[column].to_numpy(float)

    def text(self, column: str) -> Any:
        """A column as an array of plain Python strings, for messages and comparisons."""
        return self.frame[column].to_numpy(object)


def empty_rows(table: Table) -> Rows:
    frame = pd.DataFrame({c.name: pd.Series([], dtype=_DTYPE[c.kind]) for c in table.columns})
    return Rows(table.name, f"{table.name}.csv", frame, np.zeros(0, int), {}, {})


def typed(table: Table, sheet: Sheet, found: Findings) -> Rows:
    """``sheet`` as the contract's ``table``: all its columns, the optional ones empty where the file lacks them."""
    places = _places(table, sheet, found)
    n = len(sheet.lines)
    rows = Rows(table.name, sheet.file, pd.DataFrame(), np.array(sheet.lines, int), {}, {})
    rows.columns = {name: at + 1 for name, at in places.items()}
    series = {}
    for column in table.columns:
        at = places.get(column.name)
        if at is None:
            series[column.name] = pd.Series([_MISSING[column.kind]] * n, dtype=_DTYPE[column.kind])
            continue
        if column.kind == ID and at in sheet.numeric:
            found.add(
                sheet.file, sheet.numeric[at], at + 1, "warning", "id-number",
                f"The ids in {column.name} are stored as numbers; leading zeros, if there were any, are lost. "
                "Format the column as text.",
            )  # fmt: skip
        series[column.name] = _column(
            column, sheet.cells[at], np.isin(rows.lines, sheet.broken.get(at, [])), rows, found
        )
    rows.frame = pd.DataFrame(series)
    if not n:
        found.add(sheet.file, 0, 0, "warning", "no-rows", f"{table.name} has a header and no rows.")
    return rows


def _places(table: Table, sheet: Sheet, found: Findings) -> dict[str, int]:
    """Contract column -> position in the file; unknown, repeated and missing headers are findings."""
    places: dict[str, int] = {}
    missing_near: dict[str, tuple[str, int]] = {}
    for at, header in enumerate(sheet.header):
        name = headers.column_of(table.name, header)
        if name and name in places:
            found.add(
                sheet.file, 1, at + 1, "error", "header-twice",
                f"{header!r} and {sheet.header[places[name]]!r} both mean {name}; keep one of the two columns.",
            )  # fmt: skip
        elif name:
            places[name] = at
        elif not header.strip():
            if any(sheet.cells[at]):
                found.add(
                    sheet.file, 1, at + 1, "error", "header-empty",
                    "This column has values and no header; name it, or delete it if it does not belong here.",
                )  # fmt: skip
        elif (near := headers.near(table.name, header)) and near not in missing_near:
            missing_near[near] = (header, at)
        elif why := headers.elsewhere(header):
            found.add(sheet.file, 1, at + 1, "warning", "header-unused", f"{header!r} is not used: {why}.")
        else:
            found.add(
                sheet.file, 1, at + 1, "warning", "header-unknown",
                f"{header!r} is no column of {table.name} and was kept out.",
            )  # fmt: skip
    for near, (header, at) in missing_near.items():
        required = near not in places and table.column(near).required
        found.add(
            sheet.file, 1, at + 1, "error" if required else "warning",
            "header-near" if required else "header-unknown",
            f"{header!r} is no column of {table.name}{'' if required else ' and was kept out'}"
            f"{f'; did you mean {near}?' if near not in places else '.'}",
        )  # fmt: skip
    absent = [c.name for c in table.columns if c.required and c.name not in places and c.name not in missing_near]
    for name in absent:
        found.add(
            sheet.file, 1, 0, "error", "column-missing",
            f"{table.name} lacks the column {name}, without which its rows cannot be read; add it.",
        )  # fmt: skip
    return places


def _column(column: Column, cells: list[str], broken: np.ndarray, rows: Rows, found: Findings) -> pd.Series:
    """One column read by its kind. Unreadable cells become missing here: the finding refuses the cycle."""
    codes, texts = pd.factorize(np.array(cells, dtype=object))
    read, missing = READERS[column.kind], _MISSING[column.kind]
    values: list = []
    problems: dict[str, dict[int, str]] = defaultdict(dict)
    notes: dict[str, list[int]] = defaultdict(list)
    for i, text in enumerate(texts):
        value: Any = missing
        if text and (column.kind == TEXT or text.strip()):
            try:
                value, remarks = read(text)
                if column.words:
                    value = _word(value, column)
                for remark in remarks:
                    notes[remark].append(i)
            except Unreadable as problem:
                problems[problem.code][i] = str(problem)
        values.append(value)
    for code, said in sorted(problems.items()):
        where = np.isin(codes, list(said)) & ~broken
        found.rows(where, rows, column.name, "error", code, lambda r, s=said: f"{column.name}: {s[codes[r]]}")
    if column.kind == NUMBER and "number-percent" in notes:
        rows.percent[column.name] = np.isin(codes, notes["number-percent"])
        if (rows.name, column.name) not in _PERCENT | {("milestones", "weight")}:
            del notes["number-percent"]
            found.rows(
                rows.percent[column.name], rows, column.name, "error", "number-percent-unit",
                lambda r: f"{column.name}: {cells[r]!r} has a percent sign where no percentage belongs; write a "
                "plain number.",
            )  # fmt: skip
    for note, which in sorted(notes.items()):
        hit = np.flatnonzero(np.isin(codes, which))
        found.add(
            rows.file, rows.lines[hit].min(), rows.columns[column.name], "warning", note,
            f"{column.name}: {len(hit)} cells with {NOTES[note]}.",
        )  # fmt: skip
    filled = np.array([v != "" if column.kind in (ID, TEXT) else v is not None and v == v for v in values], bool)
    bad = {i for said in problems.values() for i in said}
    if column.filled and not filled.all():
        blank = [i for i in np.flatnonzero(~filled) if i not in bad]
        found.rows(
            np.isin(codes, blank) & ~broken, rows, column.name, "error", "cell-empty",
            lambda r: f"{column.name} is empty here and must be filled in every row.",
        )  # fmt: skip
    return _series(column.kind, values, codes)


def _word(value: str, column: Column) -> str:
    word = headers.word_of(value)
    if word not in column.words:
        raise Unreadable("word-bad", f"{value!r} is not one of {', '.join(column.words)}; write one of these.")
    return word


def _series(kind: str, values: list, codes: np.ndarray) -> pd.Series:
    if kind in (NUMBER, SHARE):
        return pd.Series(np.array(values, float)[codes] if values else np.zeros(0))
    if kind == DAY:
        return pd.Series(np.array(values, "datetime64[s]")[codes] if values else np.zeros(0, "datetime64[s]"))
    unique = np.empty(len(values), object)
    unique[:] = values
    return pd.Series(unique[codes], dtype=_DTYPE[kind])
