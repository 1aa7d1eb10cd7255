"""Who may be considered for promotion or a rise of the pay grade: conditions met or not, and never a rank."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import pandas as pd

from ..scheme import Scheme
from .decisions import history_of, of_people, wide

SLATE = """employee_id unit level good_quarters graded_quarters months_since_failed months_in_level on_slate near
missing reason""".split()
RISE = "employee_id unit level good_in_row asked sustained quarters reason".split()
MET, UNMET, UNKNOWN = "met", "unmet", "unknown"


def promotion_slate(grades: pd.DataFrame, employees: pd.DataFrame, scheme: Scheme) -> pd.DataFrame:
    """Every employee, whether they meet the conditions of ``outcomes.promotion``, and what is missing.

    1. The last ``quarters_at_a`` quarters that gave a grade are all at a good one. A quarter without a grade (leave,
       too new) is passed over and named; behind one of which the table says nothing none is counted.
    2. No failed grade in quarters that end in the last ``months_without_d`` months.
    3. ``months_in_level`` whole months since ``level_since``.

    What is not known (no date, a quarter after hiring of which the table says nothing) is not met, and said to be
    unknown. The slate is what the committee chooses from; it is meant to be longer than the seats
    (:func:`slate_note`), it stands in the order of ids and says nothing of who is better.

    Parameters
    ----------
    grades : DataFrame
        ``employee_id, quarter, end`` (its last day), ``grade`` (decided; "" where the quarter gave none), the
        quarter of ``scheme`` the newest.
    employees : DataFrame
        ``employee_id`` and, if known, ``unit, level, level_since, hire_date``.

    Returns
    -------
    DataFrame
        ``employee_id, unit, level, good_quarters`` (of the last ones asked for), ``graded_quarters`` (of the months
        looked at), ``months_since_failed`` (from the end of the last failed quarter to that of the cycle; empty if
        none is known), ``months_in_level, on_slate, near`` (would be on it after one more quarter at a good grade,
        or if the one thing unknown were met), ``missing`` (conditions not met), ``reason`` (quarters passed over).
    """
    table, ends = wide(history_of(grades, scheme), scheme)
    people = of_people(employees, "unit", "level", "level_since", "hire_date").sort_index()
    hired = pd.to_datetime(people["hire_date"])
    today = pd.Timestamp(scheme.end) + pd.Timedelta(days=1)
    step = max(round((today - pd.Timestamp(scheme.start)).days / 30.4375), 1)
    next_end = today + pd.DateOffset(months=step)
    good = scheme.good_grades[-1]
    now = _Window(list(table), list(ends), today, scheme)
    later = _Window([*table, ""], [*ends, next_end - pd.Timedelta(days=1)], next_end, scheme)
    in_level = months_between(people["level_since"], today)
    rows = []
    matrix = table.reindex(people.index).to_numpy(object)
    for at, (who, given) in enumerate(zip(people.index, matrix, strict=True)):
        long, hire = in_level.iloc[at], hired.iloc[at]
        found = [now.good(given), now.none_failed(given, hire), _time(long, 0, scheme)]
        soon = [later.good([*given, good]), later.none_failed([*given, good], hire), _time(long, step, scheme)]
        missing = [text for state, text in found if state != MET]
        near = all(state == MET for state, _ in soon) or [s for s, _ in found if s != MET] == [UNKNOWN]
        rows.append(
            (
                who, people["unit"].iloc[at], people["level"].iloc[at], now.at_good(given), now.graded(given),
                now.since_failed(given), long, not missing, bool(missing) and near, "; ".join(missing),
                now.passed(given),
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=SLATE)


@dataclass(frozen=True)
class _Window:
    """What grades say on a day: the quarters of a table, and those that end in the months looked back at."""

    quarters: list[str]
    ends: list[pd.Timestamp]
    today: pd.Timestamp
    scheme: Scheme

    @property
    def inside(self) -> list[int]:
        start = self.today - pd.DateOffset(months=self.scheme.outcomes.promotion.months_without_d)
        return [i for i, end in enumerate(self.ends) if start <= end < self.today]

    def _last(self, given: Sequence) -> list[tuple[str, str]]:
        """The last graded quarters, back to one of which nothing is known."""
        known = takewhile(lambda pair: isinstance(pair[1], str), zip(self.quarters[::-1], given[::-1], strict=True))
        graded = [pair for pair in known if pair[1]]
        return graded[: self.scheme.outcomes.promotion.quarters_at_a][::-1]

    def at_good(self, given: Sequence) -> int:
        return sum(g in self.scheme.good_grades for _, g in self._last(given))

    def graded(self, given: Sequence) -> int:
        return sum(_has(given[i]) for i in self.inside)

    def passed(self, given: Sequence) -> str:
        away = [self.quarters[i] for i in self.inside if given[i] == ""]
        return f"passed over, without a grade: {', '.join(away)}" if away else ""

    def since_failed(self, given: Sequence) -> float:
        ends = [e for e, g in zip(self.ends, given, strict=True) if _has(g) and g in self.scheme.failed_grades]
        return months_between(pd.Series(ends[-1:]), self.today).iloc[0] if ends else np.nan

    def good(self, given: Sequence) -> tuple[str, str]:
        """Condition 1."""
        asked, last = self.scheme.outcomes.promotion.quarters_at_a, self._last(given)
        if self.at_good(given) == asked:
            return MET, ""
        listed = ", ".join(f"{g} in {q}" for q, g in last)
        if len(last) < asked and self.at_good(given) == len(last):
            there = f"only {listed} is there" if last else "none is there"
            return UNKNOWN, f"{_count(asked, 'quarter')} at {self.scheme.good_grades[-1]} or above: not known, {there}"
        graded = _count(asked, "graded quarter")
        return UNMET, f"{self.at_good(given)} of the last {graded} at {self.scheme.good_grades[-1]} or above ({listed})"

    def none_failed(self, given: Sequence, hired: pd.Timestamp) -> tuple[str, str]:
        """Condition 2. A quarter that was over before the day of hiring cannot have failed."""
        months, failed = self.scheme.outcomes.promotion.months_without_d, self.scheme.failed_grades
        if not months:
            return MET, ""
        if bad := [i for i in self.inside if _has(given[i]) and given[i] in failed]:
            return UNMET, f"{given[bad[-1]]} in {self.quarters[bad[-1]]}, within {months} months"
        silent = [self.quarters[i] for i in self.inside if not isinstance(given[i], str) and not self.ends[i] < hired]
        start = self.today - pd.DateOffset(months=months)
        first = min((self.ends[i] for i in self.inside), default=self.today)
        # Quarters differ in length by a few days.
        before = first - _length(self.ends) > start + pd.Timedelta(days=5) and not hired > first
        if silent or before:
            early = f"the time before {self.quarters[self.inside[0]]}" if self.inside else "that time"
            gap = ", ".join(silent) or early
            return UNKNOWN, f"{months} months without {failed[0]}: not known, of {gap} the table says nothing"
        return MET, ""


def _time(in_level: float, ahead: int, scheme: Scheme) -> tuple[str, str]:
    """Condition 3, so many months ahead."""
    asked = scheme.outcomes.promotion.months_in_level
    if not asked or in_level + ahead >= asked:
        return MET, ""
    if np.isnan(in_level):
        return UNKNOWN, f"{_count(asked, 'month')} in level: not known, level_since is empty"
    return UNMET, f"{_count(in_level, 'month')} in level, {asked} are asked for"


def _has(grade) -> bool:
    return isinstance(grade, str) and grade != ""


def _length(ends: Sequence[pd.Timestamp]) -> pd.Timedelta:
    """Usual length of a quarter: the median distance of their ends."""
    gaps = np.diff(np.array(sorted(ends), dtype="datetime64[D]")).astype(int)
    return pd.Timedelta(days=float(np.median(gaps)) if len(gaps) else 91.0)


def months_between(since: pd.Series, until: pd.Timestamp) -> pd.Series:
    """Whole months from each day to ``until`` (not counted itself); empty where the day is not known."""
    day = pd.to_datetime(since)
    months = (until.year - day.dt.year) * 12 + until.month - day.dt.month
    return months - (day.dt.day > until.day).astype(int)


def slate_note(slate: pd.DataFrame, seats: int) -> str:
    """Whether the slate leaves the committee a choice, in a sentence."""
    n, near = int(slate["on_slate"].sum()), int(slate["near"].sum())
    people = f"{_count(n, 'person', 'people')} meet{'s' if n == 1 else ''} the conditions for {_count(seats, 'seat')}"
    if n > seats:
        return f"{people}: the committee chooses, and the order of the list says nothing of who is better."
    return (
        f"{people}, so there is nothing to choose. A slate should be longer than its seats: leave a seat empty, or "
        f"change the conditions in the scheme for the next cycle; {near} {'is' if near == 1 else 'are'} near."
    )


def grade_rise(grades: pd.DataFrame, employees: pd.DataFrame, scheme: Scheme) -> pd.DataFrame:
    """Sustained high performance: the newest ``grade_rise.quarters_at_a`` graded quarters all at a good grade.

    A quarter without a grade is passed over and named; one of which the table says nothing ends the row, because
    nobody knows what it was. What a rise then is, people decide.

    Returns
    -------
    DataFrame
        ``employee_id, unit, level, good_in_row, asked, sustained, quarters`` (those of the row), ``reason``; every
        employee.
    """
    table, _ = wide(history_of(grades, scheme), scheme)
    people = of_people(employees, "unit", "level").sort_index()
    asked, rows = scheme.outcomes.grade_rise.quarters_at_a, []
    matrix = table.reindex(people.index).to_numpy(object)
    for who, unit, level, given in zip(people.index, people["unit"], people["level"], matrix, strict=True):
        run: list[str] = []
        passed: list[str] = []
        ended = "the table goes no further back"
        for quarter, grade in zip(list(table)[::-1], given[::-1], strict=True):
            if not isinstance(grade, str):
                ended = f"of {quarter} the table says nothing"
                break
            if not grade:
                passed.append(f"{quarter} gave no grade and is passed over")
            elif grade in scheme.good_grades:
                run.append(str(quarter))
            else:
                ended = f"{grade} in {quarter}"
                break
        done = len(run) >= asked
        said = [] if done else [f"{len(run)} in a row, {asked} are asked for: {ended}"]
        rows.append((who, unit, level, len(run), asked, done, ", ".join(run[::-1]), "; ".join(said + passed)))
    return pd.DataFrame(rows, columns=RISE)


def _count(n: float, one: str, many: str = "") -> str:
    return f"{n:g} {one if n == 1 else many or one + 's'}"
