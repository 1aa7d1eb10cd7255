"""What a weight does: the share of the differences between employees that its KPI makes, and how firm it is."""

import numpy as np
import pandas as pd

from ..space import WeightSpace
from ..space.boxsimplex import EDGE, BoxSimplex
from .panel import Ladder, Panel

TOLERATED = 0.05  # share of employees whose grade may change inside the stable interval
HALVINGS = 40


def importance(
    panel: Panel, space: WeightSpace, baseline: pd.Series, ladder: Ladder, points_cap: pd.Series
) -> pd.DataFrame:
    """One row a weight: category, weight_nominal, importance, importance_share, stable_low, stable_high, share_at_cap.

    importance = w_j cov(points_j, score), in score points squared; importance_share is its share of the
    variance of scores. Of the variance-based measures this is the one that adds up to the variance
    (so that it can stand beside a nominal weight, which adds up to 100), needs no order of the KPIs and is
    exact; with correlated KPIs it departs from the nominal weight, and may be negative for a KPI that runs
    against the others. Squared correlations (Paruolo et al. 2013) answer the same question but do not add
    up. A missing KPI counts as its category's weighted mean, which gives the same score.

    stable_low to stable_high: percent of the whole that the weight may take, the others of its category
    giving way by the room they have in their ranges, before the grade of more than 5 % of employees changes.
    share_at_cap: share of employees with at least ``points_cap`` points; a capped KPI cannot tell them apart.

    References
    ----------
    Paruolo, Saisana & Saltelli (2013), Ratings and rankings: voodoo or science?, J. R. Stat. Soc. A 176(3).
    """
    weights = baseline.to_numpy()
    n = len(panel.points)
    full = panel.complete(weights)
    made = (full - full.mean(axis=0) if n else full) * weights / 100  # how far each weight moves each score
    drawn = (made * made.sum(axis=1, keepdims=True)).sum(axis=0) / max(n - 1, 1)
    variance = drawn.sum()
    enough = n > 1 and variance > 1e-12
    low = high = np.full(len(weights), np.nan)
    if n:
        paths = [kpi_paths(space, weights, up) for up in (False, True)]
        safe = _stable(panel, space, weights, ladder, paths)
        low, high = (weights + part * np.diagonal(path) for part, path in zip(safe, paths, strict=True))
    cap = points_cap.to_numpy(float)
    there = ~np.isnan(panel.points)
    at_cap = (there & (np.nan_to_num(panel.points, nan=-np.inf) >= cap - 1e-9)).sum(axis=0)
    known = ~np.isnan(cap) & there.any(axis=0)
    return pd.DataFrame(
        {
            "category": [next(c for c, part in panel.parts.items() if j in part) for j in range(len(weights))],
            "weight_nominal": weights,
            "importance": drawn if enough else np.nan,
            "importance_share": drawn / variance if enough else np.nan,
            "stable_low": np.round(low, 6),  # what halving can promise
            "stable_high": np.round(high, 6),
            "share_at_cap": np.where(known, at_cap / np.maximum(there.sum(axis=0), 1), np.nan),
        },
        index=pd.Index(space.names, name="kpi"),
    )


def categories(
    panel: Panel, space: WeightSpace, baseline: pd.Series, ladder: Ladder, kpis: pd.DataFrame
) -> pd.DataFrame:
    """One row a category: weight_nominal, importance, importance_share, stable_low, stable_high.

    ``kpis`` is :func:`importance`; a category's importance is the sum of its weights'. The stable interval is of the
    category's weight in percent of the whole, the shares inside staying and the other categories giving way by the
    room they have: in a tree a weight inside a fixed category says nothing of this choice, which is the larger one.
    """
    weights = baseline.to_numpy()
    outer = space.category_weights(weights[None])[0]
    low = high = np.full(len(outer), np.nan)
    if len(panel.points):
        paths = [category_paths(space, weights, up) for up in (False, True)]
        safe = _stable(panel, space, weights, ladder, paths)
        own = [[path[i, part].sum() for i, part in enumerate(space.parts.values())] for path in paths]
        low, high = (outer + part * np.array(step) for part, step in zip(safe, own, strict=True))
    of = kpis.groupby([space.categories[n] for n in kpis.index])[["importance", "importance_share"]]
    table = of.sum(min_count=1).reindex(list(space.ranges))
    table.insert(0, "weight_nominal", outer)
    return table.assign(stable_low=np.round(low, 6), stable_high=np.round(high, 6)).rename_axis("category")


def category_paths(space: WeightSpace, weights: np.ndarray, up: bool) -> np.ndarray:
    """The longest move of each category, the shares inside staying: (categories, weights), percent of the whole."""
    outer, shares = space.category_weights(weights[None])[0], space.shares(weights)
    spread = np.zeros((len(outer), len(weights)))  # percent of the whole by one point of each category
    for i, (c, part) in enumerate(space.parts.items()):
        spread[i, part] = shares[c] / 100
    return np.stack([_move(space.outer, outer, i, up) for i in range(len(outer))]) @ spread


def kpi_paths(space: WeightSpace, weights: np.ndarray, up: bool) -> np.ndarray:
    """The longest move of each weight inside its level, percent of the whole: (weights, weights)."""
    steps = np.zeros((len(weights), len(weights)))
    if not space.within:
        return np.stack([_move(space.outer, weights, j, up) for j in range(len(weights))])
    outer, shares = space.category_weights(weights[None])[0], space.shares(weights)
    for i, (c, part) in enumerate(space.parts.items()):
        for at, j in enumerate(range(part.start, part.stop)):
            steps[j, part] = _move(space.inner[c], shares[c], at, up) * outer[i] / 100
    return steps


def _move(box: BoxSimplex, now: np.ndarray, at: int, up: bool) -> np.ndarray:
    """The longest move of one weight up (or down) inside its range, the others giving way by their room."""
    least, most = box.reach
    room = np.maximum((now - least) if up else (most - now), 0.0)
    own = max((most[at] - now[at]) if up else (now[at] - least[at]), 0.0)
    room[at] = 0.0
    far = min(own, room.sum())
    step = np.zeros(len(now))
    if far > 0:
        sign = 1.0 if up else -1.0
        step -= sign * far * room / room.sum()
        step[at] = sign * far
    return step


def _stable(
    panel: Panel, space: WeightSpace, weights: np.ndarray, ladder: Ladder, paths: list[np.ndarray]
) -> list[np.ndarray]:
    """How far along each path (paths, weights) few grades change, as a share of it; halving, as changes only grow."""
    now = ladder.place(panel.scores(weights[None])[0])
    found = []
    for whole in paths:
        path, part = within_limits(space, weights, whole)
        safe, reach = np.zeros(len(path)), np.ones(len(path))
        tried = np.ones(len(path))
        for _ in range(HALVINGS):
            grades = ladder.place(panel.scores(weights + tried[:, None] * path))
            good = (grades != now).sum(axis=1) <= TOLERATED * max(len(now), 1)
            safe, reach = np.where(good, tried, safe), np.where(good, reach, tried)
            tried = np.where(safe == 1.0, 1.0, (safe + reach) / 2)
        found.append(safe * part)
    return found


def within_limits(space: WeightSpace, weights: np.ndarray, path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Paths (paths, weights) as far as an order among the weights lets them go, and the share of each that is."""
    rows, ends = space.limits()
    rate, slack = path @ rows.T, ends - rows @ weights
    stops = np.where(rate > EDGE, slack / np.where(rate > EDGE, rate, 1.0), 1.0)
    part = np.clip(stops.min(axis=1), 0.0, 1.0)
    return path * part[:, None], part
