"""Results pooled for strategy: by category and by domain, never of so few that one person shows."""

import numpy as np
import pandas as pd

from ..errors import DataError
from ..scheme import Scheme
from ..tables import COMPANY, POOLED
from .decisions import grades_of, of_people

LEAST = 10  # people under which no pooled result is told
COLUMNS = "unit level id name n mean low_quartile high_quartile share_behind company_difference reason".split()


def organisation_summary(
    decided: pd.DataFrame, items: pd.DataFrame, employees: pd.DataFrame, scheme: Scheme, least: int = LEAST
) -> pd.DataFrame:
    """Points by category and by domain of responsibility, of the company and of each unit.

    A person's points of a category are the mean of its items by weight, days of scorecards included. Units with a
    figure of fewer than ``least`` people are pooled, together with the next smallest units where they are still too
    few, so that no small group is the difference of two published rows.

    Parameters
    ----------
    items : DataFrame
        As ``scoring.item_scores``.

    Returns
    -------
    DataFrame
        ``unit`` (or "company", "pooled: ..."), ``level`` (category, domain), ``id, name, n, mean, low_quartile,
        high_quartile`` (points), ``share_behind`` (people under ``training.behind_target``), ``company_difference``
        (points), ``reason`` (where there are too few to tell).
    """
    if least < LEAST:
        raise DataError(f"Pooled results of {least} people could be traced to one; ask for {LEAST} or more.")
    given = grades_of(decided, scheme)
    points = _points(items[items["employee_id"].isin(given.index)], scheme)
    unit = of_people(employees, "unit")["unit"]
    if points.index.difference(unit.dropna().index).size:
        who = points.index.difference(unit.dropna().index)[0]
        raise DataError(f"{who} has a decided grade and stands in no unit; add the employee.")
    groups = _groups(points, unit.reindex(points.index), least)
    names = {("category", c.id): c.name.en for c in scheme.categories}
    names |= {("domain", d): text.en for d, text in scheme.responsibilities.items()}
    behind = scheme.outcomes.training.behind_target
    whole, rows = points.mean(), []
    for group, people in {COMPANY: list(points.index), **groups}.items():
        here = points.loc[people]
        for column in points.columns:
            values = here[column].dropna().to_numpy()
            if len(values) < least:
                told: tuple = (np.nan,) * 5
                why = f"{len(values)} people: under {least} no pooled result is told"
            else:
                low, high = np.quantile(values, [0.25, 0.75])
                told = (values.mean(), low, high, (values < behind - 1e-9).mean(), values.mean() - whole[column])
                why = ""
            rows.append((group, *column, names[column], len(values) if not why else np.nan, *told, why))
    return pd.DataFrame(rows, columns=COLUMNS)


def _points(items: pd.DataFrame, scheme: Scheme) -> pd.DataFrame:
    """Points by employee (rows) and (category, id) or (domain, id): means by weight of what has points."""
    score = items["score_adjusted"].where(items["score_adjusted"].notna(), items["score_raw"])
    weight = (items["weight"] * items["day_share"]).where(score.notna(), 0.0).fillna(0.0)
    parts = []
    for level, key in (("category", items["category"]), ("domain", items["kpi"].map(_domains(scheme)))):
        by = [items["employee_id"], key.rename("id")]
        sums = pd.DataFrame({"points": score * weight, "weight": weight}).groupby(by).sum()
        mean = (sums["points"] / sums["weight"].where(sums["weight"] > 0)).unstack()
        order = [c.id for c in scheme.categories] if level == "category" else list(scheme.responsibilities)
        parts.append(mean.reindex(columns=[name for name in order if name in mean]).add_prefix(f"{level}\0"))
    table = pd.concat(parts, axis=1)
    table.columns = pd.MultiIndex.from_tuples([tuple(name.split("\0")) for name in table.columns])
    return table


def _domains(scheme: Scheme) -> dict[str, str]:
    return {kpi.id: kpi.responsibility for kpi in scheme.kpis}


def _groups(points: pd.DataFrame, unit: pd.Series, least: int) -> dict[str, list[str]]:
    """People by unit; small units pooled, and the next smallest joined to them until every figure has ``least``."""
    counts = points.notna().groupby(unit.to_numpy()).sum()
    fewest = counts.min(axis=1)
    order = sorted(fewest.index, key=lambda name: (fewest[name], name))
    small = [name for name in order if fewest[name] < least]
    while small and len(small) < len(order) and counts.loc[small].sum().min() < least:
        small = order[: len(small) + 1]
    groups = {name: list(unit.index[unit == name]) for name in sorted(set(order) - set(small))}
    if small:
        named = POOLED + " + ".join(sorted(small))
        groups[named if len(small) > 1 else small[0]] = list(unit.index[unit.isin(small)])
    return groups
