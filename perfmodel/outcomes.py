"""What grades cost: every step against the pool. Money is summed in whole cents."""

import numpy as np
import pandas as pd

from .scheme import Scheme
from .tables import STAGES

COLUMNS = ["step", "n", "cost", "budget", "balance", "currency"]


def pool(scores: pd.DataFrame, pay: pd.DataFrame, scheme: Scheme) -> pd.DataFrame:
    """Cost of each step (raw, adjusted, proposed ...) against the pool; one row a step.

    cost = sum of bonus target x company multiplier x multiplier of the grade, over eligible employees with a
    grade. The pool is ``outcomes.pay.budget``, or ``funding`` times the sum of those same targets.

    Returns
    -------
    DataFrame
        ``step, n, cost, budget, balance`` (money of ``currency``, to the cent), ``currency``; no rows where there
        is no pay table.
    """
    eligible = pay[pay["eligible"].fillna(False).astype(bool)] if len(pay) else pay
    people = eligible.merge(scores, on="employee_id", how="inner")
    multipliers = {g.id: g.multiplier for g in scheme.grades}
    rule = scheme.pay
    rows = []
    for step in STAGES:
        column = f"grade_{step}"
        if column not in people or people.empty:
            continue
        graded = people[people[column].fillna("").ne("")]
        cents = graded["bonus_target"] * 100
        cost = int(np.rint(cents * rule.company_multiplier * graded[column].map(multipliers).astype(float)).sum())
        funded = int(np.rint(cents * rule.funding).sum())
        budget = funded if rule.budget is None else round(rule.budget * 100)
        rows.append((step, len(graded), cost / 100, budget / 100, (budget - cost) / 100, eligible["currency"].iloc[0]))
    return pd.DataFrame(rows, columns=COLUMNS)
