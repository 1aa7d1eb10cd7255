"""How much of a rating is signal, and what a score's uncertainty means for its grade."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from .errors import DataError
from .grades import GRAIN

Level = Literal["nominal", "ordinal", "interval", "ratio"]
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
    between, raters, within, error = _mean_squares(x)

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


def _mean_squares(x: np.ndarray) -> tuple[float, float, float, float]:
    """Between employees, between raters, within employees, and of error (Shrout and Fleiss 1979, table 2)."""
    n, k = x.shape
    rows, columns, grand = x.mean(axis=1), x.mean(axis=0), x.mean()
    between = k * ((rows - grand) ** 2).sum() / (n - 1)
    raters = n * ((columns - grand) ** 2).sum() / (k - 1)
    within = ((x - rows[:, None]) ** 2).sum() / (n * (k - 1))
    error = ((x - rows[:, None] - columns + grand) ** 2).sum() / ((n - 1) * (k - 1))
    return between, raters, within, error


def icc_interval(matrix, form: str, level: float = 0.90) -> tuple[float, float]:
    """Confidence limits of an intraclass correlation of :func:`icc`, from F distributions.

    Exact for the forms 1 and 3, approximate for 2, whose degrees of freedom are Satterthwaite's.

    References
    ----------
    Shrout and Fleiss (1979), p. 424 to 426. McGraw and Wong (1996), Forming inferences about some intraclass
    correlation coefficients, Psychological Methods 1(1), table 7.
    """
    from scipy.special import fdtri

    if form not in FORMS:
        raise DataError(f"There is no intraclass correlation {form!r}; write one of {', '.join(FORMS)}.")
    if not 0 < level < 1:
        raise DataError(f"A confidence level lies between 0 and 1, not at {level!r}.")
    icc(matrix)  # refuses what is no complete table
    x = np.asarray(matrix, float)
    n, k = x.shape
    between, raters, within, error = _mean_squares(x)
    tail = (1 + level) / 2
    if form.startswith("ICC(2"):
        one = icc(x)["ICC(2,1)"]
        if not (error > 0 and between > 0) or not np.isfinite(one) or one >= 1:
            return np.nan, np.nan
        a, b = k * one / (n * (1 - one)), 1 + k * one * (n - 1) / (n * (1 - one))
        v = (a * raters + b * error) ** 2 / ((a * raters) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1)))
        up, down = fdtri(n - 1, v, tail), fdtri(v, n - 1, tail)
        both = k * raters + (k * n - k - n) * error
        low = n * (between - up * error) / (up * both + n * between)
        high = n * (down * between - error) / (both + n * down * between)
        ends = np.array([low, high])
        mean = k * ends / (1 + (k - 1) * ends)
    else:
        noise, degrees = (within, n * (k - 1)) if form.startswith("ICC(1") else (error, (n - 1) * (k - 1))
        if not (noise > 0 and between > 0):
            return np.nan, np.nan
        f = between / noise
        ratio = np.array([f / fdtri(n - 1, degrees, tail), f * fdtri(degrees, n - 1, tail)])
        ends, mean = (ratio - 1) / (ratio + k - 1), 1 - 1 / ratio
    low, high = mean if form.endswith("k)") else ends
    return float(low), float(high)


def krippendorff_alpha(ratings: pd.DataFrame, level: Level = "interval") -> pd.Series:
    """Krippendorff's alpha of all ratings of the same thing by different raters, whoever they are.

    ``ratings``: ``rater_id, employee_id, kpi, rating``; a unit is one employee on one kpi. 1 is agreement, 0 what
    chance would give. ``level``: nominal, ordinal, interval or ratio.

    Returns
    -------
    Series
        ``value, units`` (with two ratings or more), ``reason`` where there is no value.

    References
    ----------
    Krippendorff (2011), Computing Krippendorff's alpha-reliability, University of Pennsylvania.
    """
    if not np.isfinite(pd.to_numeric(ratings["rating"], errors="coerce")).all():
        raise DataError("Agreement needs every rating to be a number; leave a row out where none was given.")
    counts = ratings.groupby(["employee_id", "kpi", "rating"]).size().unstack(fill_value=0)
    counts = counts[counts.sum(axis=1) > 1]
    if counts.empty:
        return pd.Series({"value": np.nan, "units": 0, "reason": "nobody is rated by two raters on one thing"})
    counts = counts.loc[:, counts.sum() > 0]
    if counts.shape[1] < 2:
        return pd.Series(
            {"value": np.nan, "units": len(counts), "reason": "all ratings are equal: nothing to agree on"}
        )
    from krippendorff import alpha

    value = alpha(
        value_counts=counts.to_numpy(), value_domain=counts.columns.to_numpy(float), level_of_measurement=level
    )
    return pd.Series({"value": float(value), "units": len(counts), "reason": ""})


def agreement(ratings: pd.DataFrame, level: float = 0.90) -> pd.DataFrame:
    """How far raters agree, in the forms that fit who rated whom, with why they do.

    ``ratings``: ``rater_id, employee_id, kpi, rating``, one row a rating. The mean over kpis is what is compared.
    Everybody rated by the same raters: the forms 2 (severity is error) and, as what is left when severity is
    adjusted for, 3. Everybody rated by equally many, not the same: the form 1. Else no form fits, and variance
    components tell instead (:func:`reliability`). Krippendorff's alpha (interval) always stands beside.

    Returns
    -------
    DataFrame
        ``measure, value, lower, upper, n_employees, n_raters, reason``.
    """
    means = ratings.groupby(["employee_id", "rater_id"])["rating"].mean()
    wide = means.unstack()
    shared = wide[wide.notna().sum(axis=1) > 1]
    sizes = wide.notna().sum(axis=1)
    rows: list[tuple] = []
    if len(wide) > 1 and wide.shape[1] > 1 and wide.notna().all(axis=None):
        for form, why in (
            ("ICC(2,1)", "one rating; all raters rated everybody, and their severity counts as error"),
            ("ICC(2,k)", "mean of all raters; their severity counts as error"),
            ("ICC(3,1)", "one rating, once severity is adjusted for"),
        ):
            value, ends = icc(wide)[form], icc_interval(wide, form, level)
            rows.append((form, value, *ends, len(wide), wide.shape[1], why + _no_number(value, ends)))
    elif len(wide) > 1 and sizes.nunique() == 1 and sizes.iloc[0] > 1:
        table = means.groupby("employee_id").apply(lambda r: r.to_numpy()).tolist()
        for form, why in (
            ("ICC(1,1)", "one rating; everybody has other raters, so severity counts as error"),
            ("ICC(1,k)", f"mean of {sizes.iloc[0]} raters; everybody has others, so severity counts as error"),
        ):
            value, ends = icc(table)[form], icc_interval(table, form, level)
            rows.append((form, value, *ends, len(wide), wide.shape[1], why + _no_number(value, ends)))
    else:
        why = (
            "nobody has two raters"
            if shared.empty
            else "people have unequal numbers of raters, so no form fits; see the variance components"
        )
        rows.append(("ICC", np.nan, np.nan, np.nan, len(shared), int(shared.notna().any().sum()), why))
    alpha = krippendorff_alpha(ratings)
    why = alpha["reason"] or f"all {alpha['units']} things rated by two or more; severity counts as disagreement"
    rows.append(
        ("Krippendorff's alpha", alpha["value"], np.nan, np.nan, len(shared), int(shared.notna().any().sum()), why)
    )
    return pd.DataFrame(rows, columns=["measure", "value", "lower", "upper", "n_employees", "n_raters", "reason"])


def _no_number(value: float, ends: tuple[float, float]) -> str:
    """Why a form that fits has no value, or no limits; "" where it has both."""
    if np.isnan(value):
        return "; all means are equal, so there is nothing to agree on"
    if np.isnan(ends).any():
        return "; no limits can be given: people's means are equal, or raters differ by nothing but severity"
    return ""


COMPONENTS = ("employee", "team", "rater", "halo", "residual")


def reliability(variances: Mapping[str, float], raters: int = 1, items: int = 1, relative: bool = False) -> float:
    """Share of the variance of a mean over ``raters`` and ``items`` that is the employees'.

    From variance components (rating points squared) as ``SeverityFit.variances``: employee and team are signal;
    rater, halo and residual are error (dependability Phi of a generalisability study, Brennan 2001, ch. 2).
    ``relative``: severity is no error, because the same raters rate everybody (its coefficient E rho squared).
    NaN where components could not be told apart.
    """
    if not (raters >= 1 and items >= 1):
        raise DataError(f"Reliability is of one rater and one item or more, not of {raters:g} and {items:g}.")
    known = dict(variances)
    if negative := [name for name, value in known.items() if value is not None and value < 0]:
        raise DataError(f"The variance of {negative[0]} is negative ({known[negative[0]]:g}); a variance is 0 or more.")
    if _merged(known):
        return np.nan
    if unknown := sorted(known.keys() - set(COMPONENTS)):
        raise DataError(f"There is no variance component {', '.join(unknown)}; write {', '.join(COMPONENTS)}.")
    v = {name: float(known.get(name, 0.0) or 0.0) for name in COMPONENTS}
    signal = v["employee"] + v["team"]
    error = (v["rater"] * (not relative) + v["halo"] + v["residual"] / items) / raters
    return signal / (signal + error) if signal + error > 0 else np.nan


def _merged(variances: Mapping[str, float]) -> list[str]:
    """Components that the data could not tell apart, by the name that says so."""
    return [name for name in dict(variances) if " and " in name]


def d_study(
    variances: Mapping[str, float], raters: Sequence[int] = (1, 2, 3, 4, 5, 6, 8, 10), items: int = 1
) -> pd.DataFrame:
    """Reliability of the mean over so many raters: ``raters, items, relative, absolute, reason``.

    ``absolute`` counts severity as error, ``relative`` does not (see :func:`reliability`).
    """
    table = pd.DataFrame({"raters": list(raters), "items": items})
    table["relative"] = [reliability(variances, k, items, relative=True) for k in raters]
    table["absolute"] = [reliability(variances, k, items) for k in raters]
    merged = ", ".join(_merged(variances))
    why = f"{merged} cannot be told apart: nobody has two raters" if merged else ""
    return table.assign(reason=np.where(table["absolute"].isna(), why or "no variance is known", ""))


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
    if not grades or list(cuts.values()) != sorted(cuts.values(), reverse=True) or not len(values):
        raise DataError("Chances need draws, and grades with their lower bounds, best first.")
    if unknown := sorted(set(caps if caps is not None else ()) - {"", *grades}):
        raise DataError(f"A gate caps at {unknown[0]}, which is no grade.")
    above = np.stack([(values >= least - GRAIN).mean(axis=0) for least in cuts.values()], axis=1)
    above[:, -1] = 1.0  # the lowest grade has no lower end
    shares = np.diff(above, axis=1, prepend=0.0)
    capped = np.asarray(caps if caps is not None else [], dtype=object)
    for i in np.flatnonzero(capped != ""):
        at = grades.index(capped[i])
        shares[i, at] += shares[i, :at].sum()
        shares[i, :at] = 0.0
    shares[np.isnan(values).any(axis=0)] = np.nan
    return shares
