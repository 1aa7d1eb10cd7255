"""Which quarter is meant: the one named, or of a folder of quarters the one that has just closed."""

from calendar import monthrange
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RunError

if TYPE_CHECKING:
    from ..io import Sibling


def closed_quarter(place: str, today: date) -> str:
    """``place`` itself if it is a quarter (or a database), else the quarter below it that ended last before ``today``.

    Raises
    ------
    RunError
        If no quarter there has ended, or another has ended since the last one there: then its data have not arrived,
        and doing the one before again would look as if all were well.
    """
    from ..io import quarters_in

    folder = Path(place)
    if not folder.is_dir() or (folder / "scheme.yaml").exists():
        return place
    found = quarters_in(folder)
    closed = [quarter for quarter in found if quarter.end < today]
    if not closed:
        raise RunError(
            f"No quarter in {folder} has ended yet, so there is nothing to run."
            if found
            else f"There is no quarter in {folder}: no folder in it holds a scheme.yaml that can be read."
        )
    last = max(closed, key=lambda quarter: quarter.end)
    if (end := end_of_next(last)) < today:
        raise RunError(
            f"The newest closed quarter in {folder} is {last.id}, and one more ended on {end}, whose folder is not "
            "there. Put it there; the next run takes it."
        )
    return str(last.folder)


def end_of_next(quarter: "Sibling") -> date:
    """Last day of the quarter after ``quarter``, if it has as many months."""
    start, end = quarter.start, quarter.end
    months = (end.year - start.year) * 12 + end.month - start.month + 1
    year, month = divmod(end.year * 12 + end.month - 1 + months, 12)
    return date(year, month + 1, monthrange(year, month + 1)[1])
