"""The inverse of a large symmetric matrix, as far as the mixed-model equations need it: exact or by iteration.

Both kinds answer the same questions. ``Dense`` answers exactly from a Cholesky factor. ``Iterative`` never holds
more than the non-zeros: solutions by conjugate gradients, traces and variances from random vectors of fixed seed,
with the accuracy that each method states.
"""

from functools import cache, cached_property

import numpy as np

PROBES = 24  # random sign vectors behind a trace (Hutchinson 1990)
SAMPLES = 200  # joint draws behind a variance
ITERATIONS, TOLERANCE = 2000, 1e-9  # of a solution: how much is left of the right side
TOGETHER = 16  # columns solved at once
ROUGH = 1e-5  # the same where the right side is random, and the answer errs by several percent anyhow


@cache
def _libraries():
    import scipy.linalg
    from threadpoolctl import ThreadpoolController

    assert scipy.linalg  # its library must be loaded to be found
    return ThreadpoolController()


def one_thread():
    """Linear algebra on one thread: no last digit hangs on the number of cores, nor the time on who shares them."""
    return _libraries().limit(limits=1, user_api="blas")


def rows_of(matrix) -> np.ndarray:
    """The row of each stored entry of a sparse matrix."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


class Dense:
    """Inverse of a positive definite matrix held whole."""

    def __init__(self, matrix):
        from scipy.linalg import cho_factor

        with one_thread():
            self.factor = cho_factor(matrix.toarray(order="F"), lower=True, overwrite_a=True, check_finite=False)

    @property
    def logdet(self) -> float:
        return 2 * float(np.log(np.diag(self.factor[0])).sum())

    def solve(self, right: np.ndarray) -> np.ndarray:
        from scipy.linalg import cho_solve

        with one_thread():
            return cho_solve(self.factor, right, check_finite=False)

    @cached_property
    def _lower(self) -> np.ndarray:
        """The inverse in its lower triangle; what stands above means nothing."""
        from scipy.linalg import lapack

        with one_thread():
            return lapack.dpotri(self.factor[0], lower=1)[0]

    @cached_property
    def inverse(self) -> np.ndarray:
        return np.tril(self._lower) + np.tril(self._lower, -1).T

    def trace(self, part: slice) -> float:
        return float(np.diag(self._lower)[part].sum())

    def quadratic_sum(self, rows, weight: np.ndarray) -> float:
        """Sum of weight x r' C r over the sparse rows r; C is the inverse."""
        scaled = rows.copy()
        scaled.data = scaled.data * weight[rows_of(rows)]
        product = rows.T @ scaled
        one, other = rows_of(product), product.indices
        return float(product.data @ self._lower[np.maximum(one, other), np.minimum(one, other)])

    def quadratic(self, rows) -> np.ndarray:
        """``r' C r`` for every sparse row r."""
        at = rows_of(rows)
        return np.bincount(at, rows.data * (rows @ self.inverse)[at, rows.indices], rows.shape[0])

    def variances(self) -> np.ndarray:
        """Diagonal of the inverse."""
        return np.diag(self._lower).copy()

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """``n`` draws of a normal vector whose covariance is the inverse: (n, order)."""
        from scipy.linalg import solve_triangular

        noise = rng.standard_normal((n, len(self.factor[0])))
        with one_thread():
            return solve_triangular(self.factor[0], noise.T, lower=True, trans="T", check_finite=False).T


