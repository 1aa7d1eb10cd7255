"""Choosing weights for the next plan: what a committee wants of them, the whole near-optimal set, and a hold-out.

Three aims, one at a time: the committee's own order or pairwise statements (largest margin; least violation where the
statements contradict one another), the most discriminating weights (largest variance of scores), the most reliable
ones (largest share of that variance which is not rating error). Cost and group gap are never aims. Many weights are
nearly as good as the best, so their extent stands beside the best, and the same aim is measured on a quarter that
took no part.

References
----------
Srinivasan, V. & Shocker, A. D. (1973), Linear programming techniques for multidimensional analysis of preferences,
Psychometrika 38, 337-369: weights from statements, least violation.
Greco, S., Mousseau, V. & Słowiński, R. (2008), Ordinal regression revisited, Eur. J. Oper. Res. 191, 416-436: the
largest margin, and all weights that agree.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import DataError, SchemeError
from ..space import WeightSpace

AIMS = ("order", "discriminating", "reliable")
UNITS = {
    "order": "score points of margin; below 0 the least total violation",
    "discriminating": "variance of scores, points squared",
    "reliable": "share of the variance of scores that is not rating error",
}
DRAWS = 4096
STARTS = 16
ALL_PAIRS = 40  # people in an order of which every pair is a statement; beyond, neighbours only
BELOW = 1e-9


@dataclass(frozen=True, eq=False)
class WeightChoice:
    """The weights that serve an aim best, and how much else would serve it nearly as well.

    Attributes
    ----------
    weights : Series
        Percent of the whole.
    value : float
        What was aimed at, in ``unit``.
    near : DataFrame
        Index weight: ``weight, low, high``, the extent of the weights whose value falls short of the best by at most
        ``tolerance`` of it. Exact for statements; for the other aims the extent found, which the true one may pass.
    statements : DataFrame
        For the aim "order": ``better, worse, lead`` (score points), ``kept``.
    consistent : bool
        Whether some permitted weights keep every statement; True for the other aims.
    tau : float
        Kendall's tau-b between the statements' people by ``weights`` and as stated; NaN for the other aims.
    tau_found : float
        The best tau among 4,096 permitted choices and ``weights``: what a compromise could reach at least.
    left_out : Series
        Employees that took no part, with the reason.
    """

    aim: str
    weights: pd.Series
    value: float
    unit: str
    tolerance: float
    near: pd.DataFrame
    statements: pd.DataFrame
    consistent: bool
    tau: float
    tau_found: float
    left_out: pd.Series
    space: WeightSpace
    error: pd.DataFrame | None

    def __repr__(self) -> str:
        told = ", ".join(f"{n} {w:.1f}" for n, w in self.weights.items())
        against = "" if self.consistent else "; the statements contradict one another"
        return f"WeightChoice ({self.aim}): {told}; {self.value:.3g} {self.unit}{against}"

    def check(self, holdout: pd.DataFrame, baseline: pd.Series | None = None) -> pd.DataFrame:
        """The same aim on another quarter's points: one row for the chosen weights, the baseline and the centre.

        ``value`` is measured on ``holdout`` (employees x weights) alone; for the aim "order" it is the share of the
        statements kept among people who stand in both, NaN where none do. ``n``: employees, or statements.
        """
        table, _ = _whole(holdout, self.space)
        rows = {"chosen": self.weights, "centre": self.space.centre}
        if baseline is not None:
            rows["baseline"] = pd.Series(baseline, dtype=float)[self.space.names]
        if self.aim == "order":
            known = self.statements[self.statements[["better", "worse"]].isin(table.index).all(axis=1)]
            lead = table.loc[known["better"]].to_numpy() - table.loc[known["worse"]].to_numpy()
            measure = {k: float((lead @ w.to_numpy() > 0).mean()) if len(lead) else np.nan for k, w in rows.items()}
            n = len(known)
        else:
            goal = _goal(self.aim, table.to_numpy(), self.error)
            measure = {k: float(goal(w.to_numpy()[None])[0]) if len(table) > 1 else np.nan for k, w in rows.items()}
            n = len(table)
        return pd.DataFrame({"value": measure}).rename_axis("weights").assign(n=n)


def choose_weights(
    points: pd.DataFrame,
    space: WeightSpace,
    aim: str = "order",
    *,
    order: Sequence[str] = (),
    pairs: Iterable[tuple[str, str]] = (),
    error: pd.Series | pd.DataFrame | None = None,
    tolerance: float = 0.05,
    seed: int = 1,
) -> WeightChoice:
    """Weights for the next plan from a closed quarter.

    Parameters
    ----------
    points : DataFrame
        Employees (index) x weights (columns named as in ``space``), score points; use pseudonyms. Who lacks a point
        takes no part, because a shared weight makes the score depend on more than the weights.
    order : sequence of employees, best first
    pairs : (better, worse) statements; with ``order``, both count
    error : Series or DataFrame, optional
        Variance of the error of each weight's points (points squared), or the covariance of these errors within a
        person where they go together (one rater rates several); needed for the aim "reliable".
    tolerance : float
        How far near-optimal weights may fall short, as a share of the best.

    Raises
    ------
    DataError
        If names differ, a statement names an unknown employee, or there is nothing to aim at.
    SchemeError
        If the aim is unknown.
    """
    if aim not in AIMS:
        raise SchemeError(f"The aim {aim!r} is unknown; write {', '.join(AIMS)}. Cost is never an aim.")
    if not 0 < tolerance < 1:
        raise DataError(f"A tolerance lies between 0 and 1, not at {tolerance!r}.")
    table, left_out = _whole(points, space)
    draws = space.sample(DRAWS, seed).to_numpy()
    empty = pd.DataFrame({"better": [], "worse": [], "lead": [], "kept": []})
    if aim == "order":
        stated = _statements(order, pairs, table, left_out)
        lead = (table.loc[[a for a, _ in stated]].to_numpy() - table.loc[[b for _, b in stated]].to_numpy()) / 100
        w, value, near, consistent = _from_statements(lead, space, tolerance)
        made = lead @ w
        statements = pd.DataFrame(stated, columns=["better", "worse"]).assign(lead=made, kept=made > BELOW)
        taus = [_tau(one) for one in (draws @ lead.T, made[None])]
        tau, tau_found = float(taus[1][0]), float(max(taus[0].max(), taus[1][0]))
    else:
        goal = _goal(aim, table.to_numpy(), _errors(error, space) if aim == "reliable" else None)
        w = _best(goal, table.to_numpy(), space, draws, aim)
        value, consistent, statements, tau, tau_found = float(goal(w[None])[0]), True, empty, np.nan, np.nan
        near = _near(goal, w, value, draws, tolerance)
    extent = pd.DataFrame({"weight": w, "low": near[0], "high": near[1]}, pd.Index(space.names, name="kpi"))
    return WeightChoice(
        aim, pd.Series(w, space.names), value, UNITS[aim], tolerance, extent, statements, consistent, tau, tau_found,
        left_out, space, _errors(error, space) if aim == "reliable" else None,
    )  # fmt: skip


def _whole(points: pd.DataFrame, space: WeightSpace) -> tuple[pd.DataFrame, pd.Series]:
    """Employees with every point, and the others with the reason."""
    if set(points.columns) != set(space.names):
        raise DataError(f"Points must bear the names of the weights: {', '.join(space.names)}.")
    if points.index.has_duplicates:
        raise DataError("An employee occurs more than once among the points; give one row each.")
    table = points[space.names].astype(float).sort_index(kind="stable")
    if np.isinf(table.to_numpy()).any():
        raise DataError("Points are infinite somewhere; a missing result is left empty.")
    lacking = table.isna()
    some = lacking.any(axis=1)
    names = np.array(space.names, object)
    reason = {
        who: "no points in " + ", ".join(names[row])
        for who, row in zip(table.index[some], lacking[some].to_numpy(), strict=True)
    }
    return table[~some], pd.Series(reason, dtype=object, name="reason")


def _statements(order, pairs, table: pd.DataFrame, left_out: pd.Series) -> list[tuple[str, str]]:
    """Every statement once: the order's pairs first, then those given."""
    people = list(order)
    if len(set(people)) < len(people):
        raise DataError("An employee stands in the order twice; name each once, best first.")
    span = len(people) if len(people) <= ALL_PAIRS else 2
    found = [(a, b) for i, a in enumerate(people) for b in people[i + 1 : i + span]]
    found += [(a, b) for a, b in pairs]
    if not found:
        raise DataError("No statement is given; name an order of people, best first, or pairs (better, worse).")
    for name in dict.fromkeys(n for pair in found for n in pair):
        if name in left_out.index:
            raise DataError(f"{name} cannot stand in a statement: {left_out[name]}. Leave this one out.")
        if name not in table.index:
            raise DataError(f"{name} stands in a statement and not among the points; correct the name.")
    if same := [a for a, b in found if a == b]:
        raise DataError(f"{same[0]} is stated to be better than itself; remove the statement.")
    return list(dict.fromkeys(found))


