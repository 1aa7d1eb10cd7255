"""The point of a polytope that is nearest to a given one, exactly."""

import numpy as np

from .boxsimplex import EDGE


def nearest_point(wanted: np.ndarray, rows: np.ndarray, ends: np.ndarray, total: float = 100.0) -> np.ndarray:
    """The w with ``rows`` w <= ``ends`` and sum of w = ``total`` that lies nearest to ``wanted`` (Euclidean).

    Least distance programming: non-negative least squares finds which limits hold it fast, and the point is then the
    shortest way to where these are met. The set must not be empty.

    References
    ----------
    Lawson, C. L. & Hanson, R. J. (1974), Solving Least Squares Problems, chapter 23, algorithm LDP.
    """
    from scipy.optimize import nnls  # costly to import, and needed only here

    n = len(wanted)
    start = (wanted + (total - wanted.sum()) / n) / total
    along = np.linalg.svd(np.ones((1, n)))[2][1:]  # directions that keep the total
    if not len(along):
        return start * total
    slope, least = -rows @ along.T, rows @ start - ends / total  # slope y >= least
    system = np.concatenate([slope.T, (least - EDGE / total)[None]])
    pull = nnls(system, np.eye(n)[-1])[0]
    fast = pull > 0
    step = np.linalg.lstsq(slope[fast], least[fast], rcond=None)[0]
    return (start + along.T @ step) * total
