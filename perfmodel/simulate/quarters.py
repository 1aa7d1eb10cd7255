"""Whole quarters of a simulated sales organisation, and the truth that is planted in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import numpy as np
import pandas as pd

from ..errors import DataError
from ..scheme import Scheme
from .figures import figures, shocks
from .judgements import judgements, merit
from .organisation import Posts, Staff, make_posts, quarter_days, quarter_name, quarter_number, staff_by_quarter, stream
from .records import events, exclusions, groups, milestones, pay, person_names, result_rows, with_status


@dataclass(frozen=True, eq=False)
class Quarter:
    """One simulated quarter: the tables of a cycle, and the truth no real cycle has.

    ``truth``: ``employees`` (ability and conduct in standard deviations, merit in rating points), ``raters``
    (severity, discrimination, in this quarter), ``units`` (quality and market shock), ``halo`` (rater x employee)
    and ``ratings`` (the rating each item deserves: what a rater of no severity gives on average).
    """

    id: str
    start: date
    end: date
    tables: Mapping[str, pd.DataFrame]
    truth: Mapping[str, pd.DataFrame]


def simulate_quarters(
    scheme: Scheme,
    employees: int = 240,
    quarters: int = 7,
    *,
    seed: int = 2026,
    design: str = "linked",
    last: str = "2026Q3",
    units: int | None = None,
    market_sd: float = 0.35,
) -> list[Quarter]:
    """The ``quarters`` quarters up to ``last``, oldest first.

    A quarter does not change when more of them are asked for. ``linked``: superiors' superiors and blind second
    raters connect the raters, but for one unit whose only rater shares nobody with another. ``nested``: everybody
    is rated by the own superior alone, so that severity and team quality cannot be told apart.

    Raises
    ------
    DataError
        If the design or the quarter is unknown, the scheme has no role ``manager``, or there are too few employees.
    """
    if design not in ("nested", "linked"):
        raise DataError(f"There is no design {design!r}; write nested or linked.")
    if quarters < 1:
        raise DataError("Ask for one quarter or more.")
    if "manager" not in scheme.role_weights:
        raise DataError("The simulated superiors rate in the role manager, which the scheme does not have; add it.")
    posts = make_posts(employees, tuple(p.id for p in scheme.profiles), seed, units)
    end = quarter_number(last)
    staffed = staff_by_quarter(posts, seed, end - quarters + 1, end, moves=design == "linked")
    linked = design == "linked"
    return [_quarter(scheme, posts, staff, seed, linked, market_sd, newest=staff.quarter == end) for staff in staffed]


def _quarter(
    scheme: Scheme, posts: Posts, staff: Staff, seed: int, linked: bool, market_sd: float, *, newest: bool
) -> Quarter:
    start, end = quarter_days(staff.quarter)
    ids = _person_ids(posts, staff)
    records = stream(seed, "records", staff.quarter)
    status = with_status(posts, staff, records)
    cards = _cards(posts, staff, ids, status)
    present = cards[~cards["absent"]].reset_index(drop=True)

    results, standing = figures(scheme, posts, staff, present, seed, market_sd)
    results = result_rows(scheme, posts, staff, present, results, ids, status, records, newest)
    quality, market = shocks(posts, seed, staff.quarter, market_sd)
    team = quality[posts.unit]
    judged = judgements(scheme, posts, staff, present, team, ids, seed, linked=linked, newest=newest)
    people, n = staff.people, posts.n

    employees = pd.DataFrame(
        {
            "employee_id": ids[:n],
            "name": person_names(people["name"]),
            "unit": posts.units[posts.unit],
            "profile": posts.profile,
            "manager_id": ids[posts.boss],
            "level": [f"M{level}" for level in people["level"]],
            "level_since": people["level_since"],
            "hire_date": people["hired"],
            "status": status.word,
        }
    )
    moved = cards[cards["scorecard"] != ""]
    assignments = pd.DataFrame(
        {
            "employee_id": moved["employee_id"],
            "scorecard": moved["scorecard"],
            "unit": posts.units[posts.unit[moved["post"]]],
            "profile": posts.profile[moved["post"]],
            "manager_id": ids[posts.boss[moved["post"]]],
            "from": moved["from"],
            "to": moved["to"],
        }
    )
    tables = {
        "employees": employees,
        "assignments": assignments,
        "results": results,
        "ratings": judged.ratings,
        "milestones": milestones(scheme, present, standing, start, end, records),
        "events": events(scheme, posts, ids, status, staff, records),
        "pay": pay(posts, staff, ids, status, records),
        "groups": groups(posts, staff, ids),
        "exclusions": exclusions(posts, staff, ids, status),
    }
    order = {
        "assignments": ["employee_id", "from"],
        "ratings": ["employee_id", "scorecard", "role", "rater_id"],
        "results": ["employee_id", "scorecard"],
        "milestones": ["employee_id", "scorecard", "due"],
    }
    tables = {
        name: frame.sort_values(order.get(name, ["employee_id"]), kind="stable").reset_index(drop=True)
        for name, frame in tables.items()
    }
    raters = pd.Index(ids).isin(judged.ratings.loc[judged.ratings["role"] != "self", "rater_id"])
    point = (scheme.scale[1] - scheme.scale[0]) / 4
    truth = {
        "employees": pd.DataFrame(
            {
                "employee_id": ids[:n],
                "unit": posts.units[posts.unit],
                "ability": people["ability"],
                "conduct": people["conduct"],
                "merit": scheme.scale[0] + point * (merit(staff, team) - 1),
            }
        ).sort_values("employee_id", ignore_index=True),
        "raters": pd.DataFrame(
            {"rater_id": ids[raters], "severity": point * staff.severity[raters], "discrimination": staff.slope[raters]}
        ).sort_values("rater_id", ignore_index=True),
        "units": pd.DataFrame({"unit": posts.units, "quality": quality, "market": market}),
        "halo": judged.halo.sort_values(["rater_id", "employee_id"], ignore_index=True),
        "ratings": judged.deserved.sort_values(["employee_id", "scorecard", "kpi"], ignore_index=True),
    }
    return Quarter(quarter_name(staff.quarter), start, end, MappingProxyType(tables), MappingProxyType(truth))


def _person_ids(posts: Posts, staff: Staff) -> np.ndarray:
    """Ids of all persons in the order of their numbers: holders of posts, then those outside ``employees``."""
    number = staff.people["number"]
    width = max(4, len(str(int(number.max()))))
    inside = [f"E-{i:0{width}d}" for i in number]
    width = max(2, len(str(posts.n_outside)))
    return np.array([*inside, *(f"R-{i + 1:0{width}d}" for i in range(posts.n_outside))], dtype=object)


def _cards(posts: Posts, staff: Staff, ids: np.ndarray, status) -> pd.DataFrame:
    """One row an employee and scorecard; two for those who changed posts within the quarter."""
    first, last = (np.datetime64(day) for day in quarter_days(staff.quarter))
    days = (last - first).astype(int) + 1
    holder = np.arange(posts.n)
    moved = np.flatnonzero(staff.came_from >= 0)
    post = np.concatenate([holder, staff.came_from[moved]])
    person = np.concatenate([holder, moved])
    earlier = np.arange(len(post)) >= posts.n
    begin = np.where(staff.joined, staff.people["hired"], np.where(staff.came_from >= 0, staff.moved_on, first))
    begin = np.concatenate([begin, np.full(len(moved), first)])
    until = np.concatenate([status.until, staff.moved_on[moved] - np.timedelta64(1, "D")])
    two = pd.Index(person).isin(moved)
    short = np.array([name.split("-")[0] for name in posts.units], dtype=object)
    cards = pd.DataFrame(
        {
            "employee_id": ids[person],
            "scorecard": np.where(two, short[posts.unit[post]], ""),
            "post": post,
            "person": person,
            "from": begin,
            "to": until,
            "share": ((until - begin).astype(int) + 1) / days * np.where(earlier, 1.0, status.present[person]),
            "absent": status.absent[person],
        }
    )
    return cards.sort_values(["person", "from"], kind="stable", ignore_index=True)
