"""What people need: training by responsibility, and plans for those who fail the scheme's own standard.

A plan rests on grades, which are cut by an absolute standard. Nobody's place among others enters: a bottom rank is no
evidence that a person cannot do the work.
"""

from datetime import date, timedelta

import numpy as np
import pandas as pd

from ..errors import DataError
from ..scheme import Scheme
from ..tables import COMPANY
from .decisions import grades_of, history_of, of_people, wide

NEEDS = "employee_id unit responsibility kpi item need value limit gap basis".split()
BY_DOMAIN = "unit responsibility name n_people n_in_need share n_needs reason".split()
PLANS = "employee_id unit manager_id grade trigger start end_least end_most end reviews standard".split()
GOALS = "employee_id item responsibility goal due".split()
BEHIND, LOW = "behind target", "low rating"


def training_needs(decided: pd.DataFrame, items: pd.DataFrame, employees: pd.DataFrame, scheme: Scheme) -> pd.DataFrame:
    """Figures behind their target and ratings that are low, of people with a decided grade.

    A measured item or milestone plan is behind when it earns fewer points than ``training.behind_target``; a rated
    item is low at or under ``training.low_rating``. The severity-adjusted rating is used where there is one, so that
    a severe rater does not send a whole team to training; ``basis`` says which.

    Parameters
    ----------
    items : DataFrame
        As ``scoring.item_scores``: ``employee_id, scorecard, kpi, item, kind, score_raw, rating_raw,
        rating_adjusted``. On several scorecards the item counts where it fell lowest.

    Returns
    -------
    DataFrame
        ``employee_id, unit, responsibility, kpi, item, need`` (behind target, low rating), ``value, limit, gap``
        (points, or rating points), ``basis`` (result, severity-adjusted, as given).
    """
    rule, who = scheme.outcomes.training, grades_of(decided, scheme)
    rows = items[items["employee_id"].isin(who.index)]
    rated = rows["kind"].eq("rated")
    given = rows["rating_adjusted"].where(rows["rating_adjusted"].notna(), rows["rating_raw"])
    table = pd.DataFrame(
        {
            "employee_id": rows["employee_id"],
            "unit": rows["employee_id"].map(of_people(employees, "unit")["unit"]),
            "responsibility": rows["kpi"].map({k.id: k.responsibility for k in scheme.kpis}),
            "kpi": rows["kpi"],
            "item": rows["item"],
            "need": np.where(rated, LOW, BEHIND),
            "value": given.where(rated, rows["score_raw"]).astype(float),
            "limit": np.where(rated, rule.low_rating, rule.behind_target),
            "basis": np.where(
                ~rated, "result", np.where(rows["rating_adjusted"].notna(), "severity-adjusted", "as given")
            ),
        }
    )
    needy = table[np.where(rated, table["value"] <= table["limit"] + 1e-9, table["value"] < table["limit"] - 1e-9)]
    needy = needy.assign(gap=needy["limit"] - needy["value"])
    lowest = needy.sort_values(["employee_id", "item", "value"], kind="stable").drop_duplicates(["employee_id", "item"])
    order = {item: i for i, item in enumerate(scheme.item_table()["item"])}
    lowest = lowest.assign(order=lowest["item"].map(order)).sort_values(["employee_id", "order"], kind="stable")
    return lowest[NEEDS].reset_index(drop=True)


def training_by_domain(
    needs: pd.DataFrame, decided: pd.DataFrame, employees: pd.DataFrame, scheme: Scheme
) -> pd.DataFrame:
    """Training needs summed by domain of responsibility, for each unit and the company.

    Returns
    -------
    DataFrame
        ``unit, responsibility, name, n_people`` (with a decided grade), ``n_in_need`` (people, each once a domain),
        ``share, n_needs`` (items), ``reason``. Units add up to the company. Every domain of the scheme has its row,
        also one that nothing measures.
    """
    given = grades_of(decided, scheme)
    unit = of_people(employees, "unit")["unit"].reindex(given.index)
    if unit.isna().any():
        raise DataError(f"{unit.index[unit.isna()][0]} has a decided grade and stands in no unit; add the employee.")
    measured = {k.responsibility for k in scheme.kpis}
    rows = []
    for name in (*sorted(unit.unique()), COMPANY):
        people = unit.index if name == COMPANY else unit.index[unit == name]
        here = needs[needs["employee_id"].isin(people)]
        for domain, text in scheme.responsibilities.items():
            own = here[here["responsibility"].eq(domain)]
            n = own["employee_id"].nunique()
            why = "" if domain in measured else "no KPI of the scheme is evidence of it"
            share = n / len(people) if domain in measured else np.nan
            rows.append((name, domain, text.en, len(people), n, share, len(own), why))
    return pd.DataFrame(rows, columns=BY_DOMAIN)


