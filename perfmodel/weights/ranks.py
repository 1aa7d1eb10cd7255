"""Best and worst rank under any permitted weights: found, and bounds that cannot be passed."""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from time import monotonic

import numpy as np
import pandas as pd

from ..space import WeightSpace
from ..space.polytope import Polytope
from . import exact
from .cells import fewest_positive
from .limits import score_limits
from .panel import LAST_BIT, Panel, ranks

PULLS = 8  # nearest rivals whose favourite corners are tried for each employee
BLOCK = 1 << 16
NODES = 2_000  # of one mixed-integer programme
PAIRS = 4_000_000  # pairs of employees compared by linear programmes: 2,000 employees
CORNER_PAIRS = 200_000_000  # the same where a comparison is one at a few corners: 14,000 employees
COMPARED = 600  # employees compared in all mixed-integer programmes together
LOOKED_AT = 1_000_000_000  # values of leads in all searches of cells together: 1,000 employees under four weights
ONE_AT_A_TIME = Lock()  # standard output is the whole process's
EACH = 40  # one search may take that many times its fair share


class Budget:
    """How hard ranks are to be proved: a multiple of the usual work, or seconds.

    By work the same input gives the same table; by seconds a faster machine proves more.
    """

    def __init__(self, effort: float = 1.0, seconds: float | None = None):
        self.compared = COMPARED * effort if seconds is None else np.inf
        self.looked_at = LOOKED_AT * effort if seconds is None else np.inf
        self.end = None if seconds is None else monotonic() + seconds

    @property
    def seconds(self) -> float | None:
        return None if self.end is None else max(self.end - monotonic(), 0.0)

    @property
    def over(self) -> bool:
        return self.end is not None and monotonic() >= self.end

    def share(self, most: float) -> Callable[[int], bool]:
        """For one search: takes off what was looked at, and says whether it has had enough."""
        own = most

        def enough(spent: int) -> bool:
            nonlocal own
            own -= spent
            self.looked_at -= spent
            return own < 0 or self.looked_at < 0 or self.over

        return enough


