"""Tables of decisions, checked: who has which grade, now and in earlier quarters."""

import pandas as pd

from ..errors import DataError
from ..scheme import Scheme


def grades_of(decided: pd.DataFrame, scheme: Scheme, what: str = "decisions") -> pd.Series:
    """Decided grade by employee; whoever has none ("" or missing) is left out.

    Raises
    ------
    DataError
        If a column is absent (a proposal is no decision), an employee stands twice, or a grade is not the scheme's.
    """
    if absent := [name for name in ("employee_id", "grade") if name not in decided]:
        other = [str(name) for name in decided if str(name).startswith("grade_")]
        hint = f" It has {', '.join(other)}; a proposal is no decision, and none is taken in its place."
        raise DataError(f"The table of {what} lacks the column {', '.join(absent)}.{hint if other else ''}")
    _known(decided, ["employee_id"], scheme, what)
    given = decided[decided["grade"].fillna("").ne("")]
    return given.set_index("employee_id")["grade"].astype(str)


def history_of(grades: pd.DataFrame, scheme: Scheme) -> pd.DataFrame:
    """``employee_id, quarter, end`` (last day, datetime64), ``grade`` ("" where the quarter gave none), by end.

    Raises
    ------
    DataError
        If a column is absent, an end is unknown, a quarter has two ends, a row repeats, a grade is not the scheme's,
        or no quarter is that of the scheme.
    """
    names = ["employee_id", "quarter", "end", "grade"]
    if absent := [name for name in names if name not in grades]:
        raise DataError(
            f"The grades by quarter lack the column {', '.join(absent)}; one row an employee and quarter is needed, "
            'with the quarter\'s last day in "end" and an empty grade where the quarter gave none.'
        )
    table = grades[names].assign(end=pd.to_datetime(grades["end"]), grade=grades["grade"].fillna("").astype(str))
    if table["end"].isna().any():
        quarter = table.loc[table["end"].isna(), "quarter"].iloc[0]
        raise DataError(f"The quarter {quarter} has no end, so nothing can be counted back from it; give its last day.")
    ends = table.drop_duplicates(["quarter", "end"])
    if (twice := ends["quarter"].duplicated()).any():
        raise DataError(f"The quarter {ends.loc[twice, 'quarter'].iloc[0]} has two last days; give one.")
    if (later := table["end"] > pd.Timestamp(scheme.end)).any():
        raise DataError(
            f"The quarter {table.loc[later, 'quarter'].iloc[0]} ends after {scheme.cycle} does; use the scheme of the "
            "newest quarter in the table."
        )
    _known(table, ["employee_id", "quarter"], scheme, "grades by quarter")
    return table.sort_values(["end", "employee_id"], kind="stable", ignore_index=True)


def wide(history: pd.DataFrame, scheme: Scheme) -> tuple[pd.DataFrame, pd.Series]:
    """Grades as employees x quarters (oldest first; NaN where there is no row at all), and each quarter's last day.

    Where a quarter as long as the scheme's would fit between two, a column of nothing stands for the time of which
    the table knows nothing: neighbours in the table need not be neighbours in time.
    """
    ends = history.drop_duplicates("quarter").set_index("quarter")["end"]
    length = pd.Timedelta(scheme.end - scheme.start) + pd.Timedelta(days=1)
    gaps = {
        f"the time before {after}": end - length
        for (after, end), before in zip(ends.iloc[1:].items(), ends, strict=False)
        if end - before > 1.5 * length
    }
    ends = pd.concat([ends, pd.Series(gaps, dtype=ends.dtype)]).sort_values()
    table = history.set_index(["employee_id", "quarter"])["grade"].unstack()
    return table.reindex(columns=ends.index).sort_index(), ends


def of_people(employees: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Columns of the table of employees by id; one that is absent is empty."""
    people = employees.set_index("employee_id")
    if people.index.has_duplicates:
        raise DataError(f"{people.index[people.index.duplicated()][0]} stands twice among the employees; keep one row.")
    return people.reindex(columns=list(names))


def _known(table: pd.DataFrame, key: list[str], scheme: Scheme, what: str) -> None:
    if (twice := table.duplicated(key)).any():
        row = table.loc[twice, key].iloc[0]
        raise DataError(f"{' in '.join(map(str, row))} stands twice in the {what}; only one grade can hold.")
    given = table["grade"].dropna()
    strange = sorted(set(given[given.ne("")]) - set(scheme.cuts))
    if strange:
        raise DataError(
            f"The {what} hold the grade {strange[0]}, which the scheme does not know; it has {', '.join(scheme.cuts)}."
        )
