"""Variance components and effects of ratings by restricted maximum likelihood, from sufficient statistics.

    y = X b + employee + team - severity + halo + residual

Halo (employee x rater) and one of the two crossed factors are eliminated in closed form, so only the smaller
factor, the teams and the fixed effects stay in one dense system (its Schur complement). Random effects are
scaled by ``theta`` = their standard deviation in units of the residual's (Bates et al. 2015, Fitting linear
mixed-effects models using lme4, J. Stat. Softw. 67(1), eq. 2 and sec. 3), so a variance of 0 is no special
case and the criterion is that of lme4.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

NAMES = ("employee", "rater", "team", "halo")
START = {"employee": 0.7, "rater": 0.4, "team": 0.3, "halo": 0.4}
LEAST, MOST = 1e-8, 2500.0  # bounds of a variance in units of the residual's; at the lower one it is nil


@dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings as codes, and the sums over cells (employee x rater) that the model needs.

    Parameters
    ----------
    y : array (n,)
    x : array (n, p), of full column rank
    employee, rater : integer arrays (n,)
    team : integer array (employees,), team of each employee; without it the model has none
    """

    y: np.ndarray
    x: np.ndarray
    employee: np.ndarray
    rater: np.ndarray
    team: np.ndarray | None = None

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Employees, raters, teams."""
        teams = 0 if self.team is None else int(self.team.max()) + 1
        return int(self.employee.max()) + 1, int(self.rater.max()) + 1, teams

    @cached_property
    def cells(self):
        """Employee, rater, count, sum of y and sums of x of each cell."""
        n_raters = self.shape[1]
        code, inverse = np.unique(self.employee.astype(np.int64) * n_raters + self.rater, return_inverse=True)
        count = np.bincount(inverse).astype(float)
        y = np.bincount(inverse, self.y)
        x = np.column_stack([np.bincount(inverse, column) for column in self.x.T])
        return code // n_raters, code % n_raters, count, y, x


@dataclass(frozen=True, eq=False)
class Effects:
    """The solution at given ``theta``: effects, and the covariance of their errors. Rating points.

    ``rater`` is the effect on the rating, the negative of severity.
    """

    theta: dict[str, float]
    criterion: float
    residual: float  # variance
    fixed: np.ndarray
    employee: np.ndarray
    rater: np.ndarray
    team: np.ndarray
    halo: np.ndarray  # of each cell
    halo_variance: np.ndarray  # of its error
    kept: np.ndarray  # inverse of the Schur complement: kept factor, teams, fixed effects; scaled
    kept_is_rater: bool
    part: Any  # sparse, eliminated factor x kept columns, each row over its diagonal
    diagonal: np.ndarray  # of the eliminated factor, scaled

    @classmethod
    def none(cls) -> "Effects":
        """Where there is no rating to learn from: nothing is known, and nobody has an effect."""
        from scipy.sparse import csr_array

        no = np.zeros(0)
        return cls(
            {"employee": 0.0, "rater": 0.0}, np.nan, np.nan, no, no, no, no, no, no, np.zeros((0, 0)), True,
            csr_array((0, 0)), no,
        )  # fmt: skip

    def covariance(self, of: str, weights: np.ndarray | None = None) -> np.ndarray:
        """Covariance of prediction errors of raters or employees: its diagonal, or its product with ``weights``."""
        scale = self.residual * self.theta[of] ** 2
        n = len(getattr(self, of))
        if (of == "rater") == self.kept_is_rater:
            block = self.kept[:n, :n]
            return scale * (np.diag(block).copy() if weights is None else block @ weights)
        if weights is None:
            return scale * (1 / self.diagonal + _quadratic(self.part, self.kept))
        return scale * (weights / self.diagonal[:, None] + self.part @ (self.kept @ (self.part.T @ weights)))

    def draw(self, of: str, n: int, rng: np.random.Generator) -> np.ndarray:
        """``n`` joint draws of the errors of raters or employees: (n, levels), rating points."""
        root = np.linalg.cholesky(self.kept)
        inside = rng.standard_normal((n, len(root))) @ root.T
        scale = np.sqrt(self.residual) * self.theta[of]
        if (of == "rater") == self.kept_is_rater:
            return scale * inside[:, : len(getattr(self, of))]
        own = rng.standard_normal((n, len(self.diagonal))) / np.sqrt(self.diagonal)
        return scale * (own - (self.part @ inside.T).T)

    def joint(self) -> np.ndarray:
        """Covariance of prediction errors of all raters, then all employees: small data only."""
        out = self.part.toarray()
        lower = -out @ self.kept
        within = np.diag(1 / self.diagonal) - lower @ out.T
        n = len(self.rater) if self.kept_is_rater else len(self.employee)
        names = ("rater", "employee") if self.kept_is_rater else ("employee", "rater")
        whole = np.block([[self.kept[:n, :n], lower[:, :n].T], [lower[:, :n], within]])
        scale = np.repeat([self.theta[name] for name in names], [n, len(self.diagonal)])
        whole *= self.residual * scale[:, None] * scale
        order = np.arange(len(whole)) if self.kept_is_rater else np.r_[n : len(whole), :n]
        return whole[np.ix_(order, order)]


def _rows(matrix) -> np.ndarray:
    """The row of each stored entry."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def _by_row(matrix, factors: np.ndarray):
    """A copy with each row times its factor."""
    out = matrix.copy()
    out.data *= factors[_rows(matrix)]
    return out


