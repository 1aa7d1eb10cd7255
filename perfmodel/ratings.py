"""Several ratings of one thing, combined into the one that counts."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

OVERALL = "overall"  # the kpi of a rating of the whole person: evidence, no item of a scheme
KEY = ["employee_id", "scorecard", "kpi"]


def combined(ratings: pd.DataFrame, role_weights: Mapping[str, float], value: str = "rating") -> pd.DataFrame:
    """The weighted mean over roles of each role's mean ``value``; one row per employee, scorecard and kpi.

    Roles of weight 0, and ratings of the whole person, do not enter. A role that gave no rating takes no
    part: the weights of those present are shared.

    Returns
    -------
    DataFrame
        ``employee_id, scorecard, kpi, rating`` (in the unit of ``value``), ``n_ratings, roles`` (those that
        entered, by name, joined by "+"), sorted by key.
    """
    weight = ratings["role"].map(dict(role_weights)).fillna(0.0)
    counted = ratings[(weight > 0) & ratings["kpi"].ne(OVERALL)].assign(_weight=weight)
    # Sorted by value too: a sum may not depend on the order of the rows.
    counted = counted.sort_values([*KEY, "role", value], kind="stable")
    roles = counted.groupby([*KEY, "role"], sort=False).agg(
        mean=(value, "mean"), n=(value, "size"), weight=("_weight", "first")
    )
    roles["part"] = roles["mean"] * roles["weight"]
    roles = roles.reset_index()
    by_item = roles.groupby(KEY, sort=False)
    table = by_item[["part", "weight", "n"]].sum()
    names = by_item["role"].agg("+".join) if len(roles) else pd.Series([], dtype=str)
    return pd.DataFrame(
        {"rating": table["part"] / table["weight"], "n_ratings": table["n"].astype(np.int64), "roles": names}
    ).reset_index()
