"""What grades cost: every step against the pool, and what one changed grade would do. Money is whole cents inside.

Products are exact: factors are taken as the decimals that the scheme writes (1.2 is 12/10), never as the binary
fraction beside them, and half a cent goes to the even cent.
"""

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import pandas as pd

from ..errors import DataError
from ..scheme import Scheme
from ..scheme.outcomes import Pay
from ..tables import STAGES
from .decisions import grades_of

COLUMNS = ["step", "n", "cost", "budget", "balance", "currency"]
WHAT_IF = """employee_id grade to_grade cost change budget balance amount amount_change others_change
currency""".split()


def exact(number: float) -> Fraction:
    """The decimal that a person wrote: 1.2 is 6/5."""
    return Fraction(repr(float(number)))


def cents_of(money: Iterable[float]) -> np.ndarray:
    """Whole cents as Python integers, which no product overflows."""
    values = [float(value) for value in money]
    if not np.isfinite(values).all():
        raise DataError("A bonus target is missing; give everybody in the pay table one, or write eligible: no.")
    return np.array([round(exact(value) * 100) for value in values], dtype=object)


def times(cents: np.ndarray, factor: Fraction) -> np.ndarray:
    """Cents times a factor, to the nearest cent, halves to the even one."""
    product, under = cents * factor.numerator, factor.denominator
    whole, rest = product // under, product % under
    return whole + ((2 * rest > under) | ((2 * rest == under) & (whole % 2 == 1))).astype(int)


def budget_of(targets: np.ndarray, rule: Pay) -> int:
    """The pool in cents: what the scheme states, or ``funding`` of the targets (cents), each rounded."""
    if rule.budget is not None:
        return round(exact(rule.budget) * 100)
    moved = exact(rule.counted_multiplier) if rule.pool == "funded" else Fraction(1)
    return int(times(targets, exact(rule.funding) * moved).sum())


def claims_of(targets: np.ndarray, grades: Iterable[str], scheme: Scheme) -> np.ndarray:
    """Bonus target x company multiplier x multiplier of the grade, in cents."""
    factor = exact(scheme.pay.counted_multiplier)
    by_grade = {g.id: exact(g.multiplier) * factor for g in scheme.grades}
    claims = np.zeros(len(targets), dtype=object)
    column = np.asarray(list(grades), dtype=object)
    if unknown := sorted(set(column) - by_grade.keys()):
        raise DataError(f"No grade is called {unknown[0]}, so nobody can say what it pays.")
    for grade, product in by_grade.items():
        here = column == grade
        claims[here] = times(targets[here], product)
    return claims


def one_currency(pay: pd.DataFrame) -> str:
    """The currency of those who are eligible.

    Raises
    ------
    DataError
        If there are several: one pool cannot be shared between them.
    """
    found = pay["currency"].value_counts().sort_index()
    if len(found) > 1:
        listed = ", ".join(f"{name} ({n} people)" for name, n in found.items())
        raise DataError(
            f"The pay table holds {listed}. One pool is in one currency: shares of money in two cannot be compared "
            "without a rate, and none is assumed. Convert the targets, or give each currency a cycle of its own."
        )
    return str(found.index[0]) if len(found) else ""


def eligible_of(pay: pd.DataFrame) -> pd.DataFrame:
    """Rows of the pay table that may be paid, in the order of ids."""
    if (twice := pay["employee_id"].duplicated()).any():
        raise DataError(f"{pay.loc[twice, 'employee_id'].iloc[0]} stands twice in the pay table; keep one row.")
    rows = pay[pay["eligible"].astype("boolean").fillna(False).astype(bool)] if len(pay) else pay
    return rows.sort_values("employee_id", kind="stable", ignore_index=True)


