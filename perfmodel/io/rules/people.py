"""Rules about who is rated: employees, whom they report to, and where they were in the quarter."""

import re
import unicodedata
from collections import Counter

import numpy as np
import pandas as pd

from ...tables import COMPANY, POOLED
from .ground import Ground, names_of


def check(ground: Ground) -> None:
    _employees(ground)
    _units(ground)
    _chain(ground)
    _assignments(ground)


def _employees(ground: Ground) -> None:
    rows, found, scheme = ground.tables["employees"], ground.found, ground.scheme
    profiles = {p.id for p in scheme.profiles}
    ground.by_name(rows, "profile", names_of(scheme.profiles))
    ground.unknown(rows, "profile", profiles, "profile-unknown", f"the scheme has only {', '.join(sorted(profiles))}")
    ids, names = rows.text("employee_id"), rows.text("name")
    found.rows(
        np.array([any(c in n for c in "\n\r\t") for n in names], bool), rows, "name", "error", "control",
        lambda r: f"The name of {ids[r]} runs over several lines or holds a tab; write it on one line.",
    )  # fmt: skip
    end = np.datetime64(scheme.end)
    for column in ("hire_date", "level_since"):
        days = rows.frame[column].to_numpy()
        found.rows(
            days > end, rows, column, "warning", "date-after",
            lambda r, c=column, d=days: f"{ids[r]}: {c} {str(d[r])[:10]} is after the end of the cycle ({scheme.end}); "
            "is this person to be rated?",
        )  # fmt: skip


def _units(ground: Ground) -> None:
    """A unit's name is its key: no reserved word, and no two that only look different."""
    tables = [ground.tables[name] for name in ("employees", "assignments")]
    sizes = Counter(unit for rows in tables for unit in rows.text("unit"))
    spellings: dict[str, list[str]] = {}
    for unit in sorted(sizes, key=lambda u: (-sizes[u], u)):
        spellings.setdefault(re.sub(r"\W|_", "", unicodedata.normalize("NFKC", unit).casefold()) or unit, []).append(
            unit
        )
    usual = {other: first for first, *others in spellings.values() for other in others}
    for rows in tables:
        units = rows.text("unit")
        ground.found.rows(
            np.array([u == COMPANY or u.startswith(POOLED) for u in units], bool), rows, "unit", "error",
            "unit-reserved",
            lambda r, u=units: f"No unit can be called {u[r]!r}: the tables call the whole company, or units taken "
            "together, so. Write another name.",
        )  # fmt: skip
        ground.found.rows(
            np.array([u in usual for u in units], bool), rows, "unit", "warning", "unit-alike",
            lambda r, u=units: f"The unit {u[r]!r} ({sizes[u[r]]} rows) is taken for another than {usual[u[r]]!r} "
            f"({sizes[usual[u[r]]]} rows); if they are one, write them alike.",
        )  # fmt: skip


def _chain(ground: Ground) -> None:
    """Nobody manages themselves, directly or through others: a superior's rating must come from above."""
    rows, found = ground.tables["employees"], ground.found
    ids, managers = rows.text("employee_id"), rows.text("manager_id")
    found.rows(
        ids == managers, rows, "manager_id", "error", "manager-self",
        lambda r: f"{ids[r]} is entered as their own manager; write who rates them, or leave it empty.",
    )  # fmt: skip
    above = {e: m for e, m in zip(ids, managers, strict=True) if m and m != e}
    position = {e: r for r, e in enumerate(ids)}
    done: set[str] = set()
    for start in sorted(above):
        path: dict[str, None] = {}
        at = start
        while at in above and at not in done and at not in path:
            path[at] = None
            at = above[at]
        if at in path:
            ring = list(path)[list(path).index(at) :]
            shown = " → ".join([*ring[:8], "…", at] if len(ring) > 8 else [*ring, at])
            found.rows(
                np.array([position[at]]), rows, "manager_id", "error", "manager-cycle",
                lambda _, s=shown: f"The managers run in a circle: {s}. Correct one of these manager_id.",
            )  # fmt: skip
        done |= set(path)


def _assignments(ground: Ground) -> None:
    rows, found, scheme = ground.tables["assignments"], ground.found, ground.scheme
    if not len(rows):
        return
    profiles = {p.id for p in scheme.profiles}
    ground.by_name(rows, "profile", names_of(scheme.profiles))
    ground.unknown(rows, "profile", profiles, "profile-unknown", f"the scheme has only {', '.join(sorted(profiles))}")
    ground.unknown(rows, "employee_id", ground.employees, "employee-unknown", "no such person is in employees")
    who, card, manager = (rows.text(c) for c in ("employee_id", "scorecard", "manager_id"))
    found.rows(
        who == manager, rows, "manager_id", "error", "manager-self",
        lambda r: f"{who[r]} is entered as their own manager on scorecard {card[r]}; write who rates them.",
    )  # fmt: skip
    begin, end = rows.frame["from"].to_numpy(), rows.frame["to"].to_numpy()
    found.rows(
        begin > end, rows, "to", "error", "assignment-reversed",
        lambda r: f"{who[r]}, scorecard {card[r]}: it ends before it begins; exchange the two dates.",
    )  # fmt: skip
    outside = (begin < np.datetime64(scheme.start)) | (end > np.datetime64(scheme.end))
    found.rows(
        outside, rows, "from", "error", "assignment-outside",
        lambda r: f"{who[r]}, scorecard {card[r]}: {str(begin[r])[:10]} to {str(end[r])[:10]} reaches beyond the cycle "
        f"({scheme.start} to {scheme.end}); write the days within it, since scorecards are weighted by days.",
    )  # fmt: skip
    order = (
        pd.DataFrame({"who": who, "begin": begin, "r": range(len(rows))})
        .sort_values(["who", "begin", "r"])
        .r.to_numpy()
    )
    before, after = order[:-1], order[1:]
    same = who[before] == who[after]
    day = np.timedelta64(1, "D")
    overlap = same & (begin[after] <= end[before])
    gap = same & (begin[after] > end[before] + day)
    previous = dict(zip(after.tolist(), before.tolist(), strict=True))
    found.rows(
        after[overlap], rows, "from", "error", "assignment-overlap",
        lambda r: f"{who[r]}: scorecard {card[r]} begins before {card[previous[r]]} (line {rows.lines[previous[r]]}) "
        "has ended, so days would count twice; let one end the day before the other begins.",
    )  # fmt: skip
    found.rows(
        after[gap], rows, "from", "warning", "assignment-gap",
        lambda r: f"{who[r]}: no scorecard covers the days between {card[previous[r]]} and {card[r]}; "
        "they count for neither.",
    )  # fmt: skip


def without_data(ground: Ground) -> None:
    """People of whom nothing at all was delivered."""
    if not ground.sound("results", "ratings", "milestones"):
        return
    rows = ground.tables["employees"]
    ids = rows.text("employee_id")
    known = ground.excluded.union(*(ground.tables[t].text("employee_id") for t in ("results", "ratings", "milestones")))
    ground.found.rows(
        np.array([e not in known for e in ids], bool), rows, "employee_id", "warning", "no-data",
        lambda r: f"{ids[r]} has no result, rating or milestone and is not excluded, so will have no score; "
        "deliver the data or add a row to exclusions.",
    )  # fmt: skip
