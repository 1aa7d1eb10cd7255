"""Weights of one level that must also keep an order, such as sales at least as heavy as team."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .boxsimplex import EDGE, BoxSimplex
from .nearest import nearest_point
from .polytope import Polytope

MOST_ORDERED = 8  # weights of a level with an order: its corners are listed one by one
LEAST_ACCEPTED = 1e-6  # share of the box: an order that leaves less makes two weights one


@dataclass(frozen=True)
class OrderedBox(BoxSimplex):
    """A :class:`BoxSimplex` in which weight ``a`` is at least weight ``b`` for every (a, b) of ``order``.

    Everything comes exactly from the corners of the set and the simplices between them, draws too.
    """

    order: tuple[tuple[int, int], ...] = ()

    @cached_property
    def box(self) -> BoxSimplex:
        """The same ranges without the order."""
        return BoxSimplex(self.lower, self.upper, self.total, self.powers)

    @property
    def feasible(self) -> bool:
        return self.box.feasible and self.acceptance > LEAST_ACCEPTED

    @property
    def acceptance(self) -> float:
        """Share of the choices inside the ranges that keep the order, exact."""
        return self._cut[1]

    @property
    def _corners(self) -> np.ndarray:
        return self._cut[0]

    @cached_property
    def _cut(self) -> tuple[np.ndarray, float]:
        """Corners of the box cut by one order after another, and the share of the box that is left."""
        corners, left = self.box.vertices(), 1.0
        for k, (a, b) in enumerate(self.order):
            lead = corners[:, a] - corners[:, b]
            above, below = lead > EDGE, lead < -EDGE
            if not below.any():
                continue
            left *= float(Polytope(corners).share_above(lead[:, None], np.zeros(1))[0, 0]) if above.any() else 0.0
            one, other = np.nonzero(above[:, None] & below[None, :])
            share = (lead[one] / (lead[one] - lead[other]))[:, None]
            met = corners[one] + share * (corners[other] - corners[one])
            corners = self._only_corners(np.concatenate([corners[~below], met]), self.order[: k + 1])
            if not len(corners):
                break
        return corners, left

    def _only_corners(self, points: np.ndarray, order) -> np.ndarray:
        """Points held fast by as many independent limits as there are weights."""
        n = len(self.lower)
        rows = np.concatenate([np.eye(n), np.eye(n), [np.eye(n)[a] - np.eye(n)[b] for a, b in order]])
        met = np.abs(points @ rows.T - np.concatenate([self.lower, self.upper, np.zeros(len(order))])) <= 1e-7
        sum_row = np.ones((1, n))
        keep = [np.linalg.matrix_rank(np.concatenate([sum_row, rows[m]])) == n for m in met]
        points = points[np.array(keep, dtype=bool)]
        _, once = np.unique(np.round(points, 9), axis=0, return_index=True)
        return points[once]

    @cached_property
    def polytope(self) -> Polytope:
        return Polytope(self._corners)

    @cached_property
    def reach(self) -> tuple[np.ndarray, np.ndarray]:
        return self._corners.min(axis=0), self._corners.max(axis=0)

    @property
    def dimension(self) -> int:
        """Coordinates a draw takes: those of the box."""
        return self.box.dimension

    def place(self, u: np.ndarray) -> np.ndarray:
        """Carry points of the unit cube to the set, uniformly: a simplex by its share of the volume, a point in it.

        Nothing is rejected: of seven weights in a chain the order leaves 1 choice in 5,040, and rejection took 100 s
        for 256 draws. What is left of the coordinate that chose the simplex is uniform again.
        """
        simplices, share = self.polytope.simplices
        if simplices.shape[1] == 1:
            return np.tile(self._corners[simplices[0]], (len(u), 1))
        ends = np.cumsum(share)
        at = np.minimum(np.searchsorted(ends, u[:, 0] * ends[-1], side="right"), len(ends) - 1)
        rest = np.clip((u[:, 0] * ends[-1] - (ends - share)[at]) / share[at], 0.0, 1.0)
        cuts = np.sort(np.concatenate([rest[:, None], u[:, 1 : simplices.shape[1] - 1]], axis=1), axis=1)
        parts = np.diff(cuts, axis=1, prepend=0.0, append=1.0)  # uniform over the simplex (Devroye 1986, chapter V.2)
        return np.einsum("nk,nkw->nw", parts, self._corners[simplices[at]])

    def permits(self, w: np.ndarray, tolerance: float = 0.0) -> np.ndarray:
        """Which rows keep the order."""
        return np.all([w[:, a] >= w[:, b] - tolerance for a, b in self.order], axis=0)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        powers = np.array(self.powers or [0] * len(self.lower))
        return self.polytope.moments(
            (lambda w: np.prod((w / self.total) ** powers, axis=1)) if powers.any() else None, int(powers.sum())
        )

    def mean_density(self) -> float:
        powers = np.array(self.powers or [0] * len(self.lower))
        return self.polytope.mean(lambda w: np.prod((w / self.total) ** powers, axis=1), int(powers.sum()))

    def largest(self, values: np.ndarray) -> np.ndarray:
        return self._corners[(values @ self._corners.T).argmax(axis=-1)]

    def nearest(self, wanted: np.ndarray) -> np.ndarray:
        start = self.box.nearest(wanted)
        if self.permits(start[None])[0]:
            return start
        eye = np.eye(len(self.lower))
        rows = np.concatenate([-eye, eye, [eye[b] - eye[a] for a, b in self.order]])
        ends = np.concatenate([-np.array(self.lower), self.upper, np.zeros(len(self.order))])
        return nearest_point(np.asarray(wanted, float), rows, ends, self.total)

    def vertices(self) -> np.ndarray:
        return self._corners
