"""Which scorecards an employee has, and what share of the quarter each stands for."""

import numpy as np
import pandas as pd

from ..cycle import Cycle


def scorecards(cycle: Cycle) -> pd.DataFrame:
    """One row per employee and scorecard, sorted by both.

    Whoever has no row in ``assignments`` has one scorecard, "", from the start of the cycle (or the day of
    hiring) to its end. A scorecard of fewer days than ``limits.min_days`` does not count; the others are
    weighted by days.

    Returns
    -------
    DataFrame
        ``employee_id, scorecard, unit, profile, manager_id, days, counted, day_share`` (of the counted days; 0
        where not counted), ``reason``.
    """
    scheme = cycle.scheme
    start, end = pd.Timestamp(scheme.start), pd.Timestamp(scheme.end)
    people, moves = cycle.employees, cycle.table("assignments")
    columns = ["employee_id", "scorecard", "unit", "profile", "manager_id", "from", "to"]
    one = people[~people["employee_id"].isin(moves["employee_id"])].assign(scorecard="", to=end)
    one["from"] = pd.to_datetime(one["hire_date"]).clip(lower=start).fillna(start)
    several = moves[moves["employee_id"].isin(people["employee_id"])]
    frames = [f[columns].astype({"from": "datetime64[us]", "to": "datetime64[us]"}) for f in (one, several)]
    filled = [f for f in frames if len(f)] or frames[:1]  # an empty one would tell the types of the others
    cards = pd.concat(filled, ignore_index=True).sort_values(["employee_id", "scorecard"], kind="stable")
    last, first = cards["to"].clip(upper=end), cards["from"].clip(lower=start)
    cards["days"] = np.maximum((last - first).dt.days + 1, 0)
    cards["counted"] = cards["days"] >= scheme.limits.min_days
    known = cards["days"].where(cards["counted"], 0)
    whole = known.groupby(cards["employee_id"]).transform("sum")
    cards["day_share"] = (known / whole.where(whole > 0)).fillna(0.0)
    few = [f"{days} days: under {scheme.limits.min_days} a scorecard does not count" for days in cards["days"]]
    cards["reason"] = np.where(cards["counted"], "", few)
    return cards.drop(columns=["from", "to"]).reset_index(drop=True)
