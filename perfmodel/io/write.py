"""Writing tables so that the same table always gives the same bytes, and no reader ever sees half a file."""

import csv
import hashlib
import io
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DataError

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run; a quote in front keeps it text
REPEATS = 500  # rows from which a column of text repeats enough to look at each word once
DATABASE = b"SQLite format 3\0"  # first bytes of a SQLite file


def digest(content: bytes) -> str:
    """SHA-256 of ``content``, in hex."""
    return hashlib.sha256(content).hexdigest()


def write_atomic(path, content: bytes) -> None:
    """Puts ``content`` at ``path`` whole or not at all: written beside, forced to disk, then renamed.

    Raises
    ------
    DataError
        If a database stands there: it may be the ledger, and every decision would be gone.
    """
    path = Path(path)
    if path.is_file():
        with open(path, "rb") as there:
            if there.read(len(DATABASE)) == DATABASE:
                raise DataError(
                    f"{path} is a database, perhaps the ledger itself, and writing there would destroy it. Name "
                    "another file."
                )
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(beside, 0o666 & ~umask)
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """``frame`` as CSV: UTF-8, ``\\n``, unrounded shortest decimals, nothing for missing, formulas defused.

    Text that a spreadsheet would run as a formula gets an apostrophe in front; numbers never do.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([_safe(str(name)) for name in frame.columns])
    writer.writerows(zip(*(_texts(frame.iloc[:, i]) for i in range(frame.shape[1])), strict=True))
    return buffer.getvalue().encode("utf-8")


def write_csv(frame: pd.DataFrame, path) -> None:
    """``csv_bytes`` of ``frame`` at ``path``, whole or not at all."""
    write_atomic(path, csv_bytes(frame))


def _texts(column: pd.Series) -> list[str]:
    dtype, missing = column.dtype, column.isna().to_numpy()
    if dtype.kind == "b":
        texts = ["yes" if value else "no" for value in column.fillna(False).tolist()]
    elif dtype.kind in "iu":
        texts = list(map(str, column.tolist()))
    elif dtype.kind == "f":
        texts = _decimals(column.to_numpy(float, na_value=0.0))
    elif isinstance(dtype, pd.StringDtype):
        if len(column) < REPEATS:
            return [_safe(text) for text in column.fillna("").tolist()]
        codes, words = pd.factorize(column)  # each word once: a column of a large table repeats few
        return np.array([*map(_safe, words.tolist()), ""], dtype=object)[codes].tolist()
    elif dtype.kind == "M":
        texts = [str(value)[:10] for value in column]
    else:
        texts = [_any(value) for value in column.tolist()]
    if not missing.any():
        return texts
    return ["" if gone else text for gone, text in zip(missing.tolist(), texts, strict=True)]


def _decimal(value: float) -> str:
    """Shortest text that reads back as ``value``; whole numbers without a point, zero without a sign."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _decimals(values: np.ndarray) -> list[str]:
    """:func:`_decimal` of each of many."""
    texts = list(map(repr, values.tolist()))
    for i in np.flatnonzero((np.trunc(values) == values) & (np.abs(values) < 1e15)):
        texts[i] = str(int(values[i]))
    return texts


def _any(value) -> str:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _decimal(value)
    if isinstance(value, int):
        return str(value)
    return _safe(str(value))


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
