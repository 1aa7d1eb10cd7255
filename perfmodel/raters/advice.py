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
    """Mean variance of severities against the largest group's, each group's own mean known only as raters spread.

    What is not identified counts with the variance of raters.
    """
    known, prior = model.severity_variance, _prior(model)
    size = np.bincount(model.groups[model.identified], minlength=int(model.groups.max(initial=0)) + 1)
    apart = np.where(model.groups > 0, prior / np.maximum(size[model.groups], 1), 0.0)
    return float(np.where(np.isnan(known), prior, known + apart).mean())


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
    closed = _closed(model)
    for number, group in enumerate(groups[1:]):
        members = np.flatnonzero(model.component == group)
        rater = members[np.argmax(counts[members])]
        free = candidates[~closed[rater, candidates]]
        if not len(free):
            continue
        before = prior / len(members)
        noise = variance[best] + 2 * _noise(model)
        after = before * noise / (before + noise)
        yield int(rater), int(free[number % len(free)]), float((before - after) * len(members) / n)


def _closed(model) -> np.ndarray:
    """Pairs (raters, employees) never asked for: oneself, and whoever rates the rater (a superior, as a rule)."""
    employee = pd.Index(model.employee_ids).get_indexer(model.rater_ids)  # raters as employees
    closed = np.zeros((len(model.rater_ids), len(model.employee_ids)), bool)
    own = np.flatnonzero(employee >= 0)
    closed[own, employee[own]] = True
    rater_of = pd.Index(model.rater_ids).get_indexer(model.employee_ids)  # employees as raters
    pairs = model.table.drop_duplicates(["r", "e"])
    rated_rater, superior = rater_of[pairs["e"]], employee[pairs["r"]]
    both = (rated_rater >= 0) & (superior >= 0)
    closed[rated_rater[both], superior[both]] = True
    return closed


def _most_telling(model, n: int):
    """Pairs not yet rated that lower the mean variance of severities most, by rank-one update (A-optimal)."""
    e = model.best
    raters, employees = model.raters_in, model.employees_in
    keep = model.identified[raters]
    covariance = e.joint(model.team_of, model.design.mean(axis=0))
    r, m = len(raters), len(employees)
    centre = model.centred(np.eye(r))[:, raters].T
    rated = np.zeros((r, m), bool)
    pairs = model.rows.drop_duplicates(["r", "e"])
    rated[np.searchsorted(raters, pairs["r"]), np.searchsorted(employees, pairs["e"])] = True
    same = model.component[raters][:, None] == model.employee_component[employees]
    closed = rated | ~same | ~keep[:, None] | _closed(model)[np.ix_(raters, employees)]
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
