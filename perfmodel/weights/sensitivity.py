"""Which weight drives a result: the share of its variance over the permitted weights that one weight explains.

S_j = Var(E[Y | w_j]) / Var(Y), the first-order index of Sobol' (1993). Of the variance-based measures it is the one
taken because it needs no order of the weights and no independence: weights must total 100, so they move together,
and the coordinates of a sampler depend on the order in which they are drawn. For the same reason the S_j need not
add up to one: two weights that always move together both explain what either does. It is estimated from the draws
alone, by classes of w_j of equal count (Plischke, Borgonovo & Smith 2013), for any Y: a score, or whether the grade
changes.

References
----------
Sobol', I. M. (1993), Sensitivity estimates for nonlinear mathematical models, Math. Modelling Comp. Exp. 1, 407-414.
Plischke, E., Borgonovo, E. & Smith, C. L. (2013), Global sensitivity measures from given data, Eur. J. Oper. Res.
226, 536-550.
"""

from collections.abc import Callable

import numpy as np

CLASSES = 8
CHUNK = 512  # results taken at a time


def chance_level(draws: int, inputs: int, k: int = CLASSES, alpha: float = 0.01) -> float:
    """The index that the best of ``inputs`` weights passes with chance ``alpha`` where none explains anything.

    Classes of pure noise explain a share of the variance distributed as chi-square with k - 1 degrees of freedom over
    the draws; Bonferroni's level for the best of several.
    """
    from scipy.special import chdtri

    by_chance = (k - 1) / (draws - 1)
    return float((chdtri(k - 1, alpha / inputs) / (draws - 1) - by_chance) / (1 - by_chance))


def classes(x: np.ndarray, k: int = CLASSES) -> np.ndarray:
    """Class of each draw in each input (draws, inputs), of equal counts by the input's order; 0 where it is fixed."""
    n = len(x)
    order = np.argsort(x, axis=0, kind="stable")
    found = np.empty(x.shape, dtype=np.int64)
    np.put_along_axis(found, order, np.broadcast_to((np.arange(n) * k // max(n, 1))[:, None], x.shape), axis=0)
    return np.where(np.ptp(x, axis=0) > 1e-9, found, 0)


def first_order(x: np.ndarray, y: np.ndarray, k: int = CLASSES) -> tuple[np.ndarray, np.ndarray]:
    """:func:`first_order_of` of one set of results."""
    return first_order_of(x, k)(y)


def first_order_of(x: np.ndarray, k: int = CLASSES) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """S_j of inputs ``x`` (draws, inputs) for results (draws, results), and the side to which y rises: a function of
    the results, so that the classes of the draws are found once for many of them.

    Returns (inputs, results) twice: the index, 0 where a result does not vary, less what ``k`` classes explain by
    chance; and the sign of the slope of y's class means.
    """
    if k < 2 or len(x) < 2 * k:
        raise ValueError("First-order indices need two classes or more, and two draws in each.")
    inside = classes(x, k)
    one_hot = (inside[:, :, None] == np.arange(k)).reshape(len(x), -1).astype(float)
    size = np.maximum(one_hot.sum(axis=0), 1.0).reshape(-1, k, 1)
    used = (one_hot.sum(axis=0).reshape(-1, k) > 0).sum(axis=1)[:, None]
    steps = np.arange(k) - (k - 1) / 2

    def indices(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        index, side = np.empty((x.shape[1], y.shape[1])), np.empty((x.shape[1], y.shape[1]))
        for start in range(0, y.shape[1], CHUNK):
            part = y[:, start : start + CHUNK].astype(float)
            middle = part - part.mean(axis=0)
            means = (one_hot.T @ middle).reshape(-1, k, middle.shape[1]) / size
            total = (middle**2).sum(axis=0)
            explained = (means**2 * size).sum(axis=1)
            # Classes of pure noise explain (k - 1) / (n - 1) of the variance on average, as in adjusted R squared.
            by_chance = (used - 1) / max(len(x) - 1, 1)
            share = np.divide(explained, total, out=np.zeros_like(explained), where=total > 1e-12)
            index[:, start : start + CHUNK] = np.clip((share - by_chance) / (1 - by_chance), 0.0, 1.0)
            side[:, start : start + CHUNK] = np.sign(np.round(np.einsum("c,jcy->jy", steps, means), 12))
        index[used[:, 0] < 2] = 0.0
        return index, side

    return indices
