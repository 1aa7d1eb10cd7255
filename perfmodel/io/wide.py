"""Wide exports: one row a KPI with the ratings beside it, as many appraisal systems write them."""

import pandas as pd

from ..scheme import Scheme
from ..tables import INPUTS
from . import headers
from .findings import Findings
from .rules.ground import names_of
from .sheet import Sheet
from .typed import Rows, typed

RATING_COLUMNS = ["rater_id", "employee_id", "scorecard", "kpi", "role", "rating", "comment"]


def split(
    sheets: dict[str, Sheet], scheme: Scheme, managers: dict[tuple[str, str], str], found: Findings
) -> Rows | None:
    """Rating columns of the results or ratings sheet as rows of the ratings table; None where there are none.

    The columns leave their sheet, and so do its rows that are about rated items alone. Ratings of measured items
    are not used: those count by their actual. The superior who rates is the row's 考核人 or 直属上级, else the
    employee's manager (``managers``: (employee, scorecard) -> id).
    """
    wide = {
        name: columns
        for name in ("results", "ratings")
        if name in sheets and (columns := _rating_columns(sheets[name]))
    }
    if not wide:
        return None
    name, columns = next(iter(wide.items()))
    sheet = sheets[name]
    if name == "results" and "ratings" in sheets:
        found.add(
            sheet.file, 1, min(columns) + 1, "error", "source-twice",
            f"Ratings stand here and in {sheets['ratings'].file}; keep one of the two, so that it is clear which "
            "counts.",
        )  # fmt: skip
        return None
    kinds = {item.id: item.kind for item in scheme.items} | {"overall": "rated"}
    names = names_of(scheme.items)

    def cells(*wanted: str) -> list[str]:
        at = next((i for i, h in enumerate(sheet.header) if any(h_of(h) == w for w in wanted)), None)
        return sheet.cells[at] if at is not None else [""] * len(sheet.lines)

    def h_of(header: str) -> str:
        return headers.column_of("ratings", header) or headers.column_of("employees", header)

    who, card, kpi, comment = cells("employee_id"), cells("scorecard"), cells("kpi"), cells("comment")
    kpi = [names.get(k.strip(), k.strip()) for k in kpi]
    named = cells("rater_id", "manager_id")
    rows: list[list[str]] = []
    lines: list[int] = []
    unused = 0
    for at, role in columns.items():
        for r, rating in enumerate(sheet.cells[at]):
            if not rating.strip():
                continue
            if kinds.get(kpi[r], "rated") != "rated":
                unused += 1
                continue
            e = who[r].strip()
            superior = named[r] or managers.get((e, card[r].strip()), "")
            rows.append([e if role == "self" else superior, e, card[r], kpi[r], role, rating, comment[r]])
            lines.append(sheet.lines[r])
    found.add(
        sheet.file, 1, min(columns) + 1, "warning", "wide",
        f"{', '.join(sheet.header[at] for at in columns)}: {len(rows)} ratings beside the results, read as ratings "
        "by the "
        f"roles {', '.join(sorted(set(columns.values())))}.",
    )  # fmt: skip
    if unused:
        found.add(
            sheet.file, 1, min(columns) + 1, "warning", "wide-unused",
            f"{unused} ratings of measured KPIs are not used: those count by their actual.",
        )  # fmt: skip
    ratings = Sheet(
        sheet.file,
        list(RATING_COLUMNS),
        [list(c) for c in zip(*rows, strict=True)] or [[] for _ in RATING_COLUMNS],
        lines,
    )
    if name == "ratings":
        del sheets["ratings"]
    else:
        sheets["results"] = _without(sheet, columns, kpi, kinds)
    read = typed(INPUTS["ratings"], ratings, found)
    # Columns of a made table have no place in the file but those that its ratings came from.
    read.columns = {"rating": min(columns) + 1}
    return read


def _rating_columns(sheet: Sheet) -> dict[int, str]:
    """Position -> role of each column that holds ratings of one role."""
    return {at: role for at, header in enumerate(sheet.header) if (role := headers.role_of(header))}


def _without(sheet: Sheet, columns: dict[int, str], kpi: list[str], kinds: dict[str, str]) -> Sheet:
    """The results sheet without rating columns, raters, and rows of rated items that hold no result."""
    drop = {at for at, h in enumerate(sheet.header) if headers.column_of("ratings", h) in ("rater_id", "comment")}
    drop |= {at for at, h in enumerate(sheet.header) if headers.column_of("employees", h) == "manager_id"} | set(
        columns
    )
    figures = [i for i, h in enumerate(sheet.header) if headers.column_of("results", h) in ("actual", "status")]
    keep = [
        r
        for r in range(len(sheet.lines))
        if kinds.get(kpi[r], "") != "rated" or any(sheet.cells[at][r].strip() for at in figures)
    ]
    blank = [[""] * len(keep) if at in drop else [c[r] for r in keep] for at, c in enumerate(sheet.cells)]
    header = ["" if at in drop else h for at, h in enumerate(sheet.header)]
    return Sheet(sheet.file, header, blank, [sheet.lines[r] for r in keep], sheet.numeric)


def managers_of(employees: Rows, assignments: Rows) -> dict[tuple[str, str], str]:
    """(employee, scorecard) -> manager."""
    both = pd.concat([employees.frame.assign(scorecard=""), assignments.frame])
    columns = (both[c].to_numpy(object) for c in ("employee_id", "scorecard", "manager_id"))
    return {(e, c): m for e, c, m in zip(*columns, strict=True)}
