"""Best and worst rank under any permitted weights: found, and bounds that cannot be passed."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..space import WeightSpace
from .panel import LAST_BIT, Panel, ranks

PULLS = 8  # nearest rivals whose favourite corners are tried for each employee
BLOCK = 1 << 16
NODES = 2_000  # of one mixed-integer programme


def rank_limits(panel: Panel, space: WeightSpace, found: pd.DataFrame, most: int, effort: int) -> pd.DataFrame:
    """Best and worst rank of each employee: best, best_bound, worst, worst_bound, exact.

    Bound: an employee cannot pass those who score higher under every permitted weights. Found: the ranks
    met in the draws and at the corners that favour one employee over near rivals most. Where the two differ, a
    mixed-integer programme over the employees neither always above nor always below closes the gap, the smallest
    programmes first, while ``effort`` (employees compared in all of them) lasts; an effort and not a time, so that
    the same input gives the same table. A missing KPI is taken at the end of its category that does not help the
    claim, which is safe and wider. More than ``most`` pairs are not compared; the bounds are then all ranks.
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
        sides = (_Side(1.0, best, best_bound, above), _Side(-1.0, worst, worst_bound, above.T))
        _prove(panel, space, sides, above | above.T, effort)
    exact = (best == best_bound) & (worst == worst_bound)
    columns = {"best": best, "best_bound": best_bound, "worst": worst, "worst_bound": worst_bound, "exact": exact}
    return pd.DataFrame(columns, index=found.index)


@dataclass(frozen=True, eq=False)
class _Side:
    """The best ranks (sign 1) or the worst (sign -1): found, bound, and who is surely beyond (row) whom (column)."""

    sign: float
    found: np.ndarray
    bound: np.ndarray
    beyond: np.ndarray


def _prove(panel: Panel, space: WeightSpace, sides: tuple[_Side, ...], settled: np.ndarray, effort: int) -> None:
    """Solve for the rank of those whose found rank and bound differ, writing both; see :func:`rank_limits`."""
    whole = ~np.isnan(panel.points).any(axis=1)
    rivals = ~settled
    np.fill_diagonal(rivals, False)
    # A rival with a missing KPI has no linear score; its bounds stay as they are.
    able = whole & ~(rivals & ~whole[:, None]).any(axis=0)
    size = rivals.sum(axis=0)
    left = [(size[i], i, side) for side in sides for i in np.flatnonzero(able & (side.found != side.bound))]
    for n, i, side in sorted(left, key=lambda task: task[:2]):
        effort -= n
        if effort < 0:
            return
        others = np.flatnonzero(rivals[:, i])
        lead = side.sign * (panel.points[others] - panel.points[i]) / 100
        ahead = side.sign * (panel.offset[others] - panel.offset[i])
        # Equals share the better rank: at a tie nobody is beyond whom best ranks are asked of, and nobody is passed.
        fewest, surely = _fewest_ahead(lead, ahead, space, side.sign * LAST_BIT)
        if surely > fewest:  # a solver that contradicts itself has proved nothing
            surely = 0
        base = side.beyond[:, i].sum()  # ahead whatever the weights
        if side.sign > 0:
            side.found[i], side.bound[i] = min(side.found[i], 1 + base + fewest), max(side.bound[i], 1 + base + surely)
        else:
            last = len(side.found)
            side.found[i] = max(side.found[i], last - base - fewest)
            side.bound[i] = min(side.bound[i], last - base - surely)


def _fewest_ahead(lead: np.ndarray, ahead: np.ndarray, space: WeightSpace, least: float) -> tuple[int, int]:
    """The fewest rivals with w . lead + ahead above ``least`` that a permitted choice leaves: found, surely needed.

    min sum z, z_j in {0, 1}, with (w . lead_j + ahead_j) / M_j <= z_j and M_j > 0 the most that rival can lead by.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # costly to import, and needed only here

    m, n = lead.shape
    most = 1.01 * ((space.largest(lead) * lead).sum(axis=1) + ahead) + 0.01  # slack, so that no row is tight at z = 1
    rows, ends = space.limits()
    none = np.zeros((m, 1))
    limits = [
        LinearConstraint(np.concatenate([rows, np.zeros((len(rows), m))], axis=1), -np.inf, ends),
        LinearConstraint(np.concatenate([np.ones((1, n)), none.T], axis=1), 100, 100),
        LinearConstraint(np.concatenate([lead, -np.diag(most)], axis=1), -np.inf, -ahead),
    ]
    with _quiet():
        found = milp(
            np.concatenate([np.zeros(n), np.ones(m)]),
            integrality=np.concatenate([np.zeros(n), np.ones(m)]),
            bounds=Bounds(0, np.concatenate([np.full(n, 100.0), np.ones(m)])),
            constraints=limits,
            options={"node_limit": NODES},
        )
    surely = 0 if found.mip_dual_bound is None else max(int(np.ceil(found.mip_dual_bound - 1e-6)), 0)
    if found.x is None:
        return m, surely
    # Counted anew at the weights found, so that the solver's tolerances enter no rank.
    weights = space.nearest(pd.Series(found.x[:n], space.names)).to_numpy()
    return int((lead @ weights + ahead > least).sum()), surely


@contextmanager
def _quiet() -> Iterator[None]:
    """Standard output of the process put aside: HiGHS writes a line of its own there whatever it is told.

    The line is a debugging aid of the solver (HiGHS 1.11 and 1.12); a run's last line on stdout must stay the page.
    """
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # a program without standard output has nothing to put aside
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        ctypes.CDLL("ucrtbase" if os.name == "nt" else None).fflush(None)  # what C still holds goes there too
        os.dup2(kept, 1)
        os.close(kept)


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