def _by_column(matrix, factors: np.ndarray):
    """A copy with each column times its factor."""
    out = matrix.copy()
    out.data *= factors[matrix.indices]
    return out


def _quadratic(rows, matrix: np.ndarray) -> np.ndarray:
    """``r' M r`` for every sparse row r."""
    at = _rows(rows)
    return np.bincount(at, rows.data * (rows @ matrix)[at, rows.indices], rows.shape[0])


class System:
    """The mixed-model equations of one set of ratings, built once and solved for many ``theta``."""

    def __init__(self, data: Ratings, halo: bool):
        from scipy.sparse import csr_array, hstack

        self.data, self.with_halo = data, halo
        employees, raters, teams = data.shape
        self.e, self.r, self.n, y, x = data.cells
        self.kept_is_rater = raters <= employees
        eliminated, kept = (self.e, self.r) if self.kept_is_rater else (self.r, self.e)
        self.q_out, self.q_in = (employees, raters) if self.kept_is_rater else (raters, employees)
        self.out, self.teams = eliminated, teams
        self.p = data.x.shape[1]
        cells = np.arange(len(self.e))
        self.to_out = csr_array((np.ones(len(cells)), (eliminated, cells)), shape=(self.q_out, len(cells)))
        columns, rows = [kept], [cells]
        if data.team is not None:
            columns.append(self.q_in + data.team[self.e])
            rows.append(cells)
        ones = np.ones(len(cells) * len(columns))
        random = csr_array(
            (ones, (np.concatenate(rows), np.concatenate(columns))), shape=(len(cells), self.q_in + teams)
        )
        # A cell's mean rating, and what it is made of beside its eliminated factor: kept factor, team, fixed effects.
        self.mean, fixed = y / self.n, x / self.n[:, None]
        self.design = csr_array(hstack([random, csr_array(fixed)]))
        # Cross products of the fixed effects and the ratings inside cells; those of the means are added at each theta.
        weighted = fixed * self.n[:, None]
        self.xx, self.xy = data.x.T @ data.x - fixed.T @ weighted, data.x.T @ data.y - weighted.T @ self.mean
        self.square = float(data.y @ data.y)
        self.yy = self.square - float(self.mean @ y)

    @property
    def names(self) -> list[str]:
        chosen = ["employee", "rater"]
        return chosen + ["team"] * bool(self.teams) + ["halo"] * self.with_halo

    def solve(self, theta: dict[str, float], *, effects: bool = False):
        """Criterion and its gradient by the variances theta squared; with ``effects`` the :class:`Effects`."""
        from scipy.linalg import cho_factor, cho_solve, lapack

        th = theta.get("halo", 0.0)
        shrunk = 1 / (1 + th**2 * self.n)  # the diagonal of a cell's halo, inverse
        w = self.n * shrunk  # halo eliminated: the weight of a cell's mean
        inner, outer = ("rater", "employee") if self.kept_is_rater else ("employee", "rater")
        scale = np.repeat([theta[inner], theta.get("team", 0.0), 1.0], [self.q_in, self.teams, self.p])
        a, random = theta[outer], self.q_in + self.teams

        design = self.design
        weighted = _by_row(design, w)
        wy = w * self.mean
        matrix = (design.T @ weighted).toarray()
        matrix[random:, random:] += self.xx
        matrix *= scale[:, None] * scale
        matrix[:random, :random][np.diag_indices(random)] += 1
        right = design.T @ wy
        right[random:] += self.xy
        right *= scale

        # The outer factor eliminated.
        diagonal = 1 + a**2 * (self.to_out @ w)
        cross = _by_column(self.to_out @ weighted, a * scale)
        part = _by_row(cross, 1 / diagonal)
        out_y = a * (self.to_out @ wy)
        matrix -= (cross.T @ part).toarray()
        right -= part.T @ out_y

        factor = cho_factor(matrix, lower=True, check_finite=False)
        solution = cho_solve(factor, right, check_finite=False)
        free = max(len(self.data.y) - self.p, 1)
        rss = self.yy + float(self.mean @ wy) - float(out_y @ (out_y / diagonal)) - float(right @ solution)
        rss = max(rss, 1e-12 * max(self.square, 1e-12))  # ratings that the model reproduces exactly
        logdet = 2 * np.log(np.diag(factor[0])).sum() + np.log(diagonal).sum() - np.log(shrunk).sum()
        criterion = logdet + free * (1 + np.log(2 * np.pi * rss / free))

        inverse = lapack.dpotri(factor[0], lower=1)[0]
        kept = np.tril(inverse) + np.tril(inverse, -1).T
        out = out_y / diagonal - part @ solution
        # Eliminated parts of the solution and of the inverse's trace, from the kept ones.
        halo = th * w * (self.mean - a * out[self.out] - design @ (scale * solution))
        halo_spread = shrunk
        if self.with_halo:
            rows = _by_column(design, scale) - a * part[self.out]
            error = a**2 / diagonal[self.out] + _quadratic(rows, kept)
            halo_spread = shrunk + th**2 * w**2 * error
        if effects:
            values = {inner: theta[inner] * solution[: self.q_in], outer: a * out}
            team = theta.get("team", 0.0) * solution[self.q_in : random]
            return Effects(
                dict(theta), criterion, rss / free, solution[random:], values["employee"], values["rater"], team,
                th * halo, rss / free * th**2 * halo_spread, kept, self.kept_is_rater, part, diagonal,
            )  # fmt: skip

        spread = np.diag(kept)
        traces = {
            inner: (self.q_in, spread[: self.q_in].sum(), solution[: self.q_in]),
            outer: (self.q_out, (1 / diagonal).sum() + _quadratic(part, kept).sum(), out),
            "team": (self.teams, spread[self.q_in : random].sum(), solution[self.q_in : random]),
            "halo": (len(w), halo_spread.sum(), halo),
        }
        # d log|M| = (q - tr C) d log theta^2 and d rss = -v'v d log theta^2, block by block.
        slope = {k: q - trace - free / rss * float(v @ v) for k, (q, trace, v) in traces.items()}
        return criterion, np.array([slope[name] / theta[name] ** 2 for name in self.names])

    def fit(self) -> Effects:
        """The effects at the ``theta`` that maximises the restricted likelihood.

        The team's variance alone has a weak prior that keeps it off 0 (gamma with shape 2, Chung et al. 2013,
        A nondegenerate penalized likelihood estimator, Psychometrika 78(4)): few links tell little of it, and at
        0 every difference between teams would be called severity, with certainty.
        """
        from scipy.optimize import minimize

        names = self.names

        def criterion(variances: np.ndarray):
            value, slope = self.solve(dict(zip(names, np.sqrt(variances), strict=True)))
            if "team" in names:
                at = names.index("team")
                value -= np.log(variances[at])
                slope[at] -= 1 / variances[at]
            return value, slope

        start = np.array([START[name] ** 2 for name in names])  # near what supervisors' ratings show
        found = minimize(
            criterion, start, jac=True, method="L-BFGS-B", bounds=[(LEAST, MOST)] * len(names),
            options={"ftol": 1e-14, "gtol": 1e-5, "maxiter": 200},
        )  # fmt: skip
        variances = _polished(lambda at: criterion(at)[1], found.x, found.x > 2 * LEAST)
        best = np.where(found.x <= 2 * LEAST, 0.0, np.sqrt(variances))
        return self.solve(dict(zip(names, best.tolist(), strict=True)), effects=True)


