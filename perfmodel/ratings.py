"""Several ratings of one thing, combined into the one that counts."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

OVERALL = "overall"  # the kpi of a rating of the whole person: evidence, no item of a scheme
KEY = ["employee_id", "scorecard", "kpi"]


def counted(ratings: pd.DataFrame, role_weights: Mapping[str, float]) -> pd.DataFrame:
    """The ratings that enter a combined one, with their share in it.

    A combined rating is the weighted mean over roles of each role's mean. Roles of weight 0, and ratings of the
    whole person, do not enter. A role that gave no rating takes no part: the weights of those present are shared.

    Returns
    -------
    DataFrame
        Rows of ``ratings``, sorted by key, role and rating, with ``part`` (shares of 1) and ``item`` (number of the
        employee, scorecard and kpi, in order).
    """
    weight = ratings["role"].map(dict(role_weights)).astype(float).fillna(0.0)
    rows = ratings.assign(part=weight)[(weight > 0) & ratings["kpi"].ne(OVERALL)]
    # Sorted by rating too: a sum may not depend on the order of the rows.
    rows = rows.sort_values([*KEY, "role", "rating"], kind="stable")
    new_item, new_role = ~rows.duplicated(KEY), ~rows.duplicated([*KEY, "role"])
    item, role = new_item.cumsum().to_numpy() - 1, new_role.cumsum().to_numpy() - 1
    whole = np.bincount(item, rows["part"] * new_role)
    return rows.assign(part=rows["part"] / whole[item] / np.bincount(role)[role], item=item)


def combined(counted: pd.DataFrame, value: str = "rating") -> pd.DataFrame:
    """``employee_id, scorecard, kpi, rating`` from :func:`counted`, in the unit of ``value``; sorted by key."""
    table = counted.loc[~counted["item"].duplicated(), KEY].reset_index(drop=True)
    return table.assign(rating=np.bincount(counted["item"], counted["part"] * counted[value]))
