"""What a weight does: the share of the differences between employees that its KPI makes, and how firm it is."""

import numpy as np
import pandas as pd

from ..space import WeightSpace
from ..space.boxsimplex import EDGE
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
    low, high = _stable(panel, space, weights, ladder) if n else (np.full(len(weights), np.nan),) * 2
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


def _stable(panel: Panel, space: WeightSpace, weights: np.ndarray, ladder: Ladder) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of each weight before too many grades change; halving, as changes only grow."""
    now = ladder.place(panel.scores(weights[None])[0])
    ends = []
    for up in (False, True):
        path = np.stack([_step(space, weights, j, up) for j in range(len(weights))])
        safe, reach = np.zeros(len(path)), np.ones(len(path))
        tried = np.ones(len(path))
        for _ in range(HALVINGS):
            grades = ladder.place(panel.scores(weights + tried[:, None] * path))
            good = (grades != now).sum(axis=1) <= TOLERATED * max(len(now), 1)
            safe, reach = np.where(good, tried, safe), np.where(good, reach, tried)
            tried = np.where(safe == 1.0, 1.0, (safe + reach) / 2)
        ends.append(weights + safe * np.diagonal(path))
    return ends[0], ends[1]


def _step(space: WeightSpace, weights: np.ndarray, j: int, up: bool) -> np.ndarray:
    """The longest move of weight j up (or down) inside the space, the others giving way by their room."""
    names = space.names
    if space.within:
        category = space.categories[names[j]]
        box, part = space.inner[category], [i for i, n in enumerate(names) if space.categories[n] == category]
        whole = weights[part].sum() / 100
    else:
        box, part, whole = space.outer, list(range(len(names))), 1.0
    step = np.zeros(len(names))
    if whole <= 0:
        return step
    share, at = weights[part] / whole, part.index(j)
    least, most = box.reach
    room = np.maximum((share - least) if up else (most - share), 0.0)
    room[at] = 0.0
    own = max((most[at] - share[at]) if up else (share[at] - least[at]), 0.0)
    move = min(own, room.sum())
    if move > 0:
        sign = 1.0 if up else -1.0
        step[part] = -sign * move * room / room.sum() * whole
        step[j] = sign * move * whole
    rows, ends = space.limits()  # an order among the weights may stop the move earlier
    rate, slack = rows @ step, ends - rows @ weights
    stops = rate > EDGE
    return step * min(1.0, max(float(np.min(slack[stops] / rate[stops], initial=1.0)), 0.0))
