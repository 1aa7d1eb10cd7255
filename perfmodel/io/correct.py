"""A quarter with single cells read anew: the figures that an appeal corrects, checked as every input is.

Nothing is written anywhere: the frozen tables stay what they are, and a corrected quarter lives beside them.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from ..cycle import Cycle
from ..errors import DataError
from ..tables import DAY, ID, INPUTS, TEXT, YES, Column
from . import headers
from .findings import Findings
from .grammar import READERS, Unreadable
from .rules import check_rules
from .typed import Rows

TABLES = ("results", "ratings", "milestones", "events", "assignments", "employees")
WITHDRAWN = "withdrawn"  # in place of a column: the event does not stand
WRITTEN = re.compile(r"(?P<table>\w+):(?P<key>.*?):?(?P<column>\w+)=(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True)
class Correction:
    """One cell of one row: ``key`` are the columns of the table's key, ``was`` and ``now`` texts ("" for empty)."""

    table: str
    key: tuple[tuple[str, str], ...]
    column: str
    was: str
    now: str

    @property
    def cell(self) -> tuple[Any, ...]:
        """Which figure it is, whatever it is corrected to."""
        return self.table, self.key, self.column

    @property
    def row(self) -> str:
        """The row in words, without the employee: ``sales_attainment``, or ``M1/team_culture/manager``."""
        return "/".join(value for name, value in self.key if name != "employee_id" and value)


def correction_of(cycle: Cycle, employee: str, written: str, before: Iterable[Correction] = ()) -> Correction:
    """``TABLE:KEY:COLUMN=VALUE`` as a correction of one of the employee's rows.

    A figure that was corrected ``before`` may be put back to what the cycle has.

    KEY is as much of the row's key as tells it from the employee's others, parted by ``/``: ``gross_margin``, or
    ``M1/team_culture``. An employee has one row in ``employees``, whose KEY may be empty.

    Raises
    ------
    DataError
        If it is not written like that, no row or several are meant, the column is none or part of the key, or the
        value cannot be read or is what stands there.
    """
    said = WRITTEN.fullmatch(written.strip())
    if not said or said["table"] not in TABLES:
        raise DataError(
            f"{written!r} is no correction. Write TABLE:KEY:COLUMN=VALUE, such as results:gross_margin:actual=31.5, "
            f"with one of the tables {', '.join(TABLES)}."
        )
    name, column, value = said["table"], said["column"], said["value"].strip()
    frame, key = cycle.table(name), INPUTS[name].key
    own = frame[frame["employee_id"].eq(employee)]
    parts = [part for part in said["key"].split("/") if part]
    keys = [tuple(str(row[k]) for k in key) for row in own.to_dict("records")]
    meant = [at for at, values in enumerate(keys) if _within(parts, values) or said["key"] in values]
    if len(meant) != 1:
        known = ", ".join(sorted("/".join(v for v in values if v and v != employee) for values in keys)[:12])
        if meant:
            raise DataError(
                f"{said['key']!r} means several rows of {employee} in {name}, and a correction is of one. Say more of "
                f"the key; the rows there are {known}."
            )
        raise DataError(f"{said['key']!r} is no row of {employee} in {name}; the rows there are {known or 'none'}.")
    row = own.iloc[meant[0]]
    row_key = tuple(zip(key, keys[meant[0]], strict=True))
    columns = {each.name: each for each in INPUTS[name].columns}
    if name == "events":
        columns[WITHDRAWN] = Column(WITHDRAWN, YES)
    if column not in columns or column in key:
        free = ", ".join(each for each in columns if each not in key)
        raise DataError(f"{column!r} is no column of {name} that can be corrected; write one of {free}.")
    was = "no" if column == WITHDRAWN else as_text(row[column])
    found = Correction(name, row_key, column, was, as_text(_read(columns[column], value)))
    if found.now == was and all(found.cell != each.cell for each in before):
        raise DataError(f"{column} of {'/'.join(keys[meant[0]])} in {name} is {was or 'empty'} already.")
    return found


def _within(parts: Sequence[str], values: Sequence[str]) -> bool:
    """Whether ``parts`` stand among ``values`` in this order."""
    rest = iter(values)
    return all(part in rest for part in parts)


def _read(column: Column, text: str) -> Any:
    """A cell by the grammar of its column; empty is missing."""
    if not text:
        if column.filled:
            raise DataError(f"{column.name} must not be empty; write a value.")
        return "" if column.kind in (ID, TEXT) else None
    try:
        value, notes = READERS[column.kind](text)
    except Unreadable as problem:
        raise DataError(f"{column.name}: {problem}") from None
    if "number-percent" in notes:
        raise DataError(f"{column.name}: {text!r} has a percent sign; write the number in the unit of the KPI.")
    if column.words and (value := headers.word_of(str(value))) not in column.words:
        raise DataError(f"{column.name}: {text!r} is not one of {', '.join(column.words)}.")
    return value


def as_text(value: Any) -> str:
    """A typed cell as it would be written: days as 2026-07-01, numbers in their shortest form, "" for missing."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.15g}"
    return str(value)[:10] if hasattr(value, "year") else str(value)


def standing_text(cycle: Cycle, each: Correction) -> str | None:
    """What the cycle has where ``each`` was read, as ``was`` writes it; None where the row is not there."""
    frame = cycle.table(each.table)
    row = frame[_at(frame, each)]
    if row.empty:
        return None
    return "no" if each.column == WITHDRAWN else as_text(row.iloc[0][each.column])


def _at(frame: pd.DataFrame, each: Correction) -> np.ndarray:
    """Where a table has the row of a correction."""
    return np.logical_and.reduce([frame[name].eq(value) for name, value in each.key])


def corrected(cycle: Cycle, corrections: Iterable[Correction]) -> Cycle:
    """``cycle`` with the corrections in place, after every check of an input.

    Raises
    ------
    DataError
        If the corrected quarter would be refused.
    """
    tables = {name: frame.copy() for name, frame in cycle.tables.items()}
    for each in corrections:
        frame = tables[each.table]
        here = _at(frame, each)
        if each.column == WITHDRAWN:
            tables[each.table] = frame[~here]
            continue
        column = INPUTS[each.table].column(each.column)
        value = _read(column, each.now)
        if column.kind == DAY:
            value = np.datetime64("NaT") if value is None else np.datetime64(value)
        elif column.kind not in (ID, TEXT, YES) and value is None:
            value = np.nan
        frame.loc[here, each.column] = value
    found = Findings()
    rows = {name: _rows(name, frame, cycle) for name, frame in tables.items()}
    check_rules(rows, cycle.scheme, found)
    if found.refused:
        errors = [finding for finding in found.sorted() if finding.level == "error"]
        raise DataError("The corrected figures would be refused as input, so nothing was replayed.", errors)
    frames = {name: each.frame.reset_index(drop=True) for name, each in rows.items()}
    return replace(cycle, tables=MappingProxyType(frames))


def _rows(name: str, frame: pd.DataFrame, cycle: Cycle) -> Rows:
    """A typed table of a cycle as it stood after reading, for the rules."""
    lines = cycle.lines[name].loc[frame.index].to_numpy(int) if name in cycle.lines else np.arange(2, len(frame) + 2)
    columns = {column: at for at, column in enumerate(frame.columns, 1)}
    return Rows(name, f"{name}.csv", frame.reset_index(drop=True), lines, columns, {})
