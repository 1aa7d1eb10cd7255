"""Best and worst rank under any permitted weights: found, and bounds that cannot be passed."""

import numpy as np
import pandas as pd

from ..space import WeightSpace
from .panel import LAST_BIT, Panel, ranks

PULLS = 8  # nearest rivals whose favourite corners are tried for each employee
BLOCK = 1 << 16


def rank_limits(panel: Panel, space: WeightSpace, found: pd.DataFrame, most: int) -> pd.DataFrame:
    """Best and worst rank of each employee: best, best_bound, worst, worst_bound, exact.

    Bound: an employee cannot pass those who score higher under every permitted weights. Found: the ranks
    met in the draws and at the corners that favour one employee over near rivals most. A missing KPI is
    taken at the end of its category that does not help the claim, which is safe and wider. More than
    ``most`` pairs are not compared; the bounds are then all ranks.
    """
    n = len(panel.points)
    best, worst = found["best"].to_numpy(float), found["worst"].to_numpy(float)
    best_bound, worst_bound = np.ones(n), np.full(n, float(n))
    if 0 < n * n <= most:
        above = _always_above(panel, space)
        best_bound, worst_bound = 1.0 + above.sum(axis=0), n - above.sum(axis=1)
        corners = np.unique(np.round(_corners(panel, space, best, worst), 12), axis=0)
        rows = max((1 << 19) // n, 1)
        for start in range(0, len(corners), rows):
            place = ranks(panel.scores(corners[start : start + rows]))
            best, worst = np.minimum(best, place.min(axis=0)), np.maximum(worst, place.max(axis=0))
    exact = (best == best_bound) & (worst == worst_bound)
    columns = {"best": best, "best_bound": best_bound, "worst": worst, "worst_bound": worst_bound, "exact": exact}
    return pd.DataFrame(columns, index=found.index)


def _always_above(panel: Panel, space: WeightSpace) -> np.ndarray:
    """above[i, j]: i scores higher than j under every permitted weights (a linear programme a pair, in closed form)."""
    n = len(panel.points)
    low, high = panel.bounded(np.nanmin), panel.bounded(np.nanmax)
    centre = panel.scores(space.centre.to_numpy()[None])[0]
    # Only a pair that is ahead at the centre can be ahead everywhere.
    one, other = np.nonzero(centre[:, None] > centre[None, :])
    above = np.zeros((n, n), dtype=bool)
    for start in range(0, len(one), BLOCK):
        i, j = one[start : start + BLOCK], other[start : start + BLOCK]
        lag = high[j] - low[i]
        least_lead = -(space.largest(lag) * lag).sum(axis=1) / 100 + panel.offset[i] - panel.offset[j]
        above[i, j] = least_lead > LAST_BIT
    return above


def _corners(panel: Panel, space: WeightSpace, best: np.ndarray, worst: np.ndarray) -> np.ndarray:
    """Weights that favour each employee over the field and over near rivals most, and the reverse."""
    points = panel.complete(space.centre.to_numpy())
    score = points @ space.centre.to_numpy() + 100 * panel.offset
    order = np.argsort(-np.round(score, 9), kind="stable")
    place = np.empty(len(order), dtype=int)
    place[order] = np.arange(len(order))
    pulls = [points - points.mean(axis=0)]
    for target in (best, worst):
        for step in range(1, PULLS // 2 + 1):
            # rivals spread evenly between the employee's own place and the best (worst) place found so far
            at = np.round(place + (target - 1 - place) * step / (PULLS // 2)).astype(int)
            pulls.append(points - points[order[np.clip(at, 0, len(order) - 1)]])
    wanted = np.concatenate(pulls)
    wanted = np.concatenate([wanted, -wanted])
    return space.largest(wanted)