def _polished(slope, x: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Newton steps in the ``free`` entries from near the optimum to it.

    The search ends somewhere within its tolerance, and where depends on the last bits of the machine's arithmetic;
    the optimum itself does not, so what is printed of it is the same everywhere.
    """
    at, here = np.flatnonzero(free), slope(x)
    for _ in range(3):
        if not len(at) or np.abs(here[at]).max() < 1e-10:
            break
        curvature = np.empty((len(at), len(at)))
        for row, i in enumerate(at):
            step = np.zeros(len(x))
            step[i] = 1e-4 * x[i]
            curvature[row] = (slope(x + step) - here)[at] / step[i]
        if (np.linalg.eigvalsh((curvature + curvature.T) / 2) <= 0).any():
            break  # no minimum: where the search ended is the best that is known
        new = x.copy()
        new[at] -= np.linalg.solve((curvature + curvature.T) / 2, here[at])
        if (new[at] <= 0).any() or np.abs((there := slope(new))[at]).max() >= np.abs(here[at]).max():
            break
        x, here = new, there
    return x


def full_rank(columns: np.ndarray) -> np.ndarray:
    """Those columns, from the left, that are no combination of the ones before; by Gram-Schmidt."""
    kept: list[int] = []
    basis: list[np.ndarray] = []
    for j, column in enumerate(columns.T):
        rest = column.astype(float)
        for unit in basis:
            rest = rest - (unit @ rest) * unit
        if np.linalg.norm(rest) > 1e-8 * max(float(np.linalg.norm(column)), 1.0):
            kept.append(j)
            basis.append(rest / np.linalg.norm(rest))
    return columns[:, kept]