def improvement_plans(
    grades: pd.DataFrame, employees: pd.DataFrame, scheme: Scheme, *, start: date, days: int | None = None
) -> pd.DataFrame:
    """Who needs an improvement plan by the scheme's standard, with its dates.

    A failed grade in the newest quarter, or ``c_in_a_row`` low ones in the newest quarters one after the other. A
    quarter without a grade ends the row: nothing is known of it, and leave must not count against anybody.

    Parameters
    ----------
    grades : DataFrame
        ``employee_id, quarter, end, grade``, decided, as for ``promotion_slate``.
    start : date
        First day of the plans; after the end of the cycle.
    days : int, optional
        How long they last; ``days_most`` unless given.

    Returns
    -------
    DataFrame
        ``employee_id, unit, manager_id, grade, trigger, start, end_least, end_most, end, reviews`` (dates, separated
        by "; ", every ``review_days`` and at the end), ``standard`` (what the plan rests on, in words).

    Raises
    ------
    DataError
        If the plan starts before the cycle is over, or would be shorter or longer than the scheme allows.
    """
    rule = scheme.outcomes.improvement_plan
    days = rule.days_most if days is None else days
    if start <= scheme.end:
        raise DataError(
            f"A plan from {start} would start before {scheme.cycle} ends on {scheme.end}; give a later first day."
        )
    if not rule.days_least <= days <= rule.days_most:
        raise DataError(
            f"A plan of {days} days lies outside the {rule.days_least} to {rule.days_most} days that the scheme allows."
        )
    table, _ = wide(history_of(grades, scheme), scheme)
    people = of_people(employees, "unit", "manager_id").sort_index()
    table = table.reindex(people.index)
    end = start + timedelta(days=days)
    reviews = [start + timedelta(days=n) for n in range(rule.review_days, days, rule.review_days)]
    cuts, rows = scheme.cuts, []
    for at, (who, row) in enumerate(table.iterrows()):
        newest = row.iloc[-1]
        if newest in scheme.failed_grades:
            trigger = f"{newest} in {row.index[-1]}"
        else:
            last = row.iloc[-rule.c_in_a_row :]
            if len(last) < rule.c_in_a_row or not all(g in scheme.low_grades for g in last):
                continue
            trigger = f"{rule.c_in_a_row} in a row: " + ", ".join(f"{g} in {q}" for q, g in last.items())
        better = list(cuts)[list(cuts).index(newest) - 1]
        standard = (
            f"The cut lines of the scheme: {better} starts at {cuts[better]:g} points, for everybody alike. "
            "How others did played no part."
        )
        rows.append(
            (
                who, people["unit"].iloc[at], people["manager_id"].iloc[at], newest, trigger, start,
                start + timedelta(days=rule.days_least), start + timedelta(days=rule.days_most), end,
                "; ".join(day.isoformat() for day in (*reviews, end)), standard,
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=PLANS)


def improvement_goals(plans: pd.DataFrame, needs: pd.DataFrame, scheme: Scheme) -> pd.DataFrame:
    """A dated goal for each training need of those with a plan: ``employee_id, item, responsibility, goal, due``.

    Whoever has a plan and no need by item gets one row that says so: their goals are for the talk to find.
    """
    names = {item.id: item.name.en for item in scheme.items}
    rows = []
    for plan in plans.to_dict("records"):
        own = needs[needs["employee_id"].eq(plan["employee_id"])]
        for need in own.to_dict("records"):
            if need["need"] == BEHIND:
                goal = f"{names[need['item']]}: from {need['value']:.1f} to {need['limit']:g} points or more"
            else:
                goal = f"{names[need['item']]}: from a rating of {need['value']:.1f} to above {need['limit']:g}"
            rows.append((plan["employee_id"], need["item"], need["responsibility"], goal, plan["end"]))
        if own.empty:
            said = "no single item is behind or low; agree the goals in the interview"
            rows.append((plan["employee_id"], "", "", said, plan["end"]))
    return pd.DataFrame(rows, columns=GOALS)