class Iterative:
    """Inverse of a sparse positive definite matrix that is only multiplied with.

    The last columns, from ``random`` on, are few and dense (fixed effects); they are eliminated exactly. ``noise``
    gives draws of a vector whose covariance is the matrix itself, which solved give draws of the inverse.
    """

    logdet = np.nan  # not needed to find the variances, and no solver here gives it exactly

    def __init__(self, matrix, random: int, noise):
        self.random, self.noise = random, noise
        self.a = matrix[:random, :random].tocsr()
        self.b = matrix[:random, random:].toarray()
        self.diagonal = self.a.diagonal()
        self.k = self._gradients(self.b)
        self.s = np.linalg.inv(matrix[random:, random:].toarray() - self.b.T @ self.k)
        self.u = np.vstack([-self.k, np.eye(len(self.s))])

    def _gradients(self, right: np.ndarray, tolerance: float = TOLERANCE) -> np.ndarray:
        """Solutions for all columns, some at a time, so that what is worked on stays near the processor."""
        blocks = range(0, right.shape[1], TOGETHER)
        return np.hstack([self._together(right[:, at : at + TOGETHER].copy(), tolerance) for at in blocks])

    def _together(self, right: np.ndarray, tolerance: float) -> np.ndarray:
        """Conjugate gradients for some columns at once, scaled by the diagonal (Hestenes and Stiefel 1952)."""
        x, rest = np.zeros_like(right), right
        over = 1 / self.diagonal[:, None]
        p = over * rest
        rho = (rest * p).sum(axis=0)
        enough = tolerance**2 * rho
        for _ in range(ITERATIONS):
            if (rho <= enough).all():
                break
            ap = self.a @ p
            alpha = rho / np.maximum(np.einsum("ij,ij->j", p, ap), 1e-300)
            x += alpha * p
            ap *= alpha
            rest -= ap
            z = over * rest
            new = np.einsum("ij,ij->j", rest, z)
            p *= new / np.maximum(rho, 1e-300)
            p += z
            rho = new
        return x

    def solve(self, right: np.ndarray, tolerance: float = TOLERANCE) -> np.ndarray:
        right = np.asarray(right, float)
        columns = right.reshape(len(right), -1)
        top = self._gradients(columns[: self.random], tolerance)
        bottom = self.s @ (columns[self.random :] - self.b.T @ top)
        return np.vstack([top - self.k @ bottom, bottom]).reshape(right.shape)

    @cached_property
    def _probed(self) -> tuple[np.ndarray, np.ndarray]:
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (self.random, PROBES))
        return signs, self._gradients(signs, ROUGH)

    def trace(self, part: slice) -> float:
        signs, solved = self._probed
        exact = (self.u[part] @ self.s * self.u[part]).sum()
        inside = slice(part.start, min(part.stop, self.random))
        return float((signs[inside] * solved[inside]).sum() / PROBES + exact)

    def quadratic_sum(self, rows, weight: np.ndarray) -> float:
        """Sum of weight x r' C r over the sparse rows r; relative error of the order of 1 / sqrt(rows x probes)."""
        left = rows[:, : self.random]
        signs, solved = self._probed
        fixed = rows @ self.u
        inside = ((left @ signs) * (left @ solved)).sum(axis=1) / PROBES + (fixed @ self.s * fixed).sum(axis=1)
        return float(weight @ inside)

    @cached_property
    def _samples(self) -> tuple[np.ndarray, np.ndarray]:
        """Draws of the inverse, and the right sides that they solve: (order, SAMPLES) each."""
        right = self.noise(SAMPLES, np.random.default_rng(1)).T
        return self.solve(right, ROUGH), right

    def quadratic(self, rows) -> np.ndarray:
        """``r' C r`` for every sparse row r, from the draws: relative error sqrt(2 / draws) = 10 % of this part."""
        return ((rows @ self._samples[0]) ** 2).mean(axis=1)

    def variances(self) -> np.ndarray:
        """Diagonal of the inverse: what is left when all others are known, exactly, and how the others spread it.

        Sidén et al. (2018), Efficient covariance approximations for large sparse precision matrices, J. Comput.
        Graph. Stat. 27(4), eq. 3: the relative error is sqrt(2 / draws) of the second part alone.
        """
        draws, right = self._samples
        at = slice(0, self.random)
        given_others = draws[at] - right[at] / self.diagonal[:, None]
        own = 1 / self.diagonal + (given_others**2).mean(axis=1)
        return np.concatenate([own, np.diag(self.s)])

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return self.solve(self.noise(n, rng).T, ROUGH).T

    @property
    def samples(self) -> np.ndarray:
        """The draws behind ``variances``: (SAMPLES, order)."""
        return self._samples[0].T