def _solve(cost, rows, ends, space: WeightSpace, extra: int):
    """A linear programme in permitted weights and ``extra`` further unknowns that are not limited themselves."""
    from scipy.optimize import linprog  # costly to import, and needed only here

    n = len(space.names)
    limits, most = space.limits()
    found = linprog(
        cost,
        A_ub=np.concatenate([np.pad(limits, ((0, 0), (0, extra))), rows]),
        b_ub=np.concatenate([most, ends]),
        A_eq=np.concatenate([np.ones((1, n)), np.zeros((1, extra))], axis=1),
        b_eq=[100.0],
        bounds=[(0, 100)] * n + [(None, None)] * extra,
        method="highs",
    )
    if found.status != 0:
        raise DataError(f"The linear programme of the choice could not be solved: {found.message}")
    return found.x, found.fun


def _from_statements(lead: np.ndarray, space: WeightSpace, tolerance: float):
    """Weights, value, (low, high) of the near-optimal set, and whether every statement can be kept."""
    m, n = lead.shape
    one = np.ones((m, 1))
    x, worst = _solve(np.r_[np.zeros(n), -1.0], np.concatenate([-lead, one], axis=1), np.zeros(m), space, 1)
    margin = -worst
    if margin > BELOW:
        least = np.concatenate([-lead, np.zeros((m, 0))], axis=1), np.full(m, -margin * (1 - tolerance))
        return _settled(x[:n], space), margin, _extent(*least, space, 0), True
    # lead w + v >= 0, v >= 0, least sum of v: how much the statements contradict one another
    eye = np.eye(m)
    rows = np.block([[-lead, -eye], [np.zeros((m, n)), -eye]])
    x, total = _solve(np.r_[np.zeros(n), np.ones(m)], rows, np.zeros(2 * m), space, m)
    bounded = np.concatenate([rows, np.r_[np.zeros(n), np.ones(m)][None]])
    ends = np.r_[np.zeros(2 * m), total * (1 + tolerance) + BELOW]
    return _settled(x[:n], space), -total, _extent(bounded, ends, space, m), False


