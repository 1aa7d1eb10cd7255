"""From files and databases to cells of text, each with its line and column. Nothing is interpreted here."""

import csv
import gc
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ..errors import DataError, Finding
from ..tables import INPUTS
from .findings import Findings
from .headers import table_of
from .sheet import Sheet, refuse
from .write import digest

csv.field_size_limit(2**27)
BLOCK = 4096  # rows held as rows before they are turned into columns


@dataclass
class Source:
    """What was opened: the scheme's text, the tables found, and the digest of every byte that was read."""

    sheets: dict[str, Sheet] = field(default_factory=dict)
    scheme_text: str | None = None
    scheme_file: str = "scheme.yaml"
    digests: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None


def open_source(
    source, found: Findings, *, cycle: str | None = None, scheme=None, only: tuple[str, ...] = tuple(INPUTS)
) -> Source:
    """Opens a folder, a workbook or a database; of a folder's files, those that may hold the tables ``only``.

    Raises
    ------
    DataError
        If there is nothing to read at all.
    """
    text = str(source)
    if "://" in text:
        return _open_database(text, found, cycle, scheme)
    path = Path(source)
    if path.is_file() and path.suffix.lower() in (".xlsx", ".xlsm"):
        opened = Source(folder=path.parent)
        _workbook(path, opened, found)
    elif path.is_dir():
        opened = Source(folder=path)
        _folder(path, opened, found, only)
    else:
        raise refuse(
            text,
            "source",
            f"{text} {'is a single file' if path.is_file() else 'does not exist'}; "
            "give the folder of a quarter, a cycle.xlsx or a database address.",
        )
    beside = (path.parent if path.is_file() else path) / "scheme.yaml"
    _scheme(opened, Path(scheme) if scheme else beside, found)
    return opened


def _scheme(opened: Source, path: Path, found: Findings) -> None:
    opened.scheme_file = path.name
    if not path.is_file():
        found.add(
            path.name, 0, 0, "error", "scheme-absent",
            "There is no scheme.yaml, so nothing says what the figures mean; copy the one of the last quarter.",
        )  # fmt: skip
        return
    content = path.read_bytes()
    opened.digests[path.name] = digest(content)
    opened.scheme_text = _decoded(content, path.name, found)


def _folder(path: Path, opened: Source, found: Findings, only: tuple[str, ...]) -> None:
    for entry in sorted(path.iterdir()):
        name, kind = entry.name, entry.suffix.lower()
        if name.startswith((".", "~$")) or name.lower().startswith("readme") or name in ("scheme.yaml", "truth"):
            continue
        if entry.is_dir() or kind not in (".csv", ".parquet", ".xlsx", ".xlsm"):
            found.add(name, 0, 0, "warning", "file-unknown", f"{name} is no table of a cycle and was not read.")
        elif kind in (".xlsx", ".xlsm"):
            if entry.stem.lower() == "cycle":
                _workbook(entry, opened, found)
            else:
                found.add(
                    name, 0, 0, "warning", "file-unknown",
                    f"{name} was not read: a workbook of a cycle is called cycle.xlsx.",
                )  # fmt: skip
        elif not (table := table_of(entry.stem)):
            found.add(
                name,
                0,
                0,
                "warning",
                "file-unknown",
                f"{name} was not read: no table of a cycle is called {entry.stem}.",
            )
        elif table not in only:
            continue
        elif kind == ".csv":
            content = entry.read_bytes()
            opened.digests[name] = digest(content)
            _put(opened, table, read_csv(content, name, found), found)
        else:
            content = entry.read_bytes()
            opened.digests[name] = digest(content)
            _put(opened, table, _parquet(content, name, found), found)


def _put(opened: Source, table: str, sheet: Sheet | None, found: Findings) -> None:
    if sheet is None:
        return
    if table in opened.sheets:
        found.add(
            sheet.file, 0, 0, "error", "source-twice",
            f"The table {table} is also in {opened.sheets[table].file}; keep one of the two, so that it is clear "
            "which counts.",
        )  # fmt: skip
        return
    opened.sheets[table] = sheet


# --- CSV ---------------------------------------------------------------------------------------------------


