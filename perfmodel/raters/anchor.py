"""The KPI link examined: does a KPI explain teams as it explains the people in them?"""

import numpy as np
import pandas as pd

from .model import Model, fitted

COLUMNS = ["estimate", "se", "lower", "upper", "p", "teams"]
TELLING = 0.05  # p under which the link's own assumption is said to be contradicted


def by_employee(anchor: pd.Series, employee_ids: np.ndarray) -> np.ndarray:
    """The anchor of each employee in units of its standard deviation about its mean; NaN where there is none."""
    values = pd.to_numeric(anchor, errors="coerce").reindex(employee_ids).to_numpy(float)
    values = np.where(np.isfinite(values), values, np.nan)
    spread = np.nanstd(values) if np.isfinite(values).any() else np.nan
    return (values - np.nanmean(values)) / spread if spread and spread > 0 else np.full(len(values), np.nan)


def split(values: np.ndarray, team: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Within and between part: what an employee lies above the team's mean, and that mean."""
    known = ~np.isnan(values)
    total = np.bincount(team[known], values[known], team.max(initial=0) + 1)
    mean = total / np.maximum(np.bincount(team[known], minlength=len(total)), 1)
    between = np.where(known, mean[team], np.nan)
    return values - between, between


def teams_of(coded, team) -> np.ndarray:
    """Code of each employee's team; without ``team``, who rated the employee most (the first of equals)."""
    if team is not None:
        named = team.reindex(coded.employee_ids).astype(object).fillna("").astype(str)
        return np.unique(named, return_inverse=True)[1]
    rows = coded.rows[coded.rows["used"]]
    counts = rows.groupby(["e", "r"]).size().reset_index(name="n").sort_values(["e", "n", "r"], ascending=[1, 0, 1])
    first = counts.drop_duplicates("e").set_index("e")["r"]
    return first.reindex(range(len(coded.employee_ids)), fill_value=0).to_numpy(int)


def examined(model: Model, coded, anchor: np.ndarray, team, level: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How the KPI explains people and teams, and what severities become over the interval of the latter.

    Mundlak (1978), On the pooling of time series and cross section data, Econometrica 46(1), sec. 2: a slope of its
    own for the means of teams; equal slopes are what the link assumes.

    Returns
    -------
    slopes : DataFrame
        Index ``used, within, between, difference``: ``estimate, se, lower, upper`` (rating points by one standard
        deviation of the KPI), ``p`` of the difference, ``teams`` with a figure. Empty where the KPI does not vary
        inside teams, or not between them, so that the two cannot be held against each other.
    severities : DataFrame
        Index rater_id: ``low, used, high``: severity with the slope between teams at the ends of its interval, and
        as used.
    """
    from scipy.special import stdtr, stdtrit

    team_of = teams_of(coded, team)
    within, between = split(anchor, team_of)
    nothing = pd.DataFrame(columns=COLUMNS), pd.DataFrame(columns=["low", "used", "high"])
    free = fitted(coded, model.role_weights, link="kpi", team=team, anchor=np.column_stack([within, between]))
    if free.best is None or model.best is None or not model.identified.any() or not free.identified.any():
        return nothing
    if (free.anchor_at < 0).any() or (model.anchor_at < 0).any():
        return nothing  # the KPI does not vary inside teams, or not between them, beside items and roles
    at = free.anchor_at
    slope, error = free.best.fixed[at], free.best.fixed_covariance[np.ix_(at, at)]
    apart = np.array([-1.0, 1.0])
    teams = len(np.unique(team_of[~np.isnan(between)]))
    degrees = max(teams - 2, 1)
    used = model.anchor_at[0]
    estimate = np.array([model.best.fixed[used], *slope, apart @ slope])
    se = np.sqrt([model.best.fixed_covariance[used, used], error[0, 0], error[1, 1], apart @ error @ apart])
    reach = stdtrit(degrees, (1 + level) / 2) * se
    p = np.array([np.nan, np.nan, np.nan, 2 * stdtr(degrees, -abs(estimate[3] / se[3])) if se[3] > 0 else np.nan])
    slopes = pd.DataFrame(
        {"estimate": estimate, "se": se, "lower": estimate - reach, "upper": estimate + reach, "p": p, "teams": teams},
        index=pd.Index(["used", "within", "between", "difference"], name="slope"),
    )
    ends = {
        name: fitted(
            coded, model.role_weights, link="kpi", team=team, anchor=within[:, None], offset=at * between
        ).severity
        for name, at in (("low", slopes.loc["between", "lower"]), ("high", slopes.loc["between", "upper"]))
    }
    index = pd.Index(coded.rater_ids, name="rater_id")
    severities = pd.DataFrame({"low": ends["low"], "used": model.severity, "high": ends["high"]}, index=index)
    return slopes, severities


def sentence(slopes: pd.DataFrame) -> str:
    """What the comparison of slopes says of the link, in words."""
    if slopes.empty:
        return (
            "The KPI does not differ both inside teams and between them, so nothing in the ratings examines the "
            "assumption; do not adjust by it unless it is known to hold."
        )
    apart = slopes.loc["difference"]
    if apart["p"] < TELLING:
        return (
            f"The KPI explains teams otherwise than people (slope {slopes.loc['between', 'estimate']:.2f} against "
            f"{slopes.loc['within', 'estimate']:.2f}, p {apart['p']:.3f}): the link's assumption is contradicted; "
            "do not adjust by it."
        )
    return (
        f"The KPI explains teams (slope {slopes.loc['between', 'estimate']:.2f}, {slopes.loc['between', 'lower']:.2f} "
        f"to {slopes.loc['between', 'upper']:.2f}) and people ({slopes.loc['within', 'estimate']:.2f}) alike as far "
        f"as {int(apart['teams'])} teams can show; that proves nothing, so severities are shown over that interval too."
    )
