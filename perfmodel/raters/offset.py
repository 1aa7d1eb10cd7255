"""The fixed effect of the role self: how far people rate themselves above what the model expects of them.

A self rating is a term of the model with a fixed offset and an effect of its own for each person that is left free:

    y_self = (what the others' ratings expect of the person on the item) + offset + free effect of the person

so it takes part in the model, and yet links nobody: what is free tells nothing of merit or severity, and the
estimates of both are those without self ratings, to the last digit.
"""

import numpy as np
import pandas as pd

from .model import Model

ENOUGH = 200  # people, evenly spaced, from whom the mean variance of what is expected is taken
NOBODY = "nobody rated themselves on an item that others rated"
LEFT_ALONE = "who rated themselves are rated by raters who are left alone, so nothing is expected of them"
ONE = "one person rated themselves: no error"


def self_offset(model: Model, own: pd.DataFrame) -> pd.Series:
    """``estimate`` (rating points, positive where people rate themselves higher), ``se``, ``n`` people, ``reason``.

    The estimate is the mean over people of self rating minus expectation, the expectation being fixed effects,
    person, team, and the mean severity of the raters that can be compared. Its error has two parts: the spread of
    people, and that what is expected of different people errs alike, ``c``: with s² the variance of people's
    differences, v the error variance of the mean expectation and u the mean error variance of one,

        se² = s²/n + c,   c = (n v - u) / (n - 1), not below 0.
    """
    key = ["employee_id", "scorecard", "kpi"]
    found = pd.Series({"estimate": np.nan, "se": np.nan, "n": 0, "reason": NOBODY}, name="self_offset", dtype=object)
    if own.empty or model.best is None:
        return found
    from scipy.sparse import csr_array

    best = model.best
    rows = model.rows.reset_index(drop=True)
    rows["row"] = np.arange(len(rows))
    both = own.rename(columns={"rating": "self"}).merge(rows[[*key, "row"]], on=key)
    if both.empty:
        table = model.table
        others = own.merge(table[table["used"]], on=key)
        return found if others.empty else found.replace({NOBODY: LEFT_ALONE})
    person, names = pd.factorize(both["employee_id"], sort=True)
    item = both.groupby(key, sort=False).ngroup().to_numpy()
    # Every item of a person counts the same, and within an item every rater.
    n_items = pd.Series(item).groupby(person).nunique().to_numpy()
    share = 1 / (n_items[person] * np.bincount(item)[item])

    at = both["row"].to_numpy()
    rater = np.searchsorted(model.raters_in, rows["r"])[at]
    employee = np.searchsorted(model.employees_in, rows["e"])[at]
    n = len(names)
    fixed = csr_array((share, (person, np.arange(len(at)))), shape=(n, len(at))) @ model.design[at]
    weights = {"employee": csr_array((share, (person, employee)), shape=(n, len(model.employees_in)))}
    weights["rater"] = _mean_of_group(model, csr_array((share, (person, rater)), shape=(n, len(model.raters_in))))
    expected = fixed @ best.fixed + weights["employee"] @ best.employee + weights["rater"] @ best.rater
    if len(model.team_of):
        weights["team"] = csr_array((share, (person, model.team_of[employee])), shape=(n, len(best.team)))
        expected = expected + weights["team"] @ best.team
    apart = np.bincount(person, share * both["self"].to_numpy()) - expected
    found["estimate"], found["n"], found["reason"] = float(apart.mean()), n, "" if n > 1 else ONE
    if n > 1:
        some = np.unique(np.linspace(0, n - 1, ENOUGH).astype(int))
        one = best.sum_variance(fixed[some], {name: w[some] for name, w in weights.items()}).mean()
        everybody = csr_array(np.full((1, n), 1 / n))
        mean = best.sum_variance(everybody @ fixed, {name: everybody @ w for name, w in weights.items()})[0]
        alike = max((n * mean - one) / (n - 1), 0.0)
        found["se"] = float(np.sqrt(apart.var(ddof=1) / n + alike))
    return found


def _mean_of_group(model: Model, of_rater):
    """Sparse weights on raters, spread over all that each is compared with: there severities are centred."""
    from scipy.sparse import csr_array

    group, at, size = np.unique(model.groups[model.raters_in], return_inverse=True, return_counts=True)
    place = (np.arange(len(at)), at)
    within = csr_array((np.ones(len(at)), place), shape=(len(at), len(group)))
    mean = csr_array((1 / size[at], place), shape=within.shape)
    return of_rater @ within @ mean.T
