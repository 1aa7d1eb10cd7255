"""Lowest and highest score under any permitted weights."""

import numpy as np

from ..space import WeightSpace
from ..space.boxsimplex import BoxSimplex
from .panel import Panel

HALVINGS = 60  # until no bits are left


def score_limits(panel: Panel, space: WeightSpace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lowest and highest score, and whether both are reached.

    A linear function over ranges that total 100 % is largest where the best weights are filled first. With a KPI
    missing the value of its category is a ratio of such functions, found by halving (Dinkelbach 1967): it is above v
    just when the sum of weight times (points - v) over what is there can be above 0. Where siblings share across
    weights of one level, a missing KPI is taken at its category's lowest or highest: no weights pass that, and none
    need reach it.
    """
    own = [tuple(range(part.start, part.stop)) for part in space.parts.values()]
    if sorted(own) == sorted(map(tuple, panel.parts.values())):
        low, high = (_by_category(panel, space, sign) for sign in (-1.0, 1.0))
        return low, high, np.ones(len(low), dtype=bool)
    ends = []
    for sign, end in ((-1.0, np.nanmin), (1.0, np.nanmax)):
        points = panel.bounded(end)
        ends.append((space.largest(sign * points) * points).sum(axis=1) / 100 + panel.offset)
    return ends[0], ends[1], ~np.isnan(panel.points).any(axis=1)


def _by_category(panel: Panel, space: WeightSpace, sign: float) -> np.ndarray:
    """Highest score (sign 1) or lowest (-1), category by category, then over the category weights."""
    values = np.empty((len(panel.points), len(space.parts)))
    for i, (category, part) in enumerate(space.parts.items()):
        points, box = sign * panel.points[:, part], space.inner[category]
        there = ~np.isnan(points)
        whole = there.all(axis=1)
        full = points[whole]
        values[whole, i] = (box.largest(full) * full).sum(axis=1) / 100
        values[~whole, i] = _highest_mean(box, points[~whole], there[~whole])
    return sign * (space.outer.largest(values) * values).sum(axis=1) / 100 + panel.offset


def _highest_mean(box: BoxSimplex, points: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Highest weighted mean of the points that are there: (employees, weights) -> (employees,); 0 where none is."""
    some = there.any(axis=1)
    low = np.where(there, points, np.inf).min(axis=1, initial=np.inf)
    high = np.where(there, points, -np.inf).max(axis=1, initial=-np.inf)
    low, high = np.where(some, low, 0.0), np.where(some, high, 0.0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        over = np.where(there, points - middle[:, None], 0.0)
        above = (box.largest(over) * over).sum(axis=1) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return high