def pool(scores: pd.DataFrame, pay: pd.DataFrame, scheme: Scheme) -> pd.DataFrame:
    """Cost of each step (raw, adjusted, proposed ...) against the pool; one row a step.

    cost = sum of bonus target x company multiplier x multiplier of the grade, over eligible employees with a
    grade. The pool is ``outcomes.pay.budget``, or ``funding`` times the sum of those same targets (and, where it is
    funded, the company multiplier).

    Returns
    -------
    DataFrame
        ``step, n, cost, budget, balance`` (money of ``currency``, to the cent), ``currency``; no rows where there
        is no pay table.
    """
    people = eligible_of(pay).merge(scores, on="employee_id", how="inner")
    rows = []
    for step in STAGES:
        column = f"grade_{step}"
        if column not in people or people.empty:
            continue
        graded = people[people[column].fillna("").ne("")]
        targets = cents_of(graded["bonus_target"])
        cost, budget = int(claims_of(targets, graded[column], scheme).sum()), budget_of(targets, scheme.pay)
        rows.append((step, len(graded), cost / 100, budget / 100, (budget - cost) / 100, one_currency(people)))
    return pd.DataFrame(rows, columns=COLUMNS)


def what_if(grades: pd.DataFrame, pay: pd.DataFrame, scheme: Scheme) -> pd.DataFrame:
    """What the pool would look like if one person had another grade: every eligible person x every grade.

    For the time before a decision, so ``grades`` (``employee_id, grade``) are whatever stands on the table; the
    caller says what they are. One person changes at a time. A person without a grade is left out.

    Returns
    -------
    DataFrame
        ``employee_id, grade, to_grade, cost`` (sum of the claims), ``change`` (of the cost), ``budget, balance,
        amount`` (what the person would be paid: of a fixed pool the share of it, within a cent of what
        :func:`bonuses` gives), ``amount_change, others_change`` (what all others together would gain, negative
        where they lose: a fixed pool gives one what it takes from the rest), ``currency``.
    """
    given = grades_of(grades, scheme, "grades")
    people = eligible_of(pay)
    people = people[people["employee_id"].isin(given.index)].reset_index(drop=True)
    if people.empty:
        return pd.DataFrame(columns=WHAT_IF)
    currency, ladder = one_currency(people), list(scheme.cuts)
    targets = cents_of(people["bonus_target"])
    now = people["employee_id"].map(given).to_numpy(object)
    claims = np.stack([claims_of(targets, [grade] * len(people), scheme) for grade in ladder], axis=1)
    at = np.array([ladder.index(grade) for grade in now])
    own = claims[np.arange(len(people)), at]
    cost, budget = int(own.sum()), budget_of(targets, scheme.pay)
    after = (cost - own[:, None] + claims).astype(float)
    paid, before = (_paid(c, total, budget, scheme.pay) for c, total in ((claims, after), (own, float(cost))))
    spent = _spent(after, budget, scheme.pay) - _spent(np.array(float(cost)), budget, scheme.pay)
    change = paid - before[:, None]
    shape = claims.shape
    table = pd.DataFrame(
        {
            "employee_id": np.repeat(people["employee_id"].to_numpy(), shape[1]),
            "grade": np.repeat(now, shape[1]),
            "to_grade": np.tile(np.array(ladder, dtype=object), shape[0]),
            "cost": after.ravel() / 100,
            "change": (after - cost).ravel() / 100,
            "budget": budget / 100,
            "balance": (budget - after).ravel() / 100,
            "amount": np.round(paid.ravel()) / 100,
            "amount_change": np.round(change.ravel()) / 100,
            "others_change": np.round((spent - change).ravel()) / 100,
            "currency": currency,
        }
    )
    return table[WHAT_IF]


def _paid(claims: np.ndarray, total, budget: int, rule: Pay) -> np.ndarray:
    """Cents paid on claims that total so much: their share of a fixed pool, or of a funded one that is overdrawn."""
    claims = claims.astype(float)
    share = budget / np.where(np.asarray(total) > 0, total, 1.0)
    return claims * (share if rule.pool == "fixed" else np.minimum(share, 1.0))


def _spent(total: np.ndarray, budget: int, rule: Pay) -> np.ndarray:
    """Cents paid to all together."""
    return np.where(total > 0, budget if rule.pool == "fixed" else np.minimum(total, budget), 0.0)
