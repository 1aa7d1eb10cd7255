"""Whom to double-rate next: first what links groups, then what tells most about severities."""

import numpy as np
import pandas as pd

SEARCH = 1500  # raters and employees together up to which every pair is weighed
COLUMNS = ["rank", "rater_id", "employee_id", "variance_before", "variance_after"]


def double_ratings(fitted, n: int) -> pd.DataFrame:
    """The next ``n`` ratings worth having, each given the ones before; see ``SeverityFit.double_ratings``."""
    rows: list[tuple[str, str]] = []
    variances = [_mean_variance(fitted)] if fitted.identified.any() else []
    for rater, employee, gain in _links(fitted):
        if len(rows) < n:
            rows.append((fitted.rater_ids[rater], fitted.employee_ids[employee]))
            variances.append(variances[-1] - gain)
    if len(rows) < n and fitted.identified.any():
        if len(fitted.rater_ids) + len(fitted.employee_ids) > SEARCH:
            fitted.reason["advice"] = f"over {SEARCH} raters and employees: pairs within a group are not searched"
        else:
            for rater, employee, gain in _most_telling(fitted, n - len(rows)):
                rows.append((fitted.rater_ids[rater], fitted.employee_ids[employee]))
                variances.append(variances[-1] - gain)
    return pd.DataFrame(
        [(i + 1, *pair, variances[i], variances[i + 1]) for i, pair in enumerate(rows)], columns=COLUMNS
    ).astype({"rank": int, "variance_before": float, "variance_after": float})


def _mean_variance(fitted) -> float:
    """Mean variance of severities, what is not identified counting with the variance of raters."""
    known = fitted.severity_variance
    return float(np.where(np.isnan(known), _prior(fitted), known).mean())


def _prior(fitted) -> float:
    return float(fitted.effects.residual * fitted.effects.theta["rater"] ** 2)


def _noise(fitted) -> float:
    """Variance of one further rating of a person on the usual number of items: halo and residual."""
    e = fitted.effects
    items = max(1, round(len(fitted.used) / max(1, len(fitted.used.drop_duplicates(["r", "e"])))))
    return e.residual * (e.theta.get("halo", 0.0) ** 2 + 1 / items)


def _links(fitted):
    """One pair for each group that hangs on nothing: its rater rates somebody of the largest group.

    The rater with most employees of the group goes, the employee is one whom the best-known rater of the
    largest group has rated; ties go to the first id. The gain is the fall in the mean variance when the
    group's mean severity, so far known only to lie within the spread of raters, is measured against a rater
    whose severity is known.
    """
    groups = np.unique(fitted.component[fitted.component > 0])
    if len(groups) < 2 or fitted.assumed or not fitted.identified.any():
        return
    table = fitted.table
    counts = table.groupby("r")["e"].nunique().reindex(range(len(fitted.rater_ids)), fill_value=0).to_numpy()
    variance = fitted.severity_variance
    main = np.flatnonzero((fitted.component == groups[0]) & ~np.isnan(variance))
    best = main[np.argmin(variance[main])]
    candidates = np.unique(table.loc[table["r"].eq(best), "e"])
    prior, n = _prior(fitted), len(fitted.rater_ids)
    for number, group in enumerate(groups[1:]):
        members = np.flatnonzero(fitted.component == group)
        rater = members[np.argmax(counts[members])]
        before = prior / len(members)
        noise = variance[best] + 2 * _noise(fitted)
        after = before * noise / (before + noise)
        yield int(rater), int(candidates[number % len(candidates)]), float((before - after) * len(members) / n)


def _most_telling(fitted, n: int):
    """Pairs not yet rated that lower the mean variance of severities most, by rank-one update (A-optimal)."""
    e = fitted.effects
    raters, employees = fitted.raters_in, fitted.employees_in
    keep = fitted.identified[raters]
    covariance = e.joint()
    r, m = len(raters), len(employees)
    members = fitted.members[raters]
    centre = (np.eye(r) - (members > 0).astype(float) @ members.T) * keep[:, None] * keep
    rated = np.zeros((r, m), bool)
    pairs = fitted.used.drop_duplicates(["r", "e"])
    rated[np.searchsorted(raters, pairs["r"]), np.searchsorted(employees, pairs["e"])] = True
    same = fitted.component[raters][:, None] == fitted.employee_component[employees]
    closed = rated | ~same | ~keep[:, None]
    # Nobody's subordinate rates their superior, nor anybody themselves.
    closed |= fitted.rater_ids[raters][:, None] == fitted.employee_ids[employees]
    noise = _noise(fitted)
    for _ in range(n):
        centred = centre @ covariance[:r]
        norms = (centred**2).sum(axis=0)
        both = centred[:, :r].T @ centred[:, r:]
        length = norms[:r, None] + norms[r:] + 2 * both
        spread = np.diag(covariance)[:r, None] + np.diag(covariance)[r:] + 2 * covariance[:r, r:]
        gain = np.where(closed, -1.0, length / (spread + noise) / len(fitted.rater_ids))
        # Rounded, so that equal gains are equal on every machine and the first id wins.
        at = int(np.argmax(np.round(gain, 12)))
        rater, employee = divmod(at, m)
        if gain[rater, employee] <= 1e-12:
            return
        yield int(raters[rater]), int(employees[employee]), float(gain[rater, employee])
        closed[rater, employee] = True
        column = covariance[:, rater] + covariance[:, r + employee]
        covariance = covariance - np.outer(column, column) / (spread[rater, employee] + noise)
