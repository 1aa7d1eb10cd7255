"""Scores of an annual evaluation, read as strictly as a cycle's tables."""

from pathlib import Path

import pandas as pd

from ..errors import DataError
from ..tables import EVALUATIONS
from .findings import Findings
from .sources import read_csv
from .typed import typed


def read_evaluations(path: str | Path) -> tuple[pd.DataFrame, bytes]:
    """``employee_id, score`` (points of the scheme's scores) of a CSV file, and the file as it lies there.

    Raises
    ------
    DataError
        If the file or a cell cannot be read, a person stands in it twice, or a score is negative; with every finding.
    """
    path, found = Path(path), Findings()
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise DataError(f"{path} cannot be read: {problem.strerror}. Name the file of annual evaluations.") from None
    sheet = read_csv(content, path.name, found)
    rows = typed(EVALUATIONS, sheet, found) if sheet is not None else None
    if rows is not None and not found.refused:
        who, score = rows.text("employee_id"), rows.numbers("score")
        twice = rows.frame.duplicated("employee_id").to_numpy()
        found.rows(twice, rows, "employee_id", "error", "key-twice",
                   lambda i: f"{who[i]} has two annual evaluations; keep the one that counts.")  # fmt: skip
        found.rows(score < 0, rows, "score", "error", "score-negative",
                   lambda i: f"{who[i]} has the score {score[i]:g}; scores begin at 0. Correct it.")  # fmt: skip
    if found.refused or rows is None:
        raise DataError(f"{path.name} cannot be relied on, so no year rests on it.", found.sorted())
    return rows.frame[["employee_id", "score"]], content
