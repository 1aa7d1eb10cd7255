"""Who is paid what, to the cent: the amounts of a pool always add up to it."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from ..errors import DataError
from ..scheme import Scheme
from .decisions import grades_of
from .money import budget_of, cents_of, claims_of, eligible_of, one_currency

COLUMNS = "employee_id grade bonus_target multiplier company_multiplier claim amount cents currency reason".split()
NOT_ELIGIBLE = "not eligible in the pay table"
NOT_DECIDED = "no decided grade: nothing is paid, and no share of the pool is kept"


def largest_remainder(total: int, claims: Iterable[int], keys: Sequence[str]) -> np.ndarray:
    """``total`` in whole units, divided in proportion to ``claims``, with nothing left over.

    Each claim first gets the whole part of its share; what is left goes, one unit each, to the largest remainders.
    Among equal remainders the larger claim goes first, then the smaller key, so the order of rows decides nothing.

    Raises
    ------
    DataError
        If the total or a claim is negative, or all claims are 0 while there is something to divide.
    """
    wanted = [int(claim) for claim in claims]
    if total < 0 or min(wanted, default=0) < 0:
        raise DataError("Neither a pool nor a claim on it can be negative.")
    whole = sum(wanted)
    if not whole:
        if total:
            raise DataError(
                f"Nobody has a claim on the pool of {total} cents, so there is no proportion to divide it in."
            )
        return np.zeros(len(wanted), dtype=object)
    shares = [divmod(total * claim, whole) for claim in wanted]
    found = np.array([share for share, _ in shares], dtype=object)
    order = sorted(range(len(wanted)), key=lambda i: (-shares[i][1], -wanted[i], keys[i]))
    for i in order[: total - sum(found.tolist())]:
        found[i] += 1
    return found


def bonuses(decided: pd.DataFrame, pay: pd.DataFrame, scheme: Scheme) -> pd.DataFrame:
    """The bonus of everybody in the pay table, from decided grades.

    A claim is bonus target x company multiplier x multiplier of the grade. A ``fixed`` pool is divided in proportion
    to the claims and paid out to the cent (:func:`largest_remainder`; ties by id). A ``funded`` pool pays the
    claims: none where the company multiplier is under ``threshold``, counted at most as ``cap``; where the claims pass
    the pool all are cut in one proportion, so that it is met to the cent, and what is left of it otherwise stays.
    Part-time work shows in the bonus target, which is what the pay table says is paid at 100 %.

    Parameters
    ----------
    decided : DataFrame
        ``employee_id, grade``; the pool of ``funding`` and of shares is that of the people in it.

    Returns
    -------
    DataFrame
        By employee: ``grade, bonus_target, multiplier, company_multiplier`` (as it counts), ``claim, amount`` (money
        of ``currency``), ``cents`` (the amount in whole cents), ``reason``. Whoever is not eligible or has no
        decided grade stands in it with 0 and the reason. Sum of ``cents`` = the pool, if fixed and anybody has a
        claim.

    Raises
    ------
    DataError
        If there are several currencies, or a decided grade is not the scheme's.
    """
    given, rule = grades_of(decided, scheme), scheme.pay
    eligible = eligible_of(pay)
    table = pay[["employee_id", "bonus_target", "currency"]].sort_values("employee_id", ignore_index=True)
    table["grade"] = table["employee_id"].map(given).astype(object).fillna("")
    may = table["employee_id"].isin(eligible["employee_id"]).to_numpy()
    takes = may & table["grade"].ne("").to_numpy()
    one_currency(table[takes])
    targets = cents_of(table.loc[takes, "bonus_target"])
    claims = claims_of(targets, table.loc[takes, "grade"], scheme)
    budget, asked = budget_of(targets, rule), int(claims.sum())
    ids = list(table.loc[takes, "employee_id"])
    said = ""
    if rule.pool == "fixed" or asked > budget:
        paid = largest_remainder(budget if asked else 0, claims, ids)
        if rule.pool == "funded":
            said = f"claims of {asked / 100:.2f} pass the pool of {budget / 100:.2f}: all are cut in one proportion"
    else:
        paid = claims
    if rule.pool == "funded" and rule.threshold is not None and rule.company_multiplier < rule.threshold:
        said = f"company multiplier {rule.company_multiplier:g} is under the threshold {rule.threshold:g}: no payout"
    elif rule.pool == "funded" and rule.cap is not None and rule.company_multiplier > rule.cap:
        said = "; ".join(filter(None, [f"company multiplier {rule.company_multiplier:g} counts as {rule.cap:g}", said]))
    multipliers = {g.id: g.multiplier for g in scheme.grades}
    table["multiplier"] = table["grade"].map(multipliers).astype(float)
    table["company_multiplier"] = rule.counted_multiplier
    table["claim"], table["cents"] = 0.0, 0
    table.loc[takes, "claim"] = (claims / 100).astype(float)
    table.loc[takes, "cents"] = paid.astype("int64")
    table["amount"] = table["cents"] / 100
    zero = np.where(table["multiplier"].eq(0), "the multiplier of " + table["grade"] + " is 0", "")
    table["reason"] = np.where(~may, NOT_ELIGIBLE, np.where(~takes, NOT_DECIDED, np.where(zero != "", zero, said)))
    return table[COLUMNS]
