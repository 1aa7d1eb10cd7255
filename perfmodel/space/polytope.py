"""A set of weights given by its corners: moments, and the law of any score over it, in closed form.

The set is cut into simplices. Over a simplex a score is linear, so its law is a B-spline with the scores of the
corners as knots, and the share above a cut is a product of convex combinations (Varsi 1973; Ali 1973): nothing
cancels, equal corners do no harm. All parts are non-negative and add up.

References
----------
Varsi, G. (1973), The multidimensional content of the frustum of the simplex, Pacific J. Math. 46, 303-314.
Ali, M. M. (1973), Content of the frustum of a simplex, Pacific J. Math. 48, 313-322.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

FLAT = 1e-9  # percent: directions in which the corners spread less are none
CELLS = 1 << 19  # values held at a time


@dataclass(frozen=True, eq=False)
class Polytope:
    """The convex hull of ``corners`` (n, weights), under the uniform law of its own dimension."""

    corners: np.ndarray

    @cached_property
    def simplices(self) -> tuple[np.ndarray, np.ndarray]:
        """Simplices (s, corners of each) as row numbers, and the share of the volume that each holds."""
        middle = self.corners - self.corners.mean(axis=0)
        spread, axes = np.linalg.svd(middle, full_matrices=False)[1:]
        flat = middle @ axes[spread > FLAT].T
        dimension = flat.shape[1]
        if dimension == 0:
            return np.zeros((1, 1), dtype=int), np.ones(1)
        if dimension == 1:
            return np.array([[flat[:, 0].argmin(), flat[:, 0].argmax()]]), np.ones(1)
        from scipy.spatial import Delaunay  # costly to import, and needed only here

        simplices = Delaunay(flat).simplices
        edges = flat[simplices[:, 1:]] - flat[simplices[:, :1]]
        volume = np.abs(np.linalg.det(edges))
        return simplices, volume / volume.sum()

    def moments(self, density: Callable[[np.ndarray], np.ndarray] | None = None, degree: int = 0):
        """Mean and covariance (weights) under ``density``, a polynomial of ``degree`` in the weights (default 1)."""
        simplices, volume = self.simplices
        points, rule = _cubature(simplices.shape[1] - 1, degree + 2)
        at = np.einsum("qk,skw->sqw", points, self.corners[simplices])
        mass = volume[:, None] * rule
        if density is not None:
            mass = mass * density(at.reshape(-1, at.shape[2])).reshape(mass.shape)
        mass = mass / mass.sum()
        mean = np.einsum("sq,sqw->w", mass, at)
        off = at - mean
        return mean, np.einsum("sq,sqw,sqv->wv", mass, off, off)

    def mean(self, density: Callable[[np.ndarray], np.ndarray], degree: int) -> float:
        """Mean of ``density``, a polynomial of ``degree`` in the weights, exact."""
        simplices, volume = self.simplices
        points, rule = _cubature(simplices.shape[1] - 1, degree)
        at = np.einsum("qk,skw->sqw", points, self.corners[simplices])
        return float(volume @ (density(at.reshape(-1, at.shape[2])).reshape(at.shape[:2]) @ rule))

    def share_above(self, values: np.ndarray, cuts: np.ndarray) -> np.ndarray:
        """Share of the set where a linear function is at least ``cuts``: (functions, cuts).

        ``values`` (corners, functions) are its values at the corners; a function on a cut everywhere is above it.
        """
        simplices, volume = self.simplices
        found = np.empty((values.shape[1], len(cuts)))
        step = max(CELLS // (simplices.size * max(len(cuts), 1)), 1)
        for start in range(0, values.shape[1], step):
            at = values[simplices, start : start + step]  # (simplex, corner, function)
            over = np.moveaxis(at, 1, 0)[..., None] - cuts  # (corner, simplex, function, cut)
            found[start : start + step] = np.einsum("s,sfc->fc", volume, _above(over))
        return found


def _above(over: np.ndarray) -> np.ndarray:
    """Share of a simplex where a linear function is above 0, from its values at the corners (first axis).

    With n the corners at or under 0, h-th of them, and p each corner above: a_0 = 1, a_h = 0, and for every p in
    turn a_h <- (n_h a_h - p a_{h-1}) / (n_h - p). The last a_h is the share.
    """
    up = over >= 0
    share = np.zeros(over.shape)
    for i in range(len(over)):
        before = np.ones(over.shape[1:])
        for h in range(len(over)):
            gap = over[h] - over[i]
            both = up[i] & ~up[h]
            step = (over[h] * share[h] - over[i] * before) / np.where(both, gap, 1.0)
            share[h] = np.where(both, step, share[h])
            before = np.where(up[h], before, share[h])
    last = np.ones(over.shape[1:])
    for h in range(len(over)):
        last = np.where(up[h], last, share[h])
    return last


def _cubature(dimension: int, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Barycentric points (q, dimension + 1) and shares (q) that integrate polynomials of ``degree`` exactly.

    Gauss-Jacobi rules one direction after another (Stroud 1971, conical product).
    """
    from scipy.special import roots_jacobi

    points, shares = np.ones((1, 1)), np.ones(1)
    for k in range(1, dimension + 1):  # a simplex of k dimensions is a cone over one of k - 1
        nodes, weights = roots_jacobi(degree // 2 + 1, k - 1, 0)
        z, weights = (nodes + 1) / 2, weights / weights.sum()
        new = np.concatenate([np.kron((1 - z)[:, None], points), np.repeat(z, len(points))[:, None]], axis=1)
        points, shares = new, np.kron(weights, shares)
    return points, shares
