"""Whom to double-rate next: first what links groups, then what tells most about severities."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .model import SAME_AS, Model
from .table import VIGNETTE

EACH_RATER = 3  # further ratings that one rater is asked for; of one employee it is one
SEARCH = 1500  # raters and employees together up to which every pair is weighed
COLUMNS = ["rank", "rater_id", "employee_id", "variance_before", "variance_after"]
NO_SPREAD = "no variance between raters was found, so a further rating would narrow nothing"
TOO_MANY = f"over {SEARCH:,} raters and employees: only links between groups are searched, not pairs within a group"
NOBODY_FREE = (
    "nobody else is left to ask: each pair that could tell more is rated already, is a person and themselves or a "
    f"superior, or one of them is asked for enough (a rater for {EACH_RATER}, an employee for one)"
)
LINKS_FIRST = "one rating links each group; which further ratings would tell most can be said once these are in"
Advice = tuple[int, int, float]  # codes of rater and employee, and the fall in the mean variance of severities


def double_ratings(model: Model, n: int) -> tuple[pd.DataFrame, str]:
    """The next ``n`` ratings worth having, and why there are fewer; see ``SeverityFit.double_ratings``."""
    why = model.reason.get("rater", "")
    if model.best is None or (why and why not in SAME_AS.values()):
        return _table(model, [], 0.0), why
    asked, state = _Asked.of(model), _Known.of(model)
    found = list(_links(model, n, asked, state))
    if len(found) < n and model.identified.any():
        if model.best.theta["rater"] == 0:
            why = NO_SPREAD
        elif len(model.rater_ids) + len(model.employee_ids) > SEARCH:
            why = TOO_MANY
        else:
            found += _most_telling(model, n - len(found), asked)
    elif found:
        why = LINKS_FIRST
    return _table(model, found, state.mean), "" if len(found) == n else why or NOBODY_FREE


def _table(model: Model, found: list[Advice], before: float) -> pd.DataFrame:
    variance = before - np.cumsum([0.0, *(gain for *_, gain in found)])
    rows = [
        (i + 1, model.rater_ids[rater], model.employee_ids[employee], variance[i], variance[i + 1])
        for i, (rater, employee, _) in enumerate(found)
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"rank": int, "variance_before": float, "variance_after": float})


@dataclass(eq=False)
class _Asked:
    """Pairs never asked for, and how often raters and employees are asked already: one book for both searches."""

    closed: set[tuple[int, int]]  # oneself, and whoever rates the rater (a superior, as a rule)
    raters: np.ndarray  # further ratings asked of each
    employees: np.ndarray  # whether a further rating of the employee is asked for; written cases count as asked

    @classmethod
    def of(cls, model: Model) -> "_Asked":
        employee = pd.Index(model.employee_ids).get_indexer(model.rater_ids)  # raters as employees
        rater_of = pd.Index(model.rater_ids).get_indexer(model.employee_ids)  # employees as raters
        pairs = model.table.drop_duplicates(["r", "e"])
        rated_rater, superior = rater_of[pairs["e"]], employee[pairs["r"]]
        both = (rated_rater >= 0) & (superior >= 0)
        closed = {(int(r), int(e)) for r, e in enumerate(employee) if e >= 0}
        closed |= set(zip(rated_rater[both].tolist(), superior[both].tolist(), strict=True))
        cases = np.bincount(model.table["e"], model.table["role"].eq(VIGNETTE), len(model.employee_ids)) > 0
        return cls(closed, np.zeros(len(model.rater_ids), int), cases)

    def free(self, rater: int, employees: np.ndarray) -> np.ndarray:
        """Those of ``employees`` whom the rater may be asked to rate."""
        if self.raters[rater] >= EACH_RATER:
            return employees[:0]
        return np.array([e for e in employees if not self.employees[e] and (rater, int(e)) not in self.closed], int)

    def take(self, rater: int, employee: int) -> None:
        self.raters[rater] += 1
        self.employees[employee] = True


@dataclass(eq=False)
class _Known:
    """What is known of severities: variance of each within its group, and of each group's level.

    Levels are against the largest group's. Where raters are not told apart without an assumption, each is a group
    of its own; its level, as that of all groups, is known only to lie within the spread of raters (``prior``).
    """

    prior: float
    inside: np.ndarray  # of each rater
    told: np.ndarray  # whether a rater is compared with others of the component
    level: dict[int, float]  # by component
    mean: float

    @classmethod
    def of(cls, model: Model) -> "_Known":
        prior = _prior(model)
        size = np.bincount(model.component)
        told = model.identified & (size[model.component] > 1)
        size = np.maximum(np.bincount(model.component[told], minlength=len(size)), 1)
        level = prior / size
        if told[model.component == 1].any():
            level[1] = 0.0
        inside = np.where(told, np.nan_to_num(model.severity_variance), 0.0)
        apart = np.where(told, level[model.component], prior)
        return cls(prior, inside, told, dict(enumerate(level.tolist())), float((inside + apart).mean()))


def _prior(model: Model) -> float:
    """Variance of severities before anything is known of them, over the variances that the ratings allow.

    Where nobody is compared it holds what is not told from it, of teams or of halo, and so is the most it can be.
    """
    if not model.identified.any():
        return float(sum(v for name, v in model.variances.items() if name.startswith("rater")))
    return float(sum(w * e.residual * e.theta["rater"] ** 2 for w, e in model.effects))


def _noise(model: Model) -> float:
    """Variance of one further rating of a person on the usual number of items: halo and residual."""
    e = model.best
    assert e is not None
    items = max(1, round(len(model.rows) / max(1, len(model.rows.drop_duplicates(["r", "e"])))))
    return e.residual * (e.theta.get("halo", 0.0) ** 2 + 1 / items)


def _links(model: Model, n: int, asked: _Asked, known: _Known) -> Iterator[Advice]:
    """At most ``n`` pairs, one for each group that hangs on nothing: its rater rates somebody of a linked group.

    The rater with most employees of the group goes, to an employee of the best-known rater of the groups linked so
    far; ties go to the first id. The pair measures the difference of two severities, with the errors of both
    ratings; the fall in the mean variance is that of all levels so far, by a rank-one update.
    """
    pairs = model.table[model.table["role"].ne(VIGNETTE)].drop_duplicates(["r", "e"]).sort_values(["r", "e"])
    ends = np.searchsorted(pairs["r"], np.arange(len(model.rater_ids) + 1))
    rated, counts, number = pairs["e"].to_numpy(), np.diff(ends), len(model.rater_ids)
    members = pd.Series(np.arange(number)).groupby(model.component).apply(lambda r: r.to_numpy())
    if len(members) < 2 or known.prior <= 0:
        return
    noise = _noise(model)
    # Raters whom others can be linked to, the group that each belongs to, and the covariance of the groups' levels.
    linked, group, covariance = members[1], np.zeros(len(members[1]), int), np.array([[known.level[1]]])
    size = [int(known.told[members[1]].sum()) or 1]
    found = 0
    for component in members.index[1:]:
        if found == n:
            return
        rater = int(members[component][np.argmax(counts[members[component]])])
        variance = known.inside[linked] + np.diag(covariance)[group]
        free = ((a, asked.free(rater, rated[ends[r] : ends[r + 1]]))
                for a, r in sorted(enumerate(linked), key=lambda at: (round(variance[at[0]], 12), at[1])))  # fmt: skip
        at, employees = next(((a, e) for a, e in free if len(e)), (-1, rated[:0]))
        if at < 0:
            continue
        level = np.pad(covariance, (0, 1))
        level[-1, -1] = known.level[component]
        size.append(int(known.told[members[component]].sum()) or 1)
        row = -np.eye(len(level))[group[at]]
        row[-1] = 1.0
        through = level @ row
        update = np.outer(through, through) / (row @ through + known.inside[[rater, linked[at]]].sum() + 2 * noise)
        covariance = level - update
        joining = members[component] if known.told[rater] else np.array([rater])
        linked, group = np.r_[linked, joining], np.r_[group, np.full(len(joining), len(level) - 1)]
        asked.take(rater, int(employees[0]))
        found += 1
        yield rater, int(employees[0]), float(np.diag(update) @ size / number)


def _most_telling(model: Model, n: int, asked: _Asked) -> Iterator[Advice]:
    """Pairs not yet rated that lower the mean variance of severities most, by rank-one update (A-optimal)."""
    e = model.best
    assert e is not None
    raters, employees = model.raters_in, model.employees_in
    covariance = e.joint(model.team_of, model.design.mean(axis=0))
    r, m = len(raters), len(employees)
    centre = model.centred(np.eye(r))[:, raters].T
    pairs = model.rows.drop_duplicates(["r", "e"])
    closed = model.component[raters][:, None] != model.employee_component[employees]
    closed[np.searchsorted(raters, pairs["r"]), np.searchsorted(employees, pairs["e"])] = True
    closed[~model.identified[raters]] = True
    closed |= np.array([[(i, j) in asked.closed for j in employees.tolist()] for i in raters.tolist()])
    noise = _noise(model)
    for _ in range(n):
        shut = closed | (asked.raters[raters] >= EACH_RATER)[:, None] | asked.employees[employees]
        centred = centre @ covariance[:r]
        norms = (centred**2).sum(axis=0)
        both = centred[:, :r].T @ centred[:, r:]
        length = norms[:r, None] + norms[r:] + 2 * both
        spread = np.diag(covariance)[:r, None] + np.diag(covariance)[r:] + 2 * covariance[:r, r:]
        gain = np.where(shut, -1.0, length / (spread + noise) / len(model.rater_ids))
        # Rounded, so that equal gains are equal on every machine and the first id wins.
        at = int(np.argmax(np.round(gain, 12)))
        rater, employee = divmod(at, m)
        if gain[rater, employee] <= 1e-12:
            return
        # Nobody is to be rated by half the company, and nobody to rate it.
        asked.take(int(raters[rater]), int(employees[employee]))
        yield int(raters[rater]), int(employees[employee]), float(gain[rater, employee])
        column = covariance[:, rater] + covariance[:, r + employee]
        covariance = covariance - np.outer(column, column) / (spread[rater, employee] + noise)
