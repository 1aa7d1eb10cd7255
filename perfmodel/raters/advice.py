"""Whom to double-rate next: first what links groups, then what tells most about severities."""

import numpy as np
import pandas as pd

EACH_RATER = 3  # further ratings that one rater is asked for; of one employee it is one
SEARCH = 1500  # raters and employees together up to which every pair is weighed
COLUMNS = ["rank", "rater_id", "employee_id", "variance_before", "variance_after"]


def double_ratings(model, n: int) -> pd.DataFrame:
    """The next ``n`` ratings worth having, each given the ones before; see ``SeverityFit.double_ratings``."""
    rows: list[tuple[str, str]] = []
    variances = [_mean_variance(model)] if model.identified.any() else []
    for rater, employee, gain in _links(model):
        if len(rows) < n:
            rows.append((model.rater_ids[rater], model.employee_ids[employee]))
            variances.append(variances[-1] - gain)
    if len(rows) < n and model.identified.any():
        if len(model.rater_ids) + len(model.employee_ids) > SEARCH:
            model.reason["advice"] = f"over {SEARCH} raters and employees: pairs within a group are not searched"
        else:
            for rater, employee, gain in _most_telling(model, n - len(rows)):
                rows.append((model.rater_ids[rater], model.employee_ids[employee]))
                variances.append(variances[-1] - gain)
    return pd.DataFrame(
        [(i + 1, *pair, variances[i], variances[i + 1]) for i, pair in enumerate(rows)], columns=COLUMNS
    ).astype({"rank": int, "variance_before": float, "variance_after": float})


def _mean_variance(model) -> float:
    """Mean variance of severities, what is not identified counting with the variance of raters."""
    known = model.severity_variance
    return float(np.where(np.isnan(known), _prior(model), known).mean())


def _prior(model) -> float:
    return float(model.best.residual * model.best.theta["rater"] ** 2)


def _noise(model) -> float:
    """Variance of one further rating of a person on the usual number of items: halo and residual."""
    e = model.best
    items = max(1, round(len(model.rows) / max(1, len(model.rows.drop_duplicates(["r", "e"])))))
    return e.residual * (e.theta.get("halo", 0.0) ** 2 + 1 / items)


def _links(model):
    """One pair for each group that hangs on nothing: its rater rates somebody of the largest group.

    The rater with most employees of the group goes, the employee is one whom the best-known rater of the
    largest group has rated; ties go to the first id. The gain is the fall in the mean variance when the
    group's mean severity, so far known only to lie within the spread of raters, is measured against a rater
    whose severity is known.
    """
    groups = np.unique(model.component[model.component > 0])
    if len(groups) < 2 or model.across or not model.identified.any():
        return
    table = model.table
    counts = table.groupby("r")["e"].nunique().reindex(range(len(model.rater_ids)), fill_value=0).to_numpy()
    variance = model.severity_variance
    main = np.flatnonzero((model.component == groups[0]) & ~np.isnan(variance))
    best = main[np.argmin(variance[main])]
    candidates = np.unique(table.loc[table["r"].eq(best), "e"])
    prior, n = _prior(model), len(model.rater_ids)
    for number, group in enumerate(groups[1:]):
        members = np.flatnonzero(model.component == group)
        rater = members[np.argmax(counts[members])]
        before = prior / len(members)
        noise = variance[best] + 2 * _noise(model)
        after = before * noise / (before + noise)
        yield int(rater), int(candidates[number % len(candidates)]), float((before - after) * len(members) / n)


def _most_telling(model, n: int):
    """Pairs not yet rated that lower the mean variance of severities most, by rank-one update (A-optimal)."""
    e = model.best
    raters, employees = model.raters_in, model.employees_in
    keep = model.identified[raters]
    covariance = e.joint()
    r, m = len(raters), len(employees)
    centre = model.centred(np.eye(r))[:, raters].T
    rated = np.zeros((r, m), bool)
    pairs = model.rows.drop_duplicates(["r", "e"])
    rated[np.searchsorted(raters, pairs["r"]), np.searchsorted(employees, pairs["e"])] = True
    same = model.component[raters][:, None] == model.employee_component[employees]
    closed = rated | ~same | ~keep[:, None]
    # Nobody's subordinate rates their superior, nor anybody themselves.
    closed |= model.rater_ids[raters][:, None] == model.employee_ids[employees]
    noise, asked = _noise(model), np.zeros(r, int)
    for _ in range(n):
        centred = centre @ covariance[:r]
        norms = (centred**2).sum(axis=0)
        both = centred[:, :r].T @ centred[:, r:]
        length = norms[:r, None] + norms[r:] + 2 * both
        spread = np.diag(covariance)[:r, None] + np.diag(covariance)[r:] + 2 * covariance[:r, r:]
        gain = np.where(closed, -1.0, length / (spread + noise) / len(model.rater_ids))
        # Rounded, so that equal gains are equal on every machine and the first id wins.
        at = int(np.argmax(np.round(gain, 12)))
        rater, employee = divmod(at, m)
        if gain[rater, employee] <= 1e-12:
            return
        yield int(raters[rater]), int(employees[employee]), float(gain[rater, employee])
        # Nobody is to be rated by half the company, and nobody to rate it.
        asked[rater] += 1
        closed[:, employee] = True
        closed[rater] |= asked[rater] >= EACH_RATER
        column = covariance[:, rater] + covariance[:, r + employee]
        covariance = covariance - np.outer(column, column) / (spread[rater, employee] + noise)