def _decoded(content: bytes, file: str, found: Findings) -> str | None:
    """UTF-8, with or without a byte-order mark; of anything else, what it looks like."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or content[:400].count(0) > len(content[:400]) // 4:
        found.add(file, 0, 0, "error", "encoding", _save_as("UTF-16"))
        return None
    if (at := content.find(0)) >= 0:
        line = content.count(b"\n", 0, at) + 1
        found.add(
            file, line, 0, "error", "nul",
            "There is a NUL byte here: the file is damaged or no text file; export it again.",
        )  # fmt: skip
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        line = content.count(b"\n", 0, broken.start) + 1
        try:
            content.decode("gb18030")
            looks = "GB18030 or GBK (Chinese Windows)"
        except UnicodeDecodeError:
            looks = "neither UTF-8 nor GB18030"
        found.add(file, line, 0, "error", "encoding", _save_as(looks))
        return None


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the search for cycles of objects: cells make none, and millions of them would be looked at each time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _turn(rows: list[list[str]], cells: list[list[str]]) -> None:
    """Moves the cells of ``rows`` to their columns: a million small lists alive would cost more than reading them."""
    for column, new in zip(cells, zip(*rows, strict=True), strict=False):
        column.extend(new)
    rows.clear()


def _save_as(looks: str) -> str:
    return (
        f"The text looks like {looks}, not UTF-8, and would be read as the wrong characters; "
        'save it as UTF-8 (in Excel: Save As, "CSV UTF-8 (comma delimited)").'
    )


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line on which each begins; a quoted cell may run over several lines."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error as broken:
        raise DataError(str(broken), [Finding("", line, 0, "error", "csv", str(broken))]) from None


def _regular(text: str, file: str) -> Sheet | None:
    """A table in which every row has the header's cells, its first one filled, and a line of its own; else None.

    Such files are the rule, and read a block of rows at a time: whoever gets None reads row by row and says why.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if len(header) < 2 or not any(header):
            return None
        cells: list[list[str]] = [[] for _ in header]
        while rows := list(islice(reader, BLOCK)):
            if set(map(len, rows)) != {len(header)}:
                return None
            _turn(rows, cells)
    except csv.Error:
        return None
    n = len(cells[0])
    if reader.line_num != n + 1 or "" in cells[0]:
        return None
    return Sheet(file, header, cells, list(range(2, n + 2)))


def read_csv(content: bytes, file: str, found: Findings) -> Sheet | None:
    """Cells of a CSV file, or None with findings. Rows that do not fit the header are each an error."""
    text = _decoded(content, file, found)
    if text is None:
        return None
    with uncollected():
        return _regular(text, file) or _row_by_row(text, file, found)


def _row_by_row(text: str, file: str, found: Findings) -> Sheet | None:
    """As :func:`read_csv`, of a table that has something to be said about it."""
    records = _records(text)
    header: list[str] = []
    rows: list[list[str]] = []
    cells: list[list[str]] = []
    lines: list[int] = []
    blank = []
    try:
        for line, row in records:
            if not any(row):
                blank.append(line)
            elif not header:
                header = row
                cells = [[] for _ in header]
            elif len(row) == len(header):
                rows.append(row)
                lines.append(line)
                if len(rows) == BLOCK:
                    _turn(rows, cells)
            else:
                found.add(
                    file, line, 0, "error", "ragged",
                    f"This row has {len(row)} cells and the header {len(header)}, so its figures stand in wrong "
                    "columns; "
                    "put text that holds a comma in double quotes.",
                )  # fmt: skip
    except DataError as broken:
        line = broken.findings[0].line
        opened = "end of data" in str(broken)
        found.add(
            file, line, 0, "error", "csv",
            f"A double quote "
            f"{'opened in this row is never closed' if opened else f'stands inside this row where none may ({broken})'}"
            ', so where cells end is unclear; close it, and write a quote inside a text as "".',
        )  # fmt: skip
        return None
    if not header:
        found.add(
            file,
            1,
            0,
            "error",
            "empty",
            "The file is empty; write the header row, or remove the file if there are no such data.",
        )
        return None
    if len(header) == 1 and (other := next((c for c in ";\t|" if c in header[0]), "")):
        name = {";": "semicolons", "\t": "tabs", "|": "bars"}[other]
        found.add(file, 1, 0, "error", "delimiter", f"Columns are separated by {name}; save the file with commas.")
        return None
    inner = [line for line in blank if lines and line < lines[-1]]
    if inner:
        found.add(
            file,
            inner[0],
            0,
            "warning",
            "blank-row",
            f"{len(inner)} rows without any value, the first here, were passed over.",
        )
    _turn(rows, cells)
    return Sheet(file, header, cells, lines)


# --- Workbooks, Parquet, databases -------------------------------------------------------------------------


def _workbook(path: Path, opened: Source, found: Findings) -> None:
    from .workbook import sheets

    content = path.read_bytes()
    opened.digests[path.name] = digest(content)
    for table, sheet in sheets(content, path.name, found):
        _put(opened, table, sheet, found)


def _parquet(content: bytes, file: str, found: Findings) -> Sheet | None:
    from .parquet import sheet

    return sheet(content, file, found)


def _open_database(url: str, found: Findings, cycle: str | None, scheme) -> Source:
    from .database import sheets

    opened = Source()
    if scheme is None or cycle is None:
        raise refuse(
            "database",
            "source",
            "A database holds many quarters and no scheme: give cycle= (--cycle) and scheme= (--scheme).",
        )
    for table, sheet, content in sheets(url, cycle, found):
        opened.digests[sheet.file] = digest(content)
        _put(opened, table, sheet, found)
    _scheme(opened, Path(scheme), found)
    return opened
