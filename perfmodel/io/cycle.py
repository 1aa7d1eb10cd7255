"""Reading a quarter: open, type, check; either a Cycle whose tables can be trusted, or every reason why not."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from ..cycle import Cycle
from ..errors import DataError, Finding, PerfmodelError, SchemeError
from ..scheme import Scheme, read_scheme
from ..tables import INPUTS
from ..urls import is_url, shown
from .earlier import Sibling, dates_of, difference, quarters_in, siblings
from .findings import Findings, format_findings
from .rules import check_rules
from .sources import Source, open_source
from .store import fetched
from .typed import Rows, empty_rows, typed
from .wide import managers_of, split

QUARTER = re.compile(r"\d{4}Q[1-4]")


def read_cycle(source, *, cycle: str | None = None, scheme=None) -> Cycle:
    """Reads and checks one quarter.

    Parameters
    ----------
    source : path or str
        A folder with ``scheme.yaml`` and tables as CSV, Parquet or ``cycle.xlsx``; a workbook with
        ``scheme.yaml`` beside it; either of them in object storage (``s3://``, ``gs://``, ``abfs://``); or a SQLAlchemy
        address, with ``cycle`` (an id such as 2026Q3) and ``scheme``.
    cycle : str, optional
        Which quarter of a database.
    scheme : path, optional
        A scheme file other than the one beside the tables.

    Raises
    ------
    SchemeError, DataError
        With all findings, when any of them is an error.
    """
    read, findings = check(source, cycle=cycle, scheme=scheme)
    if read is None:
        errors = [f for f in findings if f.level == "error"]
        kind = SchemeError if all(f.code.startswith("scheme-") for f in errors) else DataError
        raise kind(format_findings(errors, limit=50), findings)
    return read


def check(source, *, cycle: str | None = None, scheme=None) -> tuple[Cycle | None, tuple[Finding, ...]]:
    """The quarter, or None where it is refused, and everything found on the way. Never raises for bad input."""
    if is_url(source):
        return _check_copy(source, cycle, scheme)
    found = Findings()
    read = None
    try:
        opened = open_source(source, found, cycle=cycle, scheme=scheme)
        read = _read(opened, found, cycle)
    except PerfmodelError as refusal:
        found.take(refusal.findings or [Finding(str(source), 0, 0, "error", "source", str(refusal))])
    except OSError as problem:
        name = getattr(problem, "filename", None) or source
        found.add(str(name), 0, 0, "error", "source", f"{name} cannot be read: {problem.strerror or problem}.")
    findings = found.sorted()
    if read is None or found.refused:
        return None, findings
    return Cycle(
        read.scheme, read.tables, findings, MappingProxyType(dict(sorted(read.digests.items()))), read.lines
    ), findings


def _check_copy(url: str, cycle: str | None, scheme) -> tuple[Cycle | None, tuple[Finding, ...]]:
    """:func:`check` of a quarter in object storage; findings name its address."""
    try:
        with fetched(url) as copy:
            read, found = check(copy.path, cycle=cycle, scheme=scheme)
            findings = copy.findings(found)
    except PerfmodelError as refusal:
        return None, (Finding(shown(url), 0, 0, "error", "source", str(refusal)),)
    return read and replace(read, findings=findings), findings


def _read(opened: Source, found: Findings, cycle: str | None) -> Cycle | None:
    scheme = _scheme(opened, found, cycle)
    people = {name: _table(name, opened, found) for name in ("employees", "assignments")}
    ratings = split(opened.sheets, scheme, managers_of(**people), found) if scheme else None
    made = people | ({"ratings": ratings} if ratings else {})
    tables = {name: made[name] if name in made else _table(name, opened, found) for name in INPUTS}
    if not ({"results", "ratings"} & opened.sheets.keys() or ratings):
        found.add(
            "results.csv", 0, 0, "error", "table-missing",
            "There are neither results nor ratings, so there is nothing to score; add results.csv or ratings.csv.",
        )  # fmt: skip
    if scheme is None:
        return None
    check_rules(tables, scheme, found)
    difference(tables["results"], scheme, opened.folder, opened.digests, found)
    if found.refused:
        return None
    frames, lines = {}, {}
    for name, rows in tables.items():
        frames[name], lines[name] = _sorted(rows)
    return Cycle(scheme, MappingProxyType(frames), (), MappingProxyType(opened.digests), MappingProxyType(lines))


def _scheme(opened: Source, found: Findings, cycle: str | None) -> Scheme | None:
    if opened.scheme_text is None:
        return None
    try:
        scheme, notes = read_scheme(opened.scheme_text, opened.scheme_file)
    except SchemeError as refusal:
        found.take(refusal.findings)
        return None
    found.take(notes)
    if cycle is not None and cycle != scheme.cycle:
        found.add(
            opened.scheme_file, 0, 0, "error", "scheme-cycle",
            f"The scheme is of {scheme.cycle} and {cycle} was asked for; give the scheme of that quarter.",
        )  # fmt: skip
    folder = opened.folder.resolve().name if opened.folder else ""
    if folder != scheme.cycle and QUARTER.fullmatch(folder) and QUARTER.fullmatch(scheme.cycle):
        found.add(
            opened.scheme_file, 0, 0, "error", "scheme-folder",
            f"The folder is called {folder} and its scheme is of {scheme.cycle}, as when last quarter's scheme was "
            "copied: tenure, days and milestones would be counted in the wrong quarter. Set id, start and end of the "
            "cycle, or rename the folder.",
        )  # fmt: skip
    return scheme


def _table(name: str, opened: Source, found: Findings) -> Rows:
    table = INPUTS[name]
    if name in opened.sheets:
        return typed(table, opened.sheets[name], found)
    if table.required and not found.errors_in(f"{name}.csv"):  # one that is there and unreadable is not missing
        found.add(
            f"{name}.csv", 0, 0, "error", "table-missing",
            f"There is no table {name}, so nobody is known to be rated; add {name}.csv.",
        )  # fmt: skip
    return empty_rows(table)


def _sorted(rows: Rows) -> tuple[pd.DataFrame, pd.Series]:
    """The table by its key, so that the order of rows in a file decides nothing, and the line of each row."""
    key = rows.frame[list(INPUTS[rows.name].key)].astype(object)
    order = key.sort_values(list(key.columns), kind="stable").index.to_numpy()
    return rows.frame.iloc[order].reset_index(drop=True), pd.Series(rows.lines[order], name="line")


class History(Sequence[Cycle]):
    """Earlier quarters, oldest first, read when first asked for: most questions never ask."""

    def __init__(self, places: Iterable[Sibling] = (), most: int = 0):
        self._places, self._most = tuple(places), most

    @cached_property
    def _read(self) -> tuple[list[Cycle], tuple[Finding, ...]]:
        cycles: list[Cycle] = []
        found = Findings()
        for quarter in reversed(self._places):
            if len(cycles) == self._most:
                break
            cycle, findings = check(quarter.folder)
            if cycle is not None:
                cycles.append(cycle)
                continue
            errors = sum(f.level == "error" for f in findings)
            found.add(
                f"../{quarter.folder.name}", 0, 0, "warning", "history",
                f"{quarter.id} cannot be read ({errors} errors) and is left out of the history; run check on it.",
            )  # fmt: skip
        return cycles[::-1], found.sorted()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Names the quarters that stand beside and cannot be read."""
        return self._read[1]

    def __len__(self) -> int:
        return len(self._read[0])

    def __getitem__(self, index):
        return self._read[0][index]


def read_history(source, n: int = 2) -> History:
    """Up to ``n`` earlier quarters from folders beside ``source``, newest last; of a database there are none.

    They only inform, so one that is refused is left out with a warning in ``findings``; its own ``check`` says why.
    """
    if is_url(source):
        with fetched(source) as copy:
            history = read_history(copy.path, n)
            len(history)  # read while the copy is there
        return history
    return History(_earlier(source), n)


def read_beside(source, *, year: int | None = None) -> list[Cycle]:
    """Every earlier quarter in the folders beside ``source``, oldest first; those that began in ``year`` if given.

    Raises
    ------
    DataError
        If one of them cannot be read: what is counted over quarters must not lose one.
    """
    if is_url(source):
        with fetched(source) as copy:
            return read_beside(copy.path, year=year)
    return [_counted(one) for one in _earlier(source) if year in (None, one.start.year)]


def read_year(folder, year: int) -> list[Cycle]:
    """The quarters below ``folder`` that began in ``year``, oldest first.

    Raises
    ------
    DataError
        If there is none, or one of them cannot be read.
    """
    place = Path(folder)
    there = quarters_in(place) if place.is_dir() else []
    found = [_counted(one) for one in there if one.start.year == year]
    if not found:
        holds = f"it holds {there[0].id} to {there[-1].id}" if there else "it holds no quarter at all"
        raise DataError(
            f"There is no quarter of {year} in {folder} ({holds}), so there is no year to make of it. Name the folder "
            "in which the year's quarters lie with --data."
        )
    return found


def _earlier(source) -> list[Sibling]:
    """Folders of the earlier quarters beside ``source``; of a database there are none."""
    path = Path(source)
    folder = path.parent if path.is_file() else path
    if "://" in str(source) or not folder.is_dir():
        return []
    dated = dates_of(folder / "scheme.yaml")
    return siblings(folder, dated[0]) if dated else []


def _counted(quarter: Sibling) -> Cycle:
    cycle, findings = check(quarter.folder)
    if cycle is None:
        errors = sum(f.level == "error" for f in findings)
        raise DataError(
            f"{quarter.id} cannot be read ({errors} errors), and nothing is counted over quarters that lacks one in "
            f"silence. Run check on {quarter.folder}."
        )
    return cycle
