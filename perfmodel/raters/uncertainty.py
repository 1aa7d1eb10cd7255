"""Not one set of variances but all that the ratings allow, each with its weight.

Effects at the best variances alone hold those variances as known. Few raters tell little of the spread of
severities, and links alone tell it from the spread of teams, so intervals at the best variances are too short.
"""

import numpy as np
from scipy.special import stdtr, stdtrit

from .reml import LEAST, MOST, Effects, System

POINTS = 32  # sets of variances
FEW = 100  # raters from which the variances are known well enough to be held as known
DEGREES = 5  # of the t distribution that proposes them
STEPS = 30


def over_variances(system: System, best: Effects, points: int = POINTS) -> list[tuple[float, Effects]]:
    """Effects at several sets of variances with their weights, which total 1; ``best`` alone where raters are many.

    Importance sampling of the restricted likelihood times a prior (Gelfand and Smith 1990, J. Am. Stat. Assoc.
    85(410), sec. 3; prior: half-Cauchy on each standard deviation with the spread of all ratings as its scale,
    Gelman 2006, Bayesian Analysis 1(3), sec. 5), proposed from a t distribution about the mode in log variances by
    points that fill the space evenly (Sobol).
    """
    if system.data.shape[1] >= FEW or system.free < 5:
        return [(1.0, best)]
    scale = max(np.var(system.data.y) / best.residual, 1.0)
    mode, spread = _mode(system, best, scale)
    proposals, density = _proposals(mode, spread, points)
    found = [_at(system, best, at) for at in proposals]
    log = np.array([-0.5 * one.criterion + _prior(at, scale)[0] for one, at in zip(found, proposals, strict=True)])
    weight = np.exp(log - density - (log - density).max())
    weight /= weight.sum()
    # What weighs next to nothing is dropped, so that no time goes into it.
    kept = weight > 1e-4
    return [(float(w), one) for w, one, k in zip(weight / weight[kept].sum(), found, kept, strict=True) if k]


def _at(system: System, best: Effects, log_variance: np.ndarray) -> Effects:
    """Effects at variances given for those that are searched; the others stay as in ``best``."""
    ratio = np.array([best.theta[name] for name in system.names]) ** 2
    ratio[system.searched] = np.exp(log_variance)
    return system.solve(ratio)


def _prior(log_variance: np.ndarray, scale: float) -> tuple[float, np.ndarray, np.ndarray]:
    """Log prior density of log variances, its slope and curvature."""
    share = np.exp(log_variance) / (scale + np.exp(log_variance))
    value = float(np.sum(log_variance / 2 - np.log1p(np.exp(log_variance) / scale)))
    return value, 0.5 - share, -share * (1 - share)


def _mode(system: System, best: Effects, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Mode of the posterior of log variances, and a root of the covariance there."""
    own = system.searched
    at = np.log(np.maximum(np.array([best.theta[name] for name in system.names])[own] ** 2, 0.01))

    def around(at: np.ndarray):
        here = _at(system, best, at)
        steep, information = here.slope[own], here.information[np.ix_(own, own)]
        ratio = np.exp(at)
        _, slope, bend = _prior(at, scale)
        # The criterion is -2 x log likelihood; its slope and curvature go from variances to their logarithms.
        gradient = ratio * steep / 2 - slope
        curvature = np.outer(ratio, ratio) * information / 2 + np.diag(np.maximum(ratio * steep / 2, 0) - bend)
        return gradient, curvature + 0.02 * np.eye(len(at))

    gradient, curvature = around(at)
    for _ in range(STEPS):
        step = np.clip(-np.linalg.solve(curvature, gradient), -1.5, 1.5)
        if gradient @ -step < 1e-6:
            break
        for _ in range(10):
            gradient_there, curvature_there = around(at + step)
            if gradient_there @ step <= -(gradient @ step):
                break
            step = step / 2
        at, gradient, curvature = at + step, gradient_there, curvature_there
    return at, np.linalg.cholesky(np.linalg.inv(curvature))


def _proposals(mode: np.ndarray, root: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, variances) of a multivariate t about the mode, and their log density up to a constant."""
    from scipy.special import gammaincinv, ndtri
    from scipy.stats import qmc

    even = qmc.Sobol(len(mode) + 1, rng=np.random.default_rng(0)).random(points)
    normal = ndtri(np.clip(even[:, :-1], 1e-9, 1 - 1e-9))
    chi = 2 * gammaincinv(DEGREES / 2, np.clip(even[:, -1], 1e-9, 1 - 1e-9))
    standard = normal * np.sqrt(DEGREES / chi)[:, None]
    density = -(DEGREES + len(mode)) / 2 * np.log1p((standard**2).sum(axis=1) / DEGREES)
    return np.clip(mode + standard @ root.T, np.log(LEAST), np.log(MOST)), density


def quantiles(share: float, weight: np.ndarray, mean: np.ndarray, sd: np.ndarray, degrees: float) -> np.ndarray:
    """Quantile of a mixture of Student's t distributions, one for each column of (parts, n)."""
    if len(weight) == 1:
        return mean[0] + stdtrit(degrees, share) * sd[0]
    reach = 40 * (sd.max(axis=0) + np.ptp(mean, axis=0)) + 1e-12
    low, high = mean.min(axis=0) - reach, mean.max(axis=0) + reach
    sd = np.maximum(sd, 1e-300)
    for _ in range(60):
        middle = (low + high) / 2
        below = weight @ stdtr(degrees, (middle - mean) / sd) < share
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