def _settled(w: np.ndarray, space: WeightSpace) -> np.ndarray:
    """Weights of a solver, its last digits taken out."""
    return space.nearest(pd.Series(w, space.names)).to_numpy()


def _extent(rows, ends, space: WeightSpace, extra: int) -> tuple[np.ndarray, np.ndarray]:
    n = len(space.names)
    low, high = np.empty(n), np.empty(n)
    for j in range(n):
        cost = np.zeros(n + extra)
        cost[j] = 1.0
        low[j] = _solve(cost, rows, ends, space, extra)[1]
        high[j] = -_solve(-cost, rows, ends, space, extra)[1]
    return low, high


def _tau(leads: np.ndarray) -> np.ndarray:
    """Kendall's tau-b of stated pairs (choices, statements), no pair stated as a tie."""
    kept, broken = (leads > BELOW).sum(axis=1), (leads < -BELOW).sum(axis=1)
    return (kept - broken) / np.sqrt(leads.shape[1] * np.maximum(kept + broken, 1))


def _errors(error: pd.Series | pd.DataFrame | None, space: WeightSpace) -> pd.DataFrame:
    """The covariance of errors by weight; variances alone are a covariance without links."""
    if error is None:
        raise DataError("Reliability needs the error variance of each weight's points; give it as error.")
    if isinstance(error, pd.Series):
        given = pd.Series(error, dtype=float).reindex(space.names)
        table = pd.DataFrame(np.diag(given), space.names, space.names)
    else:
        table = error.astype(float).reindex(index=space.names, columns=space.names)
        given = pd.Series(np.diag(table), space.names)
    if table.isna().any(axis=None) or (given < 0).any() or not (given > 0).any():
        raise DataError(
            "The error variance must be a number of 0 or more for every weight and above 0 for one at least; "
            f"given: {', '.join(f'{n} {v:g}' for n, v in given.items())}."
        )
    values = table.to_numpy()
    if not np.allclose(values, values.T) or np.linalg.eigvalsh(values)[0] < -1e-8 * given.max():
        raise DataError("The covariance of errors must be symmetric and give no score a negative variance.")
    return table


