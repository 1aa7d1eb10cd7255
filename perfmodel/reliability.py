"""How much of a rating is signal, and what a score's uncertainty means for its grade."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from .errors import DataError
from .grades import GRAIN

FORMS = ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)")


def icc(matrix) -> pd.Series:
    """The six intraclass correlations of a complete table, employees (rows) by raters (columns).

    1: each employee has other raters; 2: the raters are a sample, their severities count as error; 3: these raters
    and no others, severities left out. ``k``: of the mean over the raters.

    Raises
    ------
    DataError
        If a cell is missing, or there are fewer than two employees or raters.

    References
    ----------
    Shrout and Fleiss (1979), Intraclass correlations: uses in assessing rater reliability, Psychological
    Bulletin 86(2), 420-428.
    """
    x = np.asarray(matrix, float)
    if x.ndim != 2 or min(x.shape) < 2 or not np.isfinite(x).all():
        raise DataError(
            "Agreement needs at least two employees and two raters, and every rater's rating of every employee."
        )
    n, k = x.shape
    rows, columns, grand = x.mean(axis=1), x.mean(axis=0), x.mean()
    between = k * ((rows - grand) ** 2).sum() / (n - 1)
    raters = n * ((columns - grand) ** 2).sum() / (k - 1)
    within = ((x - rows[:, None]) ** 2).sum() / (n * (k - 1))
    error = ((x - rows[:, None] - columns + grand) ** 2).sum() / ((n - 1) * (k - 1))

    def ratio(top, bottom):
        return top / bottom if bottom > 0 else np.nan

    values = (
        ratio(between - within, between + (k - 1) * within),
        ratio(between - error, between + (k - 1) * error + k * (raters - error) / n),
        ratio(between - error, between + (k - 1) * error),
        ratio(between - within, between),
        ratio(between - error, between + (raters - error) / n),
        ratio(between - error, between),
    )
    return pd.Series(values, FORMS, name="icc")


def reliability(variances: Mapping[str, float], raters: int = 1, items: int = 1) -> float:
    """Share of the variance of a mean over ``raters`` and ``items`` that is the employees'; severity is error.

    From variance components (rating points squared) as ``SeverityFit.variances``: employee and team are signal;
    rater, halo and residual are error (a generalisability study's relative decision, Brennan 2001, ch. 2).
    """
    v = {name: float(variances.get(name, 0.0) or 0.0) for name in ("employee", "team", "rater", "halo", "residual")}
    signal = v["employee"] + v["team"]
    error = (v["rater"] + v["halo"] + v["residual"] / items) / raters
    return signal / (signal + error) if signal + error > 0 else np.nan


def raters_needed(variances: Mapping[str, float], target: float = 0.8, items: int = 1, most: int = 1000) -> int | None:
    """Fewest raters of each employee whose mean reaches reliability ``target``; None if ``most`` do not."""
    if not 0 < target < 1:
        raise DataError(f"A reliability of {target:g} cannot be aimed at; write a share between 0 and 1.")
    return next((n for n in range(1, most + 1) if reliability(variances, n, items) >= target - 1e-12), None)


def grade_chances(scores, cuts: Mapping[str, float], caps: Sequence[str] | None = None) -> np.ndarray:
    """Share of draws in which each employee has each grade: (draws, employees) -> (employees, grades).

    ``cuts``: lower bound (inclusive) by grade, best first; ``caps``: the best grade allowed to each employee, or
    "". Employees without scores (NaN) get NaN.
    """
    values = np.asarray(scores, float)
    grades = list(cuts)
    above = np.stack([(values >= least - GRAIN).mean(axis=0) for least in cuts.values()], axis=1)
    above[:, -1] = 1.0  # the lowest grade has no lower end
    shares = np.diff(above, axis=1, prepend=0.0)
    for i, cap in enumerate(caps if caps is not None else ()):
        if cap:
            at = grades.index(cap)
            shares[i, at] += shares[i, :at].sum()
            shares[i, :at] = 0.0
    shares[np.isnan(values).any(axis=0)] = np.nan
    return shares
