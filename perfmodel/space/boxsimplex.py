"""The set {lower <= w <= upper, sum of w = total} and its uniform law, without Markov chains.

Measure each weight from its lower end, x = w - lower. If every x were uniform on its own range, the
sum of the last ones would have a piecewise polynomial density Z (a B-spline); given what remains for
them, t, the next weight then has density proportional to Z(t - x). So the law is drawn one weight
after another by inverting an integral of Z, which is the Rosenblatt map. Each Z is held by pieces
and built by integrating non-negative functions, so nothing cancels, as signed truncated powers would.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.polynomial import legendre

EDGE = 1e-9  # percent: closer knots are one, and a range this narrow is a point
MOST_PIECES = 48  # beyond that (7 or more unlike ranges) Z has 5 derivatives, and equal pieces err by less than 1e-9


@dataclass(frozen=True)
class _Pieces:
    """Functions on [0, end], polynomial between knots: Legendre coefficients (piece, degree, function)."""

    knots: np.ndarray
    coefficients: np.ndarray

    def at(self, t: np.ndarray) -> np.ndarray:
        """Values (len(t), function)."""
        p = np.clip(np.searchsorted(self.knots, t, side="right") - 1, 0, len(self.knots) - 2)
        left, right = self.knots[p], self.knots[p + 1]
        z = np.clip(2 * (t - left) / (right - left) - 1, -1, 1)
        basis = legendre.legvander(z, self.coefficients.shape[1] - 1)
        return np.einsum("tm,tmf->tf", basis, self.coefficients[p])


@dataclass(frozen=True)
class _Integral:
    """Running integral of one function by pieces, and its inverse."""

    knots: np.ndarray
    heights: np.ndarray  # integral up to each knot
    powers: np.ndarray  # (piece, degree): the integral inside a piece in powers of z in [-1, 1]

    def at(self, y: np.ndarray) -> np.ndarray:
        p = np.clip(np.searchsorted(self.knots, y, side="right") - 1, 0, len(self.knots) - 2)
        left, right = self.knots[p], self.knots[p + 1]
        return self.heights[p] + _horner(self.powers[p], np.clip(2 * (y - left) / (right - left) - 1, -1, 1))

    def inverse(self, g: np.ndarray) -> np.ndarray:
        """Where the integral reaches ``g``: Newton steps, halved when they leave the bracket."""
        p = np.clip(np.searchsorted(self.heights, g, side="right") - 1, 0, len(self.knots) - 2)
        powers, rest = self.powers[p], g - self.heights[p]
        slope = powers[:, 1:] * np.arange(1, powers.shape[1])
        low, high = np.full(len(g), -1.0), np.ones(len(g))
        z = np.zeros(len(g))
        for _ in range(60):
            gap = _horner(powers, z) - rest
            low, high = np.where(gap < 0, z, low), np.where(gap < 0, high, z)
            steep = _horner(slope, z)
            newton = z - gap / np.where(steep > 0, steep, 1.0)
            inside = (steep > 0) & (newton >= low) & (newton <= high)
            step = np.where(inside, newton, (low + high) / 2) - z
            z = z + step
            if np.max(np.abs(step), initial=0.0) < 1e-14:
                break
        return self.knots[p] + (z + 1) / 2 * (self.knots[p + 1] - self.knots[p])


def _horner(powers: np.ndarray, z: np.ndarray) -> np.ndarray:
    value = powers[:, -1]
    for m in range(powers.shape[1] - 2, -1, -1):
        value = value * z + powers[:, m]
    return value


def _merged(knots: np.ndarray, end: float) -> np.ndarray:
    """Knots in order up to ``end``, those that differ only by rounding taken as one."""
    knots = np.sort(knots[knots < end - EDGE])
    knots = np.append(knots[np.diff(knots, prepend=-np.inf) > EDGE], end)
    return knots if len(knots) <= MOST_PIECES + 1 else np.linspace(0.0, end, MOST_PIECES + 1)


@dataclass(frozen=True)
class BoxSimplex:
    """Weights inside ``lower`` and ``upper`` that add up to ``total``, under density prod (w / total) ** powers.

    ``powers`` (default 0: the uniform law) enter only the moments; :meth:`place` draws the uniform law.
    The set must not be empty: ask :meth:`feasible` first.
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    total: float = 100.0
    powers: tuple[int, ...] = ()

    @property
    def feasible(self) -> bool:
        return (
            all(a <= b for a, b in zip(self.lower, self.upper, strict=True))
            and sum(self.lower) <= self.total + EDGE
            and sum(self.upper) >= self.total - EDGE
        )

    @cached_property
    def reach(self) -> tuple[np.ndarray, np.ndarray]:
        """The ends that can be reached once all must add up to ``total``: (least, most)."""
        low, high = np.array(self.lower, float), np.array(self.upper, float)
        least = np.maximum(low, self.total - (high.sum() - high))
        most = np.minimum(high, self.total - (low.sum() - low))
        return np.minimum(least, most), np.maximum(least, most)

    @cached_property
    def free(self) -> np.ndarray:
        """Positions of the weights that can vary."""
        least, most = self.reach
        return np.flatnonzero(most - least > EDGE)

    @property
    def dimension(self) -> int:
        """Weights that can be chosen before the rest follows."""
        return max(len(self.free) - 1, 0)

    @cached_property
    def _frame(self):
        """x = sign * (w - base) in [0, width], summing to ``rest``; mirrored where that halves ``rest``."""
        least, most = self.reach[0][self.free], self.reach[1][self.free]
        fixed = np.delete(self.reach[0], self.free).sum()
        width = most - least
        rest = self.total - fixed - least.sum()
        if rest > width.sum() / 2:
            return -1.0, most, width, width.sum() - rest
        return 1.0, least, width, rest

    @cached_property
    def _integrals(self) -> list[_Integral]:
        """Running integral of Z of the last weights, one for each weight that is drawn."""
        *_, width, rest = self._frame
        order = len(width)
        z = _start(width[-1], rest, order)
        found = []
        for k in range(order - 2, -1, -1):
            found.append(_integrate(z))
            if k:
                z = _Pieces(*_convolve(z, width[k], rest, order, [lambda x: np.ones_like(x)])[0])
        return found[::-1]

    def place(self, u: np.ndarray) -> np.ndarray:
        """Carry points of the unit cube, (n, dimension), to the set, (n, weights), uniformly."""
        w = np.tile(self.reach[0], (len(u), 1))
        if not self.dimension:
            return w
        sign, base, width, rest = self._frame
        t = np.full(len(u), rest)
        x = np.empty((len(u), len(width)))
        for k, integral in enumerate(self._integrals):
            low, high = np.maximum(t - width[k], 0.0), np.minimum(t, integral.knots[-1])
            top, bottom = integral.at(high), integral.at(low)
            y = np.clip(integral.inverse(top - u[:, k] * (top - bottom)), low, high)
            x[:, k], t = t - y, y
        x[:, -1] = np.minimum(t, width[-1])
        w[:, self.free] = base + sign * x
        return w

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Exact mean and covariance of the law with density prod w ** powers."""
        n = len(self.lower)
        mean, covariance = self.reach[0].copy(), np.zeros((n, n))
        if not self.dimension:
            return mean, covariance
        sign, base, _, _ = self._frame
        d, values = len(self.free), self._powers_of_x()
        average = values[1 : d + 1] / values[0]
        product = np.zeros((d, d))
        product[np.triu_indices(d)] = values[d + 1 :] / values[0]
        product = np.triu(product) + np.triu(product, 1).T
        mean[self.free] = base + sign * average
        covariance[np.ix_(self.free, self.free)] = product - np.outer(average, average)
        return mean, covariance

    def mean_density(self) -> float:
        """Mean of prod (w / total) ** powers under the uniform law, exact."""
        powers = np.array(self.powers or [0] * len(self.lower))
        fixed = np.delete(self.reach[0] / self.total, self.free) ** np.delete(powers, self.free)
        if not self.dimension:
            return float(fixed.prod())
        return float(fixed.prod() * self._powers_of_x()[0] / replace(self, powers=())._powers_of_x()[0])

    def _powers_of_x(self) -> np.ndarray:
        """Integrals of 1, x_i and x_i x_j (i <= j) under the density, x the free weights measured from their base."""
        sign, base, width, rest = self._frame
        powers = np.array(self.powers or [0] * len(self.lower))[self.free]
        d, order = len(width), len(width) + 3 + int(powers.sum())

        def kernels(k):
            return [lambda x, m=m: ((base[k] + sign * x) / self.total) ** powers[k] * x**m for m in range(3)]

        # Functions of t for the weights from k on: [1, x_i (i >= k), x_i x_j (k <= i <= j)] under the density.
        z = _start(width[-1], rest, order, kernels(d - 1))
        for k in range(d - 2, -1, -1):
            one, first, second = _convolve(z, width[k], rest, order, kernels(k))
            m = d - 1 - k
            stack = [one[1][..., :1], first[1][..., :1], one[1][..., 1 : m + 1]]
            stack += [second[1][..., :1], first[1][..., 1 : m + 1], one[1][..., m + 1 :]]
            z = _Pieces(one[0], np.concatenate(stack, axis=-1))
        return z.at(np.array([rest]))[0]

    def largest(self, values: np.ndarray) -> np.ndarray:
        """Weights (..., weights) that make sum of w * values largest: the best weight is filled first."""
        least, most = self.reach
        order = np.argsort(-values, axis=-1, kind="stable")
        width = (most - least)[order]
        before = np.cumsum(width, axis=-1) - width
        filled = least[order] + np.clip(self.total - least.sum() - before, 0.0, width)
        w = np.empty(filled.shape)
        np.put_along_axis(w, order, filled, axis=-1)
        return w

    def nearest(self, wanted: np.ndarray) -> np.ndarray:
        """The closest permitted weights (Euclidean): all moved alike, each stopped at its own ends."""
        least, most = self.reach
        low, high = np.min(least - wanted), np.max(most - wanted)
        for _ in range(100):  # halves until no bits are left
            shift = (low + high) / 2
            low, high = (shift, high) if np.clip(wanted + shift, least, most).sum() < self.total else (low, shift)
        return np.clip(wanted + (low + high) / 2, least, most)

    def moved(self, now: np.ndarray, at: int, value: float) -> np.ndarray:
        """``now`` with one weight at ``value`` (or the nearest that can be), the others as near as they can stay."""
        least, most = self.reach
        value = float(np.clip(value, least[at], most[at]))
        lower, upper = list(self.lower), list(self.upper)
        lower[at] = upper[at] = value
        wanted = np.array(now, float)
        wanted[at] = value
        return replace(self, lower=tuple(lower), upper=tuple(upper)).nearest(wanted)

    def vertices(self) -> np.ndarray:
        """Corners (n, weights): all weights but one at an end of their ranges."""
        least, most = self.reach
        if not self.dimension:
            return least[None]
        d = len(self.free)
        ends = (np.arange(2 ** (d - 1))[:, None] >> np.arange(d - 1)) & 1
        found = []
        for i, at in enumerate(self.free):
            others = np.delete(self.free, i)
            w = np.tile(least, (len(ends), 1))
            w[:, others] = np.where(ends, most[others], least[others])
            w[:, at] = 0.0
            w[:, at] = self.total - w.sum(axis=1)
            found.append(w[(w[:, at] >= least[at] - EDGE) & (w[:, at] <= most[at] + EDGE)])
        corners = np.concatenate(found)
        _, once = np.unique(np.round(corners, 9), axis=0, return_index=True)
        return corners[once]


def _start(width, rest, order, kernels=None) -> _Pieces:
    """The last weight alone: its density, and that times x and x squared where kernels ask for it."""
    end = min(width, rest)
    nodes = legendre.leggauss(order)[0]
    x = end * (nodes + 1) / 2
    values = np.stack([f(x) for f in kernels or [np.ones_like]], axis=-1)
    return _Pieces(np.array([0.0, end]), np.linalg.solve(legendre.legvander(nodes, order - 1), values)[None])


def _convolve(z: _Pieces, width: float, rest: float, order: int, kernels) -> list[tuple[np.ndarray, np.ndarray]]:
    """Integral of kernel(x) z(t - x) over x in [0, width], by pieces of t: (knots, coefficients) a kernel."""
    knots = _merged(np.concatenate([z.knots, z.knots + width]), min(z.knots[-1] + width, rest))
    nodes, gauss = legendre.leggauss(order)
    left, right = knots[:-1, None], knots[1:, None]
    t = (left + (right - left) * (nodes + 1) / 2).ravel()
    values = np.zeros((len(kernels), len(t), z.coefficients.shape[2]))
    for a, b, coefficients in zip(z.knots[:-1], z.knots[1:], z.coefficients, strict=True):
        touched = np.flatnonzero((t > a) & (t - width < b))
        low = np.maximum(t[touched] - width, a)[:, None]
        half = (np.minimum(t[touched], b)[:, None] - low) / 2
        y = low + half * (nodes + 1)
        inside = legendre.legvander(2 * (y - a) / (b - a) - 1, order - 1) @ coefficients
        for value, kernel in zip(values, kernels, strict=True):
            value[touched] += np.einsum("tq,tqf->tf", half * gauss * kernel(t[touched][:, None] - y), inside)
    inverse = np.linalg.inv(legendre.legvander(nodes, order - 1))
    shape = (len(knots) - 1, order, -1)
    return [(knots, np.einsum("mq,pqf->pmf", inverse, value.reshape(shape))) for value in values]


def _integrate(z: _Pieces) -> _Integral:
    half = np.diff(z.knots) / 2
    series = [legendre.legint(c[:, 0], lbnd=-1) * h for c, h in zip(z.coefficients, half, strict=True)]
    powers = np.array([np.pad(p := legendre.leg2poly(s), (0, len(s) - len(p))) for s in series])
    heights = np.concatenate([[0.0], np.cumsum([legendre.legval(1.0, s) for s in series])])
    return _Integral(z.knots, heights, powers)