def _goal(aim: str, points: np.ndarray, error: pd.DataFrame | None):
    """What is aimed at, for weights (choices, weights)."""
    spread = np.cov(points, rowvar=False).reshape(points.shape[1], -1) / 1e4 if len(points) > 1 else None
    if spread is None or not (np.diag(spread) > 1e-12).any():
        raise DataError("The points of fewer than two employees differ; no weights can tell them apart.")
    if aim == "discriminating":
        return lambda w: np.einsum("ci,ij,cj->c", w, spread, w)
    noise = error.to_numpy() / 1e4 if error is not None else np.zeros_like(spread)

    def reliability(w):
        return 1 - np.einsum("ci,ij,cj->c", w, noise, w) / np.maximum(np.einsum("ci,ij,cj->c", w, spread, w), 1e-12)

    return reliability


def _best(goal, points: np.ndarray, space: WeightSpace, draws: np.ndarray, aim: str) -> np.ndarray:
    """The best weights found from the best of the draws."""
    values = goal(draws)
    starts = draws[np.argsort(-values, kind="stable")[:STARTS]]
    spread = np.cov(points, rowvar=False).reshape(points.shape[1], -1)
    found = []
    for w in starts:
        if aim == "discriminating":  # convex: the best corner for the slope, until it is its own
            for _ in range(100):
                step = space.largest(spread @ w)
                if goal(step[None])[0] <= goal(w[None])[0] * (1 + 1e-12):
                    break
                w = step
        else:
            w = _climb(goal, w, space)
        found.append(w)
    return np.array(found)[np.argmax(np.round(goal(np.array(found)), 9))]


def _climb(goal, start: np.ndarray, space: WeightSpace) -> np.ndarray:
    from scipy.optimize import LinearConstraint, minimize

    limits, most = space.limits()
    found = minimize(
        lambda w: -goal(w[None])[0],
        start,
        constraints=[LinearConstraint(limits, -np.inf, most), LinearConstraint(np.ones((1, len(start))), 100, 100)],
        method="SLSQP",
        options={"maxiter": 200, "ftol": 1e-12},
    )
    w = _settled(found.x, space)
    return w if goal(w[None])[0] >= goal(start[None])[0] else start


def _near(goal, best: np.ndarray, value: float, draws: np.ndarray, tolerance: float):
    """Extent of near-optimal weights met on the straight ways from the best weights to every draw."""
    low, high = best.copy(), best.copy()
    for share in np.linspace(0.0, 1.0, 21)[1:]:
        tried = best + share * (draws - best)
        good = tried[goal(tried) >= value - tolerance * abs(value)]
        if len(good):
            low, high = np.minimum(low, good.min(axis=0)), np.maximum(high, good.max(axis=0))
    return low, high
