"""Variance components and effects of ratings by restricted maximum likelihood, from sufficient statistics.

    y = X b + employee + team - severity + halo + residual

Halo (employee x rater) and one of the two crossed factors are eliminated in closed form, so only the smaller
factor, the teams and the fixed effects stay in one system (its Schur complement). Random effects are scaled by
``theta`` = their standard deviation in units of the residual's (Bates et al. 2015, Fitting linear mixed-effects
models using lme4, J. Stat. Softw. 67(1), eq. 2 and sec. 3), so a variance of 0 is no special case and the
criterion is that of lme4. Variances are found by average-information steps (Gilmour, Thompson and Cullis 1995,
Biometrics 51(4), sec. 3) with the residual's profiled out.

Purely nested ratings have no way of their own: with one rater an employee the kept system is all but diagonal, so the
same code costs nothing more, and a second formula would have to be kept equal to it (a test holds it against the
analysis of variance). Nor do components go one at a time: the variances are theirs in common, so every step needs all
of them, and sparse equations never join effects of two components but through the few fixed effects.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .linear import Dense, Iterative, rows_of

NAMES = ("employee", "rater", "team", "halo")
LEAST, MOST = 1e-8, 1e7  # bounds of a variance in units of the residual's; at the lower one it is nil
NEAR_NIL = 1e-4  # from which a step towards 0 goes there at once
CLOSE = 1e-12  # squared distance to the optimum, in standard errors of the variances, that the last step may leave
MANY, NEAR = 20_000, 1e-5  # cells from which it may leave this much: three thousandths of a standard error
STEPS, HALVINGS = 100, 12
SAME = 1e-9  # share of what two components do to ratings under which nothing tells them apart
SMALL = 200  # cells (employee x rater) up to which a search that ends at a bound is made a second time
DENSE = 2500  # order of the system up to which its inverse is held whole


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
    def _coded(self) -> tuple[np.ndarray, np.ndarray]:
        return np.unique(self.employee.astype(np.int64) * self.shape[1] + self.rater, return_inverse=True)

    @property
    def cell(self) -> np.ndarray:
        """The cell of each rating."""
        return self._coded[1]

    @cached_property
    def cells(self):
        """Employee, rater, count, sum of y and sums of x of each cell."""
        n_raters = self.shape[1]
        code, inverse = self._coded
        count = np.bincount(inverse).astype(float)
        y = np.bincount(inverse, self.y)
        x = np.column_stack([np.bincount(inverse, column) for column in self.x.T])
        return code // n_raters, code % n_raters, count, y, x


def _scaled(matrix, rows: np.ndarray | None = None, columns: np.ndarray | None = None):
    """A copy of a sparse matrix with rows and columns times their factors."""
    out = matrix.copy()
    if rows is not None:
        out.data *= rows[rows_of(matrix)]
    if columns is not None:
        out.data *= columns[matrix.indices]
    return out


class System:
    """The mixed-model equations of one set of ratings, built once and solved for many variances.

    Variances in ``held`` are not searched: they stay at 0 because the ratings cannot tell them (see ``aliased``).
    """

    def __init__(self, data: Ratings, halo: bool, held: frozenset[str] = frozenset()):
        from scipy.sparse import csr_array, hstack

        self.data, self.with_halo, self.held = data, halo, held
        self._last: tuple[np.ndarray, Effects] | None = None
        employees, raters, teams = data.shape
        self.e, self.r, self.n, y, x = data.cells
        self.kept_is_rater = raters <= employees
        self.inner, self.outer = ("rater", "employee") if self.kept_is_rater else ("employee", "rater")
        self.out, kept = (self.e, self.r) if self.kept_is_rater else (self.r, self.e)
        self.q_out, self.q_in = (employees, raters) if self.kept_is_rater else (raters, employees)
        self.teams, self.p, self.random = teams, data.x.shape[1], self.q_in + teams
        self.free = max(len(data.y) - self.p, 1)
        cells = np.arange(len(self.e))
        self.to_out = csr_array((np.ones(len(cells)), (self.out, cells)), shape=(self.q_out, len(cells)))
        columns, rows = [kept], [cells]
        if data.team is not None:
            columns.append(self.q_in + data.team[self.e])
            rows.append(cells)
        random = csr_array(
            (np.ones(len(cells) * len(columns)), (np.concatenate(rows), np.concatenate(columns))),
            shape=(len(cells), self.random),
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

    def levels(self, name: str) -> np.ndarray:
        """Level of each cell in a random factor."""
        if name == "halo":
            return np.arange(len(self.e))
        if name == "team" and self.data.team is not None:
            return self.data.team[self.e]
        return {"employee": self.e, "rater": self.r}[name]

    @property
    def searched(self) -> np.ndarray:
        """Which of ``names`` are not held."""
        return np.array([name not in self.held for name in self.names])

    def aliased(self) -> list[str]:
        """Components that no ratings of these people by these raters can tell apart; empty where all can be.

        A variance is told from the others where its share in the covariance of the ratings, Z Z' with the fixed
        effects taken out, is no combination of the others' (Searle, Casella and McCulloch 1992, Variance
        Components, sec. 11.1: the information matrix, here at V = I, has full rank). Beside ``names`` there may be
        ``residual``; a component that the fixed effects leave nothing of stands with ``fixed``.
        """
        names = [name for name in self.names if name not in self.held]
        n, p = float(self.n.sum()), self.p
        code = [self.levels(name) for name in names]
        part = [self._by_level(name) for name in names]
        gram = np.zeros((len(names) + 1,) * 2)
        whole = np.ones(len(names) + 1)
        for i in range(len(names)):
            for j in range(i + 1):
                a, b, count = self._pairs(names[i], names[j])
                both = (part[i][a] * part[j][b]).sum(axis=1)
                inside = ((part[i].T @ part[i]) * (part[j].T @ part[j])).sum()
                gram[i, j] = gram[j, i] = count @ count - 2 * count @ both + inside
            whole[i] = float((np.bincount(code[i], self.n) ** 2).sum())
            gram[-1, i] = gram[i, -1] = n - (part[i] ** 2).sum()
        gram[-1, -1] = whole[-1] = max(n - p, 0.0)
        own = np.diag(gram)
        if (gone := np.flatnonzero(own <= SAME * whole)).size:
            return [[*names, "residual"][gone[0]], "fixed"]
        value, vector = np.linalg.eigh(gram / np.sqrt(np.outer(own, own)))
        if value[0] > SAME:
            return []
        return [name for name, w in zip([*names, "residual"], vector[:, 0], strict=True) if abs(w) > 1e-3]

    def _by_level(self, name: str) -> np.ndarray:
        """Sums over each level of a factor of the fixed effects' columns, made orthonormal: (levels, p)."""
        root = np.linalg.cholesky(self.data.x.T @ self.data.x)
        of_cell = np.linalg.solve(root, self.data.cells[4].T)
        return np.stack([np.bincount(self.levels(name), column) for column in of_cell], axis=1)

    def inside_fixed(self, name: str) -> np.ndarray:
        """Levels of a factor whose ratings the fixed effects can set apart, so that their effect is told from none."""
        size = np.bincount(self.levels(name), self.n)
        return size - (self._by_level(name) ** 2).sum(axis=1) <= SAME * size

    def _pairs(self, one: str, other: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Levels of two factors that meet in ratings, and in how many: level of the one, of the other, number."""
        a, b = self.levels(one), self.levels(other)
        if one == other:
            count = np.bincount(a, self.n)
            return np.arange(len(count)), np.arange(len(count)), count
        if "team" not in (one, other):
            return a, b, self.n  # they meet in one cell
        width = int(b.max()) + 1
        code, inverse = np.unique(a.astype(np.int64) * width + b, return_inverse=True)
        return code // width, code % width, np.bincount(inverse, self.n)

    def solve(self, variances) -> "Effects":
        """The effects at ``variances``, in units of the residual's and in the order of ``names``; the last are kept."""
        at = np.array(variances, float)
        if self._last is None or not np.array_equal(self._last[0], at):
            self._last = at, Effects(self, np.sqrt(at))
        return self._last[1]

    def start(self) -> np.ndarray:
        """Variances by the method of moments (Henderson 1953, Estimation of variance and covariance components,
        Biometrics 9(2), method 1), kept away from 0: where the search begins."""
        rest = self.data.y - self.data.x @ np.linalg.lstsq(self.data.x, self.data.y, rcond=None)[0]
        of_cell = np.bincount(self.data.cell, rest)
        total, n = float(rest @ rest), float(len(rest))
        size = {name: np.bincount(self.levels(name), self.n) for name in self.names}
        overall = [float(count @ count) / n for count in size.values()]
        expected, found = [], []
        for by in self.names:
            found.append(float((np.bincount(self.levels(by), of_cell) ** 2 / size[by]).sum()))
            pairs = [self._pairs(by, of) for of in self.names]
            row = [float((count**2 / size[by][level]).sum()) for level, _, count in pairs]
            expected.append([*(np.array(row) - overall), len(size[by]) - 1.0])
        row = [n - one for one in overall]
        values = np.linalg.lstsq(np.array([*expected, [*row, n - 1]]), np.array([*found, total]), rcond=None)[0]
        residual = values[-1] if values[-1] > 0.02 * total / n else 0.3 * total / n
        return np.clip(values[:-1] / residual, 0.02, 50.0) if residual > 0 else np.full(len(size), 0.3)

    def fit(self) -> "Effects":
        """The effects at the variances that maximise the restricted likelihood.

        The team's variance alone has a weak prior that keeps it off 0 (gamma with shape 2, Chung et al. 2013,
        A nondegenerate penalized likelihood estimator, Psychometrika 78(4)): few links tell little of it, and at
        0 every difference between teams would be called severity, with certainty.
        """
        searched = self.searched
        found = self._search(np.where(searched, self.start(), LEAST))
        if (found <= 2 * LEAST)[searched].any() and len(self.mean) <= SMALL:
            # At a bound the likelihood of few ratings can have a second hill.
            again = self._search(np.where(searched, 1.0, LEAST))
            found = min((found, again), key=lambda x: self._penalised(x)[0])
        return self.solve(np.where(found <= 2 * LEAST, 0.0, found))

    def _penalised(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Criterion with the team's prior, its slope and its curvature."""
        prior = np.array([float(name == "team") for name in self.names])
        at = self.solve(x)
        return at.criterion - float(prior @ np.log(x)), at.slope - prior / x, at.information + np.diag(prior / x**2)

    def _search(self, x: np.ndarray) -> np.ndarray:
        """Variances from ``x`` downhill to where the criterion is least."""
        value, slope, curvature = self._penalised(x)
        before, own = 1e-300, self.searched
        for _ in range(STEPS):
            aim = x.copy()
            aim[own] += _step(x[own], slope[own], curvature[np.ix_(own, own)])
            # Steps shrink at least as fast as they did: what the next would leave, were it taken.
            distance = -float(slope @ (aim - x))
            left = distance * min(1.0, distance / before)
            if left < (NEAR if len(self.mean) > MANY else CLOSE):
                return aim
            before = max(distance, 1e-300)
            for _ in range(HALVINGS):
                there = self._penalised(aim)
                # Without a criterion: a step may not go so far that the way back is steeper than the way there.
                steep = there[1] @ (aim - x) > -(slope @ (aim - x))
                if there[0] < value or (np.isnan(value) and not steep):
                    break
                aim = (x + aim) / 2
            else:
                return x  # no way down: the end of what arithmetic can tell
            x, (value, slope, curvature) = aim, there
        return x


def _step(x: np.ndarray, slope: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    """The Newton step within bounds: what would pass one stops there, and the others step as if it were known to.

    A variance falls to no less than a tenth at once, unless it is next to nothing, and rises to no more than ten-fold.
    """
    low = np.where(x <= NEAR_NIL, LEAST, x / 10) - x
    high = np.minimum(10 * x + 0.1, MOST) - x
    step = np.zeros(len(x))
    held = (x <= 2 * LEAST) & (slope >= 0)
    for _ in range(len(x)):
        if held.all():
            break
        free = ~held
        push = slope[free] + curvature[np.ix_(free, held)] @ step[held]
        step[free] = -np.linalg.lstsq(curvature[np.ix_(free, free)], push, rcond=1e-12)[0]
        passed = free & ((step < low) | (step > high))
        if not passed.any():
            break
        step = np.clip(step, low, high)
        held |= passed
    if slope @ step > 0 or not step.any():
        # Between bounds the others' answer may lead up; each on its own goes down.
        step = np.clip(-slope / np.maximum(np.diag(curvature), 1e-12), low, high)
        step[(x <= 2 * LEAST) & (slope >= 0)] = 0.0
    return step


class Effects:
    """The solution at given ``theta``: effects, and the covariance of their errors. Rating points.

    ``rater`` is the effect on the rating, the negative of severity. ``halo`` and ``halo_variance`` (of its error)
    are by cell.
    """

    def __init__(self, system: System, theta: np.ndarray):
        s = self.system = system
        self.theta: dict[str, float] = dict(zip(s.names, theta.tolist(), strict=True))
        self._th = th = self.theta.get("halo", 0.0)
        self.shrunk = 1 / (1 + th**2 * s.n)  # the diagonal of a cell's halo, inverse
        self.w = s.n * self.shrunk  # halo eliminated: the weight of a cell's mean
        self.scale = np.repeat([self.theta[s.inner], self.theta.get("team", 0.0), 1.0], [s.q_in, s.teams, s.p])
        self.a = self.theta[s.outer]
        self.design = _scaled(s.design, columns=self.scale)
        weighted = _scaled(self.design, rows=self.w)
        # The outer factor eliminated.
        self.diagonal = 1 + self.a**2 * (s.to_out @ self.w)
        cross = s.to_out @ weighted
        cross.data *= self.a
        self.part: Any = _scaled(cross, rows=1 / self.diagonal)
        matrix = self.design.T @ weighted - cross.T @ self.part + self._own()
        order = matrix.shape[0]
        self.inside: Any = Dense(matrix) if order <= DENSE else Iterative(matrix.tocsr(), s.random, self._noise)
        self.solution, self.out, quadratic = self._solved(s.mean, s.xy)
        self.rss = max(
            s.yy + float(quadratic), 1e-12 * max(s.square, 1e-12)
        )  # ratings that the model reproduces exactly
        self.residual = self.rss / s.free  # variance

    def _own(self):
        """What the equations hold beside the cells: 1 for each random effect, cross products inside cells."""
        from scipy.sparse import block_diag, csr_array, eye_array

        return csr_array(block_diag([eye_array(self.system.random), self.system.xx]))

    def _noise(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """``n`` draws of a right side whose covariance is the matrix of the kept equations: (n, order)."""
        s, out = self.system, np.zeros((n, self.design.shape[1]))
        out[:, : s.random] = rng.standard_normal((n, s.random))
        values, vectors = np.linalg.eigh(s.xx)
        out[:, s.random :] = rng.standard_normal((n, s.p)) @ (vectors * np.sqrt(np.maximum(values, 0))).T
        root = np.sqrt(self.w)[:, None]
        for block in np.array_split(np.arange(n), -(-n // 25)):  # 25 draws of all cells held at a time
            cells = root * rng.standard_normal((len(self.w), len(block)))
            outer = self.a * (s.to_out @ cells) + rng.standard_normal((s.q_out, len(block)))
            out[block] += (self.design.T @ cells - self.part.T @ outer).T
        return out

    def _solved(self, values: np.ndarray, inside: np.ndarray | float = 0.0):
        """Kept and eliminated solution for cell values (cells,) or (cells, k), and ``values' P values``.

        ``inside`` is the part of the right side, for the fixed effects, that varies within cells.
        """
        s = self.system
        weighted = (self.w * values.T).T
        right = self.design.T @ weighted
        right[s.random :] += inside
        to_out = self.a * (s.to_out @ weighted)
        over = (to_out.T / self.diagonal).T
        right -= self.part.T @ to_out
        solution = self.inside.solve(right)
        return solution, over - self.part @ solution, values.T @ weighted - to_out.T @ over - right.T @ solution

    @cached_property
    def criterion(self) -> float:
        """-2 x log restricted likelihood; empty where the system is too large for an exact determinant."""
        logdet = self.inside.logdet + np.log(self.diagonal).sum() - np.log(self.shrunk).sum()
        return float(logdet + self.system.free * (1 + np.log(2 * np.pi * self.residual)))

    @cached_property
    def _scores(self) -> dict[str, np.ndarray]:
        """The scaled effects of each factor."""
        s = self.system
        return {
            s.inner: self.solution[: s.q_in],
            s.outer: self.out,
            "team": self.solution[s.q_in : s.random],
            "halo": self._th * self.w * (s.mean - self.a * self.out[s.out] - self.design @ self.solution),
        }

    @cached_property
    def _halo_rows(self):
        """What a cell's mean is made of, the outer factor eliminated."""
        from scipy.sparse import csr_array

        pulled = _scaled(self.part[self.system.out], rows=np.full(len(self.w), self.a))
        return csr_array(self.design - pulled)

    @cached_property
    def slope(self) -> np.ndarray:
        """Derivative of the criterion by each variance (in units of the residual's); all must be above 0."""
        s = self.system
        outer = s.q_out - (1 / self.diagonal).sum() - self.inside.quadratic_sum(self.part, np.ones(s.q_out))
        left = {
            s.inner: s.q_in - self.inside.trace(slice(0, s.q_in)),
            s.outer: outer,
            "team": s.teams - self.inside.trace(slice(s.q_in, s.random)) if s.teams else 0.0,
        }
        if s.with_halo:
            through = self._th**2 * self.w**2
            spread = self.shrunk.sum() + (through * self.a**2 / self.diagonal[s.out]).sum()
            left["halo"] = len(self.w) - spread - self.inside.quadratic_sum(self._halo_rows, through)
        return np.array(
            [(left[k] - self._scores[k] @ self._scores[k] / self.residual) / self.theta[k] ** 2 for k in s.names]
        )

    @cached_property
    def information(self) -> np.ndarray:
        """Average information: the mean of observed and expected curvature of the criterion."""
        s = self.system
        scores = [self._scores[k] / self.theta[k] for k in s.names]
        working = np.column_stack([v[s.levels(k)] for k, v in zip(s.names, scores, strict=True)])
        squares = np.array([v @ v for v in scores])
        quadratic = self._solved(working)[2] / self.residual
        return quadratic - np.outer(squares, squares) / (s.free * self.residual**2)

    @property
    def fixed(self) -> np.ndarray:
        return self.solution[self.system.random :]

    @cached_property
    def fixed_covariance(self) -> np.ndarray:
        """Covariance of the errors of the fixed effects."""
        unit = np.zeros((len(self.solution), self.system.p))
        unit[self.system.random :] = np.eye(self.system.p)
        return self.residual * self.inside.solve(unit)[self.system.random :]

    @property
    def rater(self) -> np.ndarray:
        return self.theta["rater"] * self._scores["rater"]

    @property
    def employee(self) -> np.ndarray:
        return self.theta["employee"] * self._scores["employee"]

    @property
    def team(self) -> np.ndarray:
        return self.theta.get("team", 0.0) * self._scores["team"]

    @property
    def halo(self) -> np.ndarray:
        return self._th * self._scores["halo"]

    @cached_property
    def halo_variance(self) -> np.ndarray:
        through = self._th**2 * self.w**2
        error = self.a**2 / self.diagonal[self.system.out] + self.inside.quadratic(self._halo_rows)
        return self.residual * self._th**2 * (self.shrunk + through * error)

    def variance(self, of: str) -> np.ndarray:
        """Variance of the prediction error of each rater or employee."""
        s = self.system
        if of == s.inner:
            own = self.inside.variances()[: s.q_in]
        else:
            own = 1 / self.diagonal + self.inside.quadratic(self.part)
        return self.residual * self.theta[of] ** 2 * own

    def draw(self, of: str, n: int, rng: np.random.Generator) -> np.ndarray:
        """``n`` joint draws of the errors of raters or employees: (n, levels), rating points."""
        return self._errors(of, self.inside.draw(n, rng), rng)

    def samples(self, of: str) -> np.ndarray:
        """The joint draws on which variances rest where the inverse is not held whole: (draws, levels)."""
        return self._errors(of, self.inside.samples, np.random.default_rng(2))

    def _errors(self, of: str, kept: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Errors of raters or employees where those of the kept equations are ``kept`` (n, order)."""
        s, scale, n = self.system, np.sqrt(self.residual) * self.theta[of], len(kept)
        if of == s.inner:
            return scale * kept[:, : s.q_in]
        own = rng.standard_normal((n, s.q_out)) / np.sqrt(self.diagonal)
        return scale * (own - (self.part @ kept.T).T)

    @property
    def inside_is_dense(self) -> bool:
        """Whether covariances are held whole."""
        return isinstance(self.inside, Dense)

    def rater_covariance(self, weights: np.ndarray) -> np.ndarray:
        """Covariance of the prediction errors of raters, where it is held whole, times ``weights`` (raters, k)."""
        s, scale = self.system, self.residual * self.theta["rater"] ** 2
        if s.kept_is_rater:
            return scale * (self.inside.inverse[: s.q_in, : s.q_in] @ weights)
        through = self.part @ (self.inside.inverse @ (self.part.T @ weights))
        return scale * ((weights.T / self.diagonal).T + through)

    def conditional(self, of: str) -> np.ndarray:
        """Standard deviation of each effect given the ratings, fixed effects held as known, as lme4's ``condVar``."""
        s = self.system
        from scipy.sparse import csr_array

        random = csr_array(self._matrix[: s.random, : s.random])
        known = Dense(random)
        if of == s.inner:
            own = known.variances()[: s.q_in]
        else:
            own = 1 / self.diagonal + known.quadratic(csr_array(self.part[:, : s.random]))
        return np.sqrt(self.residual * self.theta[of] ** 2 * own)

    @cached_property
    def _matrix(self):
        weighted = _scaled(self.design, rows=self.w)
        return self.design.T @ weighted - self.part.T @ _scaled(self.part, rows=self.diagonal) + self._own()

    def _rows(self, of: str, team_of: np.ndarray):
        """Each level's effect in terms of what is kept and what is eliminated: two sparse matrices.

        ``team_of``: team of each level, whose effect is added; empty for none.
        """
        from scipy.sparse import csr_array

        s = self.system
        n = s.q_in if of == s.inner else s.q_out
        own = csr_array((np.full(n, self.theta[of]), (np.arange(n), np.arange(n))), shape=(n, n))
        kept = csr_array((n, len(self.solution)))
        if len(team_of):
            at = (np.arange(n), s.q_in + team_of)
            kept = csr_array((np.full(n, self.theta["team"]), at), shape=kept.shape)
        if of == s.inner:
            own.resize(n, kept.shape[1])
            return csr_array(kept + own), csr_array((n, s.q_out))
        return kept, own

    def person_variance(self, team_of: np.ndarray) -> np.ndarray:
        """Variance of the prediction error of each employee's effect with that of the team."""
        from scipy.sparse import csr_array

        kept, out = self._rows("employee", team_of)
        through = self.inside.quadratic(csr_array(kept - out @ self.part))
        return self.residual * (through + out.multiply(out) @ (1 / self.diagonal))

    def sum_variance(self, fixed: np.ndarray, weights) -> np.ndarray:
        """Error variance of weighted sums of effects: ``fixed`` (k, p), ``weights`` {factor: sparse (k, levels)}."""
        s = self.system
        kept = np.zeros((len(self.solution), len(fixed)))
        kept[s.random :] = fixed.T
        place = {s.inner: slice(0, s.q_in), "team": slice(s.q_in, s.random)}
        for name in place.keys() & weights.keys():
            kept[place[name]] = self.theta[name] * weights[name].toarray().T
        out = self.theta[s.outer] * weights[s.outer].toarray().T
        kept -= self.part.T @ out
        through = np.einsum("ij,ij->j", kept, self.inside.solve(kept))
        return self.residual * (through + (out**2 / self.diagonal[:, None]).sum(axis=0))

    def joint(self, team_of: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Covariance of the errors of all raters' effects, then of what is expected of all employees: small data only.

        Expected of an employee: own effect, team's, and the fixed effects at ``x``.
        """
        from scipy.sparse import csr_array, vstack

        one, other = self._rows("rater", np.zeros(0, int)), self._rows("employee", team_of)
        kept, out = (csr_array(vstack(pair)) for pair in zip(one, other, strict=True))
        whole = (kept - out @ self.part).toarray()
        whole[one[0].shape[0] :, self.system.random :] += x
        own = out.multiply(1 / self.diagonal) @ out.T
        return self.residual * (whole @ self.inside.inverse @ whole.T + own.toarray())


def full_rank(columns: np.ndarray) -> list[int]:
    """Positions of the columns, from the left, that are no combination of the ones before; by Gram-Schmidt."""
    kept: list[int] = []
    basis: list[np.ndarray] = []
    for j, column in enumerate(columns.T):
        rest = column.astype(float)
        for unit in basis:
            rest = rest - (unit @ rest) * unit
        if np.linalg.norm(rest) > 1e-8 * max(float(np.linalg.norm(column)), 1.0):
            kept.append(j)
            basis.append(rest / np.linalg.norm(rest))
    return kept