def rank_limits(panel: Panel, space: WeightSpace, found: pd.DataFrame, budget: Budget) -> pd.DataFrame:
    """Best and worst rank of each employee: best, best_bound, worst, worst_bound, exact.

    ``found`` (best, worst) are ranks known to be reached. Bound: an employee cannot pass those who score higher under
    every permitted weights. Where only weights of one level vary, at most seven, a search over the cells between the
    planes on which two employees are level closes the gap (:mod:`perfmodel.weights.cells`); else a mixed-integer
    programme over the employees neither always above nor always below, a missing KPI being taken at the end of its
    category that does not help the claim, which is safe and wider. The smallest problems come first, while ``budget``
    lasts. Of more employees than can be compared in pairs the bounds come from their lowest and highest scores.
    """
    n = len(panel.points)
    best, worst = (found[c].to_numpy(float, copy=True) for c in ("best", "worst"))
    best_bound, worst_bound = np.ones(n), np.full(n, float(n))
    polytope, _ = exact.corners(space)
    if n and polytope is not None and exact.linear(panel, space).all():
        scores = panel.scores(polytope.corners)
        _at_corners(scores, best, worst)
        if n * n <= CORNER_PAIRS:
            _by_cells(scores, polytope, best, worst, best_bound, worst_bound, budget)
        else:
            best_bound, worst_bound = _by_limits(scores.min(axis=0), scores.max(axis=0))
    elif 0 < n * n <= PAIRS:
        above = _always_above(panel, space)
        best_bound, worst_bound = 1.0 + above.sum(axis=0), n - above.sum(axis=1)
        corners = np.unique(np.round(_corners(panel, space, best, worst), 12), axis=0)
        rows = max((1 << 19) // n, 1)
        for start in range(0, len(corners), rows):
            _at_corners(panel.scores(corners[start : start + rows]), best, worst)
        sides = (_Side(1.0, best, best_bound, above), _Side(-1.0, worst, worst_bound, above.T))
        _prove(panel, space, sides, above | above.T, budget)
    elif n:
        best_bound, worst_bound = _by_limits(*score_limits(panel, space)[:2])
    proved = (best == best_bound) & (worst == worst_bound)
    columns = {"best": best, "best_bound": best_bound, "worst": worst, "worst_bound": worst_bound, "exact": proved}
    return pd.DataFrame(columns, index=found.index)


def _at_corners(scores: np.ndarray, best: np.ndarray, worst: np.ndarray) -> None:
    """Ranks that scores (choices, employees) reach, written where they are better or worse than those found."""
    for row in scores if scores.shape[1] > BLOCK else [scores]:
        place = ranks(np.atleast_2d(row))
        np.minimum(best, place.min(axis=0), out=best)
        np.maximum(worst, place.max(axis=0), out=worst)


def _by_limits(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of ranks from the lowest and highest score of each employee alone."""
    n = len(low)
    surely_above = n - np.searchsorted(np.sort(low), high + 2 * LAST_BIT, side="right")
    surely_below = np.searchsorted(np.sort(high), low - 2 * LAST_BIT, side="left")
    return 1.0 + surely_above, n - surely_below.astype(float)


def _by_cells(scores, polytope: Polytope, best, worst, best_bound, worst_bound, budget: Budget) -> None:
    """Ranks and bounds from scores (corners, employees) of a set in which every score is linear; writes all four."""
    n = scores.shape[1]
    open_: list[tuple[int, int]] = []
    for i in range(n):
        lead = scores - scores[:, [i]]
        ahead = lead > LAST_BIT
        always, ever = ahead.all(axis=0).sum(), ahead.any(axis=0).sum()
        best_bound[i], worst_bound[i] = 1 + always, 1 + ever
        if best[i] != best_bound[i] or worst[i] != worst_bound[i]:
            open_.append((int(ever - always), i))
    simplices, _ = polytope.simplices
    each = EACH * budget.looked_at / max(2 * len(open_), 1)
    for _, i in sorted(open_):
        if budget.looked_at <= 0 or budget.over:
            return
        lead = scores - scores[:, [i]]
        ahead = lead > LAST_BIT
        always = int(ahead.all(axis=0).sum())
        lead = lead[:, ahead.any(axis=0) & ~ahead.all(axis=0)]
        _, once, times = np.unique(np.round(lead, 12), axis=1, return_index=True, return_counts=True)
        lead, m = lead[:, once], int(times.sum())
        # Equals share the better rank: the fewest are ahead, and of the worst rank the fewest are not ahead.
        for sign, reached in ((1.0, best[i] - 1 - always), (-1.0, m - (worst[i] - 1 - always))):
            known = int(np.clip(reached, 0, m))
            few, surely = fewest_positive(
                sign * lead, times, polytope.corners, simplices, sign * LAST_BIT, known, budget.share(each)
            )
            if sign > 0:
                best[i], best_bound[i] = 1 + always + few, 1 + always + surely
            else:
                worst[i], worst_bound[i] = 1 + always + m - few, 1 + always + m - surely


@dataclass(frozen=True, eq=False)
class _Side:
    """The best ranks (sign 1) or the worst (sign -1): found, bound, and who is surely beyond (row) whom (column)."""

    sign: float
    found: np.ndarray
    bound: np.ndarray
    beyond: np.ndarray


def _prove(panel: Panel, space: WeightSpace, sides: tuple[_Side, ...], settled: np.ndarray, budget: Budget) -> None:
    """Solve for the rank of those whose found rank and bound differ, writing both; see :func:`rank_limits`."""
    whole = ~np.isnan(panel.points).any(axis=1)
    rivals = ~settled
    np.fill_diagonal(rivals, False)
    # A rival with a missing KPI has no linear score; its bounds stay as they are.
    able = whole & ~(rivals & ~whole[:, None]).any(axis=0)
    size = rivals.sum(axis=0)
    left = [(size[i], i, side) for side in sides for i in np.flatnonzero(able & (side.found != side.bound))]
    for n, i, side in sorted(left, key=lambda task: task[:2]):
        budget.compared -= n
        if budget.compared < 0 or budget.over:
            return
        others = np.flatnonzero(rivals[:, i])
        lead = side.sign * (panel.points[others] - panel.points[i]) / 100
        ahead = side.sign * (panel.offset[others] - panel.offset[i])
        # Equals share the better rank: at a tie nobody is beyond whom best ranks are asked of, and nobody is passed.
        fewest, surely = _fewest_ahead(lead, ahead, space, side.sign * LAST_BIT, budget.seconds)
        if surely > fewest:  # a solver that contradicts itself has proved nothing
            surely = 0
        base = side.beyond[:, i].sum()  # ahead whatever the weights
        if side.sign > 0:
            side.found[i], side.bound[i] = min(side.found[i], 1 + base + fewest), max(side.bound[i], 1 + base + surely)
        else:
            last = len(side.found)
            side.found[i] = max(side.found[i], last - base - fewest)
            side.bound[i] = min(side.bound[i], last - base - surely)


def _fewest_ahead(
    lead: np.ndarray, ahead: np.ndarray, space: WeightSpace, least: float, seconds: float | None
) -> tuple[int, int]:
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
            options={"node_limit": NODES} if seconds is None else {"time_limit": seconds},
        )
    surely = 0 if found.mip_dual_bound is None else max(int(np.ceil(found.mip_dual_bound - 1e-6)), 0)
    if found.x is None:
        return m, surely
    # Counted anew at the weights found, so that the solver's tolerances enter no rank. It likes weights at which
    # several stand level; a tie is no rank passed, so the same rivals are also left behind as clearly as they can be.
    rests = found.x[n:] < 0.5
    tried = [found.x[:n], *_clearest(lead[rests], ahead[rests], rows, ends)]
    counts = [(lead @ space.nearest(pd.Series(w, space.names)).to_numpy() + ahead > least).sum() for w in tried]
    return int(min(counts)), surely


def _clearest(lead: np.ndarray, ahead: np.ndarray, rows: np.ndarray, ends: np.ndarray) -> list[np.ndarray]:
    """Permitted weights at which the largest of w . lead + ahead is least: one choice, or none where a solver fails."""
    from scipy.optimize import linprog

    if not len(lead):
        return []
    n = lead.shape[1]
    none, one = np.zeros((len(rows), 1)), np.ones((len(lead), 1))
    found = linprog(
        np.r_[np.zeros(n), 1.0],
        A_ub=np.block([[rows, none], [lead, -one]]),
        b_ub=np.concatenate([ends, -ahead]),
        A_eq=np.r_[np.ones(n), 0.0][None],
        b_eq=[100.0],
        bounds=[(0, 100)] * n + [(None, None)],
        method="highs",
    )
    return [found.x[:n]] if found.status == 0 else []


@contextmanager
def _quiet() -> Iterator[None]:
    """Standard output of the process put aside: HiGHS writes a line of its own there whatever it is told.

    The line is a debugging aid of the solver (HiGHS 1.11 and 1.12); a run's last line on stdout must stay the page.
    """
    with ONE_AT_A_TIME:
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
