"""Points of employees under any weights: the rule for missing KPIs, and the grades."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

LAST_BIT = 5e-10  # scores count as equal to 9 decimals, so that no grade hangs on rounding inside the machine
SCALE = 1e9  # the same in ranks


@dataclass(frozen=True, eq=False)
class Panel:
    """Points (employees, weights), the category of each weight, and points added whatever the weights.

    A missing point (NaN) shares its weight inside its category: the category counts as the weighted
    mean of the points that are there. Every employee needs one point in each category.
    """

    points: np.ndarray
    parts: Mapping[str, np.ndarray]  # category -> positions of its weights
    offset: np.ndarray

    def take(self, who) -> "Panel":
        """The same for some employees, by position."""
        return Panel(self.points[who], self.parts, self.offset[who])

    @cached_property
    def _whole(self) -> np.ndarray:
        return ~np.isnan(self.points).any(axis=1)

    @cached_property
    def filled(self) -> np.ndarray:
        return self.points if self._whole.all() else np.nan_to_num(self.points, nan=0.0)

    @cached_property
    def _complete(self) -> np.ndarray:
        return self.filled[self._whole]

    @cached_property
    def _patterns(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Category positions, the ones that are there, the employees (among the incomplete) of that pattern, and their
        points."""
        points = self.filled[~self._whole]
        there = ~np.isnan(self.points[~self._whole])
        found = []
        for part in self.parts.values():
            kinds, of = np.unique(there[:, part], axis=0, return_inverse=True)
            of = of.reshape(-1)
            for i, kind in enumerate(kinds):
                who = np.flatnonzero(of == i)
                found.append((part, kind, who, points[np.ix_(who, part)]))
        return found

    def scores(self, weights: np.ndarray) -> np.ndarray:
        """Scores (draws, employees) under weights (draws, weights) in percent."""
        share = weights / 100
        if self._whole.all():
            return share @ self.filled.T + self.offset
        scores = np.empty((len(weights), len(self.points)))
        scores[:, self._whole] = share @ self._complete.T
        partial = np.zeros((len(weights), len(self.points) - len(self._complete)))
        for part, there, who, points in self._patterns:
            value = share[:, part] @ points.T
            if not there.all():
                present = share[:, part[there]].sum(axis=1, keepdims=True)
                value *= np.divide(share[:, part].sum(axis=1, keepdims=True), present, where=present > 0, out=present)
            partial[:, who] += value
        scores[:, ~self._whole] = partial
        return scores + self.offset

    def complete(self, weights: np.ndarray) -> np.ndarray:
        """Points with each missing one put at its category's weighted mean: the same scores under ``weights``."""
        full = self.filled.copy()
        for part in self.parts.values():
            gap = np.isnan(self.points[:, part])
            weight = np.where(gap, 0.0, weights[part])
            total = weight.sum(axis=1, keepdims=True)
            mean = (weight * full[:, part]).sum(axis=1, keepdims=True) / np.where(total > 0, total, 1.0)
            full[:, part] = np.where(gap, mean, full[:, part])
        return full

    def bounded(self, end) -> np.ndarray:
        """Points with each missing one at its category's lowest or highest (``end``): a score no weights pass."""
        points = self.points.copy()
        for part in self.parts.values():
            inside = points[:, part]
            points[:, part] = np.where(np.isnan(inside), end(inside, axis=1)[:, None], inside)
        return points


@dataclass(frozen=True, eq=False)
class Ladder:
    """Grades from best to worst with their lower bounds, and the best each employee may have (a gate)."""

    grades: tuple[str, ...]
    least: np.ndarray
    cap: np.ndarray  # position of the best grade each employee may have; 0 = no cap

    def take(self, who) -> "Ladder":
        """The same for some employees, by position."""
        return Ladder(self.grades, self.least, self.cap[who])

    def place(self, scores: np.ndarray) -> np.ndarray:
        """Position of the grade of each score (..., employees); 0 is the best, lower bound inclusive."""
        below = np.zeros(scores.shape, dtype=np.int64)
        for least in self.least[:-1]:
            below += scores < least - LAST_BIT
        return np.maximum(below, self.cap)

    def band(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores from (inclusive) and below which the grade at ``place`` is held."""
        low = np.append(self.least[:-1], -np.inf)[place] - LAST_BIT
        high = np.where(place <= self.cap, np.inf, self.least[np.maximum(place - 1, 0)] - LAST_BIT)
        return low, high


def ranks(scores: np.ndarray) -> np.ndarray:
    """Rank of each employee in each draw, 1 the highest, equals share the better one: (draws, employees)."""
    n = scores.shape[1]
    bits = max(n - 1, 1).bit_length()
    # One sort of whole numbers that carry score and employee, twice as fast as argsort (FACTS).
    keys = (np.rint(scores * -SCALE).astype(np.int64) << bits) | np.arange(n)
    keys.sort(axis=1)
    who = keys & ((1 << bits) - 1)
    value = keys >> bits
    place = np.broadcast_to(np.arange(1, n + 1, dtype=np.int32), scores.shape)
    tied = value[:, 1:] == value[:, :-1]
    if tied.any():
        first = np.where(np.pad(tied, ((0, 0), (1, 0))), 0, place)
        place = np.maximum.accumulate(first, axis=1)
    found = np.empty(scores.shape, dtype=np.int32)
    np.put_along_axis(found, who, place, axis=1)
    return found
